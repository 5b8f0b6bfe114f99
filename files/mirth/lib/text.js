// Characters and times: what arrives in any form, and what DICOM and the archive can hold.
// `notes` is an array that takes a remark for each exception that was made (docs/engine.md lists them).

var CHARSETS = { '': 'UTF-8', 'ASCII': 'UTF-8', 'UNICODE UTF-8': 'UTF-8', 'UTF-8': 'UTF-8', 'UNICODE': 'UTF-8', 'GB 18030-2000': 'GB18030', 'BIG-5': 'Big5', 'KS X 1001': 'EUC-KR' };

// Bytes, one character each → text; null where they are no such text. Java puts U+FFFD for bad bytes instead of saying so.
function bytesToText(bytes, charset) {
    var text = String(new java.lang.String(new java.lang.String(bytes).getBytes('ISO-8859-1'), charset));
    return text.indexOf('\uFFFD') >= 0 && bytes.indexOf('\u00EF\u00BF\u00BD') < 0 ? null : text;
}

// The readers take bytes as ISO-8859-1. This makes text of them, in the character set that MSH-18 names. Without one it is UTF-8, which
// OpenEMR writes, or else HL7's default, Latin-1. Bytes that contradict it are refused: the archive garbles them behind an AA (dcm4chee.md §4.1).
function decodeBytes(raw) {
    var bytes = String(raw).replace(/^\u00EF\u00BB\u00BF/, ''), m, declared, charset, text;
    if (bytes.indexOf('\u001B') >= 0) throw 'character sets that switch by escape sequences are not supported';
    if (!/[\u0080-\uFFFF]/.test(bytes)) return bytes;
    m = hl7Parse(bytes);
    declared = hl7Raw(m, m.segs[0], 18).replace(/^\s+|\s+$/g, '').toUpperCase();
    charset = CHARSETS[declared] || (/^8859\/([1-9]|15)$/.test(declared) ? 'ISO-8859-' + declared.substring(5) : '');
    if (charset === '') throw 'character set not supported: ' + declared;
    text = bytesToText(bytes, charset);
    if (text !== null) return text;
    if (declared !== '') throw 'the bytes are not ' + declared;
    return bytes;
}

// Emoji and rare ideographs: worklist consoles and the EMR's readers do not agree on them.
function plainPlane(text, notes) {
    var out = String(text).replace(/[\uD800-\uDBFF][\uDC00-\uDFFF]/g, '\u3013');
    if (out !== String(text)) notes.push('characters outside the Basic Multilingual Plane became \u3013');
    return out;
}

// Text of several lines: nothing is altered, other control characters are refused.
function reportText(v, what) {
    if (/[\u0000-\u0008\u000B\u000E-\u001F\u007F-\u009F]/.test(v)) throw what + ' holds a control character, which cannot be carried';
    return v;
}

function fits(text, max) {                           // DICOM pads to an even number of bytes, and the blank counts (mirth-patterns.md §11.8)
    return text.length < max || text.length === max && utf8(text).length % 2 === 0;
}

function utf8(text) { return new java.lang.String(text).getBytes('UTF-8'); }

// The first `max` characters, fewer where that would part a letter from its accents. (BreakIterator hides its class from Rhino.)
function cutText(text, max) {
    var end = max;
    if (text.length <= max) return text;
    while (end > 0 && java.util.regex.Pattern.matches('\\p{M}|\u200D', text.charAt(end))) end--;
    return text.substring(0, end);
}

// One line of text for DICOM (LO, PN): no control characters, and no backslash, which separates values there.
function dicomLine(v, what, notes) {
    var line = reportText(String(v), what).replace(/[\t\n\f\r]+/g, ' ').replace(/^ +| +$/g, '');
    if (line.indexOf('\\') >= 0) throw what + ' holds a backslash, which DICOM cannot carry';
    if (/[\n\f\r]/.test(String(v).replace(/^\s+|\s+$/g, ''))) notes.push(what + ': line breaks became blanks');
    return line;
}

function dicomText(v, max, what, notes) {
    var line = dicomLine(v, what, notes);
    if (fits(line, max)) return line;
    notes.push(what + ' was cut to ' + max + ' characters');
    return cutText(line, max - 1);
}

// Identifiers are never cut or altered.
function dicomId(v, max, what) {
    var id = String(v);
    if (id === '' || id.length > max || !/^[!-~]([ -~]*[!-~])?$/.test(id) || id.indexOf('\\') >= 0) throw what + ' cannot be carried: "' + id + '"';
    return id;
}

// XPN or XCN from component `first` on: family, given, middle, suffix, prefix → the same as HL7, 64 characters in all.
function personName(m, seg, f, first, what, notes) {
    var parts = [0, 1, 2, 3, 4].map(function (i) {
        return namePart(hl7Text(m, seg, f, first + i, i ? 0 : 1), what, notes);      // of the family name the first subcomponent is all of it
    });
    return limitName(parts, what, notes);
}

function namePart(v, what, notes) {
    var part = dicomLine(v, what, notes);
    if (/[\^=]/.test(part)) throw what + ' holds ^ or =, which DICOM cannot carry in a name';
    return part;
}

function limitName(parts, what, notes) {
    var left = 63;
    if (!fits(parts.join('^').replace(/\^+$/, ''), 64)) {
        notes.push(what + ' was cut to 64 characters');
        parts = parts.map(function (part) {
            var kept = cutText(part, Math.max(left, 0));
            left -= kept.length + 1;
            return kept;
        });
    }
    return hl7Comp.apply(null, parts);
}

function labZone() { return java.time.ZoneId.of(String($cfg('time_zone'))); }

function digitsOf(time) { return String(time.format(java.time.format.DateTimeFormatter.ofPattern('yyyyMMddHHmmss'))); }

function labNow() { return digitsOf(java.time.LocalDateTime.now(labZone())); }

function parseDigits(digits, what) {
    var format = java.time.format.DateTimeFormatter.ofPattern('uuuuMMddHHmmss').withResolverStyle(java.time.format.ResolverStyle.STRICT);
    try {
        return java.time.LocalDateTime.parse(digits, format);
    } catch (e) {
        throw what + ' is no time';
    }
}

// Reasons name no values here: they could be dates of birth, and are shown to whoever looks after the engine.
// HL7 time → fourteen digits in the lab's zone, because the archive ignores offsets (dcm4chee.md §4.2); '' for none.
// OpenEMR writes zeros, or a negative year, for a date that is not set.
function localTime(v, what) {
    var x = /^(\d{8})(\d{2}(?:\d{2}){0,2})?(?:\.\d+)?([+-]\d{4})?$/.exec(v), time;
    if (v === '' || v.charAt(0) === '-' || /^0+$/.test(v)) return '';
    if (!x) throw what + ' is no time';
    time = parseDigits((x[1] + (x[2] || '') + '000000').substring(0, 14), what);
    if (x[2] && x[3]) time = time.atOffset(java.time.ZoneOffset.of(x[3])).atZoneSameInstant(labZone()).toLocalDateTime();
    return digitsOf(time);
}

// Day of birth: eight digits or ''. DICOM knows no half dates.
function birthDate(v) {
    var day = v.substring(0, 8);
    if (day === '' || /^0+$/.test(v)) return '';
    if (!/^\d{8}/.test(v)) throw 'the date of birth is no day';
    parseDigits(day + '000000', 'the date of birth');
    return day;
}
