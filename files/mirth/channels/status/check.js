return queued('status update', function () { return imagesArrived(connectorMessage.getRawData()); });
