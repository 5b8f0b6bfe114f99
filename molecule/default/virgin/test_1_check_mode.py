"""Check mode on a server that never saw the lab (F-DOC-1)."""

from __future__ import annotations

from conftest import RUN, Lab

#: What Ansible, sshd and Docker Engine themselves write while somebody only looks.
NOT_OURS = [
    *("/proc", "/sys", "/dev", "/opt/service", "/root/.ansible", "/root/.docker", "/var/log"),
    *("/run/docker", "/run/containerd", "/run/utmp", "/run/motd.dynamic"),
]


def state(lab: Lab) -> dict[str, list[str]]:
    """Everything that a deployment could leave on the server."""
    pruned = " -o ".join(f"-path {path}" for path in NOT_OURS)
    return {
        "images": sorted(lab.docker("images", "--all", "--no-trunc", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}").splitlines()),
        "networks": sorted(lab.docker("network", "ls", "--no-trunc", "--format", "{{.Name}} {{.ID}}").splitlines()),
        "volumes": lab.docker("volume", "ls", "--quiet").splitlines(),
        "containers": lab.docker("ps", "--all", "--no-trunc", "--format", "{{.Names}} {{.ID}}").splitlines(),
        # Of folders all but size and time, which tell what the files in them tell.
        "files": lab.server.check_output(
            f"find / /run /tmp -xdev \\( {pruned} \\) -prune -o -type d -printf '%p %m %U\\n' -o -printf '%p %m %U %s %T@\\n' | sort -u"
        ).splitlines(),
    }


def test_check_mode_ends_well_and_leaves_nothing(lab: Lab) -> None:
    before = state(lab)
    assert before["containers"] == before["volumes"] == [], "the server is used already: molecule destroy"
    run = lab.deploy("--check", "--diff")
    assert "would be created and started" in " ".join(run.output.split())
    after = state(lab)
    for kind, things in before.items():
        assert set(after[kind]) ^ set(things) == set(), f"check mode changed {kind}"
    assert not (RUN / "secrets.yml").exists(), "check mode kept secrets"
