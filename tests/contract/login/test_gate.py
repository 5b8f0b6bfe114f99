"""Who gets in."""

from __future__ import annotations

from .support import *


def test_x(login: Login) -> None:
    b = login.browser()
    print(b.ask(EMR, "/a/b?c=d&e=/f"))
    print(b.ask(EMR, "/login?/a/b?c=d&e=/f"))
    print(b.log_in(CLINICIAN, "no", target="/login?/a/b?c=d"))
    print(b.log_in(CLINICIAN, CLINICIAN_PASSWORD, target="/login?/a/b?c=d"))
    print(b.cookie)
    print(b.ask(EMR, "/a%2Fb/%5e?c=d&e=/f", headers={"Cookie": f"a=b; {b.cookie}; c=d", "X-Remote-User": "evil"}))
    print(b.ask(EMR, "/", headers={"Cookie": b.cookie}))
    print(b.ask(PACS))
    print(b.ask(VIEWER))
    print(b.ask(VIEWER, "/logout"))
    print(b.cookie)
    print(b.ask(VIEWER, "/dicom-web/x", headers={}))
    print(login.container.logs())
    assert 0
