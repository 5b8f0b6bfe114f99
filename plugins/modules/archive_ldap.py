"""Bring the archive's configuration in LDAP to what the lab's tables say, through the LDAP container; with a reload marker."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.pacs_emr.lab.plugins.module_utils import archive_config, docker_cli, ldap_container, ldif

#: Everything that the plan looks at.
FILTER = (
    "(|(objectClass=dicomDevice)(objectClass=dicomNetworkConnection)(objectClass=dicomNetworkAE)(objectClass=dicomUniqueAETitle)"
    "(objectClass=hl7Application)(objectClass=hl7UniqueApplicationName)"
    f"(cn=SupplementIssuerOfPatientID*)(dcmSPSStatus=*)(objectClass=inetOrgPerson)(cn={archive_config.MARKER}))"
)
ATTRIBUTES = [
    *("objectClass", "cn", "uid", "userPassword", "dcmProtocol", "dcmMergeAttribute"),
    *("dicomDeviceName", "dicomDescription", "dicomInstalled", "dicomHostname", "dicomPort"),
    *("dicomAETitle", "dicomAssociationInitiator", "dicomAssociationAcceptor", "dicomNetworkConnectionReference"),
    *("hl7ApplicationName", "hl7AcceptedSendingApplication", "hl7AcceptedMessageType", "hl7DefaultCharacterSet", "hl7SendingCharacterSet"),
    *("hl7ScheduledProtocolCodeInOrder", "hl7ScheduledStationAETInOrder", "hl7OrderControlStatus", "hl7ORUAction"),
    *("hl7PSUAction", "hl7PSUTrigger", "hl7PSUMessageType", "hl7PSUDelay", "hl7PSUTaskPollingInterval"),
    *("hl7PSUSendingApplication", "hl7PSUReceivingApplication"),
]
#: What the lab's tables say, as the module is told.
TABLES = ["device", "ae_title", "worklist_ae_title", "assigning_authority", "peers", "users", "hl7"]


def main() -> None:
    """Read, plan, write, read back. Returns ``changed``, ``pending`` (a reload is due), ``listeners`` (ports) and a diff."""
    module = AnsibleModule(
        argument_spec={
            **ldap_container.OPTIONS,
            "device": {"type": "str"},
            "ae_title": {"type": "str"},
            "worklist_ae_title": {"type": "str"},
            "assigning_authority": {"type": "str"},
            "peers": {"type": "list", "elements": "dict"},
            "users": {"type": "dict", "no_log": True},
            # Names, place and times of the archive's HL7 side.
            "hl7": {
                "type": "dict",
                "options": {
                    **{name: {"type": "str", "required": True} for name in ("archive", "engine", "host", "delay", "poll")},
                    "port": {"type": "int", "required": True},
                },
            },
            # The archive has read it: nothing is compared, the marker is removed.
            "reloaded": {"type": "bool", "default": False},
        },
        required_if=[("reloaded", False, TABLES)],
        supports_check_mode=True,
    )
    given = module.params
    base, marker = given["base_dn"], f"cn={archive_config.MARKER},{given['base_dn']}"
    ldap = ldap_container.connect(module, {"pending": True, "listeners": [], "msg": "LDAP does not run yet: its content would be set"})
    try:
        present = ldap.search(FILTER, ATTRIBUTES)
        marked = any(ldif.key(dn) == ldif.key(marker) for dn in present)
        if given["reloaded"]:
            if marked and not module.check_mode:
                ldap.modify(ldif.delete(marker))
            module.exit_json(changed=marked, pending=False)
        tables = {name: given[name] for name in TABLES} | {"hl7": archive_config.Hl7(**given["hl7"])}
        settings = archive_config.Settings(base=base, **tables)
        changes = archive_config.plan(settings, present)
        due = bool(changes.records)
        if (due or changes.passwords) and not module.check_mode:
            entry = {"objectClass": ["applicationProcess"], "cn": [archive_config.MARKER]}
            before = [ldif.add(marker, entry)] if due and not marked else []
            ldap.modify("".join(before + changes.records + changes.passwords))
            left = archive_config.plan(settings, ldap.search(FILTER, ATTRIBUTES))
            if left.records or left.passwords:
                module.fail_json(msg="LDAP took the changes, but reads back otherwise", left=left.after or left.before)
    except (docker_cli.DockerError, ValueError) as error:
        module.fail_json(msg=str(error))
    diff = {"before": changes.before, "after": changes.after, "before_header": "LDAP", "after_header": "LDAP"}
    module.exit_json(
        changed=due or bool(changes.passwords), pending=due or marked, listeners=archive_config.listeners(settings, present), diff=diff
    )


if __name__ == "__main__":
    main()
