var result;
try {
    result = fileReport(connectorMessage.getRawData());
    sinkDone();
    return result;
} catch (e) {
    return queuedOrRefused(e, 'report');
}
