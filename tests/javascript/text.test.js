// Character sets, DICOM's limits, times: text.js

function bytes(text, charset) { return String(new java.lang.String(new java.lang.String(text).getBytes(charset), 'ISO-8859-1')); }

function message(declared, text) { return 'MSH|^~\\&|A|B|C|D|20260101||ORU^R01|1|P|2.4||||||' + declared + '\rOBX|1|TX|||' + text + '\r'; }

test('a declared character set is used', function () {
    [['UNICODE UTF-8', 'UTF-8', 'Zoë 山田 😀'], ['8859/1', 'ISO-8859-1', 'Zoë'],
        ['8859/5', 'ISO-8859-5', 'Жуков'], ['8859/15~ASCII', 'ISO-8859-15', 'Zoë €'], ['GB 18030-2000', 'GB18030', '山田'], ['KS X 1001', 'EUC-KR', '김희중']].forEach(function (x) {
        equal(decodeBytes(bytes(message(x[0], x[2]), x[1])), message(x[0], x[2]));
    });
});

test('without one it is UTF-8, or else Latin-1', function () {
    equal(decodeBytes(bytes(message('', 'Zoë'), 'UTF-8')), message('', 'Zoë'));
    equal(decodeBytes(bytes(message('', 'Zoë'), 'ISO-8859-1')), message('', 'Zoë'));
    equal(decodeBytes('\u00EF\u00BB\u00BF' + bytes(message('', 'Zoë'), 'UTF-8')), message('', 'Zoë'));
    equal(decodeBytes('anything in ASCII'), 'anything in ASCII');
});

test('bytes that contradict what is declared are refused', function () {
    refused(/the bytes are not UNICODE UTF-8/, function () { decodeBytes(bytes(message('UNICODE UTF-8', 'Zoë'), 'ISO-8859-1')); });
    refused(/not supported: ISO IR87/, function () { decodeBytes(bytes(message('ISO IR87', 'ë'), 'UTF-8')); });
    refused(/escape sequences/, function () { decodeBytes(message('8859/1~ISO IR87', '\u001B$B;3\u001B(B')); });
});

test('characters outside the Basic Multilingual Plane become one sign each, and it is noted', function () {
    var notes = [];
    equal(plainPlane('𠮷野 😀', notes), '〓野 〓');
    equal(notes.length, 1);
    equal(plainPlane('吉野', notes), '吉野');
    equal(notes.length, 1);
});

test('DICOM text is cut between letters, and never so that the padding blank is one too many', function () {
    var notes = [], accents = '';
    while (accents.length < 80) accents += 'e\u0301';
    equal(dicomText('x', 64, 'it', notes), 'x');
    equal(notes, []);
    equal(dicomText(accents, 64, 'it', notes).length, 62);
    equal(notes, ['it was cut to 64 characters']);
    equal(dicomText(new Array(65).join('x'), 64, 'it', notes).length, 64);
    equal(dicomText('ä' + new Array(64).join('x'), 64, 'it', notes).length, 63);
    equal(dicomText('山' + new Array(64).join('x'), 64, 'it', notes).length, 64);
    equal(dicomText('ä山' + new Array(63).join('x'), 64, 'it', notes).length, 63);
});

test('what DICOM cannot carry is refused', function () {
    refused(/it holds a backslash/, function () { dicomText('a\\b', 64, 'it', []); });
    refused(/it holds a control character/, function () { dicomText('a\u0007b', 64, 'it', []); });
    refused(/control character/, function () { dicomText('a\u0085b', 64, 'it', []); });
    var notes = [];
    equal(dicomText('a\nb', 64, 'it', notes), 'a b');
    equal(notes, ['it: line breaks became blanks']);
});

test('identifiers are never cut or altered', function () {
    equal(dicomId('CT-HEAD 1', 16, 'it'), 'CT-HEAD 1');
    ['', 'x\\y', ' x', 'x ', 'ä', '〓', '12345678901234567', 'a\nb'].forEach(function (v) { refused(/it cannot be carried/, function () { dicomId(v, 16, 'it'); }); });
});

function name(field) {
    var notes = [];
    return [personName(hl7Parse('MSH|^~\\&|A\rPID|' + field), ['PID', field], 1, 1, 'the name', notes), notes];
}

test('a name keeps its components; the family name\'s first subcomponent is all of it', function () {
    equal(name('Quillfeather^Marisol^T^Jr^Dr'), ['Quillfeather^Marisol^T^Jr^Dr', []]);
    equal(name('van Beethoven&van&Beethoven^Ludwig'), ['van Beethoven^Ludwig', []]);
    equal(name('O\\T\\Hara^山 太郎^^^'), ['O\\T\\Hara^山 太郎', []]);
    refused(/\^ or =/, function () { name('a\\S\\b'); });
    refused(/\^ or =/, function () { name('a=b'); });
    refused(/backslash/, function () { name('a\\E\\b'); });
});

test('a name has 64 characters in all (F-EMR-1)', function () {
    var found = name('Wolfeschlegelsteinhausenbergerdorffwelchevora^AnnelieséAnnelieséAnnelieséAnneliesé^Marie');
    equal(found, ['Wolfeschlegelsteinhausenbergerdorffwelchevora^AnnelieséAnnelies', ['the name was cut to 64 characters']]);
    equal(found[0].length, 63);
});

test('times become the lab\'s, summer and winter', function () {
    equal(localTime('20260115110000+0000', 'it'), '20260115120000');
    equal(localTime('20260715110000+0000', 'it'), '20260715130000');
    equal(localTime('20260115233000.1234-0500', 'it'), '20260116053000');
    equal(localTime('202601151100', 'it'), '20260115110000');
    equal(localTime('20260115', 'it'), '20260115000000');
    equal(localTime('20260115+0900', 'it'), '20260115000000');
    equal([localTime('', 'it'), localTime('00000000000000', 'it'), localTime('-00011130000000', 'it')], ['', '', '']);
});

test('what is no time, or no day of birth, is refused', function () {
    ['2026', '20261301', '20260230', '20260115250000', 'yesterday', '2026011511+9900'].forEach(function (v) { refused(/it is no time|Zone offset/, function () { localTime(v, 'it'); }); });
    equal([birthDate('19800102'), birthDate('198001021200'), birthDate(''), birthDate('00000000')], ['19800102', '19800102', '', '']);
    ['1980', '198013', '19801301', 'x'].forEach(function (v) { refused(/date of birth is no/, function () { birthDate(v); }); });
});

test('the reason names no date of birth', function () {
    ['1/2/1980', '19801301', '198013'].forEach(function (v) {
        refused(/^[^0-9]*$/, function () { birthDate(v); });
        refused(/^[^0-9]*$/, function () { localTime(v, 'it'); });
    });
});
