// Patients: what is known of them, and which numbers may not be used again.
// The EMR's feed is the authority; without it the latest order is. Reports, changes and cancellations take name and birth date from here,
// so that a report cannot bring back an old name.

function patientPut(c, p, source) {
    dbExec(c, 'INSERT INTO patient AS x (pid, name, dob, sex, source) VALUES (?, ?, ?, ?, ?) ON CONFLICT (pid) DO UPDATE ' +
        "SET name = excluded.name, dob = excluded.dob, sex = excluded.sex, source = excluded.source, updated = now() WHERE excluded.source = 'feed' OR x.source <> 'feed'",
    [p.pid, p.name, p.dob, p.sex, source]);
}

function patientGet(c, pid) { return dbQuery(c, 'SELECT pid, name, dob, sex FROM patient WHERE pid = ?', [pid])[0]; }

// OpenEMR gives a number again that was merged away or deleted (openemr.md §7.8); in the archive it is another person's for ever.
function refuseBurnt(c, pid) {
    var how = seenOf(c, 'burnt', [pid])[pid];
    if (how) {
        throw 'patient number ' + pid + ' was used before (' + how + ') and cannot stand for another person in the archive: ' +
            'register this person again while this chart stays, the next number is free';
    }
}

function cxPid(pid) { return hl7Comp(pid) + '^^^' + hl7Comp($cfg('site_ns')) + '&' + $cfg('site_oid') + '&ISO^MR'; }

function pidLine(p) { return hl7Line('PID', { 1: '1', 3: cxPid(p.pid), 5: p.name, 7: p.dob, 8: p.sex }); }

// From the engine to the archive.
function archiveMsh(type, id, version) {
    return hl7Line('MSH', { 2: '^~\\&', 3: $cfg('engine_application'), 4: $cfg('arc_facility'), 5: $cfg('arc_application'), 6: $cfg('arc_facility'),
        7: labNow(), 9: type, 10: id, 11: 'P', 12: version, 15: 'AL', 16: 'NE', 18: 'UNICODE UTF-8' });
}
