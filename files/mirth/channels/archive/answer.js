// Response transformer, data type RAW, validateResponse off: everything about an answer is decided here, and none has to be XML.
// SENT = an answer was read; QUEUED = none was (connection refused, time-out, or the guard left the address empty).
var verdict;
if (String(responseStatus) === 'QUEUED') {
    if (String($('guard')) !== '') responseStatusMessage = String($('guard'));
} else {
    try {
        verdict = judgeAck(hl7Parse(connectorMessage.getEncodedData()), response.getMessage());
        if (verdict.status === 'ERROR') toSink(connectorMessage.getEncodedData(), 'archive ' + verdict.text);
        if (verdict.status === 'SENT') sinkDone();
    } catch (e) {
        verdict = { status: 'QUEUED', text: 'answered, and that cannot be noted: ' + reasonOf(e) };
    }
    responseStatus = { SENT: SENT, QUEUED: QUEUED, ERROR: ERROR }[verdict.status];
    responseStatusMessage = verdict.text;
}
