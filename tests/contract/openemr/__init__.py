"""Contract of the EMR: OpenEMR 7.0.3 with MariaDB 11.8."""
