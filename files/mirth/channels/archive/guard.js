// Runs in the queue thread at every attempt (regenerateTemplate and includeFilterTransformer are on): the row's state is read immediately
// before every order, also for one that waited for hours or whose answer was lost with the engine's database; and what is outdated is not sent,
// also where a message that such a loss left behind is recovered at a start. To stay QUEUED the address is
// left empty: the connector then sends nothing and tries again. An exception is ERROR and ends the queueing.
var text = connectorMessage.getRawData(), control = String(sourceMap.get('control') || ''), ref = sourceMap.get('ref'), why = '', lost = '';
channelMap.put('arcHost', '');
channelMap.put('guard', '');
try {
    why = dbTx('filler', function (c) { return refresh(c, hl7Parse(text), control, ref); });
    if (why === '' && control !== '') why = whyNotSent(control, mwlState(sourceMap.get('uid')), String(sourceMap.get('expired') || '') !== '');
    if (why.indexOf('not sent') > 0) dbTx('filler', function (c) { notice(c, 'not sent', ref + ' ' + control, ref + ': ' + why); });
    if (why !== '') sinkDone();
    lost = why === '' ? whyLost(text) : '';
    if (lost !== '') toSink(text, lost);
} catch (e) {
    channelMap.put('guard', 'what became of it meanwhile cannot be read: ' + reasonOf(e));
    return true;
}
if (lost !== '') throw lost;
channelMap.put('guard', why);
if (why !== '') return false;
channelMap.put('arcHost', $cfg('arc_host'));
return true;
