// HL7 v2 on plain strings: no XML in between, which would refuse emoji and control characters (mirth-patterns.md §0).
// A message is { d: delimiters, segs: [[name, field 1, field 2, ...], ...] }; for MSH index 1 is the field separator.
// Everything here throws a string, the reason for which a message is refused.

function hl7Parse(text) {
    var t = String(text).replace(/^[\uFEFF\u000B\s]+/, ''), segs = [], d, lines, i;
    if (!/^MSH[^\w\s]/.test(t)) throw 'not HL7: it does not start with MSH';
    d = hl7Delimiters(t);
    lines = t.indexOf('\r') >= 0 ? t.split('\r') : t.split('\n');
    for (i = 0; i < lines.length; i++) hl7AddLine(segs, d, lines[i].replace(/^\n/, '').replace(/\n+$/, ''));
    return { d: d, segs: segs };
}

// MSH-2 holds four characters, five since v2.7, or fewer.
function hl7Delimiters(t) {
    var f = t.charAt(3), given = t.substring(4).split(f)[0];
    if (given === '') throw 'not HL7: MSH-2 is empty';
    return { f: f, c: given.charAt(0), r: given.charAt(1) || '~', e: given.charAt(2) || '\\', s: given.charAt(3) || '&', t: given.charAt(4) || '#' };
}

// A line that does not begin like a segment is the rest of a field that holds a line break (OpenEMR's street, openemr.md §7.4).
function hl7AddLine(segs, d, line) {
    var br = d.e + '.br' + d.e, seg, last;
    if (line === '') return;
    line = line.replace(/\n/g, br);
    if (/^[A-Z][A-Z0-9]{2}$/.test(line.substring(0, 3)) && (line.length === 3 || line.charAt(3) === d.f)) {
        seg = line.split(d.f);
        if (seg[0] === 'MSH') seg.splice(1, 0, d.f);
        segs.push(seg);
    } else {
        last = segs[segs.length - 1];
        last[last.length - 1] += br + line;
    }
}

function hl7First(m, name) {
    for (var i = 0; i < m.segs.length; i++) if (m.segs[i][0] === name) return m.segs[i];
    return null;
}

// The one segment of that name: two of MSH or PID are two messages or two patients, of which nothing may be mixed.
function hl7Only(m, name) {
    var found = m.segs.filter(function (seg) { return seg[0] === name; });
    if (found.length !== 1) throw found.length ? 'more than one ' + name : 'no ' + name;
    return found[0];
}

// A message that is continued in another one, or a segment in another one, would lose the rest.
function hl7Uncontinued(m) {
    if (hl7First(m, 'ADD') || hl7First(m, 'DSC') || hl7Text(m, m.segs[0], 14)) throw 'continued messages and segments (ADD, DSC, MSH-14) are not supported';
}

function hl7Repetitions(m, seg, f) {
    return seg === null || seg[f] === undefined ? [] : seg[f].split(m.d.r);
}

// Raw field, component or subcomponent of the first repetition, still escaped.
function hl7Raw(m, seg, f, c, s) {
    return hl7Part(m, hl7Repetitions(m, seg, f)[0] || '', c, s);
}

function hl7Part(m, v, c, s) {
    if (c) v = v.split(m.d.c)[c - 1] || '';
    if (s) v = v.split(m.d.s)[s - 1] || '';
    return v;
}

// The same as text. HL7's explicit null ("") is the empty string.
function hl7Text(m, seg, f, c, s) {
    var v = hl7Plain(m, hl7Raw(m, seg, f, c, s));
    return v === '""' ? '' : v;
}

// A whole field as text: repetitions are lines. A field of text has no components, so what looks like their separator is a character of it
// (10^3); the components of others stay readable.
function hl7Whole(m, seg, f, isText) {
    return hl7Repetitions(m, seg, f).map(function (repetition) {
        return isText ? hl7Plain(m, repetition) : repetition.split(m.d.c).map(function (c) { return hl7Plain(m, c); }).join(' ').replace(/ +$/, '');
    }).join('\n');
}

// Escapes → text. What is no escape of HL7 stays as it is written.
function hl7Plain(m, v) {
    var q = m.d.e.replace(/[\\^$.|?*+()[\]{}/-]/g, '\\$&');
    if (v.indexOf(m.d.e) < 0) return v;
    v = v.replace(new RegExp('((?:' + q + 'X(?:[0-9A-Fa-f]{2})+' + q + ')+)|' + q + '([FSTREPHN]|\\.(?:br|ce|fi|nf|in|ti|sp|sk)[+-]?\\d*|[CM][0-9A-Fa-f]+)' + q, 'g'),
        function (all, hex, key) { return hex ? hl7Hex(hex.split(m.d.e), hl7Charset(m)) : hl7Escaped(m.d, key); });
    return v.replace(/\r\n?/g, '\n');
}

function hl7Escaped(d, key) {
    var known = { F: d.f, S: d.c, T: d.s, R: d.r, E: d.e, P: d.t, H: '', N: '' };
    if (known[key] !== undefined) return known[key];
    if (key.charAt(0) !== '.') throw 'character set switching by escapes is not supported';
    switch (key.substring(0, 3)) {
    case '.br': case '.ce': return '\n';
    case '.sp': return new Array((Number(key.substring(3)) || 1) + 1).join('\n');
    case '.sk': return new Array((Number(key.substring(3)) || 1) + 1).join(' ');
    default: return '';
    }
}

// What MSH-18 declares, UTF-8 without it; one that is not supported was refused before.
function hl7Charset(m) {
    var declared = hl7Raw(m, m.segs[0], 18).toUpperCase(), latin = /^8859\/([1-9]|15)$/.exec(declared);
    return latin ? 'ISO-8859-' + latin[1] : CHARSETS[declared] || 'UTF-8';
}

// A run of \X..\ escapes: bytes of the declared character set; of UTF-8 where they are that, else one character a byte. Four digits that
// begin with 00 are one character.
function hl7Hex(pieces, charset) {
    var bytes = '', i, h, width, text;
    pieces.forEach(function (piece) {
        h = piece.substring(1);
        width = h.length % 4 === 0 && /^(00..)+$/.test(h) ? 4 : 2;
        for (i = 0; i < h.length; i += width) bytes += String.fromCharCode(parseInt(h.substring(i, i + width), 16));
    });
    if (!/[^\u0000-\u007F]/.test(bytes)) return bytes;
    text = bytesToText(bytes, charset);
    if (text === null && charset !== 'UTF-8') throw 'a hexadecimal escape is no text in ' + charset;
    return text === null ? bytes : text;
}

// Text → component in standard delimiters; line breaks become \.br\.
function hl7Esc(v) {
    var escapes = { '\\': '\\E\\', '|': '\\F\\', '^': '\\S\\', '~': '\\R\\', '&': '\\T\\' };
    return String(v).replace(/\r\n|[\\|^~&\r\n]/g, function (ch) { return escapes[ch] || '\\.br\\'; });
}

// For the archive's reports: it turns \E\ into two backslashes. With BEL as escape character a backslash needs no escape and
// arrives as it is (mirth-patterns.md §11.4).
function hl7Bell(msg) {
    return msg.replace('^~\\&', '^~\u0007&').replace(/\\(F|S|T|R|E|\.br)\\/g, function (all, k) { return k === 'E' ? '\\' : '\u0007' + k + '\u0007'; });
}

// Components given as text → field; trailing empty ones dropped.
function hl7Comp() {
    return Array.prototype.map.call(arguments, function (v) { return v === null || v === undefined ? '' : hl7Esc(v); }).join('^').replace(/\^+$/, '');
}

// Segment from {number: field}; the fields are escaped already. MSH-1 is the separator itself.
function hl7Line(name, fields) {
    var out = [name], max = Math.max.apply(null, Object.keys(fields).map(Number)), i, v;
    for (i = name === 'MSH' ? 2 : 1; i <= max; i++) {
        v = fields[i];
        out.push(v === undefined || v === null ? '' : String(v));
    }
    return name === 'MSH' ? out.join('|') : out.join('|').replace(/\|+$/, '');
}

// Groups of a message: [{orc, obr, rest: [segments]}]; head is what stands before the first ORC or OBR.
function hl7Groups(m) {
    var head = [], groups = [], orc = null, cur = null;
    m.segs.forEach(function (seg) {
        if (seg[0] === 'ORC') {
            orc = seg;
            cur = null;
        } else if (seg[0] === 'OBR') {
            cur = { orc: orc, obr: seg, rest: [] };
            groups.push(cur);
        } else if (cur) cur.rest.push(seg);
        else if (!orc) head.push(seg);
    });
    if (!groups.length) throw 'no OBR';
    return { head: head, groups: groups };
}

// What an acknowledgement says; an empty code when it is none. Its wording stays as it is written: an escape in it must decide nothing.
function hl7Ack(text) {
    var m, msa, err;
    try {
        m = hl7Parse(text);
    } catch (e) {
        return { code: '', id: '', err: '', text: 'no HL7 acknowledgement' };
    }
    msa = hl7First(m, 'MSA');
    err = hl7First(m, 'ERR');
    return { code: hl7Text(m, msa, 1), id: hl7Text(m, msa, 2), err: hl7Text(m, err, 3, 1), text: hl7Raw(m, err, 8) || hl7Raw(m, msa, 3) };
}
