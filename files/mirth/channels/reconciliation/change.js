return queued('change of an order', function () { return changeOrder(readerJson(connectorMessage.getRawData())); });
