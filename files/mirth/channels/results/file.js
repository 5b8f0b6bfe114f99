return queued('report', function () { return fileReport(connectorMessage.getRawData()); });
