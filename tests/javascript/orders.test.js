// Orders of the EMR in, order messages for the archive out: orders.js, orm.js, filler.js

// As OpenEMR's two generators write it (openemr.md §7.4); `change` may alter the lines.
function file(number, change) {
    var lines = [
        'MSH|^~\\&|OPENEMR|OEMR|MIRTH|RADLAB|20261124033334||ORM^O01|' + number + '|P|2.3',
        'PID|1|1|1||Doe^Jane||19800102|F|||1 Main St\nBack door^^Town^ST^12345|||||||2|123-45-6789|||',
        'NTE|1|L|medications Drug | A & B^2',
        'PV1|1||||||1234567893^House^Greg||||||||||||2|||||||||||||',
        'IN1|1||||||||||||||||||||||||||||||||||||||||||||||P',
        'GT1|1||Doe^Jane||1 Main St^^Town^ST^12345|||19800102|F||self|123-45-6789',
        'ORC|NW|' + number + '|||||||20261124033334|||1234567893^House^Greg||||||||2',
        'OBR|1|' + number + '||CTHEAD^CT Head w/o contrast|S||20261124100000|||||||||1234567893^House^Greg||P|||||||||0',
        'DG1|1||R51.9^Headache, unspecified^I10|',
        'OBX|1|ST|CLINHX||fell \\T\\ hit head',
        'OBR|2|' + number + '||XRCHEST^X-Ray Chest 2 views|R|||||||||||1234567893^House^Greg||P|||||||||0',
        'DG1|1||J18.9^^I10|',
        'DG1|2||R05^^I10|'
    ];
    if (change) change(lines);
    return lines.join('\r') + '\r';
}

function bytes(text) { return String(new java.lang.String(new java.lang.String(text).getBytes('UTF-8'), 'ISO-8859-1')); }

test('both generators and both numberings are the same order', function () {
    equal(['OEMR-0007', '0007', '7', 'LAB-2-0007'].map(orderNumber), ['7', '7', '7', '7']);
    ['', '0', 'x', '2.25.17', '7a', '12345678901'].forEach(function (v) { refused(/not an order number/, function () { orderNumber(v); }); });
    equal(JSON.stringify(parseOrders(file('0007')).orders), JSON.stringify(parseOrders(file('OEMR-0007')).orders));
});

test('an order file is read whole', function () {
    var parsed = parseOrders(file('OEMR-0007'));
    equal(parsed.patient, { pid: '1', name: 'Doe^Jane', dob: '19800102', sex: 'F' });
    equal(parsed.notes, []);
    equal(parsed.orders[0], { placer: '7', code: 'CTHEAD', occ: 1, pid: '1', encounter: '2', content: { name: 'CT Head w/o contrast', scheme: '99LAB', modality: 'CT', station: 'CT01', minutes: 30,
        priority: 'S', start: '20261124100000', timed: true, doctor: '1234567893^House^Greg', reason: 'fell & hit head; Headache, unspecified' } });
    equal(parseOrders(file('7', function (lines) { lines[9] = lines[9].replace('fell', '10^3 cells'); })).orders[0].content.reason, '10^3 cells & hit head; Headache, unspecified');
    equal(parsed.orders[1].content, { name: 'X-Ray Chest 2 views', scheme: '99LAB', modality: 'DX', station: 'DX01', minutes: 15,
        priority: 'R', start: '20261124033334', timed: false, doctor: '1234567893^House^Greg', reason: 'J18.9; R05' });
});

test('the same procedure twice in one order is told apart', function () {
    var parsed = parseOrders(file('7', function (lines) { lines[10] = lines[7]; }));
    equal(parsed.orders.map(function (o) { return o.code + o.occ; }), ['CTHEAD1', 'CTHEAD2']);
    parsed = parseOrders(file('7', function (lines) { lines[10] = lines[7].replace('|7|', '|8|'); }));
    equal(parsed.orders.map(function (o) { return o.placer + o.code + o.occ; }), ['7CTHEAD1', '8CTHEAD1']);
});

test('what cannot be carried is refused with its reason', function () {
    function refuses(pattern, number, from, to) { refused(pattern, function () { parseOrders(bytes(file('7', function (lines) { lines[number] = lines[number].replace(from, to); }))); }); }
    refuses(/not an order message/, 0, 'ORM^O01', 'ADT^A04');
    refuses(/more than one MSH/, 2, /.*/, 'MSH|^~\\&|X');
    refuses(/more than one PID/, 2, /.*/, 'PID|1||2||Roe^Jim');
    refuses(/the patient has no name/, 1, 'Doe^Jane', '^');
    refuses(/the patient number cannot be carried/, 1, '|1|1||', '|1|||');
    refuses(/date of birth/, 1, '19800102', '19801332');
    refuses(/sex "X"/, 1, '|F|', '|X|');
    refuses(/ORC-1 is "CA"/, 6, 'NW', 'CA');
    refuses(/not in the table/, 7, 'CTHEAD', 'CTNECK');
    refuses(/not in the table/, 7, 'CTHEAD', 'toString');
    refuses(/procedure code cannot be carried/, 7, 'CTHEAD', 'CTHEADXXXXXXXXXXX');
    refuses(/OBR-7 is no time/, 7, '20261124100000', '20261324100000');
    refuses(/the reason for the examination holds a backslash/, 9, 'fell', 'fell \\E\\');
    refuses(/continued messages/, 2, /.*/, 'ADD|1');
    refuses(/OBR without ORC/, 6, /.*/, 'NTE|1');
    refused(/not complete/, function () { parseOrders(file('7').replace(/\r$/, '')); });
    refused(/not HL7/, function () { parseOrders('garbage\r'); });
    refused(/no OBR/, function () { parseOrders(file('7', function (lines) { lines.splice(7, 6); })); });
});

test('a sex that DICOM does not know is noted', function () {
    var parsed = parseOrders(file('7', function (lines) { lines[1] = lines[1].replace('|F|', '|A|'); }));
    equal([parsed.patient.sex, parsed.notes], ['O', ['sex A became O']]);
});

test('any script arrives; what had to give way is noted', function () {
    var parsed = parseOrders(bytes(file('7', function (lines) {
        lines[1] = lines[1].replace('Doe^Jane', 'Ångström^Zoë 山田 😀');
        lines[9] = 'OBX|1|ST|CLINHX||' + new Array(40).join('Übelkeit ') + '\nseit gestern';
    })));
    equal(parsed.patient.name, 'Ångström^Zoë 山田 〓');
    equal(parsed.orders[0].content.reason.length, 63);
    equal(parsed.notes, ['characters outside the Basic Multilingual Plane became 〓',
        'the reason for the examination: line breaks became blanks', 'the reason for the examination was cut to 64 characters']);
});

var ROW = { placer: '7', code: 'CTHEAD', occ: '1', accession: 'ACC00000001', study_uid: '2.25.1', rp_id: 'RP00000001', sps_id: 'SPS00000001', pid: '1', encounter: '2', seen: '1', control: 'NW' };

function row(change) {
    var out = {};
    [ROW, change || {}].forEach(function (from) { Object.keys(from).forEach(function (key) { out[key] = from[key]; }); });
    out.content = out.content || JSON.stringify(parseOrders(file('7')).orders[0].content);
    return out;
}

test('the message for the archive holds what the worklist needs and nothing else', function () {
    var m = hl7Parse(buildOrm(row(), { pid: '1', name: 'Doe^Jane', dob: '19800102', sex: 'F' }, 'NW'));
    equal(m.segs.map(function (seg) { return seg[0]; }), ['MSH', 'PID', 'PV1', 'ORC', 'OBR', 'ZDS']);
    equal(m.segs[0].slice(3, 7).concat(m.segs[0].slice(9, 13), m.segs[0][18]), ['MIRTH', 'LAB', 'DCM4CHEE', 'LAB', 'ORM^O01^ORM_O01', 'ACC00000001NW1', 'P', '2.3.1', 'UNICODE UTF-8']);
    equal(m.segs[1].join('|'), 'PID|1||1^^^LABHOSP&2.25.117205934481166&ISO^MR||Doe^Jane||19800102|F');
    equal([1, 2, 3, 5, 7, 18].map(function (i) { return m.segs[3][i]; }), ['NW', '7^OPENEMR', 'ACC00000001^MIRTH', 'SC', '1^^M30^20261124100000^^S', 'CT01']);
    equal([4, 18, 19, 20, 24, 27, 31, 44].map(function (i) { return m.segs[4][i]; }), ['CTHEAD^CT Head w/o contrast^99LAB^CTHEAD^CT Head w/o contrast^99LAB', 'ACC00000001', 'RP00000001',
        'SPS00000001', 'CT', '1^^M30^20261124100000^^S', '^fell \\T\\ hit head; Headache, unspecified', 'CTHEAD^CT Head w/o contrast^99LAB']);
    equal(m.segs[5][1], '2.25.1^MIRTH^Application^DICOM');
    // A row of before the duration was kept.
    equal(hl7First(hl7Parse(buildOrm(row({ content: JSON.stringify({ start: '20261124100000', priority: 'R' }) }), {}, 'XO')), 'OBR')[27], '1^^^20261124100000^^R');
    equal(hl7First(hl7Parse(buildOrm(row(), {}, 'CA')), 'ORC').slice(1, 6), ['CA', '7^OPENEMR', 'ACC00000001^MIRTH', '', 'CA']);
});

test('one message per procedure, after all identifiers are there', function () {
    var minted = 0;
    database(function (sql, params) {
        if (/INSERT INTO order_state/.test(sql)) return [row({ code: params[1], accession: 'ACC' + ++minted, pid: params[4], content: params[6] })];
        if (/FROM patient/.test(sql)) return [{ pid: '1', name: 'Doe^Jane-Now', dob: '19800102', sex: 'F' }];
        return [];
    });
    equal(sendOrders(file('7')).split('\n').length, 2);
    equal(mirth.routed.map(function (x) { return [x.to].concat(['ref', 'control', 'seen'].map(function (key) { return String(x.map.get(key)); })); }),
        [['archive', 'ACC1', 'NW', '1'], ['archive', 'ACC2', 'NW', '1']]);
    equal(/\|Doe\^Jane-Now\|/.test(mirth.routed[0].text), true);
    equal(/Drug|123-45|Main St|IN1|GT1/.test(mirth.routed[0].text + mirth.routed[1].text), false);
});

test('a second transmission keeps identifiers, and the start that it does not name', function () {
    database(function (sql) {
        if (/INSERT INTO order_state/.test(sql)) return [row({ seen: '2', content: JSON.stringify({ start: '20261124010101' }) })];
        return /FROM patient/.test(sql) ? [{ pid: '1', name: 'Doe^Jane', dob: '', sex: '' }] : [];
    });
    sendOrders(file('7', function (lines) { lines.splice(7, 3); }));
    equal(/\|1\^\^M15\^20261124010101\^\^R\|/.test(mirth.routed[0].text), true);
    equal(String(mirth.routed[0].map.get('seen')), '2');
});

test('an order that was cancelled is not told, and noticed', function () {
    database(function (sql, params) {
        if (/INSERT INTO order_state/.test(sql)) return [row({ code: params[1], accession: 'ACC' + params[1], content: params[6], control: params[1] === 'CTHEAD' ? 'CA' : 'NW' })];
        return /FROM patient/.test(sql) ? [{ pid: '1', name: 'Doe^Jane', dob: '', sex: '' }] : [];
    });
    equal(/7 CTHEAD is ACCCTHEAD 2.25.1, cancelled before/.test(sendOrders(file('7'))), true);
    equal(mirth.routed.map(function (x) { return String(x.map.get('ref')); }), ['ACCXRCHEST']);
    equal(mirth.sql.filter(function (x) { return /INSERT INTO notice/.test(x[0]); }).map(function (x) { return x[1]; }),
        [['not sent', 'ACCCTHEAD NW', 'ACCCTHEAD: NW not sent, order 7 was cancelled in the EMR']]);
});

function leftWorklist(images, seen) {
    var st = row({ seen: seen || '3', control: 'CA', expired: 'nobody came', images_at: images, content: JSON.stringify({ start: '20260101080000' }) });
    database(function (sql, params) {
        if (/INSERT INTO order_state|^SELECT \* FROM order_state/.test(sql)) return [row(st)];
        if (/^UPDATE order_state SET control = 'NW'/.test(sql)) {
            st.control = 'NW';
            st.content = mirth.sql.filter(function (x) { return /^UPDATE order_state SET content/.test(x[0]); })[0][1][0];
        }
        if (/^UPDATE order_state SET control = \?/.test(sql)) st = row({ control: params[0], content: params[1], expired: params[2], seen: String(Number(st.seen) + 1) });
        if (/^UPDATE order_state/.test(sql)) return [row(st)];
        return /FROM patient/.test(sql) ? [{ pid: '1', name: 'Doe^Jane', dob: '', sex: '' }] : [];
    });
    return function () { return st; };
}

test('an order that left the worklist by its age comes back when it is transmitted again', function () {
    var now = leftWorklist(null);
    sendOrders(file('7', function (lines) { lines.splice(7, 3); }));
    equal(mirth.routed.map(function (x) { return [/ORC\|(..)/.exec(x.text)[1], String(x.map.get('expired'))]; }), [['NW', 'nobody came']]);
    equal(/\|1\^\^M15\^20261124033334\^\^R\|/.test(mirth.routed[0].text), true);           // not the start of then
    equal([now().control, now().expired], ['NW', 'nobody came']);
    changeOrder({ placer: '7', code: 'CTHEAD', occ: 1, control: 'XO', change: { start: '20261125080000' }, why: 'because' });
    equal([String(mirth.routed[1].map.get('expired')), now().expired], ['nobody came', 'nobody came']);
    changeOrder({ placer: '7', code: 'CTHEAD', occ: 1, control: 'CA', change: {}, why: 'deleted in the EMR' });
    equal([now().control, now().expired], ['CA', undefined]);
});

test('an order that left the worklist and has its images does not come back', function () {
    leftWorklist('then');
    sendOrders(file('7', function (lines) { lines.splice(10, 3); }));
    equal(mirth.routed, []);
    equal(mirth.sql.filter(function (x) { return /INSERT INTO notice/.test(x[0]); })[0][1][2], 'ACC00000001: NW not sent, order 7 left the worklist, and its images have arrived');
});

test('an order leaves the worklist as it was when that was decided, or not at all', function () {
    var now = leftWorklist(null, '2'), action = { placer: '7', code: 'CTHEAD', occ: 1, control: 'CA', change: {}, why: 'nobody came', expired: 'nobody came', seen: '1' };
    now().control = 'NW';
    now().expired = null;
    equal([changeOrder(action), mirth.routed], ['changed meanwhile', []]);
    action.seen = '2';
    now().images_at = 'then';
    equal([changeOrder(action), mirth.routed], ['changed meanwhile', []]);
    now().images_at = null;
    equal([changeOrder(action), changeOrder(action)], ['CA ACC00000001: nobody came', 'done before']);
    equal([now().control, now().expired, mirth.routed.length, String(mirth.routed[0].map.get('expired'))], ['CA', 'nobody came', 1, 'nobody came']);
});

test('an order of another patient, and a number that was used before, are refused whole', function () {
    database(function (sql) { return /INSERT INTO order_state/.test(sql) ? [row({ pid: '9' })] : [{ pid: '1' }]; });
    seenOf = function () { return {}; };
    refused(/belongs to patient 9, not to 1/, function () { sendOrders(file('7')); });
    seenOf = function () { return { 1: 'merged into 4' }; };
    refused(/patient number 1 was used before \(merged into 4\).*next number is free/, function () { sendOrders(file('7')); });
    equal(mirth.routed, []);
});

test('a change is told once, and nothing follows a cancellation', function () {
    var st = row();
    database(function (sql, params) {
        if (/^SELECT \* FROM order_state/.test(sql)) return [st];
        if (/^UPDATE order_state/.test(sql)) return [st = row({ control: params[0], content: params[1], seen: '2' })];
        return [{ pid: '1', name: 'Doe^Jane', dob: '', sex: '' }];
    });
    var action = { placer: '7', code: 'CTHEAD', occ: 1, control: 'XO', change: { start: '20261125080000' }, why: 'because' };
    equal(changeOrder(action), 'XO ACC00000001: because');
    equal(changeOrder(action), 'done before');
    action.control = 'CA';
    equal(changeOrder(action), 'CA ACC00000001: because');
    equal(changeOrder(action), 'done before');
    action.control = 'XO';
    equal(changeOrder(action), 'done before');
    equal(mirth.routed.map(function (x) { return /ORC\|(..)/.exec(x.text)[1]; }), ['XO', 'CA']);
    equal(/20261125080000/.test(mirth.routed[0].text), true);
});

function folder() { return String(java.nio.file.Files.createTempDirectory('orders', [])); }

function listing(path) {
    var names = new java.io.File(path).list(), found = [], i;
    for (i = 0; i < names.length; i++) found.push(String(names[i]));
    return found.sort();
}

test('the orders channel keeps a refused file with its reason', function () {
    var name = '1769000000000-0007.txt', error = folder();
    mirth.cfg.dir_orders_error = error;
    sourceMap = mapOf({ originalFilename: '0007.txt', fileLastModified: new java.lang.Long(1769000000000) });
    mirth.raw = 'garbage';
    refused(/not HL7/, function () { runStep('orders/check.js'); });
    equal(listing(error), [name + '.reason']);
    equal([mirth.routed[0].to, String(mirth.routed[0].map.get('reason'))], ['sink', 'order file 0007.txt: not HL7: it does not start with MSH']);
});

function refusedFile(error) {
    mirth.cfg.dir_orders_error = error;
    sourceMap = mapOf({ originalFilename: '0007.txt', fileLastModified: new java.lang.Long(1769000000000) });
    mirth.raw = 'garbage';
}

test('a refused file has its reason beside it while the sink is away', function () {
    var error = folder();
    refusedFile(error);
    router = { routeMessageByChannelId: function () { return null; } };
    refused(/did not accept/, function () { runStep('orders/check.js'); });
    equal(listing(error), ['1769000000000-0007.txt.reason']);
});

test('a refused file is in the sink while its reason cannot be written', function () {
    refusedFile(folder() + '/nowhere');
    refused(/nowhere/, function () { runStep('orders/check.js'); });
    equal(mirth.routed[0].to, 'sink');
});

test('a refused file that cannot be moved waits, and is not refused silently', function () {
    mirth.cfg.dir_orders_done = folder();
    refusedFile(folder() + '/nowhere');
    writeFile(mirth.cfg.dir_orders_done, '1769000000000-0007.txt', utf8('garbage'));
    equal(/^QUEUED: refused, and it cannot be put aside: .*nowhere/.test(runStep('orders/mint.js')), true);
    equal(mirth.routed, []);
});

test('a file that is refused late moves from the done ones to the refused ones, once the reader has moved it', function () {
    var name = '1769000000000-0007.txt', done, error;
    mirth.cfg.dir_orders_done = done = folder();
    mirth.cfg.dir_orders_error = error = folder();
    sourceMap = mapOf({ originalFilename: '0007.txt', fileLastModified: new java.lang.Long(1769000000000) });
    mirth.raw = 'garbage';
    equal(/^QUEUED: /.test(runStep('orders/mint.js')), true);
    equal([listing(error), mirth.routed], [[], []]);
    writeFile(done, name, utf8('garbage'));
    equal(/^ERROR: refused: not HL7/.test(runStep('orders/mint.js')), true);
    equal([listing(done), listing(error), mirth.routed.length], [[], [name, name + '.reason'], 1]);
    equal(/^ERROR: refused: not HL7/.test(runStep('orders/mint.js')), true);
    equal(listing(error), [name, name + '.reason']);
});

test('a state database that is away keeps the order waiting', function () {
    mirth.raw = file('7');
    dbTx = function () { throw new java.sql.SQLTransientConnectionException('no connection'); };
    equal(/^QUEUED: .*no connection/.test(runStep('orders/mint.js')), true);
    equal(mirth.routed, []);
});

test('files behind one that did not come into the queue wait for it, for a minute at most', function () {
    var dir = String(java.nio.file.Files.createTempDirectory('orders')), path = java.nio.file.Paths.get(dir, 'a.txt'), at;
    java.nio.file.Files.createFile(path);
    at = String(path.toFile().lastModified());
    function turn(poll, n, broken) {
        sourceMap = mapOf({ pollId: poll, pollSequenceId: n, originalFilename: 'a.txt', fileDirectory: dir, fileLastModified: at });
        channelMap = mapOf({});
        var taken = runStep('orders/turn.js');
        if (!broken) runStep('orders/queued.js');
        return [taken, String(globalChannelMap.get('moveTo')).replace(dir, 'orders'), String(globalChannelMap.get('moveAs'))];
    }
    function aMinuteLater() {
        var state = JSON.parse(String(globalChannelMap.get('turn')));
        state.since -= 60000;
        globalChannelMap.put('turn', JSON.stringify(state));
    }
    var done = [true, 'done', at + '-a.txt'], left = [false, 'orders', 'a.txt'];
    equal([turn('p1', 1), turn('p1', 2)], [done, done]);
    equal([turn('p1', 4), turn('p1', 5)], [left, left]);                               // the third one was not stored at all
    equal([turn('p2', 1), turn('p2', 2, true)], [done, [true, 'orders', 'a.txt']]);    // stored, and not queued
    equal([turn('p2', 3), turn('p2', 4)], [left, left]);
    equal([turn('p3', 2), turn('p4', 2), turn('p4', 3)], [left, left, left]);          // it fails again and again
    equal([turn('p5', 1), turn('p5', 2)], [done, done]);                               // and came at last
    equal([turn('p6', 2), turn('p7', 2)], [left, left]);                               // one that never can be stored
    aMinuteLater();
    equal([turn('p8', 2), turn('p8', 3), turn('p9', 2)], [done, done, done]);
    equal([turn('p10', 1), turn('p11', 1), turn('p12', 3)], [done, done, left]);       // another one, later
});

test('an order that was read again meanwhile is not recovered at a start, and what is reprocessed asks for no file', function () {
    sourceMap = mapOf({ pollId: 'p', pollSequenceId: 0, originalFilename: 'gone.txt', fileDirectory: '/nowhere', fileLastModified: '7' });
    equal([runStep('orders/turn.js'), globalChannelMap.get('moveTo')], [false, null]);
    runStep('orders/queued.js');
    sourceMap.put('reprocessed', true);
    equal([runStep('orders/turn.js'), globalChannelMap.get('moveTo')], [true, null]);
});
