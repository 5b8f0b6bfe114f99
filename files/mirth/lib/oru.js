// Reports out: one SR, and one document for each PDF, per procedure for the archive; one file for OpenEMR.

var REPORT_WORD = { F: 'FINAL', C: 'CORRECTED', P: 'PRELIMINARY', W: 'WITHDRAWN' };
var HL7_STATUS = { F: 'F', C: 'C', P: 'P', W: 'X' };

// ORC and OBR of one part: the state table's identifiers, without components, which the archive would run together (workflow.md §2.3).
function partLines(st, part, n) {
    var o = JSON.parse(st.content);
    return [
        hl7Line('ORC', { 1: 'RE', 2: st.placer, 3: st.accession, 5: 'CM' }),
        hl7Line('OBR', { 1: n, 2: st.placer, 3: st.accession, 4: hl7Comp(st.code, o.name, o.scheme), 7: part.when || part.reported || labNow(), 16: o.doctor, 18: st.accession,
            19: st.rp_id, 22: part.reported || part.when || labNow(), 24: hl7Comp(o.modality), 25: HL7_STATUS[part.status], 32: part.reader })
    ];
}

function obxCode(code, standard) { return code.length ? hl7Comp.apply(null, code) : standard; }

function pdfLine(n, pdf, status, when) {
    return hl7Line('OBX', { 1: n, 2: 'ED', 3: obxCode(pdf.code, '11528-7^Radiology report^LN'), 5: '^Application^PDF^Base64^' + pdf.data, 11: status, 14: when });
}

// For the archive, which makes one more object of every message: what is in it comes from `key`, so a repeat is the same object.
function archiveReport(st, p, kind, key, lines) {
    var o = JSON.parse(st.content), head = [
        archiveMsh('ORU^R01^ORU_R01', kind + key.substring(0, 18), '2.5.1'),
        pidLine(p),
        hl7Line('PV1', { 1: '1', 2: 'O', 8: o.doctor, 19: visit(st.encounter) })
    ];
    return hl7Bell(head.concat(lines.slice(0, 2), [
        hl7Line('OBX', { 1: '1', 2: 'ST', 3: '113014^DICOM Study^DCM', 5: st.study_uid, 11: 'F' }),
        hl7Line('OBX', { 1: '2', 2: 'ST', 3: '^SR Instance UID', 5: stableUid(kind + key), 11: 'F' })
    ], lines.slice(2)).join('\r') + '\r');
}

// The first line says which version of the report this is: the archive keeps all of them.
function srLines(st, part) {
    var texts = part.texts.length ? part.texts : [{ code: [], text: part.pdfs.length ? 'see the PDF document' : '' }], n = 2;
    return partLines(st, part, 1).concat(texts.map(function (t, i) {
        return hl7Line('OBX', { 1: ++n, 2: 'TX', 3: obxCode(t.code, '121070^Findings^DCM'), 5: hl7Esc((i ? '' : REPORT_WORD[part.status] + '\n') + t.text), 11: 'F' });
    }), part.notes.map(function (note) {
        return hl7Line('OBX', { 1: ++n, 2: 'TX', 3: '121106^Comment^DCM', 5: hl7Esc(note), 11: 'F' });
    }));
}

// For OpenEMR: only segments that its importer knows, the bare order number, the order's encounter, one line of text an OBX
// (openemr.md §3.4). MSH-3 to MSH-6 are those by which it finds the laboratory.
function emrReport(list, p, id) {
    var msh = String($cfg('emr_msh')).split('|'), out = [
        hl7Line('MSH', { 2: '^~\\&', 3: msh[0], 4: msh[1], 5: msh[2], 6: msh[3], 7: labNow(), 9: 'ORU^R01', 10: id, 11: 'P', 12: '2.3.1', 18: 'UNICODE UTF-8' }),
        pidLine(p),
        hl7Line('PV1', { 1: '1', 2: 'O', 19: hl7Comp(list[0].st.encounter) })
    ];
    list.forEach(function (x, i) { out = out.concat(partLines(x.st, x.part, i + 1), emrObservations(x.st, x.part)); });
    return out.join('\r') + '\r';
}

function emrObservations(st, part) {
    var n = 0, status = HL7_STATUS[part.status], when = part.reported || part.when, out = [];
    part.texts.forEach(function (t) {
        t.text.split('\n').forEach(function (line) {
            out.push(hl7Line('OBX', { 1: ++n, 2: 'TX', 3: obxCode(t.code, '18782-3^Radiology study observation^LN'), 5: hl7Esc(line), 11: status, 14: when }));
        });
    });
    part.notes.forEach(function (note, i) { out.push(hl7Line('NTE', { 1: i + 1, 2: 'L', 3: hl7Esc(note) })); });
    out.push(hl7Line('OBX', { 1: ++n, 2: 'ST', 3: '113014^DICOM Study^DCM', 5: st.study_uid, 11: status, 14: when }));
    return out.concat(part.pdfs.map(function (pdf) { return pdfLine(++n, pdf, status, when); }));
}

// All that the queued writer does with one report. All parts are checked before anything is sent: a message with one bad group is refused
// whole. Safe to run again at any point: every part is noted when it is done.
function fileReport(raw) {
    var report = parseReport(raw), key = reportKey(raw), list, p, done = {}, filed = [];
    dbTx('filler', function (c) {
        list = report.parts.map(function (part) { return { part: part, st: matchReport(c, report.pid, part) }; });
        p = patientGet(c, report.pid);
        dbQuery(c, 'SELECT part, target FROM report_part WHERE hash = ?', [key]).forEach(function (row) { done[row.part + row.target] = true; });
    });
    function once(part, target, fn) {
        if (done[part + target]) return;
        fn(sha256(key + part + target));
        dbTx('filler', function (c) { dbExec(c, 'INSERT INTO report_part (hash, part, target) VALUES (?, ?, ?) ON CONFLICT DO NOTHING', [key, part, target]); });
        filed.push(part + target);
    }
    list.forEach(function (x, i) { fileInArchive(x, p, i + 1, once); });
    byEncounter(list).forEach(function (some, k) {
        once(0, 'EMR' + (k || ''), function (hash) { fileInEmr(emrReport(some, p, 'R' + hash.substring(0, 18)), hash); });
    });
    return [filed.join(' ') || 'filed before'].concat(report.remarks).join('\n');
}

// OpenEMR takes a file whose PV1-19 is the encounter of all its orders.
function byEncounter(list) {
    var at = {}, out = [];
    list.forEach(function (x) {
        if (at[x.st.encounter] === undefined) at[x.st.encounter] = out.push([]) - 1;
        out[at[x.st.encounter]].push(x);
    });
    return out;
}

function fileInArchive(x, p, n, once) {
    once(n, 'SR', function (hash) { toArchive(archiveReport(x.st, p, 'SR', hash, srLines(x.st, x.part)), { ref: x.st.accession }); });
    x.part.pdfs.forEach(function (pdf, k) {
        once(n, 'DOC' + k, function (hash) {
            toArchive(expandTokens(archiveReport(x.st, p, 'DOC', hash, partLines(x.st, x.part, 1).concat(pdfLine(3, pdf, 'F', '')))), { ref: x.st.accession });
        });
    });
}

// The importer sorts by name: the message's number first, so that a correction does not come before its report.
function fileInEmr(text, hash) {
    writeFile(String($cfg('dir_inbox')), ('0000000000' + connectorMessage.getMessageId()).slice(-10) + '-R' + hash.substring(0, 18) + '.hl7',
        AttachmentUtil.reAttachMessage(text, connectorMessage, 'UTF-8', false, true, true));
}

// An attachment of this message, named so that the archive channel's sender finds it: 60 characters travel instead of the PDF.
function expandTokens(text) {
    return text.replace(/\$\{ATTACH:([0-9a-f-]{36})\}/g, '${ATTACH:' + channelId + ':' + connectorMessage.getMessageId() + ':$1}');
}

// The same for the same control id and content. Tokens of attachments differ each time, so their content counts instead.
function reportKey(raw) {
    var token = /\$\{ATTACH:([0-9a-f-]{36})\}/g, hashes = {}, sums = '', text, list, i;
    list = token.test(String(raw)) ? AttachmentUtil.getMessageAttachments(connectorMessage) : null;
    for (i = 0; list !== null && i < list.size(); i++) hashes[list.get(i).getId()] = sha256Bytes(list.get(i).getContent());
    text = String(raw).replace(token, function (all, id) {              // in the order of the text: the list is in that of random numbers
        sums += '|' + hashes[id];
        return '#';
    });
    return sha256(text + sums);
}
