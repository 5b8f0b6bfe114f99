// Reports in: ORU^R01, with one or more OBR groups, each about one ordered procedure.

// OBR-25 → P preliminary, F final, C corrected, W withdrawn.
var REPORT_STATUS = { F: 'F', C: 'C', P: 'P', A: 'P', R: 'P', S: 'P', I: 'P', X: 'W', W: 'W', D: 'W' };

// → {pid, parts: [{order, accession, uid, code, when, reported, status, reader, texts, notes, pdfs}], remarks: []}
function parseReport(text) {
    var remarks = [], m = hl7Parse(plainPlane(text, remarks)), groups, pid, parts;
    if (hl7Text(m, hl7Only(m, 'MSH'), 9, 1) !== 'ORU') throw 'not a report: ' + hl7Text(m, m.segs[0], 9);
    pid = reportPid(m, hl7Only(m, 'PID'));
    groups = hl7Groups(m);
    parts = groups.groups.map(function (g) { return parsePart(m, g); });
    parts[0].notes = notesOf(m, groups.head).concat(parts[0].notes);
    return { pid: pid, parts: parts, remarks: remarks };
}

// The patient's number of our assigning authority, or one that names none.
function reportPid(m, pid) {
    var own = '', bare = '';
    hl7Repetitions(m, pid, 3).forEach(function (cx) {
        var authority = hl7Plain(m, hl7Part(m, cx, 4, 1)), number = hl7Plain(m, hl7Part(m, cx, 1));
        if (authority === String($cfg('site_ns'))) own = own || number;
        else if (authority === '') bare = bare || number;
    });
    return own || bare;
}

function notesOf(m, segs) {
    return segs.filter(function (seg) { return seg[0] === 'NTE'; }).map(function (seg) { return reportText(hl7Whole(m, seg, 3), 'a comment'); })
        .filter(function (note) { return note !== ''; });
}

function parsePart(m, g) {
    var part = {
        order: hl7Text(m, g.obr, 2, 1) || hl7Text(m, g.orc, 2, 1), accession: hl7Text(m, g.obr, 18, 1), code: hl7Text(m, g.obr, 4, 1), uid: '',
        when: localTime(hl7Text(m, g.obr, 7, 1), 'OBR-7'), reported: localTime(hl7Text(m, g.obr, 22, 1), 'OBR-22'), status: '',
        reader: [1, 2, 3].map(function (i) { return hl7Esc(hl7Text(m, g.obr, 32, 1, i)); }).join('&').replace(/&+$/, ''), texts: [], notes: notesOf(m, g.rest), pdfs: []
    }, said = hl7Text(m, g.obr, 25, 1);
    g.rest.forEach(function (seg) {
        if (seg[0] !== 'OBX') return;
        parseObservation(m, seg, part);
        said = said || hl7Text(m, seg, 11, 1);
    });
    part.status = REPORT_STATUS[said];
    if (!part.status) throw 'report status "' + said + '" is not known';
    return part;
}

function parseObservation(m, seg, part) {
    var kind = hl7Text(m, seg, 2), code = [1, 2, 3].map(function (i) { return hl7Text(m, seg, 3, i); });
    if (code[0] === '113014' || code[1] === 'Study Instance UID') part.uid = hl7Text(m, seg, 5, 1);
    else if (code[1] === 'SR Instance UID' || code[1] === 'Series Instance UID') return;
    else if (kind === 'ED') part.pdfs.push({ code: code, data: pdfOf(m, seg) });
    else part.texts.push({ code: code, text: observationText(m, seg, kind) });
}

function observationText(m, seg, kind) {
    var unit = kind === 'NM' || kind === 'SN' ? hl7Text(m, seg, 6, 2) || hl7Text(m, seg, 6, 1) : '';
    return reportText(hl7Whole(m, seg, 5) + (unit ? ' ' + unit : ''), 'the text');
}

// Base64, or the token that the attachment handler has put in its place. Line breaks inside are common, and mean nothing.
function pdfOf(m, seg) {
    var data = hl7Plain(m, hl7Raw(m, seg, 5, 5)).replace(/\s+/g, '');
    if (!/^PDF$/i.test(hl7Text(m, seg, 5, 3)) || !/^Base64$/i.test(hl7Text(m, seg, 5, 4))) throw 'an attachment is not PDF in Base64';
    if (!/^(\$\{ATTACH:[0-9a-f-]{36}\}|[A-Za-z0-9+/]+={0,2})$/.test(data)) throw 'an attachment is not Base64';
    return data;
}

// The one ordered procedure that a part is about. What the report leaves out is completed from the state table, what it says must agree.
// Throws the reason when there is none.
function matchReport(c, pid, part, used) {
    var all = reportCandidates(c, part), fit = all.filter(function (row) {
        return (!part.accession || row.accession === part.accession) && (!part.uid || row.study_uid === part.uid);
    });
    if (!all.length) throw 'unknown order: ' + (part.order || part.accession || part.uid || 'none is named');
    if (all[0].pid !== pid) throw 'wrong patient: order ' + all[0].placer + ' belongs to ' + all[0].pid + ', the report to "' + pid + '"';
    if (!fit.length) throw 'contradicts order ' + all[0].placer + ': accession "' + part.accession + '", study "' + part.uid + '"';
    if (fit.length > 1) fit = fit.filter(function (row) { return row.code === part.code && !used[row.accession]; }).slice(0, 1);
    if (!fit.length) throw 'not clear which procedure of order ' + all[0].placer + ' is meant';
    used[fit[0].accession] = true;
    return fit[0];
}

function reportCandidates(c, part) {
    if (part.order) return dbQuery(c, 'SELECT * FROM order_state WHERE placer = ? ORDER BY code, occ', [orderNumber(part.order)]);
    if (part.accession) return dbQuery(c, 'SELECT * FROM order_state WHERE accession = ?', [part.accession]);
    return dbQuery(c, 'SELECT * FROM order_state WHERE study_uid = ?', [part.uid]);
}
