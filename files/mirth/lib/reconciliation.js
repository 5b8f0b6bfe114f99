// The EMR tells nobody that an order was cancelled, deleted or changed (openemr.md §3.2): the orders that are open here are compared with
// its tables. Absence alone never cancels, it needs a trace.

var LEAVING_ROWS = 50;                               // in one poll: the first one of an old lab may find thousands

// Rows for the database reader: one action each. While the EMR cannot be read, nothing is cancelled.
function pollOrders() {
    var rows = emrPoll(pollChanges);
    rows.addAll(readerRows(pollWorklist().map(actionRow)));
    return rows;
}

function actionRow(action) { return { json: JSON.stringify(action) }; }

// No EMR knows the orders of the lab's own proof.
function pollChanges() {
    var open = dbTx('filler', function (c) {
            return dbQuery(c, 'SELECT * FROM order_state WHERE placer IN ' +
                "(SELECT placer FROM order_state WHERE control <> 'CA' AND images_at IS NULL AND pid <> ?) ORDER BY placer, code, occ", [$cfg('verify_patient')]);
        }), plan = reconcile(open, readEmrOrders(open));
    dbTx('filler', function (c) { limitCancels(c, plan, Number($cfg('cancel_limit'))); });
    return plan.actions.map(actionRow);
}

// Orders whose patient never came leave the worklist: nothing has happened to them for mirth_worklist_days, and their start is as long ago. A
// start in the past is no reason alone, for somebody may just have typed it.
function pollWorklist() {
    var days = Number($cfg('worklist_days') || 0);
    if (days === 0) return [];
    return dbTx('filler', function (c) {
        return dbQuery(c, "SELECT *, content::json->>'start' AS start FROM order_state WHERE control <> 'CA' AND images_at IS NULL " +
            'AND updated < now() - make_interval(days => ?::int) ' +
            "AND content::json->>'start' < to_char(now() AT TIME ZONE ? - make_interval(days => ?::int), 'YYYYMMDDHH24MISS') " +
            "ORDER BY content::json->>'start', accession LIMIT ?::int", [days, $cfg('time_zone'), days, LEAVING_ROWS]);
    }).map(function (row) {
        var why = 'planned for ' + row.start.replace(/^(....)(..)(..).*/, '$1-$2-$3') + ', and nobody came for ' + days + ' days', action = actionOf(row, 'CA', {}, why);
        action.expired = why;
        action.seen = row.seen;
        return action;
    });
}

// {orders: {number: row}, lines: {number: [rows]}, deleted: {number: what}} of the EMR. Numbers go in as parameters of 500 at a time.
function readEmrOrders(open) {
    var emr = { orders: {}, lines: {}, deleted: {} }, placers = Object.keys(byPlacer(open)), i;
    dbTx('emr', function (c) {
        for (i = 0; i < placers.length; i += 500) readEmrPart(c, emr, placers.slice(i, i + 500));
    });
    // After the rows: the poll of the log, which notes them, may be late but is never early.
    emr.deleted = dbTx('filler', function (c) { return seenOf(c, 'deleted', placers.filter(function (placer) { return !emr.orders[placer]; })); });
    return emr;
}

function readEmrPart(c, emr, placers) {
    var marks = dbMarks(placers.length);
    dbQuery(c, "SELECT o.procedure_order_id AS id, o.order_status AS status, o.activity, o.order_priority AS priority, DATE_FORMAT(o.date_collected, '%Y%m%d%H%i%s') AS start, " +
        "(SELECT coalesce(max(f.deleted), 0) FROM forms f WHERE f.formdir = 'procedure_order' AND f.form_id = o.procedure_order_id) AS deleted " +
        'FROM procedure_order o WHERE o.procedure_order_id IN (' + marks + ')', placers).forEach(function (row) {
        emr.orders[row.id] = row;
        emr.lines[row.id] = [];
    });
    dbQuery(c, 'SELECT procedure_order_id AS id, procedure_code AS code, procedure_name AS name, do_not_send AS omitted FROM procedure_order_code ' +
        'WHERE procedure_order_id IN (' + marks + ') ORDER BY procedure_order_id, procedure_order_seq', placers).forEach(function (row) {
        if (emr.lines[row.id]) emr.lines[row.id].push(row);
    });
}

function byPlacer(rows) {
    var out = {};
    rows.forEach(function (row) { (out[row.placer] = out[row.placer] || []).push(row); });
    return out;
}

// What was cancelled or has its images is over: it counts as a procedure of its order, but nothing is told of it.
function isOpen(row) { return row.control !== 'CA' && row.images_at === null; }

// What is to be done: {actions: [{placer, code, occ, control, change, why}], notices: {number: text}}.
function reconcile(open, emr) {
    var plan = { actions: [], notices: {} }, orders = byPlacer(open);
    Object.keys(orders).forEach(function (placer) { reconcileOrder(plan, orders[placer], emr.orders[placer], emr.lines[placer], emr.deleted[placer]); });
    return plan;
}

function reconcileOrder(plan, rows, order, lines, deleted) {
    var why = '';
    if (!order && !deleted) {
        plan.notices[rows[0].placer] = 'order ' + rows[0].placer + ' is no longer in the EMR, and its log does not say that it was deleted: nothing was cancelled';
        return;
    }
    if (!order) why = 'deleted in the EMR';
    else if (order.status === 'canceled') why = 'cancelled in the EMR';
    else if (order.activity === '0' || order.deleted === '1') why = 'deleted from the encounter in the EMR';
    if (why) rows.filter(isOpen).forEach(function (row) { plan.actions.push(actionOf(row, 'CA', {}, why)); });
    else reconcileLines(plan, rows, order, lines);
}

// Procedures are told apart by code and, within a code, by their place. One that the EMR marks as not to be sent is cancelled; one that
// is missing, or that never arrived, is a matter for a person.
function reconcileLines(plan, rows, order, lines) {
    var wrong = [], codes = {};
    rows.concat(lines).forEach(function (x) { codes[x.code] = true; });
    Object.keys(codes).forEach(function (code) {
        var mine = rows.filter(function (row) { return row.code === code; }),
            wanted = lines.filter(function (line) { return line.code === code && line.omitted !== '1'; }),
            omitted = lines.filter(function (line) { return line.code === code && line.omitted === '1'; }).length;
        mine.forEach(function (row, i) {
            if (!isOpen(row)) return;
            if (i < wanted.length) changesOf(plan, row, order, wanted[i], wrong);
            else if (i < wanted.length + omitted) plan.actions.push(actionOf(row, 'CA', {}, 'marked in the EMR as not to be sent'));
            else wrong.push('procedure ' + code + ' is no longer in the order');
        });
        if (wanted.length > mine.length) wrong.push('procedure ' + code + ' never arrived or was added later: transmit the order again');
    });
    if (wrong.length) plan.notices[rows[0].placer] = 'order ' + rows[0].placer + ' differs from the EMR: ' + wrong.join('; ');
}

// Time, priority and name. A changed reason comes when the order is transmitted again. What cannot be carried is a matter for a person,
// and keeps no other order waiting.
function changesOf(plan, row, order, line, wrong) {
    var content = JSON.parse(row.content), change = {}, notes = [], priority = /^h/i.test(order.priority || '') ? 'S' : 'R', name, start;
    try {
        name = dicomText(plainPlane(line.name || '', notes), 64, 'the procedure name', notes);
        start = localTime(order.start || '', 'date_collected');
    } catch (e) {
        wrong.push('procedure ' + row.code + ': ' + reasonOf(e));
        return;
    }
    if (start !== '' && start !== content.start) {
        change.start = start;
        change.timed = true;
    }
    if (priority !== content.priority) change.priority = priority;
    if (name !== '' && name !== content.name) change.name = name;
    if (Object.keys(change).length) plan.actions.push(actionOf(row, 'XO', change, 'changed in the EMR: ' + Object.keys(change).join(', ')));
}

// More cancellations in one poll than the limit look like an accident (a wrong database, a clean-up): none is made until a person has
// looked. Raising the limit lets them through.
function limitCancels(c, plan, limit) {
    var cancelled = Object.keys(byPlacer(plan.actions.filter(function (action) { return action.control === 'CA'; })));
    if (cancelled.length > limit) {
        plan.actions = plan.actions.filter(function (action) { return action.control !== 'CA'; });
        notice(c, 'cancellations stopped', 'reconciliation', cancelled.length + ' orders would be cancelled at once, more than the limit of ' + limit +
            ', so none was: ' + cancelled.slice(0, 20).join(', ') + (cancelled.length > 20 ? ' …' : ''));
    } else noticeOver(c, 'cancellations stopped', 'reconciliation');
    dbQuery(c, "SELECT ref FROM notice WHERE kind = 'not as in the EMR'").forEach(function (row) {
        if (!plan.notices[row.ref]) noticeOver(c, 'not as in the EMR', row.ref);
    });
    Object.keys(plan.notices).forEach(function (placer) { notice(c, 'not as in the EMR', placer, plan.notices[placer]); });
}

function actionOf(row, control, change, why) { return { placer: row.placer, code: row.code, occ: row.occ, control: control, change: change, why: why }; }
