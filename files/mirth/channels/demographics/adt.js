var result;
try {
    result = sendPatient(readerJson(connectorMessage.getRawData()));
    sinkDone();
    return result;
} catch (e) {
    return queuedOrRefused(e, 'patient');
}
