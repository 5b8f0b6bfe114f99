// Reports in: ORU^R01, with one or more OBR groups, each about one ordered procedure.

// Characters of a message without its PDFs, which are attachments where they are Base64 in one line.
var REPORT_MOST = 4000000;

// OBR-25 and OBX-11 → P preliminary, F final, C corrected, W withdrawn.
var REPORT_STATUS = { F: 'F', C: 'C', P: 'P', A: 'P', R: 'P', S: 'P', I: 'P', X: 'W', W: 'W', D: 'W' };

// → {pid, parts: [{order, accession, uid, code, when, reported, status, reader, texts, notes, pdfs}], remarks: []}
function parseReport(text) {
    var remarks = [], m, groups, pid, parts;
    if (text.length > REPORT_MOST) throw 'the message is too large: a PDF must be Base64 without line breaks';
    m = hl7Parse(plainPlane(text, remarks));
    hl7Uncontinued(m);
    if (hl7Text(m, hl7Only(m, 'MSH'), 9, 1) !== 'ORU') throw 'not a report: ' + hl7Text(m, m.segs[0], 9);
    pid = reportPid(m, hl7Only(m, 'PID'));
    groups = hl7Groups(m);
    parts = groups.groups.map(function (g) { return parsePart(m, g, remarks); });
    parts[0].notes = notesOf(m, groups.head).concat(parts[0].notes);
    return { pid: pid, parts: parts, remarks: remarks };
}

// The patient's number of our assigning authority, or one that names none.
function reportPid(m, pid) {
    var found = { own: '', bare: '' }, site = [String($cfg('site_ns')), String($cfg('site_oid'))];
    hl7Repetitions(m, pid, 3).forEach(function (cx) {
        var authority = [1, 2].map(function (i) { return hl7Plain(m, hl7Part(m, cx, 4, i)); }), kind = authority.join('') === '' ? 'bare' : 'own';
        // Namespace or OID may be missing, but neither may be another's.
        if (authority.every(function (v, i) { return v === '' || v === site[i]; })) found[kind] = found[kind] || hl7Plain(m, hl7Part(m, cx, 1));
    });
    return found.own || found.bare;
}

function notesOf(m, segs) {
    return segs.filter(function (seg) { return seg[0] === 'NTE'; }).map(function (seg) { return reportText(hl7Whole(m, seg, 3, true), 'a comment'); })
        .filter(function (note) { return note !== ''; });
}

function parsePart(m, g, remarks) {
    var part = {
        order: hl7Text(m, g.obr, 2, 1) || hl7Text(m, g.orc, 2, 1), accession: hl7Text(m, g.obr, 18, 1), code: hl7Text(m, g.obr, 4, 1), uid: '',
        when: localTime(hl7Text(m, g.obr, 7, 1), 'OBR-7'), reported: localTime(hl7Text(m, g.obr, 22, 1), 'OBR-22'), status: '',
        reader: readerOf(m, g.obr, remarks), texts: [], notes: notesOf(m, g.rest), pdfs: []
    }, said = [];
    g.rest.forEach(function (seg) {
        if (seg[0] === 'OBX' && parseObservation(m, seg, part, remarks)) said.push(hl7Text(m, seg, 11, 1));
    });
    part.status = reportStatus(hl7Text(m, g.obr, 25, 1), said);
    return part;
}

// Where OBR-25 is empty, what is least certain of the texts and PDFs counts.
function reportStatus(whole, parts) {
    var found = (whole ? [whole] : parts).map(function (said) {
        if (!REPORT_STATUS[said]) throw 'report status "' + said + '" is not known';
        return REPORT_STATUS[said];
    });
    if (!found.length) throw 'report status "" is not known';
    return ['P', 'C', 'F', 'W'].filter(function (status) { return found.indexOf(status) >= 0; })[0];
}

// OBR-32: number, family and given name as subcomponents, which become a name in DICOM.
function readerOf(m, obr, remarks) {
    var name = limitName([2, 3].map(function (i) { return namePart(hl7Text(m, obr, 32, 1, i), "the reader's name", remarks); }), "the reader's name", remarks);
    return (hl7Esc(dicomText(hl7Text(m, obr, 32, 1, 1), 64, "the reader's number", remarks)) + '&' + name.replace(/\^/g, '&')).replace(/&+$/, '');
}

// → false: it is no content, but says which study this is about.
function parseObservation(m, seg, part, remarks) {
    var kind = hl7Text(m, seg, 2), code = [1, 2, 3].map(function (i) { return hl7Text(m, seg, 3, i); });
    if (code[0] === '113014' || code[1] === 'Study Instance UID') part.uid = hl7Text(m, seg, 5, 1);
    else if (code[1] !== 'SR Instance UID' && code[1] !== 'Series Instance UID') {
        if (hl7Text(m, seg, 11, 1) === 'D') remarks.push('a text that is marked as deleted (OBX-11 D) was left out');
        else if (kind === 'ED') part.pdfs.push({ code: observationCode(code, remarks), data: pdfOf(m, seg) });
        else part.texts.push({ code: observationCode(code, remarks), text: observationText(m, seg, kind, remarks) });
        return true;
    }
    return false;
}

// [code, meaning, scheme] as DICOM can hold them; [] where code or meaning is missing.
function observationCode(code, remarks) {
    if (!code[0] || !code[1]) return [];
    return [dicomId(code[0], 16, 'the code in OBX-3'), dicomText(code[1], 64, 'the name in OBX-3', remarks), dicomId(code[2] || 'L', 16, 'the coding scheme in OBX-3')];
}

function observationText(m, seg, kind, remarks) {
    var unit = hl7Text(m, seg, 6, 2) || hl7Text(m, seg, 6, 1);
    if (hl7Text(m, seg, 7) || hl7Text(m, seg, 8)) remarks.push('a reference range or flag (OBX-7, OBX-8) was left out');
    return reportText(hl7Whole(m, seg, 5, /^(TX|FT|ST)?$/.test(kind)) + (unit ? ' ' + unit : ''), 'the text');
}

// Base64, or the token that the attachment handler has put in its place. Line breaks inside are common, and mean nothing.
function pdfOf(m, seg) {
    var data = hl7Plain(m, hl7Raw(m, seg, 5, 5)).replace(/\s+/g, '');
    if (!/^PDF$/i.test(hl7Text(m, seg, 5, 3)) || !/^Base64$/i.test(hl7Text(m, seg, 5, 4))) throw 'an attachment is not PDF in Base64';
    if (!/^(\$\{ATTACH:[0-9a-f-]{36}\}|[A-Za-z0-9+/]+={0,2})$/.test(data)) throw 'an attachment is not Base64';
    return data;
}

// The one ordered procedure that a part is about. What the report leaves out is completed from the state table, what it says must agree.
// Throws the reason when there is none, or more than one: the same procedure may stand twice in an order.
function matchReport(c, pid, part) {
    var all = reportCandidates(c, part), fit = all.filter(function (row) {
        if (!part.accession && !part.uid) return !part.code || row.code === part.code;
        return (!part.accession || row.accession === part.accession) && (!part.uid || row.study_uid === part.uid);
    });
    if (!all.length) throw 'unknown order: ' + (part.order || part.accession || part.uid || 'none is named');
    if (all[0].pid !== pid) throw 'wrong patient: order ' + all[0].placer + ' belongs to ' + all[0].pid + ', the report to "' + pid + '"';
    if (!fit.length) throw 'contradicts order ' + all[0].placer + ': accession "' + part.accession + '", study "' + part.uid + '", procedure "' + part.code + '"';
    if (fit.length > 1) throw 'not clear which procedure of order ' + all[0].placer + ' is meant: neither accession number nor study is named';
    return fit[0];
}

function reportCandidates(c, part) {
    if (part.order) return dbQuery(c, 'SELECT * FROM order_state WHERE placer = ? ORDER BY code, occ', [orderNumber(part.order)]);
    if (part.accession) return dbQuery(c, 'SELECT * FROM order_state WHERE accession = ?', [part.accession]);
    return dbQuery(c, 'SELECT * FROM order_state WHERE study_uid = ?', [part.uid]);
}
