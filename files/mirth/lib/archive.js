// Questions to the archive over HTTP. Only Apache's client works from Rhino on Java 17: the JDK's own ones hide their classes in modules
// that are not exported (mirth-patterns.md §11.2).
function httpClient() {
    var client = globalMap.get('httpclient'), limits;
    if (client !== null) return client;
    limits = Packages.org.apache.http.client.config.RequestConfig.custom().setConnectTimeout(3000).setSocketTimeout(10000).setConnectionRequestTimeout(3000).build();
    client = Packages.org.apache.http.impl.client.HttpClients.custom().setDefaultRequestConfig(limits).setMaxConnPerRoute(4).setMaxConnTotal(8).build();
    globalMap.put('httpclient', client);
    return client;
}

// The archive's answer as an array, [] for 204. Anything else than 200 and 204 is an outage.
function archiveGet(path) {
    var url = String($cfg('arc_rs')) + path, get = new Packages.org.apache.http.client.methods.HttpGet(url), response, code, body;
    get.setHeader('Accept', 'application/json');
    response = httpClient().execute(get);
    try {
        code = Number(response.getStatusLine().getStatusCode());
        body = response.getEntity() === null ? '' : String(Packages.org.apache.http.util.EntityUtils.toString(response.getEntity(), 'UTF-8'));
    } finally {
        response.close();
    }
    if (code === 204) return [];
    if (code !== 200) throw new java.io.IOException('HTTP ' + code + ' from ' + url);
    return JSON.parse(body);
}

function dcmValues(o, tag) { return o && o[tag] && o[tag].Value || []; }

function dcmValue(o, tag) {
    var values = dcmValues(o, tag);
    return values.length ? values[0] : '';
}

// State of the worklist row of this study, '' when there is none. Rows that are started or over are hidden unless asked for by name; a
// list of names is one query (mirth-patterns.md §11.2).
function mwlState(studyUid) {
    var rows = archiveGet('/aets/' + $cfg('arc_mwl_aet') + '/rs/mwlitems?StudyInstanceUID=' + studyUid +
        '&ScheduledProcedureStepSequence.ScheduledProcedureStepStatus=SCHEDULED,ARRIVED,READY,STARTED,DEPARTED,CANCELED,DISCONTINUED,COMPLETED');
    return String(dcmValue(dcmValue(rows[0], '00400100'), '00400020'));
}

// Why an order must not be sent as the row is now; '' when it may. The archive itself guards no transition (dcm4chee.md §4.2). expired: the
// engine's own rule cancelled it, so NW and XO may reopen it, and a row that the rule comes too late for is nobody's concern.
function whyNotSent(control, state, expired) {
    if (/^(STARTED|DEPARTED|COMPLETED|DISCONTINUED)$/.test(state)) return control + (expired && control === 'CA' ? ' not needed' : ' not sent') + ', the row is ' + state;
    if (state === 'CANCELED' && control === 'CA') return 'cancelled before';
    if (state === 'CANCELED' && !expired) return control + ' not sent, the row is CANCELED';
    return control === 'CA' && state === '' ? 'no row to cancel' : '';
}

// Why a message is not wanted any more, '' when it is. Leaves the patient as he is known now to withPatient. A message may come here before what
// it tells is committed, so neither a row that is older says anything nor one that is missing.
function refresh(c, m, control, ref) {
    var st = dbQuery(c, 'SELECT * FROM order_state WHERE accession = ?', [ref])[0], pid = st ? st.pid : hl7Text(m, hl7First(m, 'PID'), 3, 1), p = patientGet(c, pid),
        gone = /^A0[48]$/.test(hl7Text(m, m.segs[0], 9, 2)) && seenOf(c, 'burnt', [pid])[pid];
    channelMap.put('patient', p ? pidLine(p) : '');
    if (control !== '' && st && !(control === 'CA' && st.control === 'CA') && Number(st.seen) > Number(sourceMap.get('seen'))) return 'superseded: ' + ref + ' was ordered or changed again since';
    return gone ? 'superseded: patient ' + pid + ' was ' + gone + ' since' : '';
}

function withPatient(text, line) {
    return line === '' ? text : text.replace(/\rPID\|[^\r]*/, function () { return '\r' + (text.indexOf('\u0007') >= 0 ? hl7Bell(line) : line); });
}

// The PDF of a report is an attachment of the message that brought it, and goes when that is forgotten; the archive would be sent its token.
function whyLost(text) {
    var token = /\$\{ATTACH:([0-9a-f-]+):(\d+):([0-9a-f-]+)\}/.exec(text);
    if (!token || AttachmentUtil.getMessageAttachmentIds(token[1], java.lang.Long.valueOf(token[2])).contains(new java.lang.String(token[3]))) return '';
    return 'the PDF of this report is no longer kept: have the report sent again';
}

// What to do about an answer of the archive (mirth-patterns.md §5.3, §11.3): {status, text}. AR is not final, a database that is down
// answers so; final are the codes that say that the message itself is wrong. A merge that was made before is done.
function judgeAck(sent, answer) {
    var a = hl7Ack(answer), id = hl7Text(sent, sent.segs[0], 10), why = a.code + ' ' + a.err + ' ' + a.text;
    if (a.code === '' || a.id !== id) return { status: 'QUEUED', text: 'the answer does not belong to ' + id + ': ' + a.id + ' ' + why };
    if (a.code === 'AA' || a.code === 'CA') return { status: 'SENT', text: 'accepted' };
    if (hl7Text(sent, sent.segs[0], 9, 2) === 'A40' && a.err === '204') return { status: 'SENT', text: 'merged before: ' + a.text };
    if (/^(AR|CR)$/.test(a.code) && !/^(200|201|204|205|206)$/.test(a.err) && !(a.err === '207' && /PatientMismatch/.test(a.text))) return { status: 'QUEUED', text: 'retried: ' + why };
    return { status: 'ERROR', text: 'refused: ' + why };
}
