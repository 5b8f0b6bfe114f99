return queued('patient', function () { return sendPatient(readerJson(connectorMessage.getRawData())); });
