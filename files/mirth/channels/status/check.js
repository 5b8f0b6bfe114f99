var result;
try {
    result = imagesArrived(connectorMessage.getRawData());
    sinkDone();
    return result;
} catch (e) {
    return queuedOrRefused(e, 'status update');
}
