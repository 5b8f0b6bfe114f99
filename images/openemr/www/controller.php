<?php

/**
 * Documents of a patient: `document&list&patient_id=…`, `document&retrieve&patient_id=…&document_id=…`.
 */

require_once __DIR__ . '/interface/globals.php';
require_once "$srcdir/page.inc.php";

if (!isset($_GET['document']) || !(isset($_GET['list']) || isset($_GET['retrieve']))) {
    require __DIR__ . '/not_there.php';
}
if (isset($_GET['retrieve'])) {
    $document = new Document((int)($_GET['document_id'] ?? 0));
    if (!$document->can_access()) {
        die(xlt('Not authorized to view requested file'));
    }
    $data = $document->get_foreign_id() === (int)($_GET['patient_id'] ?? 0) ? $document->get_data() : false;
    if ($data === false) {
        die(xlt('The requested document is not present at the expected location on the filesystem or there are not sufficient permissions to access it.'));
    }
    header('Content-Disposition: ' . (($_GET['as_file'] ?? 'true') === 'false' ? 'inline' : 'attachment') . '; filename="' . $document->get_name() . '"');
    header('Content-Type: ' . $document->get_mimetype());
    header('Content-Length: ' . strlen($data));
    echo $data;
    exit;
}
needRight('patients', 'docs', 'Documents');
pageStart('Documents');
$patient = (int)($_GET['patient_id'] ?? 0);
$rows = sqlStatement('SELECT d.id, d.name, d.docdate, c.name AS category FROM documents d LEFT JOIN categories_to_documents m ON m.document_id = d.id '
    . 'LEFT JOIN categories c ON c.id = m.category_id WHERE d.foreign_id = ? AND d.deleted = 0 ORDER BY d.id', [$patient]);
echo "<table>\n";
while ($row = sqlFetchArray($rows)) {
    echo '<tr><td>' . text($row['category']) . '</td><td>' . text($row['docdate']) . '</td><td><a href="controller.php?document&retrieve&patient_id='
        . attr_url($patient) . '&document_id=' . attr_url($row['id']) . '">' . text($row['name']) . "</a></td></tr>\n";
}
echo "</table>\n";
pageEnd();
