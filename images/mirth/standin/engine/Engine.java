package engine;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;

/** The deployed channels, and what they share. */
public final class Engine {
    private static final Log LOG = new Log("engine");
    private static volatile Engine instance;

    public final Store store;
    public final Settings settings;
    public final Known known;
    public final ConcurrentMap<String, Object> globalMap = new ConcurrentHashMap<>();
    public final String serverId;
    public final Pruner pruner = new Pruner(this);
    private final Map<String, Channel> deployed = Collections.synchronizedMap(new LinkedHashMap<>());
    private volatile Map<String, String> configuration = Map.of();
    /** 0 OK, 2 engine starting, 3 initial deploy; 1 (unavailable) is found by asking the database. */
    private volatile int status = 2;

    public Engine(Store store, Settings settings, Known known) throws IOException {
        this.store = store;
        this.settings = settings;
        this.known = known;
        Path file = settings.appdata("server.id");
        if (!Files.exists(file)) Files.writeString(file, "server.id = " + UUID.randomUUID() + "\n");
        serverId = Files.readString(file).replaceAll("(?s).*server\\.id\\s*=\\s*(\\S+).*", "$1");
        instance = this;
    }

    public static Engine get() {
        return instance;
    }

    public Map<String, String> configuration() {
        return configuration;
    }

    public void readConfiguration() throws SQLException {
        Map<String, String> read = new TreeMap<>();
        for (Node entry : store.setting("configurationMap", "<map/>").children) read.put(entry.text("string"), entry.children.get(1).text("value", ""));
        configuration = Collections.unmodifiableMap(read);
    }

    /** Deploys every channel. What cannot be deployed is logged, the server starts anyway. */
    public void start() throws SQLException {
        readConfiguration();
        status = 3;
        if (settings.get("server.startupdeploy", "true").equals("true")) {
            for (Exception error : deploy(channelIds())) LOG.error("A channel could not be deployed", error);
        }
        pruner.start();
        status = 0;
    }

    public void stop() {
        for (Channel channel : channels()) channel.stop();
    }

    public int status() {
        if (status == 2) return status;
        try {
            store.tx(c -> Store.query(c, "SELECT 1 FROM standin.channel LIMIT 1"));
            return status;
        } catch (SQLException error) {
            return 1;
        }
    }

    public boolean isStarting() {
        return status == 2;
    }

    public List<Channel> channels() {
        synchronized (deployed) {
            return List.copyOf(deployed.values());
        }
    }

    public Channel deployed(String id) {
        return deployed.get(id);
    }

    public Channel byName(String name) {
        return channels().stream().filter(channel -> channel.name.equals(name)).findFirst().orElse(null);
    }

    public List<String> channelIds() throws SQLException {
        return store.tx(c -> Store.query(c, "SELECT id FROM standin.channel ORDER BY name").stream().map(row -> (String) row.get("id")).toList());
    }

    /** Deploys, again where it is deployed, each channel after those that it depends on; returns the errors. Unknown, disabled and invalid ones are passed over. */
    public synchronized List<Exception> deploy(Collection<String> ids) throws SQLException {
        List<Exception> errors = new ArrayList<>();
        for (String id : inOrder(ids)) {
            undeploy(id);
            try {
                Channel channel = load(id);
                if (channel == null) continue;
                channel.deploy();
                deployed.put(id, channel);
                channel.start();
            } catch (Exception error) {
                LOG.error("Channel " + id + " was not deployed", error);
                errors.add(error);
            }
        }
        return errors;
    }

    private Channel load(String id) throws SQLException {
        return store.tx(c -> {
            List<Map<String, Object>> found = Store.query(c, "SELECT ch.revision, ch.body, coalesce(m.body, '') AS metadata FROM standin.channel ch"
                + " LEFT JOIN standin.metadata m ON m.channel = ch.id WHERE ch.id = ? AND ch.valid", id);
            if (found.isEmpty()) return null;
            String metadata = (String) found.get(0).get("metadata");
            if (!metadata.isEmpty() && !Node.stored(metadata).flag("enabled")) return null;
            return new Channel(this, Node.stored((String) found.get(0).get("body")), (Integer) found.get(0).get("revision"), templateRevisions(id));
        });
    }

    private List<String> inOrder(Collection<String> ids) throws SQLException {
        Map<String, List<String>> needs = new HashMap<>();
        for (Node pair : store.setting("channelDependencies", "<set/>").children) {
            needs.computeIfAbsent(pair.text("dependentId"), key -> new ArrayList<>()).add(pair.text("dependencyId"));
        }
        Set<String> order = new LinkedHashSet<>();
        for (String id : ids) place(id, needs, order, new LinkedHashSet<>());
        order.retainAll(new LinkedHashSet<>(ids));
        return List.copyOf(order);
    }

    private static void place(String id, Map<String, List<String>> needs, Set<String> order, Set<String> path) {
        if (!path.add(id)) return;
        for (String other : needs.getOrDefault(id, List.of())) place(other, needs, order, path);
        order.add(id);
    }

    public synchronized void undeploy(String id) {
        Channel channel = deployed.remove(id);
        if (channel != null) channel.undeploy();
    }

    // --- code templates ---

    /** Libraries that a channel uses, with their templates. */
    private List<Node> templates(String channelId) throws SQLException {
        List<Node> found = new ArrayList<>();
        Map<String, Node> byId = new HashMap<>();
        for (Node template : store.setting("codeTemplates", "<list/>").children) byId.put(template.text("id"), template);
        for (Node library : store.setting("codeTemplateLibraries", "<list/>").children) {
            boolean named = Known.need(library, library.flag("includeNewChannels") ? "disabledChannelIds" : "enabledChannelIds").strings().contains(channelId);
            if (named == library.flag("includeNewChannels")) continue;
            for (Node member : Known.need(library, "codeTemplates").children) if (byId.containsKey(member.text("id"))) found.add(byId.get(member.text("id")));
        }
        return found;
    }

    /** The code that a script of a channel gets in front, by the context in which it runs. */
    public List<String> code(String channelId, String context) throws SQLException {
        return templates(channelId).stream()
            .filter(template -> Known.need(template, "contextSet/delegate").strings().contains(context) && !"DRAG_AND_DROP_CODE".equals(template.text("properties/type")))
            .map(template -> template.text("properties/code", "")).toList();
    }

    /** Revisions of the templates that a channel uses: when they differ from those at its deploy, codeTemplatesChanged is true (mirth-patterns.md §6.5). */
    public Map<String, String> templateRevisions(String channelId) throws SQLException {
        Map<String, String> revisions = new TreeMap<>();
        for (Node template : templates(channelId)) revisions.put(template.text("id"), template.text("revision", ""));
        return revisions;
    }
}
