// Reports in and out: reports.js, oru.js, and the status updates: status.js

function report(change) {
    var lines = [
        'MSH|^~\\&|REPSYS|RADLAB|MIRTH|LABHOSP|20260310101500||ORU^R01|ESC0002|P|2.4|||AL|NE||UNICODE UTF-8',
        'PID|1||1^^^LABHOSP&2.25.117205934481166&ISO^MR||Okereke^Ifeoma||19880517|F',
        'PV1|1|O|RAD||||||||||||||||2',
        'ORC|RE|17|||CM',
        'OBR|1|17|F17|CTHEAD^Imaging procedure^99LAB|||20260310094000+0000|||||||||||ACC00000001||||20260310101000+0000|||F',
        'OBX|1|ST|113014^DICOM Study^DCM||2.25.1||||||F',
        'OBX|2|TX|18782-3^Findings^LN||Line one\\X0D\\\\X0A\\Line two, 5 \\T\\ 6 \\E\\n||||||F'
    ];
    if (change) change(lines);
    return lines.join('\r') + '\r';
}

function changed(number, from, to) { return report(function (lines) { lines[number] = lines[number].replace(from, to); }); }

function state(n, change) {
    var st = {
        placer: '17', code: n === 2 ? 'XRCHEST' : 'CTHEAD', occ: '1', accession: 'ACC0000000' + n, study_uid: '2.25.' + n, rp_id: 'RP' + n, sps_id: 'SPS' + n,
        pid: '1', encounter: '2', seen: '1', images_at: null,
        content: JSON.stringify({ name: 'CT Head', scheme: '99LAB', modality: 'CT', doctor: '123^House', station: 'CT01' })
    };
    Object.keys(change || {}).forEach(function (key) { st[key] = change[key]; });
    return st;
}

function orders(rows, done) {
    database(function (sql, params) {
        if (/FROM order_state WHERE placer/.test(sql)) return rows.filter(function (st) { return st.placer === params[0]; });
        if (/FROM order_state WHERE accession/.test(sql)) return rows.filter(function (st) { return st.accession === params[0]; });
        if (/FROM order_state WHERE study_uid/.test(sql)) return rows.filter(function (st) { return st.study_uid === params[0]; });
        if (/FROM patient/.test(sql)) return [{ pid: '1', name: 'Okereke^Ifeoma', dob: '19880517', sex: 'F' }];
        return /FROM report_part/.test(sql) ? done || [] : [];
    });
    writeFile = function (dir, name, bytes) { mirth.files[dir + '/' + name] = String(new java.lang.String(bytes, 'UTF-8')); };
}

function segments(text, name) { return hl7Parse(text).segs.filter(function (seg) { return seg[0] === name; }); }

test('a report goes to the archive and to the EMR', function () {
    orders([state(1)]);
    equal(fileReport(report()), '1SR 0EMR');
    equal(mirth.routed.length, 1);
    var m = hl7Parse(mirth.routed[0].text), file = Object.keys(mirth.files)[0];
    equal(m.segs[0][2], '^~\u0007&');
    equal([2, 3, 7, 18, 19, 22, 25].map(function (i) { return hl7First(m, 'OBR')[i]; }), ['17', 'ACC00000001', '20260310104000', 'ACC00000001', 'RP1', '20260310111000', 'F']);
    equal(segments(mirth.routed[0].text, 'OBX').map(function (seg) { return seg[5]; }).slice(2), ['FINAL\u0007.br\u0007Line one\u0007.br\u0007Line two, 5 \u0007T\u0007 6 \\n']);
    equal(segments(mirth.routed[0].text, 'OBX')[1].slice(3, 6)[0], '^SR Instance UID');
    equal(/^inbox\/0000000007-R[0-9a-f]{18}\.hl7$/.test(file), true);
    m = hl7Parse(mirth.files[file]);
    equal(m.segs.map(function (seg) { return seg[0]; }), ['MSH', 'PID', 'PV1', 'ORC', 'OBR', 'OBX', 'OBX', 'OBX']);
    equal([m.segs[0][3], m.segs[0][4], m.segs[0][5], m.segs[0][6], m.segs[2][19], m.segs[3][2], m.segs[4][2]], ['MIRTH', 'RADLAB', 'OPENEMR', 'OEMR', '2', '17', '17']);
    equal(segments(mirth.files[file], 'OBX').map(function (seg) { return seg[5]; }), ['Line one', 'Line two, 5 \\T\\ 6 \\E\\n', '2.25.1']);
});

test('the same control id and content is the same object, and is filed once', function () {
    orders([state(1)]);
    fileReport(report());
    fileReport(report());
    fileReport(changed(0, 'ESC0002', 'ESC0003'));
    var uids = mirth.routed.map(function (x) { return segments(x.text, 'OBX')[1][5]; });
    equal([uids[0] === uids[1], uids[0] === uids[2]], [true, false]);
    orders([state(1)], [{ part: '1', target: 'SR' }, { part: '0', target: 'EMR' }]);
    equal(fileReport(report()), 'filed before');
    equal(mirth.routed.length, 3);
});

test('every status has its word in the archive and its code in the chart', function () {
    orders([state(1)]);
    equal(['P', 'F', 'C', 'X', 'A', 'D'].map(function (said) {
        mirth.routed = [];
        mirth.files = {};
        fileReport(changed(4, '|||F', '|||' + said));
        return [segments(mirth.routed[0].text, 'OBX')[2][5].split('\u0007')[0], segments(mirth.files[Object.keys(mirth.files)[0]], 'OBR')[0][25]];
    }), [['PRELIMINARY', 'P'], ['FINAL', 'F'], ['CORRECTED', 'C'], ['WITHDRAWN', 'X'], ['PRELIMINARY', 'P'], ['WITHDRAWN', 'X']]);
    equal(parseReport(changed(4, '|||F', '')).parts[0].status, 'F');
    refused(/report status "Q"/, function () { parseReport(changed(4, '|||F', '|||Q')); });
});

test('a report that matches no order of its patient is refused', function () {
    orders([state(1)]);
    refused(/unknown order: 99/, function () { fileReport(changed(4, /\|17\|/, '|99|')); });
    refused(/not an order number/, function () { fileReport(changed(4, /\|17\|/, '|2.25.17|')); });
    refused(/wrong patient: order 17 belongs to 1, the report to "2"/, function () { fileReport(changed(1, '|1^^^', '|2^^^')); });
    refused(/wrong patient.*the report to ""/, function () { fileReport(changed(1, 'LABHOSP&2.25.117205934481166&ISO', 'OTHER')); });
    refused(/contradicts order 17/, function () { fileReport(changed(5, '2.25.1', '2.25.9')); });
    refused(/contradicts order 17/, function () { fileReport(changed(4, 'ACC00000001', 'ACC9')); });
    refused(/more than one PID/, function () { fileReport(report(function (lines) { lines.push('PID|2||9^^^LABHOSP', 'OBR|2|17'); })); });
    refused(/not a report/, function () { fileReport(changed(0, 'ORU^R01', 'ADT^A04')); });
    refused(/control character/, function () { fileReport(changed(6, 'Line one', 'Line \u0007one')); });
    equal(mirth.routed, []);
    equal(mirth.files, {});
});

test('the patient\'s number of our own authority counts, wherever it stands', function () {
    orders([state(1)]);
    fileReport(changed(1, '|1^^^', '|77^^^OTHER~1^^^'));
    fileReport(changed(1, '1^^^LABHOSP&2.25.117205934481166&ISO^MR', '1'));
    equal(mirth.routed.length, 2);
    function numberOf(cx) { return parseReport(changed(1, /1\^\^\^LABHOSP[^|]*/, cx)).pid; }
    equal(['42^^^&9.9.9.9&ISO^MR', '42^^^LABHOSP&9.9.9.9&ISO', '42^^^OTHER&2.25.117205934481166&ISO'].map(numberOf), ['', '', '']);
    equal(['42^^^&2.25.117205934481166&ISO', '42^^^LABHOSP', '42^^^^MR', '7^^^&9.9&ISO~42'].map(numberOf), ['42', '42', '42', '42']);
    equal(numberOf('7~42^^^&2.25.117205934481166&ISO'), '42');
});

test('what the report leaves out is completed from the state table', function () {
    orders([state(1), state(2)]);
    fileReport(report(function (lines) { lines.splice(5, 1); }));
    fileReport(report(function (lines) { lines[4] = lines[4].replace('ACC00000001', ''); lines.splice(5, 1); }));
    fileReport(report(function (lines) { lines[4] = lines[4].replace('|17|', '||'); lines[3] = 'ORC|RE'; lines.splice(5, 1); }));
    fileReport(report(function (lines) { lines[4] = lines[4].replace('|17|', '||').replace('ACC00000001', ''); lines[3] = 'ORC|RE'; }));
    equal(mirth.routed.map(function (x) { return segments(x.text, 'OBX')[0][5]; }), ['2.25.1', '2.25.1', '2.25.1', '2.25.1']);
    equal(mirth.routed.length, 4);
});

// Only an order number and a procedure code.
function vague(code, more) {
    return report(function (lines) {
        lines[4] = lines[4].replace('ACC00000001', '').replace('CTHEAD', code);
        lines.splice(5, 1);
        if (more) lines.push(lines[4].replace('OBR|1', 'OBR|2'), lines[5]);
    });
}

test('a report that may be about either of two procedures is refused', function () {
    var left = state(1), right = state(2, { code: 'CTHEAD', occ: '2' });
    orders([left, right]);
    refused(/not clear which procedure of order 17/, function () { fileReport(vague('CTHEAD')); });
    refused(/not clear which procedure of order 17/, function () { fileReport(vague('CTHEAD', true)); });
    refused(/not clear which procedure of order 17/, function () { fileReport(vague('')); });
    fileReport(changed(4, 'ACC00000001', 'ACC00000002').replace('||2.25.1|', '||2.25.2|'));
    equal(segments(mirth.routed[0].text, 'OBX')[0][5], '2.25.2');
});

test('an order number alone does not make it another procedure', function () {
    orders([state(1)]);
    refused(/contradicts order 17: .*procedure "MRKNEE"/, function () { fileReport(vague('MRKNEE')); });
    equal(mirth.routed, []);
    fileReport(vague(''));
    fileReport(changed(4, 'CTHEAD', 'LOCAL-CODE'));
    equal(mirth.routed.length, 2);
});

function two(secondUid) {
    return report(function (lines) {
        lines.push('ORC|RE|17|||CM', lines[4].replace('OBR|1', 'OBR|2').replace('CTHEAD', 'XRCHEST').replace('ACC00000001', 'ACC00000002'),
            'OBX|1|ST|113014^DICOM Study^DCM||' + secondUid, 'OBX|2|TX|18782-3^Findings^LN||TEXT-FOR-SECOND');
    });
}

test('two groups: each on its own procedure, in one file (F-HL7-3)', function () {
    orders([state(1), state(2)]);
    equal(fileReport(two('2.25.2')), '1SR 2SR 0EMR');
    equal(mirth.routed.map(function (x) { return [segments(x.text, 'OBX')[0][5], /TEXT-FOR-SECOND/.test(x.text)]; }), [['2.25.1', false], ['2.25.2', true]]);
    equal(segments(mirth.files[Object.keys(mirth.files)[0]], 'OBR').map(function (seg) { return seg[4].split('^')[0]; }), ['CTHEAD', 'XRCHEST']);
});

test('one bad group refuses the message whole', function () {
    orders([state(1), state(2)]);
    refused(/contradicts/, function () { fileReport(two('2.25.9')); });
    equal([mirth.routed, mirth.files], [[], {}]);
});

test('comments arrive wherever they stand, vendors\' segments do not (F-EMR-2)', function () {
    orders([state(1)]);
    fileReport(report(function (lines) {
        lines.push('NTE|1|L|dictated, not read', 'FT1|1|||20260310');
        lines.splice(5, 0, 'ZPR|1|internal');
        lines.splice(3, 0, 'PV2|||^Chest pain');
        lines.splice(2, 0, 'NTE|1||called by phone');
        lines.splice(1, 0, 'SFT|REPSYS Inc|9.1|Reporter|77');
    }));
    var file = mirth.files[Object.keys(mirth.files)[0]];
    equal(segments(file, 'NTE').map(function (seg) { return seg[3]; }), ['called by phone', 'dictated, not read']);
    equal(hl7Parse(file).segs.map(function (seg) { return seg[0]; }).join(' '), 'MSH PID PV1 ORC OBR OBX OBX NTE NTE OBX');
    equal(segments(mirth.routed[0].text, 'OBX').slice(3).map(function (seg) { return seg[3] + seg[5]; }), ['121106^Comment^DCMcalled by phone', '121106^Comment^DCMdictated, not read']);
});

test('a PDF is one more object, and a document in the chart', function () {
    orders([state(1)]);
    equal(fileReport(report(function (lines) { lines.push('OBX|3|ED|PDF^Report||^application^pdf^base64^JVBERi0x\\.br\\LjQ='); })), '1SR 1DOC0 0EMR');
    equal(segments(mirth.routed[1].text, 'OBX')[2].slice(2, 6), ['ED', 'PDF^Report^L', '', '^Application^PDF^Base64^JVBERi0xLjQ=']);
    refused(/not PDF in Base64/, function () { parseReport(report(function (lines) { lines.push('OBX|3|ED|X||^image^JPEG^Base64^abcd'); })); });
    refused(/not Base64/, function () { parseReport(report(function (lines) { lines.push('OBX|3|ED|X||^Application^PDF^Base64^***'); })); });
    refused(/not Base64/, function () { parseReport(report(function (lines) { lines.push('OBX|3|ED|X||^Application^PDF^Base64^'); })); });
});

test('a report that is nothing but a PDF says so; numbers keep their unit, emoji get their sign', function () {
    orders([state(1)]);
    fileReport(report(function (lines) { lines[6] = 'OBX|3|ED|PDF^Report||^Application^PDF^Base64^JVBERi0xLjQ='; }));
    equal(segments(mirth.routed[0].text, 'OBX')[2][5], 'FINAL\u0007.br\u0007see the PDF document');
    equal(parseReport(changed(6, /TX.*/, 'NM|1^Size^L||12|mm')).parts[0].texts[0].text, '12 mm');
    equal(parseReport(changed(6, 'Line one', '😀')).parts[0].texts[0].text.charAt(0), '〓');
});

test('a message that waits, is refused, or cannot be decoded', function () {
    mirth.raw = report();
    orders([]);
    equal(/^ERROR: refused: unknown order: 17/.test(runStep('results/file.js')), true);
    equal([mirth.routed[0].to, String(mirth.routed[0].map.get('reason'))], ['sink', 'report: unknown order: 17']);
    dbTx = function () { throw new java.io.IOException('away'); };
    equal(/^QUEUED: report not available: .*away/.test(runStep('results/file.js')), true);
    refused(/the bytes are not UNICODE UTF-8/, function () { runStep('results/decode.js', { message: changed(6, 'Line', '\u00EB') }); });
    equal(mirth.routed[1].to, 'sink');
});

test('a refused message that is reprocessed closes its entry in the sink', function () {
    mirth.raw = report();
    orders([state(1)]);
    runStep('results/file.js');
    equal(mirth.sql.filter(function (x) { return /UPDATE sink/.test(x[0]); }), []);
    sourceMap.put('reprocessed', true);
    runStep('results/file.js');
    equal(mirth.sql.filter(function (x) { return /UPDATE sink SET done_at = now\(\), content = ''/.test(x[0]); })[0][1], ['c0ffee', 7]);
});

test('a message that is refused again after it was done is kept whole again', function () {
    database(function () { return []; });
    mirth.raw = 'MSH|again';
    sourceMap = mapOf({ fromChannel: 'results', fromId: 'c0ffee', fromMessage: '7', reason: 'why' });
    equal(runStep('sink/keep.js'), 'kept');
    equal(/DO UPDATE SET .*content = excluded\.content.*done_at = NULL/.test(mirth.sql[0][0]), true);
    equal(mirth.sql[0][1].map(String), ['results', 'c0ffee', '7', 'why', 'MSH|again']);
});

function study(modalities, pid, accession) { return { '00080061': { Value: modalities }, '00100020': { Value: [pid] }, '00080050': accession ? { Value: [accession] } : {} }; }

function update(found, rows) {
    orders(rows);
    archiveGet = function (path) {
        equal(/StudyInstanceUID=2\.25\.1$/.test(path), true);
        return found ? [found] : [];
    };
    return imagesArrived('MSH|^~\\&|A|B|C|D|20260101||OMG^O19|1|P|2.5.1\rOBX|1|ST|113014^DICOM Study^DCM||2.25.1\r');
}

test('images are available when the study holds some, of this order', function () {
    equal(update(null, [state(1)]), 'the study is gone');
    equal(update(study(['SR', 'DOC'], '1', 'ACC00000001'), [state(1)]), 'no images yet');
    equal(update(study(['CT', 'SR'], '1', 'ACC00000001'), [state(1)]), 'images available');
    equal(JSON.parse(mirth.files['status/17-ACC00000001.json']), { order: '17', procedure: 'CTHEAD', accession: 'ACC00000001', study: '2.25.1', images: ['CT'] });
    equal(update(study(['CT'], '1', 'ACC00000001'), [state(1, { images_at: 'then' })]), 'known');
});

test('what is not as ordered is listed with what was ordered (F-DCM-3)', function () {
    function noticed() { return mirth.sql.filter(function (x) { return /INSERT INTO notice/.test(x[0]); })[0][1][2]; }
    equal(update(study(['CT'], '2', 'ACC00000001'), [state(1)]), 'not as ordered');
    equal(/was ordered for patient 1 as ACC00000001 .* its images say patient "2"/.test(noticed()), true);
    mirth.sql = [];
    update(study(['CT'], '1', 'ACC00000003'), [state(3, { study_uid: '2.25.3' })]);
    equal(/no order has the study UID 2.25.1; .*ordered with study UID 2.25.3/.test(noticed()), true);
    equal(update(study(['CT'], '1', ''), [state(1)]), 'not as ordered');
    equal(mirth.files, {});
});

test('what was not as ordered is settled when its images are gone', function () {
    function settled() { return mirth.sql.filter(function (x) { return /DELETE FROM notice/.test(x[0]); }).map(function (x) { return x[1]; }); }
    update(study(['CT'], '2', 'ACC00000001'), [state(1)]);
    equal(settled(), []);
    update(null, []);
    equal(settled(), [['not as ordered', '2.25.1']]);
});

test("the patient of the lab's own proof is nobody's mistake", function () {
    equal(update(study(['CT'], 'PACSEMR-VERIFY', 'VERIFY-CT'), []), "the lab's own proof");
    equal(mirth.sql.filter(function (x) { return /INSERT INTO notice/.test(x[0]); }), []);
});

test('separators inside text are characters of it', function () {
    function text(obx) { return parseReport(changed(6, /.*/, obx)).parts[0].texts[0].text; }
    orders([state(1)]);
    equal([text('OBX|2|TX|||10^3 ml & 5^'), text('OBX|2|FT|||10^3'), text('OBX|2|ST|||^x'), text('OBX|2||||10^3')], ['10^3 ml & 5^', '10^3', '^x', '10^3']);
    equal([text('OBX|2|SN|||>^100'), text('OBX|2|CE|||A^Adenoma^L')], ['> 100', 'A Adenoma L']);
    fileReport(report(function (lines) { lines[6] = 'OBX|2|TX|||10^3 ml'; lines.push('NTE|1||see 2^4'); }));
    equal(/10\u0007S\u00073 ml.*2\u0007S\u00074/.test(mirth.routed[0].text.replace(/\r/g, ' ')), true);
    equal(/10\\S\\3 ml.*2\\S\\4/.test(mirth.files[Object.keys(mirth.files)[0]].replace(/\r/g, ' ')), true);
});

test('a repeat of a report with several PDFs is the same one, in whatever order they are kept', function () {
    var first = '0aaaaaaa-0000-4000-8000-000000000000', second = 'faaaaaaa-0000-4000-8000-000000000000';
    function pdf(id) { return 'OBX|3|ED|PDF^Report||^Application^PDF^Base64^${ATTACH:' + id + '}'; }
    function key(ids, contents) {
        var list = new java.util.ArrayList();
        Object.keys(contents).sort().forEach(function (id) {
            list.add({ getId: function () { return new java.lang.String(id); }, getContent: function () { return utf8(contents[id]); } });
        });
        AttachmentUtil.getMessageAttachments = function () { return list; };
        return reportKey(report(function (lines) { ids.forEach(function (id) { lines.push(pdf(id)); }); }));
    }
    var found = [key([first, second], { '0aaaaaaa-0000-4000-8000-000000000000': 'one', 'faaaaaaa-0000-4000-8000-000000000000': 'two' }),
        key([second, first], { '0aaaaaaa-0000-4000-8000-000000000000': 'two', 'faaaaaaa-0000-4000-8000-000000000000': 'one' }),
        key([first, second], { '0aaaaaaa-0000-4000-8000-000000000000': 'two', 'faaaaaaa-0000-4000-8000-000000000000': 'one' })];
    equal([found[0] === found[1], found[0] === found[2]], [true, false]);
});

test('a report about orders of two encounters is a file for each', function () {
    var other = state(2, { placer: '18', encounter: '5' }), names;
    orders([state(1), other]);
    equal(fileReport(two('2.25.2').replace(/17\|\|\|CM\rOBR\|2\|17/, '18|||CM\rOBR|2|18')), '1SR 2SR 0EMR 0EMR1');
    names = Object.keys(mirth.files).sort(function (a, b) { return segments(mirth.files[a], 'PV1')[0][19] - segments(mirth.files[b], 'PV1')[0][19]; });
    equal(names.map(function (name) { return [segments(mirth.files[name], 'PV1')[0][19], segments(mirth.files[name], 'OBR').map(function (seg) { return seg[2]; })]; }),
        [['2', ['17']], ['5', ['18']]]);
});

test('without OBR-25 the least certain text counts, not the study UID', function () {
    function status(first, second) {
        return parseReport(report(function (lines) {
            lines[4] = lines[4].replace('|||F', '');
            lines[6] = lines[6].replace('||||||F', '||||||' + first);
            lines.push(lines[6].replace('||||||' + first, '||||||' + second));
        })).parts[0].status;
    }
    equal([status('P', 'F'), status('F', 'P'), status('F', 'C'), status('F', 'F'), status('X', 'X')], ['P', 'P', 'C', 'F', 'W']);
    refused(/report status "Q"/, function () { status('F', 'Q'); });
    refused(/report status ""/, function () { parseReport(report(function (lines) { lines[4] = lines[4].replace('|||F', ''); lines.splice(6, 1); })); });
});

test('what is left out of a report is noted', function () {
    var parsed = parseReport(report(function (lines) { lines.push(lines[6].replace('Line one', 'WRONG').replace(/F$/, 'D'), 'OBX|4|ST|1^Size^L||12|mm|<10|H|||F'); }));
    equal(parsed.parts[0].texts.map(function (t) { return t.text.split('\n')[0]; }), ['Line one', '12 mm']);
    equal(parsed.remarks, ['a text that is marked as deleted (OBX-11 D) was left out', 'a reference range or flag (OBX-7, OBX-8) was left out']);
});

test('a label without a scheme stays in the archive\'s report', function () {
    orders([state(1)]);
    fileReport(changed(6, '18782-3^Findings^LN', 'IMP^Impression'));
    equal(segments(mirth.routed[0].text, 'OBX')[2][3], 'IMP^Impression^L');
    equal(parseReport(changed(6, '18782-3^Findings^LN', '1')).parts[0].texts[0].code, []);
});

test('a message that goes on in another is refused, and one with a PDF that could not be set apart', function () {
    ['ADD|1|more', 'DSC|1'].forEach(function (line) { refused(/continued messages/, function () { parseReport(report(function (lines) { lines.push(line); })); }); });
    refused(/continued messages/, function () { parseReport(changed(0, '2.4||', '2.4||17')); });
    refused(/must be Base64 without line breaks/, function () { parseReport(changed(6, 'Line one', new Array(100002).join('abcdefghijklmnopqrstuvwxyzabcdefghijklmn'))); });
});

test('the reader and the labels are what DICOM can carry', function () {
    function reader(v) { return parseReport(changed(4, /\|\|\|F$/, '|||F|||||||' + v)).parts[0].reader; }
    equal([reader('555&Haverkamp&Lena'), reader('5&O\\T\\N'), reader('')], ['555&Haverkamp&Lena', '5&O\\T\\N', '']);
    refused(/the reader's name holds a backslash/, function () { reader('5&O\\E\\N&A'); });
    refused(/the reader's number holds a backslash/, function () { reader('5\\E\\6&O'); });
    refused(/the code in OBX-3 cannot be carried/, function () { parseReport(changed(6, '18782-3', '12345678901234567')); });
    refused(/the name in OBX-3 holds a backslash/, function () { parseReport(changed(6, 'Findings', 'A\\E\\B')); });
    var parsed = parseReport(changed(6, 'Findings', new Array(71).join('x')));
    equal([parsed.parts[0].texts[0].code[1].length, parsed.remarks], [63, ['the name in OBX-3 was cut to 64 characters']]);
});
