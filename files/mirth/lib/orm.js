// Orders out: one ORM^O01 with ZDS for each ordered procedure, because of two in one message the archive loses one behind its AA
// (dcm4chee.md §4.2). Fields: workflow.md §2.3.

// st: row of order_state, p: of patient, control: NW, XO or CA
function buildOrm(st, p, control) {
    var o = JSON.parse(st.content), placer = st.placer + '^OPENEMR', filler = st.accession + '^' + hl7Comp($cfg('engine_application')),
        when = '1^^' + (o.minutes ? 'M' + o.minutes : '') + '^' + o.start + '^^' + o.priority, code = hl7Comp(st.code, o.name, o.scheme);
    return [
        archiveMsh('ORM^O01^ORM_O01', st.accession + control + st.seen, '2.3.1'),
        pidLine(p),
        hl7Line('PV1', { 1: '1', 2: 'O', 8: o.doctor, 19: visit(st.encounter) }),
        hl7Line('ORC', { 1: control, 2: placer, 3: filler, 5: control === 'CA' ? 'CA' : 'SC', 7: when, 9: labNow(), 12: o.doctor, 18: hl7Comp(o.station) }),
        hl7Line('OBR', { 1: '1', 2: placer, 3: filler, 4: code + '^' + code, 16: o.doctor, 18: st.accession, 19: st.rp_id, 20: st.sps_id, 24: hl7Comp(o.modality),
            27: when, 31: o.reason ? '^' + hl7Esc(o.reason) : '', 44: code }),
        hl7Line('ZDS', { 1: st.study_uid + '^' + hl7Comp($cfg('engine_application')) + '^Application^DICOM' })
    ].join('\r') + '\r';
}

function visit(encounter) { return encounter ? hl7Comp(encounter) + '^^^' + hl7Comp($cfg('site_ns')) : ''; }

function routeOrm(st, p, control) {
    toArchive(buildOrm(st, p, control), { uid: st.study_uid, ref: st.accession, control: control, seen: st.seen, expired: st.expired || '' });
}

// All identifiers first, in one transaction: a file is taken whole or not at all. Safe to run again at any point.
function sendOrders(raw) {
    var parsed = parseOrders(raw), patient, rows = dbTx('filler', function (c) {
        refuseBurnt(c, parsed.patient.pid);
        patientPut(c, parsed.patient, 'order');
        patient = patientGet(c, parsed.patient.pid);
        return parsed.orders.map(function (o) { return mintOrder(c, o); });
    });
    rows.forEach(function (st) { if (st.control !== 'CA') routeOrm(st, patient, 'NW'); });
    return rows.map(function (st) {
        return st.placer + ' ' + st.code + ' is ' + st.accession + ' ' + st.study_uid + (st.control === 'CA' ? ', cancelled before' : '');
    }).concat(parsed.notes).join('\n');
}

// What was cancelled in the EMR stays away, also where CA has overtaken it; somebody should know that it was ordered all the same. What left
// the worklist by its age comes back: the patient came late.
function mintOrder(c, o) {
    var st = fillerMint(c, o), late = isExpired(st);
    if (late && st.images_at === null) return dbQuery(c, "UPDATE order_state SET control = 'NW' WHERE accession = ? RETURNING *", [st.accession])[0];
    if (st.control === 'CA') {
        notice(c, 'not sent', st.accession + ' NW', st.accession + ': NW not sent, order ' + st.placer +
            (late ? ' left the worklist, and its images have arrived' : ' was cancelled in the EMR'));
    }
    return st;
}

// Change (XO) or cancel (CA) what was ordered before; change: fields of the content. The same again: nothing happens. What the rule decided holds
// for the order as it was then (seen), and not when images have arrived meanwhile.
function changeOrder(action) {
    return dbTx('filler', function (c) {
        var st = dbQuery(c, 'SELECT * FROM order_state WHERE placer = ? AND code = ? AND occ = ? FOR UPDATE', [action.placer, action.code, action.occ])[0];
        if (!st) throw 'no such order: ' + action.placer + ' ' + action.code + ' ' + action.occ;
        if (st.control === 'CA' || action.control === 'XO' && !applyChange(st, action.change)) return 'done before';
        if (action.expired && (st.seen !== action.seen || st.images_at !== null)) return 'changed meanwhile';
        st = dbQuery(c, 'UPDATE order_state SET control = ?, content = ?, expired = ?, seen = seen + 1, updated = now() WHERE accession = ? RETURNING *',
            [action.control, st.content, action.control === 'CA' ? action.expired : st.expired, st.accession])[0];
        routeOrm(st, patientGet(c, st.pid), action.control);            // before the commit: what was not handed on is not noted as told
        return action.control + ' ' + st.accession + ': ' + action.why;
    });
}

function applyChange(row, change) {
    var content = JSON.parse(row.content), before = row.content;
    Object.keys(change).forEach(function (key) { content[key] = change[key]; });
    row.content = JSON.stringify(content);
    return row.content !== before;
}

// A refused file's reason, beside it in the error folder.
function explainOrder(reason) {
    writeFile(String($cfg('dir_orders_error')), orderFile() + '.reason', utf8(reason + '\n'));
}

// As the reader names a file that it moves.
function orderFile() { return sourceMap.get('fileLastModified') + '-' + sourceMap.get('originalFilename'); }

// Move a file that was refused after the reader had taken it from the done ones to the refused ones. → false: the reader has not moved
// it yet. Whose file somebody took away meanwhile is written again.
function asideOrder(reason, content) {
    var files = java.nio.file.Files, paths = java.nio.file.Paths, done = paths.get(String($cfg('dir_orders_done')), orderFile()),
        aside = paths.get(String($cfg('dir_orders_error')), orderFile());
    if (files.exists(done, [])) files.move(done, aside, [java.nio.file.StandardCopyOption.REPLACE_EXISTING]);
    else if (!files.exists(aside, [])) {
        if (connectorMessage.getSendAttempts() < 5) return false;
        writeFile(String($cfg('dir_orders_error')), orderFile(), new java.lang.String(content).getBytes('ISO-8859-1'));
    }
    explainOrder(reason);
    return true;
}
