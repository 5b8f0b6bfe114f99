// Queued JavaScript Writer: identifiers from the state table, then one message per OBR to the archive channel.
var raw = connectorMessage.getRawData();
return queued('order file ' + sourceMap.get('originalFilename'), function () { return sendOrders(raw); }, function (reason) { return asideOrder(reason, raw); });
