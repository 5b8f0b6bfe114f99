// From channel to channel, and the error sink: every refused message with its reason.

// Hand a message to another channel. Anything but an accepted message is an outage for the caller, which keeps its own message.
function route(id, text, map) {
    var sourceMap = new java.util.HashMap(), answer;
    Object.keys(map).forEach(function (key) { sourceMap.put(key, new java.lang.String(String(map[key]))); });
    answer = router.routeMessageByChannelId(id, new RawMessage(new java.lang.String(String(text)), null, sourceMap));
    if (answer === null || String(answer.getStatus()) === 'ERROR') {
        throw new java.io.IOException('channel ' + id + ' did not accept the message: ' + (answer === null ? 'no response' : answer.getStatusMessage()));
    }
}

function toArchive(text, map) { route($cfg('id_archive'), text, map); }

function toSink(text, reason) {
    route($cfg('id_sink'), text, { fromChannel: channelName, fromId: channelId, fromMessage: String(connectorMessage.getMessageId()), reason: reason });
}

// The whole of a queued writer: fn() on its message; wait while something is away, else refuse the message.
// aside(reason), where it is given, comes before the sink; while it is not true the message waits.
function queued(what, fn, aside) {
    var result;
    try {
        result = fn();
        sinkDone();
        return result;
    } catch (e) {
        return isOutage(e) ? ResponseFactory.getQueuedResponse(what + ' not available: ' + reasonOf(e)) : refuse(what, reasonOf(e), aside);
    }
}

// ERROR ends the queueing: only when the sink has the message and the reason.
function refuse(what, reason, aside) {
    try {
        if (aside && !aside(reason)) return ResponseFactory.getQueuedResponse('refused; its file is to be moved first');
        toSink(connectorMessage.getRawData(), what + ': ' + reason);
    } catch (e) {
        return ResponseFactory.getQueuedResponse('refused, and it cannot be put aside: ' + reasonOf(e));
    }
    return ResponseFactory.getErrorResponse('refused: ' + reason);
}

// A message that was refused once and has been processed now: its entry in the sink is done, and what it holds is needed no more.
function sinkDone() {
    if (sourceMap.get('reprocessed') === null) return;
    dbTx('filler', function (c) {
        dbExec(c, "UPDATE sink SET done_at = now(), content = '' WHERE channel_id = ? AND message = ? AND done_at IS NULL", [channelId, connectorMessage.getMessageId()]);
    });
}

function sinkKeep(text) {
    dbTx('filler', function (c) {
        dbExec(c, 'INSERT INTO sink (channel, channel_id, message, reason, content) VALUES (?, ?, ?, ?, ?) ON CONFLICT (channel_id, message) DO UPDATE' +
            ' SET reason = excluded.reason, content = excluded.content, at = now(), done_at = NULL, claimed_at = NULL',
        [sourceMap.get('fromChannel'), sourceMap.get('fromId'), sourceMap.get('fromMessage'), sourceMap.get('reason'), String(text).replace(/\u0000/g, '')]);
    });
}

// What `verify` shows until it is settled: one line for each kind and reference.
function notice(c, kind, ref, what) {
    dbExec(c, 'INSERT INTO notice (kind, ref, what) VALUES (?, ?, ?) ON CONFLICT (kind, ref) DO UPDATE SET what = excluded.what, last_at = now()', [kind, ref, what]);
}

function noticeOver(c, kind, ref) { dbExec(c, 'DELETE FROM notice WHERE kind = ? AND ref = ?', [kind, ref]); }

// Complete under another name first, then renamed: a reader never sees half a file.
function writeFile(dir, name, bytes) {
    var files = java.nio.file.Files, paths = java.nio.file.Paths, options = java.nio.file.StandardCopyOption, part = paths.get(dir, '.' + name + '.tmp');
    files.write(part, bytes);
    files.move(part, paths.get(dir, name), [options.ATOMIC_MOVE, options.REPLACE_EXISTING]);
}
