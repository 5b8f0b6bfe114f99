// Databases without one: db.js

function login(user, password) {
    mirth.cfg.filler_url = 'jdbc:postgresql://nowhere.invalid/filler';
    mirth.cfg.filler_user = user;
    mirth.cfg.filler_password = password;
}

test('the pool stays while the login does', function () {
    var first;
    login('filler', 'old');
    first = dbPool('filler');
    equal(dbPool('filler') === first, true);
    equal(first.isClosed(), false);
    first.close();
});

test('another password or user is another pool, and the old one is closed', function () {
    var first, second, third;
    login('filler', 'old');
    first = dbPool('filler');
    login('filler', 'new');
    second = dbPool('filler');
    equal([first.isClosed(), second.isClosed(), String(second.getPassword())], [true, false, 'new']);
    login('other', 'new');
    third = dbPool('filler');
    equal([second.isClosed(), third.isClosed(), String(third.getUsername())], [true, false, 'other']);
    third.close();
});

test('a pool that was closed meanwhile is an outage, a wrong statement is none', function () {
    var pool;
    login('filler', 'old');
    pool = dbPool('filler');
    pool.close();
    try { pool.getConnection(); } catch (e) { equal(isOutage(e), true); }
    equal(isOutage(new java.sql.SQLException('syntax error', '42601')), false);
});

test('the map of the engine shows no password', function () {
    login('filler', 'Geheim-1');
    dbPool('filler');
    equal(/Geheim/.test(String(globalMap)), false);
    dbPool('filler').close();
});
