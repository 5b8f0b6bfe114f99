// Orders in: OpenEMR's ORM^O01, of both its generators (openemr.md §3.2, §7.4).

// "OEMR-0007" and "0007" are order 7.
function orderNumber(v) {
    var x = /^(?:.*-)?0*([1-9][0-9]{0,9})$/.exec(v);
    if (!x) throw 'not an order number: "' + v + '"';
    return x[1];
}

// → {patient: {pid, name, dob, sex}, orders: [{placer, code, occ, pid, encounter, content}], notes: []}. Nothing else of the message is
// kept: prescriptions, insurance, guarantor and social security number end here.
function parseOrders(raw) {
    var notes = [], text = decodeBytes(raw), m = hl7Parse(plainPlane(text, notes)), pid, patient, groups, seen = {};
    hl7Uncontinued(m);
    if (!/[\r\n]\s*$/.test(text)) throw 'the file is not complete: its last line has no end';
    if (hl7Text(m, hl7Only(m, 'MSH'), 9, 1) !== 'ORM') throw 'not an order message: ' + hl7Text(m, m.segs[0], 9);
    pid = hl7Only(m, 'PID');
    patient = parsePatient(m, pid, notes);
    groups = hl7Groups(m).groups;
    return {
        patient: patient, notes: notes,
        orders: groups.map(function (g) { return parseOrder(m, g, patient.pid, hl7Text(m, hl7First(m, 'PV1'), 19, 1) || hl7Text(m, pid, 18, 1), seen, notes); })
    };
}

function parsePatient(m, pid, notes) {
    var sex = hl7Text(m, pid, 8, 1).toUpperCase(), known = { '': '', U: '', M: 'M', F: 'F', O: 'O', A: 'O', N: 'O' },
        p = { pid: dicomId(hl7Text(m, pid, 3, 1), 64, 'the patient number'), name: personName(m, pid, 5, 1, 'the patient name', notes), dob: birthDate(hl7Text(m, pid, 7, 1)), sex: known[sex] };
    if (p.name === '') throw 'the patient has no name';                  // an empty PID-5 erases the archive's (dcm4chee.md §4.1)
    if (p.sex === undefined) throw 'sex "' + sex + '" is not known';
    if (sex === 'A' || sex === 'N') notes.push('sex ' + sex + ' became O');
    return p;
}

function procedureOf(code) {
    var table = JSON.parse(String($cfg('procedures')));
    if (!Object.prototype.hasOwnProperty.call(table, code)) throw 'procedure code "' + code + '" is not in the table of procedures';
    return table[code];
}

function parseOrder(m, g, pid, encounter, seen, notes) {
    var obr = g.obr, code = dicomId(hl7Text(m, obr, 4, 1), 16, 'the procedure code'), proc = procedureOf(code), placer, start, asked;
    if (!g.orc) throw 'OBR without ORC';
    if (hl7Text(m, g.orc, 1) !== 'NW') throw 'ORC-1 is "' + hl7Text(m, g.orc, 1) + '": only new orders come as files';
    start = localTime(hl7Text(m, obr, 7, 1), 'OBR-7');
    asked = localTime(hl7Text(m, g.orc, 9, 1), 'ORC-9');
    placer = orderNumber(hl7Text(m, obr, 2, 1) || hl7Text(m, g.orc, 2, 1));
    seen[placer + ' ' + code] = (seen[placer + ' ' + code] || 0) + 1;
    return {
        placer: placer, code: code, occ: seen[placer + ' ' + code], pid: pid, encounter: encounter,
        content: {
            name: dicomText(hl7Text(m, obr, 4, 2) || proc.name, 64, 'the procedure name', notes), scheme: proc.scheme, modality: proc.modality, station: proc.station, minutes: proc.minutes,
            priority: hl7Text(m, obr, 5) === 'S' ? 'S' : 'R', start: start || asked || labNow(), timed: start !== '',
            doctor: parseDoctor(m, g, notes), reason: parseReason(m, g.rest, notes)
        }
    };
}

function parseDoctor(m, g, notes) {
    var seg = hl7Raw(m, g.obr, 16) === '' ? g.orc : g.obr, field = seg === g.obr ? 16 : 12;
    return (hl7Esc(dicomText(hl7Text(m, seg, field, 1), 64, "the doctor's number", notes)) + '^' + personName(m, seg, field, 2, "the doctor's name", notes)).replace(/\^+$/, '');
}

// The reason for the examination: the answer to the question that asks for it, then the diagnoses.
function parseReason(m, rest, notes) {
    var reasons = [], diagnoses = [];
    rest.forEach(function (seg) {
        if (seg[0] === 'OBX' && hl7Text(m, seg, 3, 1) === String($cfg('reason_question'))) reasons.push(hl7Whole(m, seg, 5, true));
        if (seg[0] === 'DG1') diagnoses.push(hl7Text(m, seg, 3, 2) || hl7Text(m, seg, 3, 1));
    });
    return dicomText(reasons.concat(diagnoses).filter(function (r) { return r !== ''; }).join('; '), 64, 'the reason for the examination', notes);
}

// Orders keep their order, and none waits, where the engine's database is away for a moment: a file is moved when its message has come into the
// queue (queuedFile), else it stays and is read again. Those behind it in the same poll wait for that: pollSequenceId counts a poll's files, from 1.
// A database that comes back may fail the same file in several polls, so they wait as long as one is missing, for a minute at most: a file that
// can never be stored does not hold up the others for ever. The reader moves a file to moveTo, as moveAs; its own place is none.
var FILE_TURN_PATIENCE_MS = 60000;
function fileTurn() {
    var n = Number(sourceMap.get('pollSequenceId')), name = sourceMap.get('originalFilename'), folder = sourceMap.get('fileDirectory'), poll = String(sourceMap.get('pollId')),
        turn = JSON.parse(String(globalChannelMap.get('turn') || '{}')), path = java.nio.file.Paths.get(folder, name);
    if (sourceMap.get('reprocessed') !== null) return true;
    // Recovered at a start, and read again before: this one is not needed.
    if (!java.nio.file.Files.exists(path, []) || path.toFile().lastModified() !== Number(sourceMap.get('fileLastModified'))) return false;
    if (turn.poll !== poll) turn = { poll: poll, next: 1, wait: false, lacks: false, since: turn.lacks ? turn.since : null };
    if (n > turn.next) {
        turn.lacks = true;
        if (turn.since === null) turn.since = Date.now();
        if (Date.now() - turn.since < FILE_TURN_PATIENCE_MS) turn.wait = true;
    }
    turn.next = n;
    globalChannelMap.put('turn', JSON.stringify(turn));
    globalChannelMap.put('moveTo', folder);
    globalChannelMap.put('moveAs', name);
    channelMap.put('queueAs', turn.wait ? '' : orderFile());
    return !turn.wait;
}

// When all of a message is stored.
function queuedFile() {
    var as = channelMap.get('queueAs'), turn;
    if (as === null) return;
    turn = JSON.parse(String(globalChannelMap.get('turn')));
    turn.next++;
    globalChannelMap.put('turn', JSON.stringify(turn));
    if (String(as) === '') return;
    globalChannelMap.put('moveTo', $cfg('dir_orders_done'));
    globalChannelMap.put('moveAs', as);
}
