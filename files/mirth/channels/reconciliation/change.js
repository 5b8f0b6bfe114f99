var result;
try {
    result = changeOrder(readerJson(connectorMessage.getRawData()));
    sinkDone();
    return result;
} catch (e) {
    return queuedOrRefused(e, 'change of an order');
}
