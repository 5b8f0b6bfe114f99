// Queued JavaScript Writer: identifiers from the state table, then one message per OBR to the archive channel.
var raw = connectorMessage.getRawData(), result;
try {
    result = sendOrders(raw);
    sinkDone();
    return result;
} catch (e) {
    if (!isOutage(e) && !asideOrder(reasonOf(e), raw)) return ResponseFactory.getQueuedResponse('refused; its file is to be moved first');
    return queuedOrRefused(e, 'order file ' + sourceMap.get('originalFilename'));
}
