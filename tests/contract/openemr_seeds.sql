-- The tables of OpenEMR 7.0.3 that the seeds read and write, with upstream's names of columns (openemr.md §3.1), as far as they matter
-- to them, and what its installer leaves in them.
CREATE TABLE version (
  v_major int NOT NULL DEFAULT 0,
  v_minor int NOT NULL DEFAULT 0,
  v_patch int NOT NULL DEFAULT 0,
  v_database int NOT NULL DEFAULT 0
);
INSERT INTO version VALUES (7, 0, 3, 506);

CREATE TABLE users (
  id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
  uuid binary(16) DEFAULT NULL UNIQUE,
  username varchar(255) DEFAULT NULL,
  authorized tinyint DEFAULT NULL,
  see_auth int NOT NULL DEFAULT 1,
  active tinyint(1) NOT NULL DEFAULT 1,
  npi varchar(15) DEFAULT NULL,
  organization varchar(255) DEFAULT NULL,
  abook_type varchar(31) NOT NULL DEFAULT '',
  patient_menu_role varchar(50) NOT NULL DEFAULT 'standard'
);
INSERT INTO users (username) VALUES ('admin'), ('phimail-service'), ('portal-user'), ('oe-system'), (NULL), ('');

CREATE TABLE procedure_providers (
  ppid bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
  uuid binary(16) DEFAULT NULL UNIQUE,
  name varchar(255) NOT NULL DEFAULT '',
  npi varchar(15) NOT NULL DEFAULT '',
  send_app_id varchar(255) NOT NULL DEFAULT '',
  send_fac_id varchar(255) NOT NULL DEFAULT '',
  recv_app_id varchar(255) NOT NULL DEFAULT '',
  recv_fac_id varchar(255) NOT NULL DEFAULT '',
  DorP char(1) NOT NULL DEFAULT 'D',
  direction char(1) NOT NULL DEFAULT 'B',
  protocol varchar(15) NOT NULL DEFAULT 'DL',
  orders_path varchar(255) NOT NULL DEFAULT '',
  results_path varchar(255) NOT NULL DEFAULT '',
  lab_director bigint NOT NULL DEFAULT 0,
  active tinyint(1) NOT NULL DEFAULT 1
);

CREATE TABLE procedure_type (
  procedure_type_id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
  parent bigint NOT NULL DEFAULT 0,
  name varchar(63) NOT NULL DEFAULT '',
  lab_id bigint NOT NULL DEFAULT 0,
  procedure_code varchar(64) NOT NULL DEFAULT '',
  procedure_type varchar(31) NOT NULL DEFAULT '',
  seq int NOT NULL DEFAULT 0,
  activity tinyint(1) NOT NULL DEFAULT 1,
  procedure_type_name varchar(64) DEFAULT NULL
);

CREATE TABLE procedure_questions (
  lab_id bigint NOT NULL DEFAULT 0,
  procedure_code varchar(31) NOT NULL DEFAULT '',
  question_code varchar(31) NOT NULL DEFAULT '',
  seq int NOT NULL DEFAULT 0,
  question_text varchar(255) NOT NULL DEFAULT '',
  fldtype char(1) NOT NULL DEFAULT 'T',
  activity tinyint(1) NOT NULL DEFAULT 1,
  PRIMARY KEY (lab_id, procedure_code, question_code)
);

CREATE TABLE globals (
  gl_name varchar(63) NOT NULL,
  gl_index int NOT NULL DEFAULT 0,
  gl_value varchar(255) NOT NULL DEFAULT '',
  PRIMARY KEY (gl_name, gl_index)
);
INSERT INTO globals VALUES ('rest_api', 0, '0'), ('rest_api', 1, 'not this one'), ('oauth_password_grant', 0, '0'),
  ('lab_results_category_name', 0, 'Lab Report');

CREATE TABLE categories (
  id int NOT NULL DEFAULT 0 PRIMARY KEY,
  name varchar(255) DEFAULT NULL,
  value varchar(255) DEFAULT NULL,
  parent int NOT NULL DEFAULT 0,
  lft int NOT NULL DEFAULT 0,
  rght int NOT NULL DEFAULT 0,
  aco_spec varchar(63) NOT NULL DEFAULT 'patients|docs',
  codes varchar(255) NOT NULL DEFAULT ''
);
CREATE TABLE categories_seq (id int NOT NULL DEFAULT 0 PRIMARY KEY);
-- Of a site that has added a branch of its own, with a leaf in it.
INSERT INTO categories (id, name, parent, lft, rght) VALUES (1, 'Categories', 0, 0, 7), (2, 'Lab Report', 1, 1, 2),
  (3, 'Letters', 1, 3, 6), (4, 'Überweisung', 3, 4, 5);
INSERT INTO categories_seq VALUES (4);

CREATE TABLE background_services (
  name varchar(31) NOT NULL PRIMARY KEY,
  title varchar(127) NOT NULL,
  active tinyint(1) NOT NULL DEFAULT 0,
  running tinyint(1) NOT NULL DEFAULT -1,
  next_run timestamp NOT NULL DEFAULT current_timestamp(),
  execute_interval int NOT NULL DEFAULT 0,
  `function` varchar(127) NOT NULL,
  require_once varchar(255) DEFAULT NULL
);

CREATE TABLE patient_data (pid bigint NOT NULL PRIMARY KEY, lname varchar(255) NOT NULL DEFAULT '');
INSERT INTO patient_data VALUES (1, 'Doe');
CREATE TABLE procedure_order (procedure_order_id bigint NOT NULL PRIMARY KEY);
CREATE TABLE procedure_order_code (procedure_order_id bigint NOT NULL, procedure_order_seq int NOT NULL);
CREATE TABLE forms (id bigint NOT NULL PRIMARY KEY);
CREATE TABLE log (id bigint NOT NULL PRIMARY KEY);
