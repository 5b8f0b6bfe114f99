// What can be said without a database: an unusable file is an ERROR here, and the File Reader moves it to the error folder.
try {
    parseOrders(connectorMessage.getRawData());
} catch (e) {
    try {
        explainOrder(reasonOf(e));
    } finally {
        toSink(connectorMessage.getRawData(), 'order file ' + sourceMap.get('originalFilename') + ': ' + reasonOf(e));
    }
    throw e;
}
