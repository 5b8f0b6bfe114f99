// Runs in the queue thread at every attempt (regenerateTemplate and includeFilterTransformer are on): the row's state is read immediately
// before sending, also for a message that waited for hours or whose answer was lost. To stay QUEUED the address is left empty: the
// connector then sends nothing and tries again. An exception would be ERROR and end the queueing.
var control = String(sourceMap.get('control') || ''), known = String(sourceMap.get('known')) === 'yes' || sourceMap.get('reprocessed') !== null, why;
channelMap.put('arcHost', '');
channelMap.put('guard', '');
if (control !== '' && (known || connectorMessage.getSendAttempts() > 0)) {
    try {
        why = whyNotSent(control, mwlState(sourceMap.get('uid')));
        if (why.indexOf('not sent') > 0) dbTx('filler', function (c) { notice(c, 'not sent', sourceMap.get('ref') + ' ' + control, sourceMap.get('ref') + ': ' + why); });
        if (why !== '') sinkDone();
    } catch (e) {
        channelMap.put('guard', 'the state of the worklist row cannot be read: ' + reasonOf(e));
        return true;
    }
    channelMap.put('guard', why);
    if (why !== '') return false;
}
channelMap.put('arcHost', $cfg('arc_host'));
return true;
