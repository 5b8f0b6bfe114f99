// Access to databases: 'filler' is the Order Filler's own, 'emr' the EMR's, read only. The configuration map has <name>_url, _user, _password.
// PostgreSQL's URL must carry stringtype=unspecified: every parameter is given as a string.

// Connections come from a small pool, which recovers from a restart of the database by itself. Idle ones close, so a pool that a
// redeploy forgot costs nothing. One whose address, user or password is no longer the map's is replaced and closed.
function dbPool(name) {
    var key = 'dbpool ' + name, old = globalMap.get(key), login = ['_url', '_user', '_password'].map(function (part) { return String($cfg(name + part)); }), pool;
    if (old !== null && login.join('\n') === [old.getJdbcUrl(), old.getUsername(), old.getPassword()].join('\n')) return old;
    pool = dbNewPool(name, login);
    globalMap.put(key, pool);
    if (old !== null) old.close();
    return pool;
}

function dbNewPool(name, login) {
    var config = new Packages.com.zaxxer.hikari.HikariConfig();
    config.setJdbcUrl(login[0]);
    config.setUsername(login[1]);
    config.setPassword(login[2]);
    config.setMaximumPoolSize(6);
    config.setMinimumIdle(0);
    config.setIdleTimeout(60000);
    config.setMaxLifetime(600000);
    config.setConnectionTimeout(5000);
    config.setInitializationFailFast(false);
    config.setPoolName(name);
    // Milliseconds: a server that hangs would hold a poll for ever.
    if (name === 'emr') ['connectTimeout', 'socketTimeout'].forEach(function (limit) { config.addDataSourceProperty(limit, '20000'); });
    return new Packages.com.zaxxer.hikari.HikariDataSource(config);
}

// fn(connection) in one transaction.
function dbTx(name, fn) {
    var c = dbPool(name).getConnection(), done = false, result;
    try {
        c.setAutoCommit(false);
        result = fn(c);
        c.commit();
        done = true;
        return result;
    } finally {
        dbClose(c, done);
    }
}

// The pool rolls back what was not committed, but only when the connection lives: the first error is the one that tells.
function dbClose(c, done) {
    try {
        if (!done) c.rollback();
    } catch (e) {
        logger.debug('no rollback: ' + e);
    } finally {
        c.close();
    }
}

function dbStatement(c, sql, params) {
    var st = c.prepareStatement(sql);
    (params || []).forEach(function (value, i) {
        st.setString(i + 1, value === null || value === undefined ? null : new java.lang.String(String(value)));
    });
    return st;
}

// Rows as plain objects of strings, or null.
function dbQuery(c, sql, params) {
    var st = dbStatement(c, sql, params), out = [], rs, columns, i, row, value;
    try {
        rs = st.executeQuery();
        columns = rs.getMetaData();
        while (rs.next()) {
            row = {};
            for (i = 1; i <= columns.getColumnCount(); i++) {
                value = rs.getString(i);
                row[String(columns.getColumnLabel(i))] = value === null ? null : String(value);
            }
            out.push(row);
        }
    } finally {
        st.close();
    }
    return out;
}

function dbExec(c, sql, params) {
    var st = dbStatement(c, sql, params);
    try {
        return Number(st.executeUpdate());
    } finally {
        st.close();
    }
}

// Question marks for a list of n parameters.
function dbMarks(n) { return new Array(n + 1).join(', ?').substring(2); }

// True: something is away for a time, so the message is to wait. A script's own `throw new java.io.IOException` arrives as the Java
// object itself, one of Java code as e.javaException (mirth-patterns.md §11.8).
function isOutage(e) {
    var x = e && e.javaException ? e.javaException : e, n;
    for (n = 0; x !== null && x !== undefined && n < 12; n++) {
        if (x instanceof java.io.IOException || x instanceof java.sql.SQLTransientException) return true;
        // A pool that another thread has just replaced: this has no state.
        if (x instanceof java.sql.SQLException && /HikariDataSource .* has been closed/.test(String(x.getMessage()))) return true;
        // 08 connection, 28 login, 3D no such database (yet), 40 deadlock, 53 resources, 55000 and 57P shutting down
        if (x instanceof java.sql.SQLException && /^(08|28|3D|40|53|55000|57P)/.test(String(x.getSQLState()))) return true;
        x = x.getCause ? x.getCause() : null;
    }
    return false;
}

function reasonOf(e) { return String(e && e.javaException ? e.javaException : e); }
