// The same message refused again, which an operator had reprocessed, opens its entry again with the new reason.
try {
    sinkKeep(connectorMessage.getRawData());
    return 'kept';
} catch (e) {
    return ResponseFactory.getQueuedResponse('state table not available: ' + reasonOf(e));
}
