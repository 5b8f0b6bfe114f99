"""Patient messages (dcm4chee.md §4.1). What concerns the patient in orders and reports is done here too."""

from __future__ import annotations

from standin import patients, worklist
from standin.hl7text import DUPLICATE_KEY_IDENTIFIER, REQUIRED_FIELD_MISSING, UNKNOWN_KEY_IDENTIFIER, Hl7Error
from standin.mapping import patient_of, prior_of
from standin.patients import CircularError, ExistsError, MergedError, NonUniqueError
from standin.received import Received

PATIENT, PRIOR = "PID^1^3", "MRG^1^1"


def receive(received: Received) -> None:
    """Register, change or merge a patient; an arrival marks all of its scheduled steps. Raises Hl7Error, DatabaseError."""
    key = update_patient(received)
    if received.message_type == received.application.arrival:
        with received.registry.transaction() as connection:
            worklist.set_status(connection, "ARRIVED", "patient = %s AND status = 'SCHEDULED'", [key])


def update_patient(received: Received) -> int:
    """Do what PID and MRG say; return the patient's key. Raises Hl7Error, DatabaseError."""
    attributes, prior = patient_of(received.message), prior_of(received.message)
    if not patients.identity_of(attributes).pid:
        raise Hl7Error(REQUIRED_FIELD_MISSING, "Missing patient identifier", PATIENT)
    if prior is not None and not patients.identity_of(prior).pid:
        raise Hl7Error(REQUIRED_FIELD_MISSING, "Missing prior patient identifier", PRIOR)
    try:
        with received.registry.transaction() as connection:
            if prior is None:
                return patients.update(connection, attributes)
            if received.message_type == "ADT^A47":
                return patients.change_id(connection, attributes, prior)
            return patients.merge(connection, attributes, prior)
    except MergedError as error:
        raise Hl7Error(UNKNOWN_KEY_IDENTIFIER, str(error), PRIOR if received.message_type == "ADT^A40" else PATIENT) from error
    except (NonUniqueError, ExistsError) as error:
        raise Hl7Error(DUPLICATE_KEY_IDENTIFIER, str(error), PATIENT) from error
    except CircularError as error:
        raise Hl7Error(DUPLICATE_KEY_IDENTIFIER, str(error), PRIOR) from error
