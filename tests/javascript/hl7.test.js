// HL7 on strings: hl7.js

function parse(text) { return hl7Parse('MSH|^~\\&|A|B|C|D|20260101||ORU^R01|1|P|2.4\r' + text); }

function plain(v) { return hl7Plain(parse(''), v); }

test('line breaks as hexadecimal escapes, back to back and with four digits (F-HL7-1)', function () {
    equal(plain('Line one\\X0D\\\\X0A\\Line two\\X000d\\Line three\\.br\\Line four, share \\E\\\\E\\nas\\E\\scans, 5 \\T\\ 6 \\F\\ 7 \\S\\ 8 \\R\\ 9'),
        'Line one\nLine two\nLine three\nLine four, share \\\\nas\\scans, 5 & 6 | 7 ^ 8 ~ 9');
});

test('hexadecimal escapes are UTF-8 where they can be, Latin-1 where not', function () {
    equal(plain('caf\\XC3A9\\ \\XC3\\\\XA9\\ \\XE9\\ \\X00E9\\'), 'café é é é');
});

test('hexadecimal escapes are of the character set that is declared', function () {
    function declared(set, v) { return hl7Plain(hl7Parse('MSH|^~\\&|A|B|C|D|20260101||ORU^R01|1|P|2.4||||||' + set), v); }
    equal([declared('8859/5', '\\XD0\\'), declared('8859/5', '\\XD0\\\\XB0\\'), declared('8859/5', 'a\\X0D\\b')], ['а', 'аА', 'a\nb']);
    equal([declared('UNICODE UTF-8', '\\XD0B0\\'), declared('BIG-5', '\\XA4A4\\')], ['а', '中']);
    refused(/no text in GB18030/, function () { declared('GB 18030-2000', '\\XFF\\'); });
});

test('what is no escape stays as it is written', function () {
    equal(plain('C:\\temp\\new \\Zvendor\\ 50\\50'), 'C:\\temp\\new \\Zvendor\\ 50\\50');
    equal(plain('\\H\\bold\\N\\ \\.sp2\\x\\.sk3\\y\\.in+4\\z'), 'bold \n\nx   yz');
    refused(/character set switching/, function () { plain('\\C2842\\'); });
});

test('text of any kind survives escaping and reading', function () {
    var text = 'a\\b|c^d~e&f\ng\\.br\\ \\E\\ "" ä 山';
    equal(plain(hl7Esc(text)), text);
});

test('MSH-2 may hold five characters (F-HL7-2), others, or fewer', function () {
    var m = hl7Parse('MSH|^~\\&#|REPSYS|RADLAB|MIRTH|LABHOSP|20260310101500||ORU^R01^ORU_R01|ENC0006\rOBX|1|TX|||Room #12 \\P\\');
    equal([hl7Text(m, m.segs[0], 3), hl7Text(m, m.segs[0], 10), hl7Text(m, m.segs[1], 5)], ['REPSYS', 'ENC0006', 'Room #12 #']);
    m = hl7Parse('MSH#*!/%#A#B*C\rPID#1##4%2');
    equal([hl7Text(m, m.segs[0], 3), hl7Text(m, m.segs[0], 4, 2), hl7Text(m, m.segs[1], 3, 1, 2)], ['A', 'C', '2']);
    m = hl7Parse('MSH|^|A|B');
    equal(hl7Text(m, m.segs[0], 4), 'B');
    refused(/MSH-2 is empty/, function () { hl7Parse('MSH||A'); });
});

test('segments may end in CR, LF or CRLF, and a byte order mark may come first', function () {
    ['\r', '\n', '\r\n'].forEach(function (end) {
        var m = hl7Parse('\uFEFF' + ['MSH|^~\\&|A', 'PID|1||42', 'NTE|1||x', ''].join(end));
        equal(m.segs.map(function (seg) { return seg[0]; }), ['MSH', 'PID', 'NTE']);
        equal(hl7Text(m, m.segs[1], 3), '42');
    });
});

test('a line feed inside a field is a line break of its text', function () {
    var m = parse('PID|1||42||Doe^Jane||||||1 Main St\nBack door^^Town\rPV1|1');
    equal(hl7Text(m, hl7First(m, 'PID'), 11, 1), '1 Main St\nBack door');
    equal(hl7First(m, 'PV1'), ['PV1', '1']);
});

test('what is not HL7 is refused', function () {
    refused(/does not start with MSH/, function () { hl7Parse('hello'); });
    refused(/does not start with MSH/, function () { hl7Parse(''); });
    refused(/more than one PID/, function () { hl7Only(parse('PID|1\rPID|2'), 'PID'); });
    refused(/no PID/, function () { hl7Only(parse(''), 'PID'); });
});

test('segments are built with the standard\'s field numbers', function () {
    equal(hl7Line('MSH', { 2: '^~\\&', 3: 'A', 9: 'X' }), 'MSH|^~\\&|A||||||X');
    equal(hl7Line('PV1', { 1: '1', 3: '', 8: null }), 'PV1|1');
    equal(hl7Comp('a&b', '', null, 'd', ''), 'a\\T\\b^^^d');
});

test('with BEL as escape character a backslash needs no escape', function () {
    equal(hl7Bell('MSH|^~\\&|A\rOBX|1|TX|||a\\E\\b\\.br\\c\\T\\d'), 'MSH|^~\u0007&|A\rOBX|1|TX|||a\\b\u0007.br\u0007c\u0007T\u0007d');
});

test('groups keep their own OBX; what stands first is the head', function () {
    var g = hl7Groups(parse('PID|1\rNTE|1||head\rORC|RE|1\rOBR|1\rOBX|1\rORC|RE|1\rOBR|2\rOBX|2\rNTE|1'));
    equal(g.head.map(function (seg) { return seg[0]; }), ['MSH', 'PID', 'NTE']);
    equal(g.groups.map(function (x) { return [x.orc[0], x.obr[1], x.rest.length]; }), [['ORC', '1', 1], ['ORC', '2', 2]]);
    refused(/no OBR/, function () { hl7Groups(parse('ORC|RE|1')); });
});
