// What the EMR's tables become: demographics.js, reconciliation.js, and the guard and the answers of the archive: archive.js

var CONTENT = { name: 'CT Head', scheme: '99LAB', modality: 'CT', station: 'CT01', priority: 'R', start: '20260310090000', timed: true, doctor: '', reason: '' };

function open(placer, code, occ) { return { placer: placer, code: code || 'CTHEAD', occ: String(occ || 1), control: 'NW', images_at: null, content: JSON.stringify(CONTENT) }; }

function emr(order, lines, deleted) {
    var all = { orders: {}, lines: {}, deleted: deleted || {} };
    if (order) {
        all.orders['7'] = { status: 'pending', activity: '1', deleted: '0', priority: 'normal', start: '20260310090000' };
        Object.keys(order).forEach(function (key) { all.orders['7'][key] = order[key]; });
        all.lines['7'] = lines || [{ code: 'CTHEAD', name: 'CT Head', omitted: '0' }];
    }
    return all;
}

function plan(order, lines, deleted) {
    var made = reconcile([open('7')], emr(order, lines, deleted));
    return [made.actions.map(function (action) { return action.control + ' ' + action.code + ' ' + action.why; }), Object.keys(made.notices)];
}

test('an order that is as it was needs nothing', function () { equal(plan({}), [[], []]); });

test('cancelled and deleted orders are cancelled', function () {
    equal(plan({ status: 'canceled' }), [['CA CTHEAD cancelled in the EMR'], []]);
    equal(plan({ activity: '0' }), [['CA CTHEAD deleted from the encounter in the EMR'], []]);
    equal(plan({ deleted: '1' }), [['CA CTHEAD deleted from the encounter in the EMR'], []]);
    equal(plan(null, null, { 7: true }), [['CA CTHEAD deleted in the EMR'], []]);
});

test('absence alone never cancels', function () {
    equal(plan(null), [[], ['7']]);
    equal(plan({}, []), [[], ['7']]);
});

test('one procedure of an order is cancelled when the EMR marks it', function () {
    equal(plan({}, [{ code: 'CTHEAD', name: 'CT Head', omitted: '1' }]), [['CA CTHEAD marked in the EMR as not to be sent'], []]);
    equal(plan({}, [{ code: 'CTHEAD', name: 'CT Head', omitted: '1' }, { code: 'CTHEAD', name: 'CT Head', omitted: '0' }]), [[], []]);
});

test('a procedure that never arrived is noticed', function () {
    equal(plan({}, [{ code: 'CTHEAD', name: 'CT Head', omitted: '0' }, { code: 'XRCHEST', name: 'X', omitted: '0' }]), [[], ['7']]);
});

test('a procedure that has its images counts, and is left alone', function () {
    var done = open('7'), lines = [{ code: 'CTHEAD', name: 'CT Kopf', omitted: '0' }, { code: 'XRCHEST', name: 'CT Head', omitted: '0' }], made;
    done.images_at = 'then';
    equal(reconcile([done, open('7', 'XRCHEST')], emr({}, lines)), { actions: [], notices: {} });
    made = reconcile([done, open('7', 'XRCHEST')], emr({ status: 'canceled' }, lines));
    equal(made.actions.map(function (action) { return action.code; }), ['XRCHEST']);
});

test('a new time, priority or name is a change', function () {
    equal(plan({ start: '20260311103000' })[0], ['XO CTHEAD changed in the EMR: start, timed']);
    equal(plan({ priority: 'high' })[0], ['XO CTHEAD changed in the EMR: priority']);
    equal(plan({}, [{ code: 'CTHEAD', name: 'CT Kopf', omitted: '0' }])[0], ['XO CTHEAD changed in the EMR: name']);
    equal(plan({ start: null }), [[], []]);
});

test('an order that cannot be carried is noticed, and keeps no other one waiting', function () {
    var all = emr({}, [{ code: 'CTHEAD', name: 'CT \\ Head', omitted: '0' }, { code: 'XRCHEST', name: 'X', omitted: '1' }]), made;
    all.orders['8'] = { status: 'canceled' };
    all.orders['9'] = { status: 'pending', start: '2026-13' };
    all.lines['9'] = [{ code: 'CTHEAD', name: 'CT Head', omitted: '0' }];
    made = reconcile([open('7'), open('7', 'XRCHEST'), open('8'), open('9')], all);
    equal(made.actions.map(function (action) { return action.control + ' ' + action.placer + ' ' + action.code; }), ['CA 7 XRCHEST', 'CA 8 CTHEAD']);
    equal(made.notices, {
        7: 'order 7 differs from the EMR: procedure CTHEAD: the procedure name holds a backslash, which DICOM cannot carry',
        9: 'order 9 differs from the EMR: procedure CTHEAD: date_collected is no time'
    });
});

test('orders of the lab\'s own proof are not looked for in the EMR', function () {
    database(function () { return []; });
    pollOrders();
    equal(mirth.sql.filter(function (x) { return /FROM order_state/.test(x[0]) && /pid <> \?/.test(x[0]); }).map(function (x) { return String(x[1]); }), ['PACSEMR-VERIFY']);
});

test('more cancellations than the limit stop all of them, changes go on', function () {
    database(function () { return []; });
    function limited(n) {
        var made = { actions: [{ placer: '99', control: 'XO' }], notices: {} }, i;
        for (i = 1; i <= n; i++) made.actions.push({ placer: String(i), control: 'CA' }, { placer: String(i), control: 'CA' });
        mirth.sql = [];
        limitCancels('c', made, 5);
        return [made.actions.length, mirth.sql.filter(function (x) { return /INSERT INTO notice/.test(x[0]); }).length];
    }
    equal(limited(5), [11, 0]);
    equal(limited(6), [1, 1]);
});

test('a notice goes when its cause has gone', function () {
    database(function (sql) { return /^SELECT ref/.test(sql) ? [{ ref: '7' }, { ref: '8' }] : []; });
    limitCancels('c', { actions: [], notices: { 7: 'x' } }, 5);
    equal(mirth.sql.filter(function (x) { return /DELETE FROM notice/.test(x[0]); }).map(function (x) { return x[1][1]; }), ['reconciliation', '8']);
});

function base64(text) { return String(java.util.Base64.getMimeEncoder().encodeToString(new java.lang.String(text).getBytes('UTF-8'))); }

test('the log tells of merges and deletions', function () {
    function trace(event, text) {
        var row = traceOf({ id: '5', event: event, patient_id: '2', comments: base64(text) });
        return row && JSON.parse(row.json);
    }
    equal(trace('patient-merge-delete', 'Deleted rows with pid = 3 in table patient_data'), { kind: 'A40', pid: '2', old: '3', n: '5' });
    equal(trace('patient-merge-delete', 'Deleted rows with pid = 3 in table history_data'), null);
    equal(trace('patient-record-delete', "DELETE FROM patient_data WHERE pid = '1'"), { kind: 'deleted', old: '1' });
    equal(trace('delete', "procedure_order: procedure_order_id= '7' patient_id= '1'"), { kind: 'order', old: '7' });
    equal(trace('delete', "procedure_report: procedure_order_id= '7'"), null);
});

test('a line of the log that cannot be read is refused for a person to look up, and holds up nothing', function () {
    database(function (sql, params, c) {
        if (c !== 'emr') return [];
        if (/max\(id\)/.test(sql)) return [{ n: '8' }];
        return [{ id: '6', event: 'delete', patient_id: '2', comments: 'abcde' },
            { id: '7', event: 'patient-merge-delete', patient_id: '2', comments: base64('Deleted rows with pid = 3 in table patient_data') }];
    });
    var rows = pollTraces();
    equal(rows.map(function (found) { return found.hash; }), ['unreadable 6', 'A40 3']);
    refused(/^line 6 of the EMR's log is not Base64/, function () { sendPatient(JSON.parse(rows[0].json)); });
});

test('the log is read from where it was the first time, with an overlap, each line once', function () {
    var at = {}, newest = '5000', lines = [], asked;
    database(function (sql, params, c) {
        if (c === 'emr' && /max\(id\)/.test(sql)) return [{ n: newest }];
        if (c === 'emr') { asked = params[0]; return lines; }
        if (/^SELECT/.test(sql)) return params.slice(1).filter(function (id) { return at[id]; }).map(function (id) { return { id: id, hash: at[id] }; });
        return [];
    });
    function polled() {
        var found = pollTraces().map(function (row) { return row.hash; });
        mirth.sql.forEach(function (x) { if (/INSERT INTO feed_seen/.test(x[0])) at[x[1][1]] = x[1][2]; });
        return found;
    }
    equal([polled(), asked, at], [[], 5000, { cursor: '5000', first: '5000' }]);
    newest = '7000';
    lines = [{ id: '6999', event: 'patient-merge-delete', patient_id: '2', comments: base64('Deleted rows with pid = 3 in table patient_data') }];
    equal([polled(), asked, at.cursor], [['A40 3'], 5000, '5000']);
    at['6999'] = 'A40 3';
    equal([polled(), at.cursor], [[], '7000']);
    equal([polled(), asked], [[], 6000]);
    newest = '10';
    equal([polled(), asked, at.cursor, at.first], [[], 10, '10', '10']);
});

test('an EMR that cannot be read is noticed with the last cause', function () {
    database(function (sql, params, c) {
        if (c === 'emr') throw new java.io.IOException('timed out', new java.sql.SQLException('Access denied'));
        return [];
    });
    refused(/timed out/, pollPatients);
    equal(mirth.sql.filter(function (x) { return /INSERT INTO notice/.test(x[0]); })[0][1].slice(0, 2), ['EMR not read', channelName]);
    equal(/Access denied/.test(mirth.sql.filter(function (x) { return /INSERT INTO notice/.test(x[0]); })[0][1][2]), true);
});

function patients(row, known, burnt) {
    database(function (sql, params, c) {
        if (c === 'emr') return row && !/FROM log/.test(sql) ? [row] : [];
        if (/FROM feed_seen/.test(sql)) return burnt && params[1] === burnt ? [{ id: burnt, hash: 'merged into 9' }] : [];
        return known ? [{ pid: params[0], name: 'Old^Name', dob: '', sex: '' }] : [];
    });
}

test('a patient becomes A04, then A08, with the name that the EMR has now', function () {
    var row = { pid: '42', lname: 'O\\\'Hara & Sons', fname: 'Zoë', mname: null, sex: 'Female', dob: '19800102' };
    row.lname = "O'Hara & Sons";
    patients(row, false);
    equal(sendPatient({ kind: 'patient', pid: '42' }), 'A04 42');
    patients(row, true);
    equal(sendPatient({ kind: 'patient', pid: '42' }), 'A08 42');
    equal(hl7First(hl7Parse(mirth.routed[1].text), 'PID').join('|'), "PID|1||42^^^LABHOSP&2.25.117205934481166&ISO^MR||O'Hara \\T\\ Sons^Zoë||19800102|F");
});

test('an empty name, a gone patient and a number that was used before send nothing', function () {
    patients({ pid: '42', lname: '', fname: null, mname: null, sex: '', dob: null }, true);
    refused(/has no name/, function () { sendPatient({ kind: 'patient', pid: '42' }); });
    patients(null, true);
    equal(sendPatient({ kind: 'patient', pid: '42' }), 'patient 42 is no longer in the EMR');
    patients({ pid: '3', lname: 'New', fname: 'Person', mname: null, sex: 'Male', dob: null }, true, '3');
    refused(/patient number 3 was used before \(merged into 9\)/, function () { sendPatient({ kind: 'patient', pid: '3' }); });
    equal(mirth.routed, []);
});

test('a merge moves the orders, burns the number and tells the archive', function () {
    patients({ pid: '2', lname: 'Doe', fname: 'Jane', mname: null, sex: 'Female', dob: null }, true);
    equal(sendPatient({ kind: 'A40', pid: '2', old: '3', n: '5' }), 'A40 3 into 2');
    equal(/MRG\|3\^\^\^LABHOSP&2\.25\.117205934481166&ISO\^MR\r$/.test(mirth.routed[0].text), true);
    equal(mirth.sql.filter(function (x) { return /UPDATE order_state/.test(x[0]); })[0][1], ['2', '3']);
    equal(mirth.sql.filter(function (x) { return /INSERT INTO feed_seen/.test(x[0]); })[0][1], ['burnt', '3', 'merged into 2']);
});

test('who is merged into somebody that is merged into a third one belongs to that one', function () {
    var asked = [], log = [{ id: '6', pid: '9', old: '4' }, { id: '7', pid: '8', old: '2' }, { id: '8', pid: '10', old: '8' }].map(function (line) {
        return { id: line.id, event: 'patient-merge-delete', patient_id: line.pid, comments: base64('Deleted rows with pid = ' + line.old + ' in table patient_data') };
    });
    database(function (sql, params, c) {
        if (c === 'emr' && /FROM log/.test(sql)) return log;
        if (c === 'emr') { asked.push(params[0]); return [{ pid: params[0], lname: 'Third', fname: 'Person', mname: null, sex: 'Male', dob: null }]; }
        return /FROM patient/.test(sql) ? [{ pid: params[0], name: 'Third^Person', dob: '', sex: 'M' }] : [];
    });
    equal(sendPatient({ kind: 'A40', pid: '2', old: '3', n: '5' }), 'A40 3 into 10');
    equal(asked, ['10']);
    equal(mirth.sql.filter(function (x) { return /UPDATE order_state/.test(x[0]); })[0][1], ['10', '3']);
});

test('a merge that cannot be told burns the number all the same', function () {
    database(function () { return []; });
    refused(/patient 2 has no name/, function () { sendPatient({ kind: 'A40', pid: '2', old: '3', n: '5' }); });
    equal(mirth.sql.filter(function (x) { return /INSERT INTO feed_seen/.test(x[0]); })[0][1], ['burnt', '3', 'merged into 2']);
});

test('a sex that DICOM does not have is not sent, and noted', function () {
    function sent(sex) {
        patients({ pid: '42', lname: 'Doe', fname: 'Jo', mname: null, sex: sex, dob: null }, false);
        return sendPatient({ kind: 'patient', pid: '42' });
    }
    equal([sent('Other'), sent('UNK'), sent(null), sent('Third')], ['A04 42', 'A04 42', 'A04 42', 'A04 42\nsex "Third" is not sent']);
    equal(hl7First(hl7Parse(mirth.routed[0].text), 'PID')[8], 'O');
});

test('orders whose patient never came leave the worklist, with or without an EMR', function () {
    var row = open('8'), asked;
    row.start = '20260310090000';
    row.seen = '2';
    database(function (sql, params) {
        if (!/make_interval/.test(sql)) return [];
        asked = params.map(String);
        return [row];
    });
    mirth.cfg.emr_url = '';
    mirth.cfg.worklist_days = '30';
    equal([pollOrders().size(), asked], [1, ['30', 'Europe/Vienna', '30', '50']]);
    equal(pollWorklist(), [{ placer: '8', code: 'CTHEAD', occ: '1', control: 'CA', change: {}, why: 'planned for 2026-03-10, and nobody came for 30 days',
        expired: 'planned for 2026-03-10, and nobody came for 30 days', seen: '2' }]);
    mirth.cfg.worklist_days = '0';
    equal(pollOrders().size(), 0);
});

test('while the EMR cannot be read no order leaves the worklist', function () {
    mirth.cfg.worklist_days = '30';
    database(function (sql) {
        if (/pid <> \?/.test(sql)) throw new java.io.IOException('away');
        return [];
    });
    refused(/away/, pollOrders);
    equal(mirth.sql.filter(function (x) { return /make_interval/.test(x[0]); }), []);
});

test('without an EMR nothing is polled', function () {
    mirth.cfg.emr_url = '';
    equal([pollPatients().size(), pollOrders().size()], [0, 0]);
});

test('nothing that would undo or reopen is sent', function () {
    ['STARTED', 'DEPARTED', 'COMPLETED', 'DISCONTINUED'].forEach(function (found) {
        ['NW', 'XO', 'CA'].forEach(function (control) { equal(whyNotSent(control, found), control + ' not sent, the row is ' + found); });
    });
    equal([whyNotSent('NW', 'CANCELED'), whyNotSent('XO', 'CANCELED')], ['NW not sent, the row is CANCELED', 'XO not sent, the row is CANCELED']);
    equal([whyNotSent('CA', 'CANCELED'), whyNotSent('CA', '')], ['cancelled before', 'no row to cancel']);
    equal([whyNotSent('NW', ''), whyNotSent('XO', 'SCHEDULED'), whyNotSent('CA', 'ARRIVED')], ['', '', '']);
});

test('what left the worklist by its age may come back, and what it comes too late for is no notice', function () {
    equal([whyNotSent('NW', 'CANCELED', true), whyNotSent('XO', 'CANCELED', true), whyNotSent('CA', 'CANCELED', true)], ['', '', 'cancelled before']);
    equal([whyNotSent('CA', 'STARTED', true), whyNotSent('NW', 'STARTED', true)], ['CA not needed, the row is STARTED', 'NW not sent, the row is STARTED']);
    database(function () { return []; });
    mwlState = function () { return 'COMPLETED'; };
    mirth.raw = 'MSH|^~\\&|A|B|C|D|20260101||ORM^O01|1|P|2.3.1\rPID|1||1\r';
    sourceMap = mapOf({ control: 'CA', seen: '2', uid: '2.25.1', ref: 'ACC1', expired: 'nobody came' });
    equal([runStep('archive/guard.js'), mirth.sql.filter(function (x) { return /INSERT INTO notice/.test(x[0]); })], [false, []]);
});

test('the guard asks before every order, and waits while it cannot ask', function () {
    var asked = 0, found = '';
    database(function () { return []; });
    mirth.raw = 'MSH|^~\\&|A|B|C|D|20260101||ORM^O01|1|P|2.3.1\rPID|1||1\r';
    mwlState = function () { asked++; return found; };
    sourceMap = mapOf({ control: 'NW', seen: '1', uid: '2.25.1', ref: 'ACC1' });
    equal([runStep('archive/guard.js'), String($('arcHost')), asked], [true, 'arc', 1]);
    found = 'STARTED';
    equal([runStep('archive/guard.js'), String($('arcHost')), asked], [false, '', 2]);
    equal(mirth.sql.filter(function (x) { return /INSERT INTO notice/.test(x[0]); })[0][1], ['not sent', 'ACC1 NW', 'ACC1: NW not sent, the row is STARTED']);
    mwlState = function () { throw new java.io.IOException('away'); };
    equal([runStep('archive/guard.js'), String($('arcHost')), /cannot be read: .*away/.test($('guard'))], [true, '', true]);
    sourceMap = mapOf({ ref: 'patient 1' });
    equal([runStep('archive/guard.js'), String($('arcHost'))], [true, 'arc']);
});

function again(text, map, st, p, burnt) {
    database(function (sql) {
        if (/FROM order_state/.test(sql)) return st ? [st] : [];
        if (/FROM feed_seen/.test(sql)) return burnt ? [{ id: '1', hash: 'merged into 4' }] : [];
        return /FROM patient/.test(sql) && p ? [p] : [];
    });
    mwlState = function () { return ''; };
    mirth.raw = text;
    map.reprocessed = true;
    sourceMap = mapOf(map);
    return [runStep('archive/guard.js'), String($('guard')).replace(/:.*/, ''), runStep('archive/fresh.js', { msg: text }, '; return msg;').split('\r')[1]];
}

test('an order that is sent again is the newest one, with the patient of now', function () {
    var text = 'MSH|^~\\&|A|B|C|D|20260101||ORM^O01^ORM_O01|1|P|2.3.1\rPID|1||1||Old^Name\rORC|NW\r', now = { pid: '2', name: 'New^Name', dob: '', sex: 'F' },
        pid = 'PID|1||2^^^LABHOSP&2.25.117205934481166&ISO^MR||New^Name|||F';
    function order(control, seen, row, told) { return again(text, { control: control, seen: seen, uid: '2.25.1', ref: 'ACC1' }, { pid: '2', seen: row, control: told || 'NW' }, now); }
    equal(order('NW', '1', '1'), [true, '', pid]);
    equal(order('NW', '1', '2').slice(0, 2), [false, 'superseded']);
    equal(order('XO', '2', '3').slice(0, 2), [false, 'superseded']);
    equal(order('CA', '2', '3', 'CA').slice(0, 2), [false, 'no row to cancel']);
    equal(order('CA', '2', '3').slice(0, 2), [false, 'superseded']);              // it left the worklist, and came back
});

test('an order that was changed since is not sent, also where its message is recovered at a start', function () {
    database(function (sql) { return /FROM order_state/.test(sql) ? [{ pid: '2', seen: '2', control: 'NW' }] : []; });
    mwlState = function () { return 'SCHEDULED'; };
    mirth.raw = 'MSH|^~\\&|A|B|C|D|20260101||ORM^O01^ORM_O01|1|P|2.3.1\rPID|1||1||Old^Name\rORC|NW\r';
    sourceMap = mapOf({ control: 'NW', seen: '1', uid: '2.25.1', ref: 'ACC1' });
    equal([runStep('archive/guard.js'), String($('guard')).replace(/:.*/, '')], [false, 'superseded']);
    ['2', '3'].forEach(function (seen) {                             // 3: a change whose row is not committed yet
        sourceMap = mapOf({ control: 'NW', seen: seen, uid: '2.25.1', ref: 'ACC1' });
        equal([runStep('archive/guard.js'), String($('guard'))], [true, '']);
    });
});

test('a patient who is sent again is the one of now, or nobody', function () {
    var text = 'MSH|^~\\&|A|B|C|D|20260101||ADT^A08^ADT_A01|1|P|2.5.1\rPID|1||1||Old^Name\r', now = { pid: '1', name: 'New^Name', dob: '', sex: '' };
    equal(again(text, { ref: 'patient 1' }, null, now), [true, '', 'PID|1||1^^^LABHOSP&2.25.117205934481166&ISO^MR||New^Name']);
    equal(again(text, { ref: 'patient 1' }, null, null, true).slice(0, 2), [false, 'superseded']);
    equal(again(text.replace('A08', 'A40'), { ref: 'patient 3 into 1' }, null, null, true), [true, '', 'PID|1||1||Old^Name']);
    equal(again(text.replace('A08', 'A04'), { ref: 'patient 1' }, null, null), [true, '', 'PID|1||1||Old^Name']);      // the row is not committed yet
    now.name = 'A\\T\\B';
    equal(again('MSH|^~\u0007&|A|B|C|D|20260101||ORU^R01|1|P|2.5.1\rPID|1||1||Old^Name\r', { ref: 'ACC1' }, { pid: '1', seen: '1' }, now)[2].split('|')[5], 'A\u0007T\u0007B');
});

test('a report whose PDF is no longer kept is refused with that reason', function () {
    var kept = ['a1-b2'], thrown;
    database(function () { return []; });
    AttachmentUtil = { getMessageAttachmentIds: function (channel, message) {
        equal([String(channel), String(message)], ['c0-ffee', '12']);
        return { contains: function (id) { return kept.indexOf(String(id)) >= 0; } };
    } };
    mirth.raw = 'MSH|^~\u0007&|A|B|C|D|20260101||ORU^R01|1|P|2.5.1\rPID|1||1\rOBX|1|ED|||^Application^PDF^Base64^${ATTACH:c0-ffee:12:a1-b2}\r';
    sourceMap = mapOf({ ref: 'ACC1' });
    equal([runStep('archive/guard.js'), mirth.routed], [true, []]);
    kept = [];
    try { runStep('archive/guard.js'); } catch (e) { thrown = e; }
    equal([thrown, mirth.routed[0].to, String(mirth.routed[0].map.get('reason'))], ['the PDF of this report is no longer kept: have the report sent again', 'sink', thrown]);
});

function ack(code, id, err, text) {
    return 'MSH|^~\\&|DCM4CHEE|LAB|MIRTH|LAB|20260101||ACK^O01|9|P|2.3.1\rMSA|' + code + '|' + id + '|' + (text || '') + '\r' + (err ? 'ERR||PID|' + err + '|E||||' + (text || '') + '\r' : '');
}

test('an answer decides: done, again, or refused', function () {
    function judged(type, answer) { return judgeAck(hl7Parse('MSH|^~\\&|A|B|C|D|20260101||' + type + '|ID1\r'), answer).status; }
    equal([ack('AA', 'ID1'), ack('AA', 'ID2'), 'gibberish', '', null].map(function (answer) { return judged('ORM^O01', answer); }), ['SENT', 'QUEUED', 'QUEUED', 'QUEUED', 'QUEUED']);
    equal(['200', '201', '204', '205', '206'].map(function (err) { return judged('ORM^O01', ack('AR', 'ID1', err)); }), ['ERROR', 'ERROR', 'ERROR', 'ERROR', 'ERROR']);
    equal([judged('ORM^O01', ack('AE', 'ID1', '101')), judged('ORM^O01', ack('AR', 'ID1', '207', 'PatientMismatchException: x'))], ['ERROR', 'ERROR']);
    equal([judged('ORM^O01', ack('AR', 'ID1', '207', 'GenericJDBCException')), judged('ORM^O01', ack('AR', 'ID1', ''))], ['QUEUED', 'QUEUED']);
    equal([judged('ADT^A40', ack('AR', 'ID1', '204')), judged('ADT^A08', ack('AR', 'ID1', '204'))], ['SENT', 'ERROR']);
});

test('a refused message goes to the sink at once, and waits when that is away', function () {
    var given = { responseStatus: 'SENT', responseStatusMessage: '', response: { getMessage: function () { return ack('AE', 'ID1', '101', 'no'); } }, SENT: 'SENT', QUEUED: 'QUEUED', ERROR: 'ERROR' };
    mirth.raw = 'MSH|^~\\&|A|B|C|D|20260101||ORM^O01|ID1\r';
    runStep('archive/answer.js', given);
    equal([mirth.routed[0].to, String(mirth.routed[0].map.get('reason'))], ['sink', 'archive refused: AE 101 no']);
});

test('the wording of an answer decides nothing, and what cannot be noted waits', function () {
    function answered(text) {
        var status = [], set = { response: { getMessage: function () { return ack('AE', 'ID1', '101', text); } }, responseStatus: 'SENT', responseStatusMessage: '', done: status };
        set.SENT = 'SENT';
        set.QUEUED = 'QUEUED';
        set.ERROR = 'ERROR';
        runStep('archive/answer.js', set, 'done.push(responseStatus, responseStatusMessage);');
        return status;
    }
    mirth.raw = 'MSH|^~\\&|A|B|C|D|20260101||ORM^O01|ID1\r';
    equal(answered('of \\C2842\\ no'), ['ERROR', 'refused: AE 101 of \\C2842\\ no']);
    route = function () { throw new java.io.IOException('away'); };
    equal(answered('no'), ['QUEUED', 'answered, and that cannot be noted: java.io.IOException: away']);
    hl7Ack = function () { throw 'unforeseen'; };
    equal(answered('no'), ['QUEUED', 'answered, and that cannot be noted: unforeseen']);
});
