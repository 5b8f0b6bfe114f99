// Runs the engine's library in Rhino beside the tests: rhino.py starts it, with the engine's jars.
// Requests come as lines of JSON on standard input, one answer a line goes to standard output; Python asks.
var out = new java.io.PrintStream(java.lang.System.out, true, 'UTF-8'), root = arguments[0], global = this, tests = {};

// What Mirth gives to scripts, as far as the library can be run without it. `mirth` is what a test sets and looks at.
var mirth, $cfg, $, globalMap, globalChannelMap, sourceMap, channelMap, connectorMessage, channelName, channelId, router, logger, ResponseFactory, AttachmentUtil;
function RawMessage(text, destinations, map) { this.text = String(text); this.map = map; }

function mapOf(values) {
    var map = new java.util.HashMap();
    Object.keys(values).forEach(function (key) { map.put(key, values[key]); });
    return map;
}

function fresh() {
    var procedures = {
        CTHEAD: { name: 'CT Head w/o contrast', scheme: '99LAB', modality: 'CT', station: 'CT01', minutes: 30 },
        XRCHEST: { name: 'X-Ray Chest 2 views', scheme: '99LAB', modality: 'DX', station: 'DX01', minutes: 15 }
    };
    mirth = {
        cfg: {
            site_ns: 'LABHOSP', site_oid: '2.25.117205934481166', arc_facility: 'LAB', engine_application: 'MIRTH', arc_application: 'DCM4CHEE', time_zone: 'Europe/Vienna',
            reason_question: 'CLINHX', verify_patient: 'PACSEMR-VERIFY',
            emr_msh: 'MIRTH|RADLAB|OPENEMR|OEMR', id_archive: 'archive', id_sink: 'sink', procedures: JSON.stringify(procedures), emr_url: 'jdbc:x',
            cancel_limit: '5', dir_inbox: 'inbox', dir_status: 'status', dir_orders_done: 'done', dir_orders_error: 'error', arc_host: 'arc'
        },
        routed: [], files: {}, sql: []
    };
    $cfg = function (key) { return key in mirth.cfg ? new java.lang.String(mirth.cfg[key]) : null; };
    $ = function (key) { return channelMap.get(key); };
    globalMap = mapOf({});
    globalChannelMap = mapOf({});
    sourceMap = mapOf({});
    channelMap = mapOf({});
    channelName = 'test';
    channelId = 'c0ffee';
    connectorMessage = {
        getMessageId: function () { return 7; },
        getSendAttempts: function () { return 0; },
        getRawData: function () { return new java.lang.String(mirth.raw); },
        getEncodedData: function () { return new java.lang.String(mirth.raw); }
    };
    router = { routeMessageByChannelId: function (id, message) {
        mirth.routed.push({ to: String(id), text: message.text, map: message.map });
        return { getStatus: function () { return 'TRANSFORMED'; } };
    } };
    logger = { debug: function () { return undefined; } };
    ResponseFactory = { getQueuedResponse: function (text) { return 'QUEUED: ' + text; }, getErrorResponse: function (text) { return 'ERROR: ' + text; } };
    AttachmentUtil = { reAttachMessage: function (text) { return utf8(text); } };
}

// The shell's own load() prints a syntax error and goes on.
function run(path) { Packages.org.mozilla.javascript.Context.getCurrentContext().evaluateString(global, readFile(path, 'UTF-8'), path, 1, null); }

function library() {
    var files = new java.io.File(root + '/files/mirth/lib').listFiles(), i;
    for (i = 0; i < files.length; i++) run(String(files[i]));
}

// A database that answers by a function of the statement: rows for a query. What was asked is in mirth.sql.
function database(rows) {
    dbTx = function (name, fn) { return fn(name); };
    dbQuery = function (c, sql, params) {
        mirth.sql.push([sql, params || []]);
        return rows(sql, params || [], c) || [];
    };
    dbExec = function (c, sql, params) {
        mirth.sql.push([sql, params || []]);
        return 1;
    };
}

function test(name, fn) { tests[name] = fn; }

function equal(found, expected) {
    var a = JSON.stringify(found), b = JSON.stringify(expected);
    if (a !== b) throw new Error('found    ' + a + '\nexpected ' + b);
}

function refused(pattern, fn) {
    var reason = null;
    try { fn(); } catch (e) { reason = String(e && e.javaException ? e.javaException : e); }
    if (reason === null) throw new Error('was not refused, expected ' + pattern);
    if (!pattern.test(reason)) throw new Error('refused with ' + reason + ', expected ' + pattern);
}

// A step of a channel is the body of a function; `last` may look at what it has set.
function runStep(file, given, last) {
    var names = Object.keys(given || {}), body = String(readFile(root + '/files/mirth/channels/' + file, 'UTF-8')) + (last || '');
    return Function.apply(null, names.concat(body)).apply(null, names.map(function (name) { return given[name]; }));
}

var loaded = false, file = '';

function answer(request) {
    fresh();
    if (!loaded) library();                          // anew after a test, which may have replaced functions
    loaded = !request.test;
    if (request.call) return global[request.call].apply(null, request.args);
    if (file !== request.file) run(file = request.file);
    tests[request.test]();
    return null;
}

function serve() {
    var lines = new java.io.BufferedReader(new java.io.InputStreamReader(java.lang.System['in'], 'UTF-8')), line, reply;
    for (line = lines.readLine(); line !== null; line = lines.readLine()) {
        try {
            reply = { value: answer(JSON.parse(String(line))) };
        } catch (e) {
            reply = { thrown: e instanceof Error ? e.name + ': ' + e.message + '\n' + e.stack : String(e), refused: typeof e === 'string' };
        }
        out.println(JSON.stringify(reply === undefined ? null : reply));
    }
}
serve();
