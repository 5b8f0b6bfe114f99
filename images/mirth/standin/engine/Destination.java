package engine;

import com.mirth.connect.userutil.Response;
import com.mirth.connect.userutil.Status;
import engine.connectors.ChannelWriter;
import engine.connectors.JavaScriptWriter;
import engine.connectors.TcpSender;
import java.sql.SQLException;
import java.util.List;
import java.util.Map;
import java.util.concurrent.locks.ReentrantLock;

/** One destination: filter and transformer, sending, the answer, and the queue with its thread (mirth.md §3.4, mirth-patterns.md §11.3). */
public final class Destination {
    /** Sends. `prepare` gives the properties with their `${…}` replaced, which a queued message keeps. */
    public interface Connector {
        Node prepare(ConnectorMessage message);

        Response send(Node properties, ConnectorMessage message) throws InterruptedException;

        default void stop() {
        }
    }

    public final Channel channel;
    public final int metaDataId;
    public final String name;
    public final Node properties;
    public final boolean queueEnabled;
    private final boolean sendFirst;
    private final boolean regenerate;
    private final boolean transformInQueue;
    private final boolean validate;
    private final int retryCount;
    private final int retryInterval;
    private final DataTypes types;
    private final Node answerTypes;
    private final Script answerScript;
    private final Connector connector;
    private final Object queued = new Object();
    /** Held while the queue works on a message. */
    public final ReentrantLock turn = new ReentrantLock();
    private boolean maybeMore = true;
    private long attemptedFirst = -1;
    private volatile boolean running;
    private Thread thread;

    /** Throws what is wrong with the connector, as Channel.deploy. */
    public Destination(Channel channel, Node model) throws SQLException {
        this.channel = channel;
        name = model.text("name", "");
        metaDataId = model.number("metaDataId");
        properties = Known.need(model, "properties");
        Node common = Known.need(properties, "destinationConnectorProperties");
        queueEnabled = common.flag("queueEnabled");
        sendFirst = common.flag("sendFirst");
        regenerate = common.flag("regenerateTemplate");
        transformInQueue = queueEnabled && regenerate && common.flag("includeFilterTransformer");
        validate = common.flag("validateResponse");
        retryCount = common.number("retryCount");
        retryInterval = common.number("retryIntervalMillis");
        Known.only(common, "rotate", "false");
        Known.only(common, "threadCount", "1");
        if (!model.flag("waitForPrevious")) throw new Template.Unsupported(name + ": waitForPrevious=false is not implemented");
        types = new DataTypes(name, model, channel.code("DESTINATION_FILTER_TRANSFORMER"));
        answerTypes = Known.need(model, "responseTransformer");
        String answerType = DataTypes.check(name + " response", answerTypes);
        List<Node> steps = DataTypes.enabled(name + " response", answerTypes);
        if (!answerType.equals(answerTypes.text("outboundDataType"))) throw new Template.Unsupported(name + " response: two different data types are not implemented");
        if (!steps.isEmpty() && !answerType.equals("RAW")) throw new Template.Unsupported(name + " response: steps with data type " + answerType + " are not implemented");
        answerScript = steps.isEmpty() ? null : Script.responseTransformer(name + " response transformer", channel.code("DESTINATION_RESPONSE_TRANSFORMER"), steps);
        String kind = properties.attributes.getOrDefault("class", "");
        connector = switch (kind.replaceAll(".*\\.", "")) {
            case "TcpDispatcherProperties" -> new TcpSender(this);
            case "JavaScriptDispatcherProperties" -> new JavaScriptWriter(this, channel.code("DESTINATION_DISPATCHER"));
            case "VmDispatcherProperties" -> new ChannelWriter(this);
            default -> throw new Template.Unsupported(name + ": the destination " + kind + " is not implemented");
        };
    }

    public boolean reattaches() {
        return properties.flag("destinationConnectorProperties/reattachAttachments");
    }

    // --- a new message ---

    /** Runs a message of the source up to its state: sent at once, or QUEUED. The channel stores it. */
    public void accept(ConnectorMessage m) throws InterruptedException, SQLException {
        boolean now = !queueEnabled || sendFirst && channel.store.head(channel.id, metaDataId) == null;
        if (now || !transformInQueue) {
            if (!transform(m)) return;
            m.sent = connector.prepare(m).xml();
        }
        if (!now) {
            m.status = Status.QUEUED;
            m.responseMap.put("d" + metaDataId, new Response(Status.QUEUED, "", "Message queued successfully"));
            return;
        }
        for (int tries = 0; ; tries++) {
            if (tries > 0) Thread.sleep(retryInterval);
            Response response = attempt(m);
            if (tries >= retryCount || response.getStatus() != Status.ERROR && response.getStatus() != Status.QUEUED) {
                finish(m, response);
                break;
            }
        }
        if (m.status == Status.QUEUED) attemptedFirst = m.messageId;
    }

    /** Returns false when the message ends here: filtered, or in error. */
    private boolean transform(ConnectorMessage m) {
        try {
            if (types.apply(channel, m)) return true;
            m.status = Status.FILTERED;
            m.responseMap.put("d" + metaDataId, new Response(Status.FILTERED, "", "Message has been filtered"));
        } catch (RuntimeException | StackOverflowError error) {
            channel.failed(m, "Error evaluating filter/transformer", error);
            m.responseMap.put("d" + metaDataId, new Response(Status.ERROR, "", "Error converting message or evaluating filter/transformer"));
        }
        return false;
    }

    private Response attempt(ConnectorMessage m) throws InterruptedException {
        Response response = connector.send(Node.stored(m.sent), m);
        m.attempts++;
        if (validate && response.getStatus() == Status.SENT && "HL7V2".equals(answerTypes.text("inboundDataType"))) {
            Hl7.validate(response, m, answerTypes.child("inboundProperties"));
        }
        settle(response);
        return response;
    }

    /** A state that a destination cannot end in is ERROR; QUEUED is, where there is no queue. */
    private void settle(Response response) {
        if (response.getStatus() == Status.QUEUED && !queueEnabled) response.setStatus(Status.ERROR);
        if (response.getStatus() == null || !List.of(Status.FILTERED, Status.ERROR, Status.SENT, Status.QUEUED).contains(response.getStatus())) response.setStatus(Status.ERROR);
    }

    private void finish(ConnectorMessage m, Response response) {
        m.response = Api.response(response).xml();
        if (answerScript != null) {
            try {
                Map<String, Object> scope = Script.withResponse(Script.scope(channel, m), response);
                answerScript.run(scope, "msg", "responseStatus", "responseStatusMessage", "responseErrorMessage");
                response.setStatus((Status) scope.get("responseStatus"));
                response.setStatusMessage(text(scope.get("responseStatusMessage")));
                response.setError(text(scope.get("responseErrorMessage")));
                response.setMessage(text(scope.get("msg")));
                settle(response);
            } catch (RuntimeException | StackOverflowError error) {
                channel.log.error("Message " + m.messageId + ", " + name + ": error evaluating response transformer", error);
                response.setStatus(Status.ERROR);
                response.setError("Error evaluating response transformer: " + Log.reason(error));
            }
        }
        m.status = response.getStatus();
        m.error = response.getError() == null || response.getError().isBlank() ? null : response.getError();
        if (m.status == Status.ERROR) channel.log.error("Message " + m.messageId + ", " + name + ": " + response.getStatusMessage() + (m.error == null ? "" : ", " + m.error));
        m.responseMap.put("d" + metaDataId, response);
    }

    private static String text(Object value) {
        return value == null ? null : String.valueOf(value);
    }

    // --- the queue ---

    public void start() {
        running = true;
        if (!queueEnabled) return;
        thread = new Thread(this::work, "queue of " + channel.name + ", " + name);
        thread.setDaemon(true);
        thread.start();
    }

    /** Stops sending. What is being sent is finished, or cut off after ten seconds and sent again later. */
    public void stop() {
        running = false;
        wake();
        if (thread != null && thread != Thread.currentThread()) {
            try {
                thread.join(10000);
                if (thread.isAlive()) thread.interrupt();
            } catch (InterruptedException interrupted) {
                Thread.currentThread().interrupt();
            }
        }
        connector.stop();
    }

    public void wake() {
        synchronized (queued) {
            maybeMore = true;
            queued.notifyAll();
        }
    }

    private void pause(long millis) throws InterruptedException {
        long until = System.nanoTime() + millis * 1_000_000;
        synchronized (queued) {
            for (long left = millis; running && left > 0; left = (until - System.nanoTime()) / 1_000_000) queued.wait(left);
        }
    }

    private void work() {
        long last = -1;
        boolean waited = false;
        while (running) {
            try {
                synchronized (queued) {
                    while (running && !maybeMore) queued.wait();
                    maybeMore = false;
                }
                turn.lockInterruptibly();
                try {
                    ConnectorMessage m = running ? channel.store.head(channel.id, metaDataId) : null;
                    if (m == null) continue;
                    synchronized (queued) {
                        maybeMore = true;
                    }
                    waited = !waited && (m.messageId == last || m.messageId == attemptedFirst);
                    if (!waited) {
                        last = m.messageId;
                        attemptedFirst = -1;
                        again(m);
                    }
                } finally {
                    turn.unlock();
                }
                if (waited) pause(retryInterval);
            } catch (InterruptedException stopped) {
                return;
            } catch (SQLException | RuntimeException error) {
                channel.log.error(name + ": the queue waits a second", error);
                synchronized (queued) {
                    maybeMore = true;
                }
                try {
                    pause(1000);
                } catch (InterruptedException stopped) {
                    return;
                }
            }
        }
    }

    private void again(ConnectorMessage m) throws SQLException, InterruptedException {
        m.channelName = channel.name;
        for (Destination each : channel.destinations) m.destinations.put(each.name, each.metaDataId);
        m.error = null;
        if (!transformInQueue || transform(m)) {
            if (regenerate || m.sent == null) m.sent = connector.prepare(m).xml();
            m.status = Status.QUEUED;
            finish(m, attempt(m));
        }
        channel.asStored(m);
        channel.durably(() -> channel.store.tx(c -> {
            Store.save(c, m);
            return null;
        }));
    }
}
