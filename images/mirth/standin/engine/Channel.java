package engine;

import com.mirth.connect.server.userutil.Attachment;
import com.mirth.connect.server.userutil.RawMessage;
import com.mirth.connect.userutil.Response;
import com.mirth.connect.userutil.Status;
import engine.connectors.DatabaseReader;
import engine.connectors.FileReader;
import engine.connectors.JavaScriptReader;
import engine.connectors.TcpListener;
import java.nio.charset.StandardCharsets;
import java.sql.SQLException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;

/** One deployed channel: takes a message, stores it, runs the source and the destinations, answers (mirth.md §3). */
public final class Channel {
    private static final String BEFORE = "Auto-generate (Before processing)";
    private static final String TRANSFORMED = "Auto-generate (After source transformer)";
    private static final String COMPLETED = "Auto-generate (Destinations completed)";

    /** Where messages come from. */
    public interface Source {
        /** Throws what keeps it from starting: the channel is then STOPPED. */
        void start() throws Exception;

        void stop();
    }

    /** What came of a message. */
    public record Result(long messageId, Response response) {
    }

    public final Engine engine;
    public final Store store;
    public final String id;
    public final String name;
    public final Node model;
    public final int revision;
    public final Map<String, String> templateRevisions;
    public final Instant deployedAt = Instant.now();
    public final ConcurrentMap<String, Object> globalChannelMap = new ConcurrentHashMap<>();
    public final List<Destination> destinations = new ArrayList<>();
    public final Log log;
    private final Semaphore processing = new Semaphore(1, true);
    private final List<Attachments.Rule> attachmentRules = new ArrayList<>();
    private DataTypes types;
    private Script preprocessor;
    private Script postprocessor;
    private Source source;
    private volatile String state = "STOPPED";

    public Channel(Engine engine, Node model, int revision, Map<String, String> templateRevisions) {
        this.engine = engine;
        this.store = engine.store;
        this.model = model;
        this.revision = revision;
        this.templateRevisions = templateRevisions;
        id = model.text("id");
        name = model.text("name");
        log = new Log(name);
    }

    public String state() {
        return state;
    }

    public boolean isStarted() {
        return state.equals("STARTED");
    }

    public Node sourceModel() {
        return model.child("sourceConnector");
    }

    public List<String> code(String context) throws SQLException {
        return engine.code(id, context);
    }

    // --- life ---

    /** Reads the model, compiles its scripts, runs the deploy script. Throws what is wrong with it; an element that is not implemented is named. */
    public void deploy() throws Exception {
        Node properties = Known.need(model, "properties");
        Known.only(properties, "messageStorageMode", "DEVELOPMENT", "PRODUCTION");
        for (String flag : List.of("encryptData", "encryptAttachments", "encryptCustomMetaData", "removeContentOnCompletion", "removeOnlyFilteredOnCompletion",
            "removeAttachmentsOnCompletion")) Known.only(properties, flag, "false");
        Known.only(properties, "initialState", "STARTED");
        Known.only(model, "undeployScript", "return;");
        Node attachments = Known.need(properties, "attachmentProperties");
        Known.only(attachments, "type", "None", "Regex");
        if ("Regex".equals(attachments.text("type"))) {
            Known.only(properties, "storeAttachments", "true");
            Map<String, String> given = new HashMap<>();
            for (Node entry : attachments.child("properties").children) given.put(entry.children.get(0).text, entry.children.get(1).text);
            for (int i = 0; given.containsKey("regex.pattern" + i); i++) {
                attachmentRules.add(new Attachments.Rule(Pattern.compile(given.remove("regex.pattern" + i)), given.remove("regex.mimetype" + i)));
            }
            if (!given.isEmpty()) throw new Template.Unsupported("the attachment properties " + given.keySet() + " are not implemented");
        }
        Node sourceModel = Known.need(model, "sourceConnector");
        Node source = Known.need(sourceModel, "properties");
        Node common = Known.need(source, "sourceConnectorProperties");
        Known.need(common, "resourceIds");
        Known.only(common, "respondAfterProcessing", "true");
        if (!common.flag("respondAfterProcessing")) throw new Template.Unsupported("respondAfterProcessing=false (the source queue) is not implemented");
        Known.only(common, "processBatch", "false");
        Known.only(common, "processingThreads", "1");
        this.source = source(source);
        types = new DataTypes("source", sourceModel, code("SOURCE_FILTER_TRANSFORMER"));
        String before = model.text("preprocessingScript", "return message;");
        if (!before.strip().equals("return message;")) preprocessor = Script.of("preprocessor", code("CHANNEL_PREPROCESSOR"), before);
        String after = model.text("postprocessingScript", "return;");
        if (!after.strip().equals("return;")) postprocessor = Script.of("postprocessor", code("CHANNEL_POSTPROCESSOR"), after);
        for (Node connector : Known.need(model, "destinationConnectors").children) {
            if (connector.flag("enabled") && connector.child("metaDataId") != null) destinations.add(new Destination(this, connector));
        }
        String script = model.text("deployScript", "");
        if (!script.isBlank() && !script.strip().equals("return;")) Script.of("deploy", code("CHANNEL_DEPLOY"), script).run(Script.scope(this));
    }

    private Source source(Node properties) throws Exception {
        String kind = properties.attributes.getOrDefault("class", "");
        return switch (kind.replaceAll(".*\\.", "")) {
            case "TcpReceiverProperties" -> new TcpListener(this, properties);
            case "FileReceiverProperties" -> new FileReader(this, properties);
            case "DatabaseReceiverProperties" -> new DatabaseReader(this, properties);
            case "JavaScriptReceiverProperties" -> new JavaScriptReader(this, properties);
            case "VmReceiverProperties" -> new Source() {
                @Override
                public void start() {
                }

                @Override
                public void stop() {
                }
            };
            default -> throw new Template.Unsupported("the source " + kind + " is not implemented");
        };
    }

    /** Starts the destinations, finishes what was received before a crash, starts the source. Throws what keeps the source from starting. */
    public synchronized void start() throws Exception {
        if (isStarted()) return;
        state = "STARTING";
        try {
            for (Destination destination : destinations) destination.start();
            recover();
            state = "STARTED";
            source.start();
        } catch (Exception error) {
            stop();
            throw error;
        }
    }

    public synchronized void stop() {
        if (state.equals("STOPPED")) return;
        state = "STOPPING";
        source.stop();
        try {
            // What is being processed is finished first: after a redeploy it would else be recovered and run a second time.
            if (processing.tryAcquire(10, TimeUnit.SECONDS)) processing.release();
            else log.error("A message is still being processed; the channel is stopped all the same");
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
        }
        for (Destination destination : destinations) destination.stop();
        state = "STOPPED";
    }

    public void undeploy() {
        stop();
    }

    private void recover() throws Exception {
        for (long messageId : store.unfinished(id)) {
            ConnectorMessage received = store.tx(c -> store.load(c, id, messageId)).get(0);
            received.channelName = name;
            log.info("Recovering message " + messageId);
            process(received, null);
        }
    }

    // --- messages ---

    /** Takes a message of a router or Channel Writer; returns the answer that responseVariable names. */
    public Response receive(RawMessage raw) throws Exception {
        return dispatch(raw).response();
    }

    /** Stores a message and processes it. When this returns it is stored, and committed whole where there is an answer: when the connection breaks in
     * between there is none, as on the product. Throws SQLException when it could not be stored, IllegalStateException when stopped. */
    public Result dispatch(RawMessage raw) throws SQLException, InterruptedException {
        return dispatch(raw, 0);
    }

    /** Runs a stored message again with its attachments put back, under its own number or a new one; its source map says so (Mirth 4.5.2, seen in its source). */
    public void reprocess(long messageId, boolean replace) throws SQLException, InterruptedException {
        ConnectorMessage old = store.tx(c -> store.load(c, id, messageId)).get(0);
        Map<String, Object> sourceMap = new HashMap<>(old.sourceMap);
        sourceMap.put("reprocessed", true);
        sourceMap.put("replaced", replace);
        byte[] whole = Attachments.join(old.raw, id, messageId, StandardCharsets.UTF_8, true);
        dispatch(new RawMessage(new String(whole, StandardCharsets.UTF_8), null, sourceMap), replace ? messageId : 0);
    }

    private Result dispatch(RawMessage raw, long replaced) throws SQLException, InterruptedException {
        processing.acquire();
        try {
            if (state.equals("STOPPED")) throw new IllegalStateException("channel " + name + " is stopped");
            ConnectorMessage message = new ConnectorMessage(id, name, 0, "Source");
            message.sourceMap.putAll(raw.getSourceMap());
            List<Attachment> taken = new ArrayList<>();
            message.raw = Attachments.split(raw.getRawData(), attachmentRules, taken);
            // No queue may hold what is replaced.
            List<Destination> held = replaced > 0 ? destinations : List.of();
            try {
                for (Destination destination : held) destination.turn.lockInterruptibly();
                durably(() -> store.tx(c -> {
                    store.receive(c, message, replaced);
                    for (Attachment attachment : taken) Store.attach(c, id, message.messageId, attachment);
                    return null;
                }));
            } finally {
                for (Destination destination : held) if (destination.turn.isHeldByCurrentThread()) destination.turn.unlock();
            }
            taken.clear();
            return process(message, raw.getDestinationMetaDataIds());
        } finally {
            processing.release();
        }
    }

    private Result process(ConnectorMessage message, Collection<Number> only) throws InterruptedException, SQLException {
        for (Destination destination : destinations) message.destinations.put(destination.name, destination.metaDataId);
        Map<String, Integer> all = new LinkedHashMap<>(message.destinations);
        try {
            if (preprocessor != null) {
                Map<String, Object> scope = Script.scope(this, message);
                scope.put("message", message.raw);
                Object processed = preprocessor.run(scope);
                if (processed != null) message.processedRaw = String.valueOf(processed);
            }
            message.status = types.apply(this, message) ? Status.TRANSFORMED : Status.FILTERED;
        } catch (RuntimeException | StackOverflowError error) {
            failed(message, "Error evaluating source filter/transformer", error);
        }
        List<ConnectorMessage> whole = new ArrayList<>(List.of(message));
        if (message.status == Status.TRANSFORMED) {
            Map<String, Object> channelMap = message.channelMap;
            for (Destination destination : destinations) {
                boolean wanted = only == null || only.stream().anyMatch(number -> number.intValue() == destination.metaDataId);
                if (!message.destinations.containsKey(destination.name) || !wanted) continue;
                ConnectorMessage each = new ConnectorMessage(id, name, destination.metaDataId, destination.name);
                each.messageId = message.messageId;
                each.raw = message.encoded;
                each.sourceMap.putAll(message.sourceMap);
                each.channelMap.putAll(channelMap);
                each.responseMap.putAll(message.responseMap);
                each.destinations = all;
                destination.accept(each);
                channelMap = each.channelMap;
                message.responseMap.putAll(each.responseMap);
                whole.add(each);
            }
        }
        Response answer = answer(message, whole);
        if (answer != null) message.response = Api.response(answer).xml();
        for (ConnectorMessage each : whole) asStored(each);
        try {
            durably(() -> store.tx(c -> {
                for (ConnectorMessage each : whole) Store.save(c, each);
                Store.processed(c, id, message.messageId);
                return null;
            }));
        } catch (SQLException error) {
            log.error("Message " + message.messageId + " stays as it was received until the channel starts again", error);
            return new Result(message.messageId, null);
        }
        for (Destination destination : destinations) destination.wake();
        if (postprocessor != null) postprocess(message, whole);
        return new Result(message.messageId, answer);
    }

    /** Once all of a message is stored. Its value, an answer on the product for who asks for it (`Postprocessor`), is not taken. */
    private void postprocess(ConnectorMessage message, List<ConnectorMessage> whole) {
        Map<String, Object> scope = Script.scope(this);
        scope.put("sourceMap", Map.copyOf(message.sourceMap));
        Map<String, Object> merged = new HashMap<>();
        for (ConnectorMessage each : whole) merged.putAll(each.channelMap);
        scope.put("channelMap", merged);
        try {
            postprocessor.run(scope);
        } catch (RuntimeException | StackOverflowError error) {
            message.error = "Error running postprocessor scripts: " + Log.reason(error);
            log.error("Message " + message.messageId + ": " + message.error);
        }
    }

    /** In the mode PRODUCTION what can be made again is not kept. */
    public void asStored(ConnectorMessage message) {
        if (!"PRODUCTION".equals(model.text("properties/messageStorageMode"))) return;
        message.processedRaw = null;
        message.transformed = null;
    }

    public void failed(ConnectorMessage message, String what, Throwable error) {
        message.status = Status.ERROR;
        message.error = what + ": " + Log.reason(error);
        log.error("Message " + message.messageId + ", " + message.name + ": " + message.error);
    }

    private Response answer(ConnectorMessage message, List<ConnectorMessage> whole) {
        String variable = sourceModel().text("properties/sourceConnectorProperties/responseVariable", "None");
        Status status = switch (variable) {
            case BEFORE -> Status.RECEIVED;
            case TRANSFORMED -> message.status;
            case COMPLETED -> completed(message, whole);
            default -> null;
        };
        if (status == null) {
            Object named = message.responseMap.get(variable);
            return named == null || named instanceof Response ? (Response) named : new Response(Status.SENT, named.toString());
        }
        if (types.inbound().equals("HL7V2")) return Hl7.acknowledge(status, message.raw, sourceModel().at("transformer/inboundProperties"));
        return new Response(status, null);
    }

    /** The gravest state of the destinations; ERROR when one did not run. */
    private Status completed(ConnectorMessage message, List<ConnectorMessage> whole) {
        List<Status> gravity = List.of(Status.FILTERED, Status.QUEUED, Status.SENT, Status.PENDING, Status.ERROR);
        if (message.status != Status.TRANSFORMED || whole.size() - 1 < message.destinations.size()) return message.status == Status.FILTERED ? Status.FILTERED : Status.ERROR;
        return whole.stream().skip(1).map(each -> each.status).max((a, b) -> gravity.indexOf(a) - gravity.indexOf(b)).orElse(Status.SENT);
    }

    /** Work that waits for a connection to the database. */
    public interface Durable {
        void run() throws SQLException;
    }

    /** Does it, again each second while no connection can be had. Throws SQLException for every other error, that of a connection which breaks among
     * them; InterruptedException when the channel stops. */
    public void durably(Durable work) throws SQLException, InterruptedException {
        while (true) {
            try {
                work.run();
                return;
            } catch (Store.Away error) {
                log.error("Waiting for the database", error);
                Thread.sleep(1000);
            }
        }
    }
}
