-- The tables of OpenEMR 7.0.3 that the stand-in uses, with upstream's names and types of columns (openemr.md §3.1); long tables are cut.
-- Like there each table is dropped first but `contact`: a second installation fails at it (openemr.md §7.1). No collation: the
-- database's is used.

DROP TABLE IF EXISTS `api_log`;
CREATE TABLE `api_log` (
  `id` bigint(20) NOT NULL AUTO_INCREMENT,
  `log_id` int(11) NOT NULL,
  `user_id` bigint(20) NOT NULL,
  `patient_id` bigint(20) NOT NULL,
  `ip_address` varchar(255) NOT NULL,
  `method` varchar(20) NOT NULL,
  `request` varchar(255) NOT NULL,
  `request_url` text,
  `request_body` longtext,
  `response` longtext,
  `created_time` timestamp NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB;

DROP TABLE IF EXISTS `api_token`;
CREATE TABLE `api_token` (
  `id` bigint(20) NOT NULL AUTO_INCREMENT,
  `user_id` varchar(40) DEFAULT NULL,
  `token` varchar(128) DEFAULT NULL,
  `expiry` datetime DEFAULT NULL,
  `client_id` varchar(80) DEFAULT NULL,
  `scope` text,
  `revoked` tinyint(1) NOT NULL DEFAULT 0,
  `context` text,
  PRIMARY KEY (`id`),
  UNIQUE KEY token (`token`)
) ENGINE=InnoDB;

DROP TABLE IF EXISTS `background_services`;
CREATE TABLE `background_services` (
  `name` varchar(31) NOT NULL,
  `title` varchar(127) NOT NULL,
  `active` tinyint(1) NOT NULL DEFAULT 0,
  `running` tinyint(1) NOT NULL DEFAULT -1,
  `next_run` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
  `execute_interval` int(11) NOT NULL DEFAULT 0,
  `function` varchar(127) NOT NULL,
  `require_once` varchar(255) DEFAULT NULL,
  `sort_order` int(11) NOT NULL DEFAULT 100,
  PRIMARY KEY (`name`)
) ENGINE=InnoDB;

DROP TABLE IF EXISTS `billing`;
CREATE TABLE `billing` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `date` datetime DEFAULT NULL,
  `pid` bigint(20) DEFAULT NULL,
  `encounter` int(11) DEFAULT NULL,
  `activity` tinyint(1) DEFAULT NULL,
  PRIMARY KEY (`id`),
  KEY pid (`pid`)
) ENGINE=InnoDB;

DROP TABLE IF EXISTS `categories`;
CREATE TABLE `categories` (
  `id` int(11) NOT NULL DEFAULT 0,
  `name` varchar(255) DEFAULT NULL,
  `value` varchar(255) DEFAULT NULL,
  `parent` int(11) NOT NULL DEFAULT 0,
  `lft` int(11) NOT NULL DEFAULT 0,
  `rght` int(11) NOT NULL DEFAULT 0,
  `aco_spec` varchar(63) NOT NULL DEFAULT 'patients|docs',
  `codes` varchar(255) NOT NULL DEFAULT '',
  PRIMARY KEY (`id`),
  KEY parent (`parent`),
  KEY lft (`lft`, `rght`)
) ENGINE=InnoDB;

DROP TABLE IF EXISTS `categories_seq`;
CREATE TABLE `categories_seq` (
  `id` int(11) NOT NULL DEFAULT 0,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB;

DROP TABLE IF EXISTS `categories_to_documents`;
CREATE TABLE `categories_to_documents` (
  `category_id` int(11) NOT NULL DEFAULT 0,
  `document_id` int(11) NOT NULL DEFAULT 0,
  PRIMARY KEY (`category_id`, `document_id`)
) ENGINE=InnoDB;

DROP TABLE IF EXISTS `codes`;
CREATE TABLE `codes` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `code_text` text,
  `code_text_short` text,
  `code` varchar(25) NOT NULL DEFAULT '',
  `code_type` smallint(6) DEFAULT NULL,
  `modifier` varchar(12) NOT NULL DEFAULT '',
  `active` tinyint(1) DEFAULT 1,
  PRIMARY KEY (`id`),
  KEY code (`code`),
  KEY code_type (`code_type`)
) ENGINE=InnoDB;

CREATE TABLE `contact` (
  `id` bigint(20) NOT NULL AUTO_INCREMENT,
  `foreign_table_name` varchar(255) NOT NULL DEFAULT '',
  `foreign_id` bigint(20) NOT NULL DEFAULT 0,
  PRIMARY KEY (`id`),
  KEY foreign_id (`foreign_id`)
) ENGINE=InnoDB;

DROP TABLE IF EXISTS `documents`;
CREATE TABLE `documents` (
  `id` int(11) NOT NULL DEFAULT 0,
  `uuid` binary(16) DEFAULT NULL,
  `type` enum('file_url','blob','web_url') DEFAULT NULL,
  `size` int(11) DEFAULT NULL,
  `date` datetime DEFAULT NULL,
  `date_expires` datetime DEFAULT NULL,
  `url` varchar(255) DEFAULT NULL,
  `thumb_url` varchar(255) DEFAULT NULL,
  `mimetype` varchar(255) DEFAULT NULL,
  `pages` int(11) DEFAULT NULL,
  `owner` int(11) DEFAULT NULL,
  `revision` timestamp NOT NULL,
  `foreign_id` bigint(20) DEFAULT NULL,
  `docdate` date DEFAULT NULL,
  `hash` varchar(255) DEFAULT NULL,
  `list_id` bigint(20) NOT NULL DEFAULT 0,
  `name` varchar(255) DEFAULT NULL,
  `drive_uuid` binary(16) DEFAULT NULL,
  `couch_docid` varchar(100) DEFAULT NULL,
  `couch_revid` varchar(100) DEFAULT NULL,
  `storagemethod` tinyint(4) NOT NULL DEFAULT 0,
  `path_depth` tinyint(4) DEFAULT 1,
  `imported` tinyint(4) DEFAULT 0,
  `encounter_id` bigint(20) NOT NULL DEFAULT 0,
  `encounter_check` tinyint(1) NOT NULL DEFAULT 0,
  `encrypted` tinyint(4) NOT NULL DEFAULT 0,
  `document_data` mediumtext,
  `deleted` tinyint(1) NOT NULL DEFAULT 0,
  PRIMARY KEY (`id`),
  UNIQUE KEY drive_uuid (`drive_uuid`),
  UNIQUE KEY uuid (`uuid`),
  KEY foreign_id (`foreign_id`),
  KEY owner (`owner`)
) ENGINE=InnoDB;

DROP TABLE IF EXISTS `employer_data`;
CREATE TABLE `employer_data` (
  `id` bigint(20) NOT NULL AUTO_INCREMENT,
  `name` varchar(255) DEFAULT NULL,
  `date` datetime DEFAULT NULL,
  `pid` bigint(20) NOT NULL DEFAULT 0,
  PRIMARY KEY (`id`),
  KEY pid (`pid`)
) ENGINE=InnoDB;

DROP TABLE IF EXISTS `facility`;
CREATE TABLE `facility` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `uuid` binary(16) DEFAULT NULL,
  `name` varchar(255) DEFAULT NULL,
  `phone` varchar(30) DEFAULT NULL,
  `fax` varchar(30) DEFAULT NULL,
  `street` varchar(255) DEFAULT NULL,
  `city` varchar(255) DEFAULT NULL,
  `state` varchar(50) DEFAULT NULL,
  `postal_code` varchar(11) DEFAULT NULL,
  `country_code` varchar(30) NOT NULL DEFAULT '',
  `email` varchar(255) DEFAULT NULL,
  `service_location` tinyint(1) NOT NULL DEFAULT 1,
  `billing_location` tinyint(1) NOT NULL DEFAULT 1,
  `pos_code` tinyint(4) DEFAULT NULL,
  `facility_npi` varchar(15) DEFAULT NULL,
  `color` varchar(7) NOT NULL DEFAULT '',
  `primary_business_entity` int(10) NOT NULL DEFAULT 1,
  `facility_code` varchar(31) DEFAULT NULL,
  `inactive` tinyint(1) NOT NULL DEFAULT 0,
  `date_created` datetime NOT NULL DEFAULT CURRENT_TIMESTAMP,
  `last_updated` datetime NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
  PRIMARY KEY (`id`),
  UNIQUE KEY uuid (`uuid`)
) ENGINE=InnoDB;

DROP TABLE IF EXISTS `form_encounter`;
CREATE TABLE `form_encounter` (
  `id` bigint(20) NOT NULL AUTO_INCREMENT,
  `uuid` binary(16) DEFAULT NULL,
  `date` datetime DEFAULT NULL,
  `reason` longtext,
  `facility` longtext,
  `facility_id` int(11) NOT NULL DEFAULT 0,
  `pid` bigint(20) DEFAULT NULL,
  `encounter` bigint(20) DEFAULT NULL,
  `onset_date` datetime DEFAULT NULL,
  `sensitivity` varchar(30) DEFAULT NULL,
  `billing_note` text,
  `pc_catid` int(11) NOT NULL DEFAULT 5,
  `last_level_billed` int(11) NOT NULL DEFAULT 0,
  `last_level_closed` int(11) NOT NULL DEFAULT 0,
  `provider_id` int(11) DEFAULT 0,
  `supervisor_id` int(11) DEFAULT 0,
  `referral_source` varchar(31) NOT NULL DEFAULT '',
  `billing_facility` int(11) NOT NULL DEFAULT 0,
  `external_id` varchar(20) DEFAULT NULL,
  `pos_code` tinyint(4) DEFAULT NULL,
  `parent_encounter_id` bigint(20) DEFAULT NULL,
  `class_code` varchar(10) NOT NULL DEFAULT 'AMB',
  `encounter_type_code` varchar(31) DEFAULT NULL,
  `encounter_type_description` text,
  `date_end` datetime DEFAULT NULL,
  `last_update` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
  PRIMARY KEY (`id`),
  UNIQUE KEY uuid (`uuid`),
  KEY pid_encounter (`pid`, `encounter`),
  KEY encounter_date (`date`)
) ENGINE=InnoDB;

DROP TABLE IF EXISTS `forms`;
CREATE TABLE `forms` (
  `id` bigint(20) NOT NULL AUTO_INCREMENT,
  `date` datetime DEFAULT NULL,
  `encounter` bigint(20) DEFAULT NULL,
  `form_name` longtext,
  `form_id` bigint(20) DEFAULT NULL,
  `pid` bigint(20) DEFAULT NULL,
  `user` varchar(255) DEFAULT NULL,
  `groupname` varchar(255) DEFAULT NULL,
  `authorized` tinyint(4) DEFAULT NULL,
  `deleted` tinyint(4) NOT NULL DEFAULT 0,
  `formdir` longtext,
  `therapy_group_id` int(11) DEFAULT NULL,
  `issue_id` bigint(20) NOT NULL DEFAULT 0,
  `provider_id` bigint(20) NOT NULL DEFAULT 0,
  PRIMARY KEY (`id`),
  KEY pid_encounter (`pid`, `encounter`),
  KEY form_id (`form_id`)
) ENGINE=InnoDB;

DROP TABLE IF EXISTS `gacl_acl`;
CREATE TABLE `gacl_acl` (
  `id` int(11) NOT NULL DEFAULT 0,
  `section_value` varchar(150) NOT NULL DEFAULT 'system',
  `allow` int(11) NOT NULL DEFAULT 0,
  `enabled` int(11) NOT NULL DEFAULT 0,
  `return_value` text,
  `note` text,
  `updated_date` int(11) NOT NULL DEFAULT 0,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB;

DROP TABLE IF EXISTS `gacl_aco_map`;
CREATE TABLE `gacl_aco_map` (
  `acl_id` int(11) NOT NULL DEFAULT 0,
  `section_value` varchar(150) NOT NULL DEFAULT '0',
  `value` varchar(150) NOT NULL,
  PRIMARY KEY (`acl_id`, `section_value`, `value`)
) ENGINE=InnoDB;

DROP TABLE IF EXISTS `gacl_aro`;
CREATE TABLE `gacl_aro` (
  `id` int(11) NOT NULL DEFAULT 0,
  `section_value` varchar(150) NOT NULL DEFAULT '0',
  `value` varchar(150) NOT NULL,
  `order_value` int(11) NOT NULL DEFAULT 0,
  `name` varchar(255) NOT NULL,
  `hidden` int(11) NOT NULL DEFAULT 0,
  PRIMARY KEY (`id`),
  UNIQUE KEY gacl_section_value_value_aro (`section_value`, `value`)
) ENGINE=InnoDB;

DROP TABLE IF EXISTS `gacl_aro_groups`;
CREATE TABLE `gacl_aro_groups` (
  `id` int(11) NOT NULL DEFAULT 0,
  `parent_id` int(11) NOT NULL DEFAULT 0,
  `lft` int(11) NOT NULL DEFAULT 0,
  `rgt` int(11) NOT NULL DEFAULT 0,
  `name` varchar(255) NOT NULL,
  `value` varchar(150) NOT NULL,
  PRIMARY KEY (`id`, `value`),
  UNIQUE KEY gacl_value_aro_groups (`value`)
) ENGINE=InnoDB;

DROP TABLE IF EXISTS `gacl_aro_groups_map`;
CREATE TABLE `gacl_aro_groups_map` (
  `acl_id` int(11) NOT NULL DEFAULT 0,
  `group_id` int(11) NOT NULL DEFAULT 0,
  PRIMARY KEY (`acl_id`, `group_id`)
) ENGINE=InnoDB;

DROP TABLE IF EXISTS `gacl_aro_seq`;
CREATE TABLE `gacl_aro_seq` (
  `id` int(11) NOT NULL
) ENGINE=InnoDB;

DROP TABLE IF EXISTS `gacl_groups_aro_map`;
CREATE TABLE `gacl_groups_aro_map` (
  `group_id` int(11) NOT NULL DEFAULT 0,
  `aro_id` int(11) NOT NULL DEFAULT 0,
  PRIMARY KEY (`group_id`, `aro_id`),
  KEY gacl_aro_id (`aro_id`)
) ENGINE=InnoDB;

DROP TABLE IF EXISTS `globals`;
CREATE TABLE `globals` (
  `gl_name` varchar(63) NOT NULL,
  `gl_index` int(11) NOT NULL DEFAULT 0,
  `gl_value` varchar(255) NOT NULL DEFAULT '',
  PRIMARY KEY (`gl_name`, `gl_index`)
) ENGINE=InnoDB;

DROP TABLE IF EXISTS `groups`;
CREATE TABLE `groups` (
  `id` bigint(20) NOT NULL AUTO_INCREMENT,
  `name` longtext,
  `user` longtext,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB;

DROP TABLE IF EXISTS `history_data`;
CREATE TABLE `history_data` (
  `id` bigint(20) NOT NULL AUTO_INCREMENT,
  `uuid` binary(16) DEFAULT NULL,
  `date` datetime DEFAULT NULL,
  `pid` bigint(20) NOT NULL DEFAULT 0,
  `created_by` bigint(20) DEFAULT NULL,
  PRIMARY KEY (`id`),
  KEY pid (`pid`),
  UNIQUE KEY uuid (`uuid`)
) ENGINE=InnoDB;

DROP TABLE IF EXISTS `insurance_companies`;
CREATE TABLE `insurance_companies` (
  `id` int(11) NOT NULL DEFAULT 0,
  `uuid` binary(16) DEFAULT NULL,
  `name` varchar(255) DEFAULT NULL,
  `attn` varchar(255) DEFAULT NULL,
  `cms_id` varchar(15) DEFAULT NULL,
  `ins_type_code` int(11) DEFAULT NULL,
  `inactive` tinyint(1) NOT NULL DEFAULT 0,
  `date_created` datetime NOT NULL DEFAULT CURRENT_TIMESTAMP,
  `last_updated` datetime NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
  PRIMARY KEY (`id`),
  UNIQUE KEY uuid (`uuid`)
) ENGINE=InnoDB;

DROP TABLE IF EXISTS `insurance_data`;
CREATE TABLE `insurance_data` (
  `id` bigint(20) NOT NULL AUTO_INCREMENT,
  `uuid` binary(16) DEFAULT NULL,
  `type` enum('primary','secondary','tertiary') DEFAULT NULL,
  `provider` varchar(255) DEFAULT NULL,
  `plan_name` varchar(255) DEFAULT NULL,
  `policy_number` varchar(255) DEFAULT NULL,
  `group_number` varchar(255) DEFAULT NULL,
  `subscriber_lname` varchar(255) DEFAULT NULL,
  `subscriber_mname` varchar(255) DEFAULT NULL,
  `subscriber_fname` varchar(255) DEFAULT NULL,
  `subscriber_relationship` varchar(255) DEFAULT NULL,
  `subscriber_ss` varchar(255) DEFAULT NULL,
  `subscriber_DOB` date DEFAULT NULL,
  `subscriber_street` varchar(255) DEFAULT NULL,
  `subscriber_postal_code` varchar(255) DEFAULT NULL,
  `subscriber_city` varchar(255) DEFAULT NULL,
  `subscriber_state` varchar(255) DEFAULT NULL,
  `subscriber_country` varchar(255) DEFAULT NULL,
  `subscriber_phone` varchar(255) DEFAULT NULL,
  `date` date DEFAULT NULL,
  `pid` bigint(20) NOT NULL DEFAULT 0,
  `date_end` date DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY uuid (`uuid`),
  UNIQUE KEY pid_type_date (`pid`, `type`, `date`)
) ENGINE=InnoDB;

DROP TABLE IF EXISTS `issue_encounter`;
CREATE TABLE `issue_encounter` (
  `pid` bigint(20) NOT NULL,
  `list_id` int(11) NOT NULL,
  `encounter` int(11) NOT NULL,
  `resolved` tinyint(1) NOT NULL,
  PRIMARY KEY (`pid`, `list_id`, `encounter`)
) ENGINE=InnoDB;

DROP TABLE IF EXISTS `keys`;
CREATE TABLE `keys` (
  `id` bigint(20) NOT NULL AUTO_INCREMENT,
  `name` varchar(20) NOT NULL DEFAULT '',
  `value` text,
  PRIMARY KEY (`id`),
  UNIQUE KEY name (`name`)
) ENGINE=InnoDB;

DROP TABLE IF EXISTS `list_options`;
CREATE TABLE `list_options` (
  `list_id` varchar(100) NOT NULL DEFAULT '',
  `option_id` varchar(100) NOT NULL DEFAULT '',
  `title` varchar(255) NOT NULL DEFAULT '',
  `seq` int(11) NOT NULL DEFAULT 0,
  `is_default` tinyint(1) NOT NULL DEFAULT 0,
  `option_value` float NOT NULL DEFAULT 0,
  `mapping` varchar(31) NOT NULL DEFAULT '',
  `notes` text,
  `codes` varchar(255) NOT NULL DEFAULT '',
  `activity` tinyint(4) NOT NULL DEFAULT 1,
  `subtype` varchar(31) NOT NULL DEFAULT '',
  `last_updated` datetime NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
  PRIMARY KEY (`list_id`, `option_id`)
) ENGINE=InnoDB;

DROP TABLE IF EXISTS `lists`;
CREATE TABLE `lists` (
  `id` bigint(20) NOT NULL AUTO_INCREMENT,
  `uuid` binary(16) DEFAULT NULL,
  `date` datetime DEFAULT NULL,
  `type` varchar(255) DEFAULT NULL,
  `title` varchar(255) DEFAULT NULL,
  `begdate` datetime DEFAULT NULL,
  `enddate` datetime DEFAULT NULL,
  `diagnosis` varchar(255) DEFAULT NULL,
  `activity` tinyint(4) DEFAULT NULL,
  `comments` longtext,
  `pid` bigint(20) DEFAULT NULL,
  `user` varchar(255) DEFAULT NULL,
  `groupname` varchar(255) DEFAULT NULL,
  PRIMARY KEY (`id`),
  KEY pid (`pid`),
  UNIQUE KEY uuid (`uuid`)
) ENGINE=InnoDB;

DROP TABLE IF EXISTS `log`;
CREATE TABLE `log` (
  `id` bigint(20) NOT NULL AUTO_INCREMENT,
  `date` datetime DEFAULT NULL,
  `event` varchar(255) DEFAULT NULL,
  `category` varchar(255) DEFAULT NULL,
  `user` varchar(255) DEFAULT NULL,
  `groupname` varchar(255) DEFAULT NULL,
  `comments` longtext,
  `user_notes` longtext,
  `patient_id` bigint(20) DEFAULT NULL,
  `success` tinyint(1) DEFAULT 1,
  `checksum` longtext,
  `crt_user` varchar(255) DEFAULT NULL,
  `log_from` varchar(20) DEFAULT 'open-emr',
  `menu_item_id` int(11) DEFAULT NULL,
  `ccda_doc_id` int(11) DEFAULT NULL,
  PRIMARY KEY (`id`),
  KEY patient_id (`patient_id`)
) ENGINE=InnoDB;

DROP TABLE IF EXISTS `log_comment_encrypt`;
CREATE TABLE `log_comment_encrypt` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `log_id` int(11) NOT NULL,
  `encrypt` enum('Yes','No') NOT NULL DEFAULT 'No',
  `checksum` longtext,
  `checksum_api` longtext,
  `version` tinyint(4) NOT NULL DEFAULT 0,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB;

DROP TABLE IF EXISTS `oauth_clients`;
CREATE TABLE `oauth_clients` (
  `client_id` varchar(80) NOT NULL,
  `client_role` varchar(20) DEFAULT NULL,
  `client_name` varchar(80) NOT NULL,
  `client_secret` text,
  `registration_token` varchar(80) DEFAULT NULL,
  `registration_uri_path` varchar(40) DEFAULT NULL,
  `register_date` datetime DEFAULT NULL,
  `revoke_date` datetime DEFAULT NULL,
  `contacts` text,
  `redirect_uri` text,
  `grant_types` varchar(80) DEFAULT NULL,
  `scope` text,
  `user_id` varchar(40) DEFAULT NULL,
  `site_id` varchar(64) DEFAULT NULL,
  `is_confidential` tinyint(1) NOT NULL DEFAULT 1,
  `is_enabled` tinyint(1) NOT NULL DEFAULT 0,
  PRIMARY KEY (`client_id`)
) ENGINE=InnoDB;

DROP TABLE IF EXISTS `patient_data`;
CREATE TABLE `patient_data` (
  `id` bigint(20) NOT NULL AUTO_INCREMENT,
  `uuid` binary(16) DEFAULT NULL,
  `title` varchar(255) NOT NULL DEFAULT '',
  `language` varchar(255) NOT NULL DEFAULT '',
  `financial` varchar(255) NOT NULL DEFAULT '',
  `fname` varchar(255) NOT NULL DEFAULT '',
  `lname` varchar(255) NOT NULL DEFAULT '',
  `mname` varchar(255) NOT NULL DEFAULT '',
  `DOB` date DEFAULT NULL,
  `street` varchar(255) NOT NULL DEFAULT '',
  `postal_code` varchar(255) NOT NULL DEFAULT '',
  `city` varchar(255) NOT NULL DEFAULT '',
  `state` varchar(255) NOT NULL DEFAULT '',
  `country_code` varchar(255) NOT NULL DEFAULT '',
  `drivers_license` varchar(255) NOT NULL DEFAULT '',
  `ss` varchar(255) NOT NULL DEFAULT '',
  `occupation` longtext,
  `phone_home` varchar(255) NOT NULL DEFAULT '',
  `phone_biz` varchar(255) NOT NULL DEFAULT '',
  `phone_contact` varchar(255) NOT NULL DEFAULT '',
  `phone_cell` varchar(255) NOT NULL DEFAULT '',
  `pharmacy_id` int(11) NOT NULL DEFAULT 0,
  `status` varchar(255) NOT NULL DEFAULT '',
  `contact_relationship` varchar(255) NOT NULL DEFAULT '',
  `date` datetime DEFAULT NULL,
  `sex` varchar(255) NOT NULL DEFAULT '',
  `referrer` varchar(255) NOT NULL DEFAULT '',
  `referrerID` varchar(255) NOT NULL DEFAULT '',
  `providerID` int(11) DEFAULT NULL,
  `ref_providerID` int(11) DEFAULT NULL,
  `email` varchar(255) NOT NULL DEFAULT '',
  `email_direct` varchar(255) NOT NULL DEFAULT '',
  `race` varchar(255) NOT NULL DEFAULT '',
  `ethnicity` varchar(255) NOT NULL DEFAULT '',
  `pubpid` varchar(255) NOT NULL DEFAULT '',
  `pid` bigint(20) NOT NULL DEFAULT 0,
  `regdate` datetime DEFAULT NULL,
  `deceased_date` datetime DEFAULT NULL,
  `deceased_reason` varchar(255) NOT NULL DEFAULT '',
  `mothersname` varchar(255) NOT NULL DEFAULT '',
  `county` varchar(40) NOT NULL DEFAULT '',
  `dupscore` int(11) NOT NULL DEFAULT -9,
  `suffix` tinytext,
  `street_line_2` tinytext,
  `care_team_provider` text,
  `care_team_facility` text,
  `created_by` bigint(20) DEFAULT NULL,
  `updated_by` bigint(20) DEFAULT NULL,
  `preferred_name` tinytext,
  `last_updated` datetime NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
  UNIQUE KEY pid (`pid`),
  UNIQUE KEY uuid (`uuid`),
  KEY id (`id`)
) ENGINE=InnoDB;

DROP TABLE IF EXISTS `pnotes`;
CREATE TABLE `pnotes` (
  `id` bigint(20) NOT NULL AUTO_INCREMENT,
  `date` datetime DEFAULT NULL,
  `body` longtext,
  `pid` bigint(20) DEFAULT NULL,
  `user` varchar(255) DEFAULT NULL,
  `groupname` varchar(255) DEFAULT NULL,
  `activity` tinyint(4) DEFAULT NULL,
  `authorized` tinyint(4) DEFAULT NULL,
  `title` varchar(255) DEFAULT NULL,
  `assigned_to` varchar(255) DEFAULT NULL,
  `deleted` tinyint(4) DEFAULT 0,
  `message_status` varchar(20) NOT NULL DEFAULT 'New',
  PRIMARY KEY (`id`),
  KEY pid (`pid`)
) ENGINE=InnoDB;

DROP TABLE IF EXISTS `prescriptions`;
CREATE TABLE `prescriptions` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `uuid` binary(16) DEFAULT NULL,
  `patient_id` bigint(20) DEFAULT NULL,
  `date_added` datetime DEFAULT NULL,
  `provider_id` int(11) DEFAULT NULL,
  `encounter` int(11) DEFAULT NULL,
  `start_date` date DEFAULT NULL,
  `drug` varchar(150) DEFAULT NULL,
  `drug_id` int(11) NOT NULL DEFAULT 0,
  `dosage` varchar(100) DEFAULT NULL,
  `note` text,
  `active` int(11) NOT NULL DEFAULT 1,
  `txDate` date NOT NULL,
  `usage_category_title` varchar(255) NOT NULL,
  `request_intent_title` varchar(255) NOT NULL,
  PRIMARY KEY (`id`),
  KEY patient_id (`patient_id`),
  UNIQUE KEY uuid (`uuid`)
) ENGINE=InnoDB;

DROP TABLE IF EXISTS `procedure_answers`;
CREATE TABLE `procedure_answers` (
  `procedure_order_id` bigint(20) NOT NULL DEFAULT 0,
  `procedure_order_seq` int(11) NOT NULL DEFAULT 0,
  `question_code` varchar(31) NOT NULL DEFAULT '',
  `answer_seq` int(11) NOT NULL,
  `answer` varchar(255) NOT NULL DEFAULT '',
  `procedure_code` varchar(31) DEFAULT NULL,
  PRIMARY KEY (`procedure_order_id`, `procedure_order_seq`, `question_code`, `answer_seq`)
) ENGINE=InnoDB;

DROP TABLE IF EXISTS `procedure_order`;
CREATE TABLE `procedure_order` (
  `procedure_order_id` bigint(20) NOT NULL AUTO_INCREMENT,
  `uuid` binary(16) DEFAULT NULL,
  `provider_id` bigint(20) NOT NULL DEFAULT 0,
  `patient_id` bigint(20) NOT NULL,
  `encounter_id` bigint(20) NOT NULL DEFAULT 0,
  `date_collected` datetime DEFAULT NULL,
  `date_ordered` datetime DEFAULT NULL,
  `order_priority` varchar(31) NOT NULL DEFAULT '',
  `order_status` varchar(31) NOT NULL DEFAULT '',
  `patient_instructions` text,
  `activity` tinyint(1) NOT NULL DEFAULT 1,
  `control_id` varchar(255) NOT NULL DEFAULT '',
  `lab_id` bigint(20) NOT NULL DEFAULT 0,
  `specimen_type` varchar(31) NOT NULL DEFAULT '',
  `specimen_location` varchar(31) NOT NULL DEFAULT '',
  `specimen_volume` varchar(30) NOT NULL DEFAULT '',
  `date_transmitted` datetime DEFAULT NULL,
  `clinical_hx` varchar(255) NOT NULL DEFAULT '',
  `external_id` varchar(20) DEFAULT NULL,
  `history_order` enum('0','1') DEFAULT '0',
  `order_diagnosis` varchar(255) DEFAULT '',
  `billing_type` varchar(4) DEFAULT NULL,
  `specimen_fasting` varchar(31) DEFAULT NULL,
  `order_psc` tinyint(4) DEFAULT NULL,
  `order_abn` varchar(31) NOT NULL DEFAULT 'not_required',
  `collector_id` bigint(11) NOT NULL DEFAULT 0,
  `account` varchar(60) DEFAULT NULL,
  `account_facility` int(11) DEFAULT NULL,
  `provider_number` varchar(30) DEFAULT NULL,
  `procedure_order_type` varchar(32) NOT NULL DEFAULT 'laboratory_test',
  PRIMARY KEY (`procedure_order_id`),
  UNIQUE KEY uuid (`uuid`),
  KEY datepid (`date_ordered`, `patient_id`),
  KEY patient_id (`patient_id`)
) ENGINE=InnoDB;

DROP TABLE IF EXISTS `procedure_order_code`;
CREATE TABLE `procedure_order_code` (
  `procedure_order_id` bigint(20) NOT NULL,
  `procedure_order_seq` int(11) NOT NULL,
  `procedure_code` varchar(64) NOT NULL DEFAULT '',
  `procedure_name` varchar(255) NOT NULL DEFAULT '',
  `procedure_source` char(1) NOT NULL DEFAULT '1',
  `diagnoses` text,
  `do_not_send` tinyint(1) NOT NULL DEFAULT 0,
  `procedure_order_title` varchar(255) DEFAULT NULL,
  `procedure_type` varchar(31) DEFAULT NULL,
  `transport` varchar(31) DEFAULT NULL,
  `date_end` datetime DEFAULT NULL,
  `reason_code` varchar(31) DEFAULT NULL,
  `reason_description` text,
  `reason_date_low` datetime DEFAULT NULL,
  `reason_date_high` datetime DEFAULT NULL,
  `reason_status` varchar(31) DEFAULT NULL,
  PRIMARY KEY (`procedure_order_id`, `procedure_order_seq`)
) ENGINE=InnoDB;

DROP TABLE IF EXISTS `procedure_providers`;
CREATE TABLE `procedure_providers` (
  `ppid` bigint(20) NOT NULL AUTO_INCREMENT,
  `uuid` binary(16) DEFAULT NULL,
  `name` varchar(255) NOT NULL DEFAULT '',
  `npi` varchar(15) NOT NULL DEFAULT '',
  `send_app_id` varchar(255) NOT NULL DEFAULT '',
  `send_fac_id` varchar(255) NOT NULL DEFAULT '',
  `recv_app_id` varchar(255) NOT NULL DEFAULT '',
  `recv_fac_id` varchar(255) NOT NULL DEFAULT '',
  `DorP` char(1) NOT NULL DEFAULT 'D',
  `direction` char(1) NOT NULL DEFAULT 'B',
  `protocol` varchar(15) NOT NULL DEFAULT 'DL',
  `remote_host` varchar(255) NOT NULL DEFAULT '',
  `login` varchar(255) NOT NULL DEFAULT '',
  `password` varchar(255) NOT NULL DEFAULT '',
  `orders_path` varchar(255) NOT NULL DEFAULT '',
  `results_path` varchar(255) NOT NULL DEFAULT '',
  `notes` text,
  `lab_director` bigint(20) NOT NULL DEFAULT 0,
  `active` tinyint(1) NOT NULL DEFAULT 1,
  `type` varchar(31) DEFAULT NULL,
  `date_created` datetime NOT NULL DEFAULT CURRENT_TIMESTAMP,
  `last_updated` datetime NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
  PRIMARY KEY (`ppid`),
  UNIQUE KEY uuid (`uuid`)
) ENGINE=InnoDB;

DROP TABLE IF EXISTS `procedure_questions`;
CREATE TABLE `procedure_questions` (
  `lab_id` bigint(20) NOT NULL DEFAULT 0,
  `procedure_code` varchar(31) NOT NULL DEFAULT '',
  `question_code` varchar(31) NOT NULL DEFAULT '',
  `seq` int(11) NOT NULL DEFAULT 0,
  `question_text` varchar(255) NOT NULL DEFAULT '',
  `required` tinyint(1) NOT NULL DEFAULT 0,
  `maxsize` int(11) NOT NULL DEFAULT 0,
  `fldtype` char(1) NOT NULL DEFAULT 'T',
  `options` text,
  `tips` varchar(255) NOT NULL DEFAULT '',
  `activity` tinyint(1) NOT NULL DEFAULT 1,
  PRIMARY KEY (`lab_id`, `procedure_code`, `question_code`)
) ENGINE=InnoDB;

DROP TABLE IF EXISTS `procedure_report`;
CREATE TABLE `procedure_report` (
  `procedure_report_id` bigint(20) NOT NULL AUTO_INCREMENT,
  `uuid` binary(16) DEFAULT NULL,
  `procedure_order_id` bigint(20) DEFAULT NULL,
  `procedure_order_seq` int(11) NOT NULL DEFAULT 1,
  `date_collected` datetime DEFAULT NULL,
  `date_collected_tz` varchar(5) DEFAULT '',
  `date_report` datetime DEFAULT NULL,
  `date_report_tz` varchar(5) DEFAULT '',
  `source` bigint(20) NOT NULL DEFAULT 0,
  `specimen_num` varchar(63) NOT NULL DEFAULT '',
  `report_status` varchar(31) NOT NULL DEFAULT '',
  `review_status` varchar(31) NOT NULL DEFAULT 'received',
  `report_notes` text,
  PRIMARY KEY (`procedure_report_id`),
  KEY procedure_order_id (`procedure_order_id`),
  UNIQUE KEY uuid (`uuid`)
) ENGINE=InnoDB;

DROP TABLE IF EXISTS `procedure_result`;
CREATE TABLE `procedure_result` (
  `procedure_result_id` bigint(20) NOT NULL AUTO_INCREMENT,
  `uuid` binary(16) DEFAULT NULL,
  `procedure_report_id` bigint(20) NOT NULL,
  `result_data_type` char(1) NOT NULL DEFAULT 'S',
  `result_code` varchar(31) NOT NULL DEFAULT '',
  `result_text` varchar(255) NOT NULL DEFAULT '',
  `date` datetime DEFAULT NULL,
  `facility` varchar(255) NOT NULL DEFAULT '',
  `units` varchar(31) NOT NULL DEFAULT '',
  `result` varchar(255) NOT NULL DEFAULT '',
  `range` varchar(255) NOT NULL DEFAULT '',
  `abnormal` varchar(31) NOT NULL DEFAULT '',
  `comments` text,
  `document_id` bigint(20) NOT NULL DEFAULT 0,
  `result_status` varchar(31) NOT NULL DEFAULT '',
  `date_end` datetime DEFAULT NULL,
  PRIMARY KEY (`procedure_result_id`),
  UNIQUE KEY uuid (`uuid`),
  KEY procedure_report_id (`procedure_report_id`)
) ENGINE=InnoDB;

DROP TABLE IF EXISTS `procedure_type`;
CREATE TABLE `procedure_type` (
  `procedure_type_id` bigint(20) NOT NULL AUTO_INCREMENT,
  `parent` bigint(20) NOT NULL DEFAULT 0,
  `name` varchar(63) NOT NULL DEFAULT '',
  `lab_id` bigint(20) NOT NULL DEFAULT 0,
  `procedure_code` varchar(64) NOT NULL DEFAULT '',
  `procedure_type` varchar(31) NOT NULL DEFAULT '',
  `body_site` varchar(31) NOT NULL DEFAULT '',
  `specimen` varchar(31) NOT NULL DEFAULT '',
  `route_admin` varchar(31) NOT NULL DEFAULT '',
  `laterality` varchar(31) NOT NULL DEFAULT '',
  `description` varchar(255) NOT NULL DEFAULT '',
  `standard_code` varchar(255) NOT NULL DEFAULT '',
  `related_code` varchar(255) NOT NULL DEFAULT '',
  `units` varchar(31) NOT NULL DEFAULT '',
  `range` varchar(255) NOT NULL DEFAULT '',
  `seq` int(11) NOT NULL DEFAULT 0,
  `activity` tinyint(1) NOT NULL DEFAULT 1,
  `notes` varchar(255) NOT NULL DEFAULT '',
  `transport` varchar(31) DEFAULT NULL,
  `procedure_type_name` varchar(64) DEFAULT NULL,
  PRIMARY KEY (`procedure_type_id`),
  KEY parent (`parent`),
  KEY ptype_procedure_code (`procedure_code`)
) ENGINE=InnoDB;

DROP TABLE IF EXISTS `sequences`;
CREATE TABLE `sequences` (
  `id` int(11) unsigned NOT NULL DEFAULT 0
) ENGINE=InnoDB;

DROP TABLE IF EXISTS `users`;
CREATE TABLE `users` (
  `id` bigint(20) NOT NULL AUTO_INCREMENT,
  `uuid` binary(16) DEFAULT NULL,
  `username` varchar(255) DEFAULT NULL,
  `password` longtext,
  `authorized` tinyint(4) DEFAULT NULL,
  `info` longtext,
  `source` tinyint(4) DEFAULT NULL,
  `fname` varchar(255) DEFAULT NULL,
  `mname` varchar(255) DEFAULT NULL,
  `lname` varchar(255) DEFAULT NULL,
  `suffix` varchar(255) DEFAULT NULL,
  `federaltaxid` varchar(255) DEFAULT NULL,
  `federaldrugid` varchar(255) DEFAULT NULL,
  `upin` varchar(255) DEFAULT NULL,
  `facility` varchar(255) DEFAULT NULL,
  `facility_id` int(11) NOT NULL DEFAULT 0,
  `see_auth` int(11) NOT NULL DEFAULT 1,
  `active` tinyint(1) NOT NULL DEFAULT 1,
  `npi` varchar(15) DEFAULT NULL,
  `title` varchar(30) DEFAULT NULL,
  `specialty` varchar(255) DEFAULT NULL,
  `billname` varchar(255) DEFAULT NULL,
  `email` varchar(255) DEFAULT NULL,
  `email_direct` varchar(255) NOT NULL DEFAULT '',
  `url` varchar(255) DEFAULT NULL,
  `assistant` varchar(255) DEFAULT NULL,
  `organization` varchar(255) DEFAULT NULL,
  `valedictory` varchar(255) DEFAULT NULL,
  `street` varchar(60) DEFAULT NULL,
  `city` varchar(30) DEFAULT NULL,
  `state` varchar(30) DEFAULT NULL,
  `zip` varchar(20) DEFAULT NULL,
  `phone` varchar(30) DEFAULT NULL,
  `fax` varchar(30) DEFAULT NULL,
  `phonew1` varchar(30) DEFAULT NULL,
  `notes` text,
  `cal_ui` tinyint(4) NOT NULL DEFAULT 1,
  `taxonomy` varchar(30) NOT NULL DEFAULT '207Q00000X',
  `calendar` tinyint(1) NOT NULL DEFAULT 0,
  `abook_type` varchar(31) NOT NULL DEFAULT '',
  `default_warehouse` varchar(31) NOT NULL DEFAULT '',
  `irnpool` varchar(31) NOT NULL DEFAULT '',
  `state_license_number` varchar(25) DEFAULT NULL,
  `physician_type` varchar(50) DEFAULT NULL,
  `main_menu_role` varchar(50) NOT NULL DEFAULT 'standard',
  `patient_menu_role` varchar(50) NOT NULL DEFAULT 'standard',
  `portal_user` tinyint(1) NOT NULL DEFAULT 0,
  `supervisor_id` int(11) NOT NULL DEFAULT 0,
  `billing_facility` text,
  `billing_facility_id` int(11) NOT NULL DEFAULT 0,
  `date_created` datetime NOT NULL DEFAULT CURRENT_TIMESTAMP,
  `last_updated` datetime NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
  PRIMARY KEY (`id`),
  UNIQUE KEY uuid (`uuid`),
  KEY abook_type (`abook_type`)
) ENGINE=InnoDB;

DROP TABLE IF EXISTS `users_secure`;
CREATE TABLE `users_secure` (
  `id` bigint(20) NOT NULL,
  `username` varchar(255) DEFAULT NULL,
  `password` varchar(255) DEFAULT NULL,
  `last_update_password` datetime DEFAULT NULL,
  `last_update` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
  `password_history1` varchar(255) DEFAULT NULL,
  `password_history2` varchar(255) DEFAULT NULL,
  `password_history3` varchar(255) DEFAULT NULL,
  `password_history4` varchar(255) DEFAULT NULL,
  `last_challenge_response` datetime DEFAULT NULL,
  `login_work_area` text,
  `total_login_fail_counter` bigint(20) DEFAULT 0,
  `login_fail_counter` int(11) DEFAULT 0,
  `last_login_fail` datetime DEFAULT NULL,
  `auto_block_emailed` tinyint(4) DEFAULT 0,
  PRIMARY KEY (`id`),
  UNIQUE KEY USERNAME_ID (`id`, `username`)
) ENGINE=InnoDB;

DROP TABLE IF EXISTS `version`;
CREATE TABLE `version` (
  `v_major` int(11) NOT NULL DEFAULT 0,
  `v_minor` int(11) NOT NULL DEFAULT 0,
  `v_patch` int(11) NOT NULL DEFAULT 0,
  `v_realpatch` int(11) NOT NULL DEFAULT 0,
  `v_tag` varchar(31) NOT NULL DEFAULT '',
  `v_database` int(11) NOT NULL DEFAULT 0,
  `v_acl` int(11) NOT NULL DEFAULT 0
) ENGINE=InnoDB;

INSERT INTO `list_options` (`list_id`, `option_id`, `title`, `seq`) VALUES
  ('order_type', 'procedure', 'Procedure', 10),
  ('order_type', 'intervention', 'Intervention', 20),
  ('order_type', 'laboratory_test', 'Laboratory Test', 30),
  ('order_type', 'physical_exam', 'Physical Exam', 40),
  ('order_type', 'imaging', 'Imaging', 50),
  ('order_type', 'enc_checkup_procedure', 'Encounter Checkup Procedure', 60),
  ('order_type', 'order', 'Order', 70),
  ('ord_priority', 'high', 'High', 10),
  ('ord_priority', 'normal', 'Normal', 20),
  ('ord_status', 'pending', 'Pending', 10),
  ('ord_status', 'routed', 'Routed', 20),
  ('ord_status', 'complete', 'Complete', 30),
  ('ord_status', 'canceled', 'Canceled', 40),
  ('proc_type', 'grp', 'Group', 10),
  ('proc_type', 'ord', 'Procedure Order', 20),
  ('proc_type', 'res', 'Discrete Result', 30),
  ('proc_type', 'rec', 'Recommendation', 40),
  ('proc_type', 'fgp', 'Custom Favorite Group', 50),
  ('proc_type', 'for', 'Custom Favorite Item', 60),
  ('proc_rep_status', 'final', 'Final', 10),
  ('proc_rep_status', 'review', 'Reviewed', 20),
  ('proc_rep_status', 'prelim', 'Preliminary', 30),
  ('proc_rep_status', 'cancel', 'Canceled', 40),
  ('proc_rep_status', 'error', 'Error', 50),
  ('proc_rep_status', 'correct', 'Corrected', 60),
  ('abook_type', 'ord_img', 'Imaging Service', 10),
  ('abook_type', 'ord_imm', 'Immunization Service', 20),
  ('abook_type', 'ord_lab', 'Lab Service', 30),
  ('sex', 'Female', 'Female', 10),
  ('sex', 'Male', 'Male', 20),
  ('sex', 'UNK', 'Unknown', 30),
  ('_ActEncounterCode', 'AMB', 'ambulatory', 10),
  ('_ActEncounterCode', 'EMER', 'emergency', 20),
  ('_ActEncounterCode', 'IMP', 'inpatient encounter', 30),
  ('_ActEncounterCode', 'VR', 'virtual', 40);

INSERT INTO `categories` (`id`, `name`, `value`, `parent`, `lft`, `rght`, `aco_spec`) VALUES
  (1, 'Categories', '', 0, 0, 61, 'patients|docs'),
  (2, 'Lab Report', '', 1, 1, 2, 'patients|docs'),
  (3, 'Medical Record', '', 1, 3, 4, 'patients|docs'),
  (4, 'Patient Information', '', 1, 5, 10, 'patients|demo'),
  (5, 'Patient ID card', '', 4, 6, 7, 'patients|demo'),
  (6, 'Advance Directive', '', 1, 11, 18, 'patients|docs'),
  (10, 'Patient Photograph', '', 4, 8, 9, 'patients|demo'),
  (31, 'Invoices', '', 1, 59, 60, 'encounters|coding');
INSERT INTO `categories_seq` VALUES (31);
INSERT INTO `sequences` VALUES (1);
INSERT INTO `facility` (`id`, `name`, `phone`, `fax`, `color`) VALUES (3, 'Your Clinic Name Here', '000-000-0000', '000-000-0000', '#99FFFF');
INSERT INTO `background_services` (`name`, `title`, `active`, `running`, `execute_interval`, `function`, `require_once`, `sort_order`) VALUES
  ('phimail', 'phiMail Direct Messaging Service', 0, 0, 5, 'phimail_check', '/library/direct_message_check.inc.php', 100),
  ('UUID_Service', 'Automated UUID Creation Service', 1, 0, 240, 'autoPopulateAllMissingUuids', '/library/uuid.php', 100);
