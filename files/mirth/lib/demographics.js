// The EMR sends no ADT: its patients are polled, and what became of merged and deleted ones is read from its log (openemr.md §7.8).

var POLL_ROWS = 500;                                 // in one poll, so that the first one of a large EMR does not fill the memory
var POLL_OVERLAP = 'INTERVAL 5 MINUTE';              // must exceed the EMR's longest transaction; the hourly look at all rows catches the rest
var MERGED = 'patient-merge-delete';
var LOG_OVERLAP = 1000;                              // lines of the log are numbered when they begin and seen when they are committed

// Rows for the database reader. The traces are read last and handed on first: who has a number by now that was merged away before is
// known as such.
function pollPatients() {
    return emrPoll(function () {
        var full = hourly('patients'), rows = pollRows(full), traces = pollTraces();
        if (full && rows.length < POLL_ROWS) hourlyDone('patients');
        return traces.concat(rows);
    });
}

// Looks at the log from `cursor` on, which moves when all before it is on its way. What was merged before the first poll the archive has
// never heard of.
function pollTraces() {
    var at = dbTx('filler', function (c) { return seenOf(c, 'log', ['first', 'cursor']); }), newest, first, rows, from, seen;
    dbTx('emr', function (c) {
        newest = dbQuery(c, 'SELECT coalesce(max(id), 0) AS n FROM log')[0].n;
        first = at.first === undefined || Number(at.first) > Number(newest) ? newest : at.first;             // a new log begins anew
        from = Math.max(Number(first), Math.min(Number(at.cursor || newest), Number(newest)) - LOG_OVERLAP);
        rows = dbQuery(c, 'SELECT id, event, patient_id, comments FROM log WHERE id > ? AND ' +
            "event IN (?, 'patient-record-delete', 'delete') ORDER BY id", [from, MERGED]);
    });
    rows = rows.map(traceOf).filter(function (row) { return row !== null; });
    seen = dbTx('filler', function (c) { return seenOf(c, 'log', rows.map(function (row) { return row.id; })); });
    rows = rows.filter(function (row) { return seen[row.id] !== row.hash; });
    if (!rows.length && at.cursor !== newest) {
        dbTx('filler', function (c) {
            seenPut(c, 'log', 'cursor', newest);
            seenPut(c, 'log', 'first', first);
        });
    }
    return rows;
}

// The log tells of every table of a patient or an order; the line of its own table is the one that counts. One that cannot be read is
// handed on as well, and refused: a person must know what it was.
function traceOf(row) {
    var text = logText(row.comments), merged = /pid = '?(\d+)'? in table patient_data/.exec(text), deleted = /DELETE FROM patient_data WHERE pid = '?(\d+)/i.exec(text),
        order = /procedure_order: procedure_order_id= ?'(\d+)'/.exec(text), what = text === null ? { kind: 'unreadable', old: row.id, n: row.id } : null;
    if (row.event === MERGED && merged) what = { kind: 'A40', pid: row.patient_id, old: merged[1], n: row.id };
    if (row.event === 'patient-record-delete' && deleted) what = { kind: 'deleted', old: deleted[1] };
    if (row.event === 'delete' && order) what = { kind: 'order', old: order[1] };
    return what && { feed: 'log', id: row.id, hash: what.kind + ' ' + what.old, changed: '', json: JSON.stringify(what) };
}

function pollRows(full) {
    var cursor, rows, seen, fresh;
    cursor = dbTx('filler', function (c) { return seenOf(c, 'cursor', ['adt']).adt; });
    rows = dbTx('emr', function (c) { return full || !cursor ? dbQuery(c, patientSql('1 = 1')) : dbQuery(c, patientSql('last_updated >= ? - ' + POLL_OVERLAP), [cursor]); });
    seen = dbTx('filler', function (c) { return seenOf(c, 'adt', rows.length > 1000 ? null : rows.map(function (row) { return row.pid; })); });
    rows.forEach(function (row) { row.hash = sha256(JSON.stringify([row.lname, row.fname, row.mname, row.dob, row.sex])); });
    fresh = rows.filter(function (row) { return seen[row.pid] !== row.hash; });
    return fresh.slice(0, POLL_ROWS).map(function (row) {
        return { feed: 'adt', id: row.pid, hash: row.hash, changed: row.changed || '', json: JSON.stringify({ kind: 'patient', pid: row.pid }) };
    });
}

function patientSql(where) {
    return "SELECT pid, lname, fname, mname, sex, DATE_FORMAT(DOB, '%Y%m%d') AS dob, DATE_FORMAT(last_updated, '%Y-%m-%d %H:%i:%s') AS changed FROM patient_data WHERE " +
        where + ' ORDER BY last_updated, pid';
}

// Once the message of a row is stored: at least once, across restarts.
function pollDone(row) {
    dbTx('filler', function (c) {
        seenPut(c, String(row.get('feed')), String(row.get('id')), String(row.get('hash')));
        if (String(row.get('changed')) !== '') {
            dbExec(c, "INSERT INTO feed_seen AS f (feed, id, hash) VALUES ('cursor', 'adt', ?) ON CONFLICT (feed, id) DO UPDATE " +
                'SET hash = greatest(f.hash, excluded.hash), at = now()', [row.get('changed')]);
        }
    });
}

// One row's message, or one trace's. Name and birth date are read again here: a message that waited, or that an operator reprocesses,
// must not bring back what was changed since.
function sendPatient(what) {
    if (what.kind === 'unreadable') throw 'line ' + what.n + " of the EMR's log is not Base64: look up whether it is of a merge or a deletion, nothing was told of it";
    if (what.kind === 'deleted') {
        dbTx('filler', function (c) { seenPut(c, 'burnt', what.old, 'deleted in the EMR'); });
        return 'patient ' + what.old + ' was deleted in the EMR, its images stay';
    }
    if (what.kind === 'order') {                                           // reconciliation.js waits for it
        dbTx('filler', function (c) { seenPut(c, 'deleted', what.old, 'order'); });
        return 'order ' + what.old + ' was deleted in the EMR';
    }
    return what.kind === 'A40' ? sendMerge(what) : sendUpdate(what.pid);
}

// The patient as the EMR has it now; null when it is gone.
function emrPatient(pid, notes) {
    var row = dbTx('emr', function (c) { return dbQuery(c, patientSql('pid = ?'), [pid])[0]; }), sexes = { Male: 'M', Female: 'F', Other: 'O', UNK: '', Unknown: '', '': '' }, sex, names;
    if (!row) return null;
    sex = row.sex || '';
    if (sexes[sex] === undefined) notes.push('sex "' + sex + '" is not sent');
    names = [row.lname, row.fname, row.mname, '', ''].map(function (name) { return namePart(plainPlane(name || '', notes), 'the patient name', notes); });
    return { pid: dicomId(pid, 64, 'the patient number'), name: limitName(names, 'the patient name', notes), dob: birthDate(row.dob || ''), sex: sexes[sex] || '' };
}

function sendUpdate(pid) {
    var notes = [], p = emrPatient(pid, notes);
    if (p === null) return 'patient ' + pid + ' is no longer in the EMR';
    if (p.name === '') throw 'patient ' + pid + ' has no name, and an empty one would erase the archive\'s';
    return dbTx('filler', function (c) {
        var type = patientGet(c, pid) ? 'A08' : 'A04';
        refuseBurnt(c, pid);
        patientPut(c, p, 'feed');
        toArchive(buildAdt(type, p, sha256(JSON.stringify(p)).substring(0, 8)), { ref: 'patient ' + pid });
        return [type + ' ' + pid].concat(notes).join('\n');
    });
}

// The number is burnt first, whatever becomes of the rest. The survivor is whoever the log names by now; the name is the EMR's, or the last
// one known where the survivor has been deleted since.
function sendMerge(what) {
    var notes = [], pid, survivor;
    dbTx('filler', function (c) { seenPut(c, 'burnt', what.old, 'merged into ' + what.pid); });
    pid = lastSurvivor(what);
    survivor = emrPatient(pid, notes);
    return dbTx('filler', function (c) {
        var p;
        refuseBurnt(c, pid);
        if (survivor !== null && survivor.name !== '') patientPut(c, survivor, 'feed');
        p = patientGet(c, pid);
        if (!p) throw 'patient ' + pid + ' has no name, and an empty one would erase the archive\'s';
        dbExec(c, 'UPDATE order_state SET pid = ?, updated = now() WHERE pid = ?', [pid, what.old]);
        dbExec(c, 'DELETE FROM patient WHERE pid = ?', [what.old]);
        toArchive(buildAdt('A40', p, what.n, what.old), { ref: 'patient ' + what.old + ' into ' + pid });
        return ['A40 ' + what.old + ' into ' + pid].concat(notes).join('\n');
    });
}

// Who was merged into somebody that was merged into a third one belongs to that one: the second may be unknown to the archive, and the
// number somebody else's by now.
function lastSurvivor(what) {
    var later = dbTx('emr', function (c) { return dbQuery(c, 'SELECT id, event, patient_id, comments FROM log WHERE id > ? AND event = ? ORDER BY id', [what.n, MERGED]); });
    return later.map(traceOf).reduce(function (pid, row) {
        var next = row && JSON.parse(row.json);
        return next && next.kind === 'A40' && next.old === pid ? next.pid : pid;
    }, what.pid);
}

function buildAdt(type, p, n, old) {
    var lines = [
        archiveMsh('ADT^' + type + (type === 'A40' ? '^ADT_A39' : '^ADT_A01'), type + p.pid + '-' + n, '2.5.1'),
        hl7Line('EVN', { 1: type, 2: labNow() }),
        pidLine(p)
    ];
    if (old) lines.push(hl7Line('MRG', { 1: cxPid(dicomId(old, 64, 'the patient number')) }));
    return lines.join('\r') + '\r';
}
