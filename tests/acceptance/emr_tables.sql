-- The tables of OpenEMR 7.0.3 that the engine reads, with upstream's names of columns, as far as they are read or leave a trace
-- (openemr.md §3.1, §7.8), and the engine's account as docs/engine.md asks for it: who runs the EMR gives it its password.
CREATE TABLE patient_data (
  id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
  pid bigint NOT NULL DEFAULT 0,
  lname varchar(255) NOT NULL DEFAULT '',
  fname varchar(255) NOT NULL DEFAULT '',
  mname varchar(255) NOT NULL DEFAULT '',
  DOB date DEFAULT NULL,
  sex varchar(255) NOT NULL DEFAULT '',
  last_updated datetime NOT NULL DEFAULT current_timestamp() ON UPDATE current_timestamp(),
  UNIQUE KEY pid (pid)
);

CREATE TABLE procedure_order (
  procedure_order_id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
  patient_id bigint NOT NULL DEFAULT 0,
  encounter_id bigint NOT NULL DEFAULT 0,
  date_collected datetime DEFAULT NULL,
  order_priority varchar(31) NOT NULL DEFAULT '',
  order_status varchar(31) NOT NULL DEFAULT '',
  activity tinyint(1) NOT NULL DEFAULT 1
);

CREATE TABLE procedure_order_code (
  procedure_order_id bigint NOT NULL,
  procedure_order_seq int NOT NULL,
  procedure_code varchar(31) NOT NULL DEFAULT '',
  procedure_name varchar(255) NOT NULL DEFAULT '',
  do_not_send tinyint(1) NOT NULL DEFAULT 0,
  PRIMARY KEY (procedure_order_id, procedure_order_seq)
);

CREATE TABLE forms (
  id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
  encounter bigint DEFAULT NULL,
  form_id bigint DEFAULT NULL,
  pid bigint DEFAULT NULL,
  formdir longtext DEFAULT NULL,
  deleted tinyint NOT NULL DEFAULT 0
);

CREATE TABLE log (
  id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
  date datetime DEFAULT NULL,
  event varchar(255) DEFAULT NULL,
  comments longtext DEFAULT NULL,
  patient_id bigint DEFAULT NULL
);

CREATE USER imaging_ro@'%' REQUIRE SSL ACCOUNT LOCK;
GRANT SELECT ON openemr.patient_data TO imaging_ro@'%';
GRANT SELECT ON openemr.procedure_order TO imaging_ro@'%';
GRANT SELECT ON openemr.procedure_order_code TO imaging_ro@'%';
GRANT SELECT ON openemr.forms TO imaging_ro@'%';
GRANT SELECT ON openemr.log TO imaging_ro@'%';
