"""Contract of the PHP that the role `openemr` installs, in OpenEMR: its background service, its page and its patient menu."""
