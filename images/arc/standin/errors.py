"""Faults that decide what a peer or a health check sees."""


class LdapError(Exception):
    """LDAP does not answer, or refuses the bind."""


class ConfigurationError(Exception):
    """LDAP answered, but what it holds makes no archive device."""


class DatabaseError(Exception):
    """PostgreSQL does not answer, refuses the login, or holds tables of another archive."""


class StorageError(Exception):
    """The storage folder cannot be made or read, so Orthanc cannot run on it."""


class OrthancError(Exception):
    """Orthanc refused a request: `status` is HTTP's, `code` Orthanc's own, the text its reason."""

    def __init__(self, status: int, code: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.code = code


class RefusedError(Exception):
    """An object is not stored: `status` is the DIMSE status, the text goes into Error Comment (0000,0902)."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
