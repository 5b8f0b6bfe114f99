<?php

/**
 * The background service that gives a UUID to rows without one.
 */

declare(strict_types=1);

use OpenEMR\Common\Uuid\UuidRegistry;

function autoPopulateAllMissingUuids(): void
{
    $keys = ['patient_data' => 'id', 'form_encounter' => 'id', 'users' => 'id', 'facility' => 'id', 'documents' => 'id',
        'procedure_order' => 'procedure_order_id', 'procedure_report' => 'procedure_report_id', 'procedure_result' => 'procedure_result_id',
        'procedure_providers' => 'ppid'];
    foreach ($keys as $table => $key) {
        $rows = sqlStatementNoLog("SELECT `$key` AS id FROM `$table` WHERE uuid IS NULL");
        while ($row = sqlFetchArray($rows)) {
            sqlStatementNoLog("UPDATE `$table` SET uuid = ? WHERE `$key` = ?", [(new UuidRegistry())->createUuid(), $row['id']]);
        }
    }
}
