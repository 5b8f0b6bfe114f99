try {
    return imagesArrived(connectorMessage.getRawData());
} catch (e) {
    return queuedOrRefused(e, 'status update');
}
