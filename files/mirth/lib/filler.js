// The Order Filler's state in its own database: which identifiers belong to which ordered procedure, and what was told of it.

// Applied in order, each once; a migration that was released is never changed.
var FILLER_MIGRATIONS = [
    'CREATE SEQUENCE filler_seq;' +
    'CREATE TABLE patient (pid text PRIMARY KEY, name text NOT NULL, dob text NOT NULL, sex text NOT NULL, source text NOT NULL, updated timestamptz NOT NULL DEFAULT now());' +
    'CREATE TABLE order_state (placer text NOT NULL, code text NOT NULL, occ int NOT NULL, accession varchar(16) NOT NULL UNIQUE, study_uid varchar(64) NOT NULL UNIQUE,' +
    ' rp_id varchar(16) NOT NULL UNIQUE, sps_id varchar(16) NOT NULL UNIQUE, pid text NOT NULL, encounter text NOT NULL, content text NOT NULL,' +
    " control varchar(2) NOT NULL DEFAULT 'NW', seen int NOT NULL DEFAULT 1, images_at timestamptz," +
    ' created timestamptz NOT NULL DEFAULT now(), updated timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (placer, code, occ));' +
    'CREATE INDEX order_state_pid ON order_state (pid);' +
    "CREATE INDEX order_state_open ON order_state (placer) WHERE control <> 'CA' AND images_at IS NULL;" +
    'CREATE TABLE report_part (hash text NOT NULL, part int NOT NULL, target text NOT NULL, at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (hash, part, target));' +
    'CREATE TABLE sink (id bigserial PRIMARY KEY, channel text NOT NULL, channel_id text NOT NULL, message text NOT NULL, reason text NOT NULL, content text NOT NULL,' +
    ' at timestamptz NOT NULL DEFAULT now(), claimed_at timestamptz, done_at timestamptz, UNIQUE (channel_id, message));' +
    'CREATE TABLE notice (kind text NOT NULL, ref text NOT NULL, what text NOT NULL, at timestamptz NOT NULL DEFAULT now(), last_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (kind, ref));' +
    'CREATE TABLE feed_seen (feed text NOT NULL, id text NOT NULL, hash text NOT NULL, at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (feed, id));',
    'ALTER TABLE order_state ADD COLUMN expired text;'
];

// In the deploy script of every channel that uses the tables: a failure keeps the channel from being deployed, visibly.
function fillerSchema() {
    dbTx('filler', function (c) {
        var have, i;
        dbQuery(c, 'SELECT pg_advisory_xact_lock(726401)');            // CREATE … IF NOT EXISTS alone is not safe against itself
        dbExec(c, 'CREATE TABLE IF NOT EXISTS schema_version (n int PRIMARY KEY)');
        have = Number(dbQuery(c, 'SELECT coalesce(max(n), 0) AS n FROM schema_version')[0].n);
        for (i = have; i < FILLER_MIGRATIONS.length; i++) {
            dbExec(c, FILLER_MIGRATIONS[i]);
            dbExec(c, 'INSERT INTO schema_version VALUES (?)', [i + 1]);
        }
    });
}

function uid225(hex) { return '2.25.' + String(new java.math.BigInteger(hex, 16).toString()); }

function newUid() { return uid225(String(java.util.UUID.randomUUID()).replace(/-/g, '')); }

// The same UID for the same content: a message that is sent twice makes one DICOM object.
function stableUid(text) { return uid225(sha256(text).substring(0, 31)); }

function sha256(text) { return sha256Bytes(utf8(String(text))); }

function sha256Bytes(bytes) {
    var hash = new java.math.BigInteger(1, java.security.MessageDigest.getInstance('SHA-256').digest(bytes));
    return String(hash.add(java.math.BigInteger.ONE.shiftLeft(256)).toString(16)).substring(1);
}

// The row of one ordered procedure, made when it is new. A transmission that brings no start keeps the one that the row has, unless that was
// too long ago.
function fillerMint(c, o) {
    var content = o.content, before, row = dbQuery(c,
        "WITH n AS (SELECT lpad(nextval('filler_seq')::text, 8, '0') AS n) " +
        'INSERT INTO order_state AS s (placer, code, occ, accession, study_uid, rp_id, sps_id, pid, encounter, content) ' +
        "SELECT ?, ?, ?, 'ACC' || n, ?, 'RP' || n, 'SPS' || n, ?, ?, ? FROM n " +
        'ON CONFLICT (placer, code, occ) DO UPDATE SET seen = s.seen + 1, updated = now() RETURNING *',
        [o.placer, o.code, o.occ, newUid(), o.pid, o.encounter, JSON.stringify(content)])[0];
    if (row.pid !== o.pid) throw 'order ' + o.placer + ' belongs to patient ' + row.pid + ', not to ' + o.pid;
    if (Number(row.seen) > 1) {
        before = JSON.parse(row.content);
        if (!content.timed && !isExpired(row)) content.start = before.start;
        fillerPut(c, row, content);
    }
    return row;
}

// Off the worklist by the rule mirth_worklist_days, and not by the EMR. `expired`, the rule's reason, stays when the order comes back: its row in
// the archive may still be the cancelled one.
function isExpired(row) { return row.control === 'CA' && !!row.expired; }

function fillerPut(c, row, content) {
    row.content = JSON.stringify(content);
    dbExec(c, 'UPDATE order_state SET content = ?, updated = now() WHERE accession = ?', [row.content, row.accession]);
}

function seenPut(c, feed, id, hash) {
    dbExec(c, 'INSERT INTO feed_seen (feed, id, hash) VALUES (?, ?, ?) ON CONFLICT (feed, id) DO UPDATE SET hash = excluded.hash, at = now()', [feed, id, hash]);
}

// {id: hash} of one feed; of the given ids alone, where they are given.
function seenOf(c, feed, ids) {
    var out = {}, rows;
    if (ids && !ids.length) return out;
    rows = ids ? dbQuery(c, 'SELECT id, hash FROM feed_seen WHERE feed = ? AND id IN (' + dbMarks(ids.length) + ')', [feed].concat(ids)) :
        dbQuery(c, 'SELECT id, hash FROM feed_seen WHERE feed = ?', [feed]);
    rows.forEach(function (row) { out[row.id] = row.hash; });
    return out;
}
