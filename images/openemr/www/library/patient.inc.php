<?php

/**
 * A patient's data.
 */

declare(strict_types=1);

/** @return array<string, mixed>|false columns of patient_data */
function getPatientData($pid, $given = '*'): array|false
{
    return sqlQuery("SELECT $given FROM patient_data WHERE pid = ? ORDER BY date DESC LIMIT 0, 1", [$pid]);
}
