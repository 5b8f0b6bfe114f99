// The EMR's database, read only: patient_data, procedure_order, procedure_order_code, forms, log (openemr.md §3.1, §7.8).

// The rows of a database reader's poll: of none, where the lab has no EMR. While the EMR cannot be read, `verify` says so.
function emrPoll(poll) {
    var rows;
    if (String($cfg('emr_url') || '') === '') return readerRows([]);
    try {
        rows = poll();
        dbTx('filler', function (c) { noticeOver(c, 'EMR not read', channelName); });
    } catch (e) {
        dbTx('filler', function (c) { notice(c, 'EMR not read', channelName, channelName + ': ' + rootOf(e)); });
        throw e;
    }
    return readerRows(rows);
}

// What is at the bottom of an error: the pool's own word for a wrong password is "timed out".
function rootOf(e) {
    var x = e && e.javaException ? e.javaException : e;
    while (x && x.getCause && x.getCause() !== null) x = x.getCause();
    return String(x);
}

// True once an hour, and after a start: when the slow way is due that finds what the quick one misses.
function hourly(what) {
    var last = globalMap.get('hourly ' + what);
    return last === null || java.lang.System.currentTimeMillis() - Number(last) > 3600000;
}

function hourlyDone(what) { globalMap.put('hourly ' + what, String(java.lang.System.currentTimeMillis())); }

// A row that a database reader hands on: a java.util.Map, because a JavaScript object is refused.
function readerRow(values) {
    var row = new java.util.HashMap();
    Object.keys(values).forEach(function (key) { row.put(key, new java.lang.String(String(values[key]))); });
    return row;
}

function readerRows(list) {
    var rows = new java.util.ArrayList();
    list.forEach(function (values) { rows.add(readerRow(values)); });
    return rows;
}

// The field `json` of the reader's message <result><json>…</json></result>.
function readerJson(raw) {
    var xml = new XML(String(raw).replace(/^<\?xml[^>]*\?>\s*/, ''));        // a leading line break would make it a text node
    return JSON.parse(String(xml['json'].toString()));
}

// `comments` of the EMR's log is Base64; null where it is not.
function logText(comments) {
    try {
        return String(new java.lang.String(java.util.Base64.getMimeDecoder().decode(String(comments || '')), 'UTF-8'));
    } catch (e) {
        if (e.javaException instanceof java.lang.IllegalArgumentException) return null;
        throw e;
    }
}
