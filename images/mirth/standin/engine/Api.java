package engine;

import static engine.Web.FORM;
import static engine.Web.JSON;
import static engine.Web.MULTIPART;
import static engine.Web.TEXT;
import static engine.Web.XML;

import com.mirth.connect.server.userutil.RawMessage;
import com.mirth.connect.userutil.Response;
import com.mirth.connect.userutil.Status;
import engine.Web.Reply;
import engine.Web.Request;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Timestamp;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import org.mozilla.javascript.RhinoException;

/** The REST interface: what deploying and checking need; every other path answers 501 (mirth.md §2, §8). */
public final class Api {
    private static final List<String> BOTH = List.of(XML, JSON);
    private static final List<String> JSON_TEXT = List.of(JSON, TEXT);
    private static final List<String> NO_BODY = List.of();
    private static final List<String> XML_BODY = List.of(XML, JSON);
    private static final Set<String> OWN = Set.of("revision", "lastModified", "exportData", "nextMetaDataId");
    private static final Set<String> COUNTED = Set.of("revision", "lastModified");
    private static final List<Status> COUNTERS = List.of(Status.RECEIVED, Status.FILTERED, Status.SENT, Status.ERROR);
    private static final String STATUS = "com.mirth.connect.donkey.model.message.Status";
    private static final String GLOBAL_SCRIPTS = "<map><entry><string>Undeploy</string><string>return;</string></entry><entry><string>Postprocessor</string><string>return;</string>"
        + "</entry><entry><string>Deploy</string><string>return;</string></entry><entry><string>Preprocessor</string><string>return message;</string></entry></map>";

    private final Engine engine;
    private final Store store;
    private final Users users;
    private final Web web;

    public Api(Engine engine, Users users, Web web) {
        this.engine = engine;
        this.store = engine.store;
        this.users = users;
        this.web = web;
        server();
        people();
        documents();
        channels();
        messages();
        extensions();
    }

    private void get(String path, Web.Handler handler) {
        web.route("GET", path, false, BOTH, NO_BODY, handler);
    }

    private void put(String path, Web.Handler handler) {
        web.route("PUT", path, false, BOTH, XML_BODY, handler);
    }

    private void post(String path, Web.Handler handler) {
        web.route("POST", path, false, BOTH, NO_BODY, handler);
    }

    private void delete(String path, Web.Handler handler) {
        web.route("DELETE", path, false, BOTH, NO_BODY, handler);
    }

    // --- shapes ---

    private static Node value(String name, Object value) {
        Node node = new Node(name);
        node.text = String.valueOf(value);
        return node;
    }

    private static Node list(String name, Collection<Node> nodes) {
        Node list = new Node(name);
        list.children.addAll(nodes);
        return list;
    }

    public static Node time(String name, long millis) {
        return new Node(name).add("time", millis).add("timezone", ZoneId.systemDefault().getId());
    }

    public static Node response(Response response) {
        Node node = new Node("response").add("status", response.getStatus());
        if (response.getMessage() != null) node.add("message", response.getMessage());
        if (response.getError() != null) node.add("error", response.getError());
        if (response.getStatusMessage() != null) node.add("statusMessage", response.getStatusMessage());
        return node;
    }

    // --- server, users ---

    private void server() {
        web.route("GET", "/server/version", true, List.of(TEXT), NO_BODY, r -> Settings.VERSION);
        web.route("GET", "/server/status", true, BOTH, NO_BODY, r -> value("int", engine.status()));
        web.route("GET", "/server/id", false, List.of(TEXT), NO_BODY, r -> engine.serverId);
        get("/system/stats", r -> {
            Runtime runtime = Runtime.getRuntime();
            java.io.File disk = new java.io.File("/");
            return new Node("com.mirth.connect.model.SystemStats").add(time("timestamp", System.currentTimeMillis())).add("cpuUsagePct", "0.0")
                .add("allocatedMemoryBytes", runtime.totalMemory()).add("freeMemoryBytes", runtime.freeMemory()).add("maxMemoryBytes", runtime.maxMemory())
                .add("diskFreeBytes", disk.getFreeSpace()).add("diskTotalBytes", disk.getTotalSpace());
        });
    }

    private void people() {
        web.route("POST", "/users/_login", true, BOTH, List.of(FORM), this::login);
        post("/users/_logout", r -> {
            users.end(r.session);
            return null;
        });
        get("/users", r -> list("list", users.all()));
        get("/users/current", r -> users.find(String.valueOf(r.user)));
        get("/users/{user}", r -> {
            Node found = users.find(r.part("user"));
            return found == null ? new Reply(404, "") : found;
        });
        post("/users", r -> {
            Node user = r.xml();
            if (user.text("username", "").isBlank()) return new Reply(400, "");
            users.add(user);
            return null;
        });
        put("/users/(?<user>\\d+)", r -> {
            users.change(number(r, "user"), r.xml());
            return null;
        });
        delete("/users/(?<user>\\d+)", r -> {
            if (number(r, "user") == r.user) throw new IllegalStateException("You cannot delete yourself.");
            users.delete(number(r, "user"));
            return null;
        });
        web.route("PUT", "/users/(?<user>\\d+)/password", false, BOTH, List.of(TEXT), r -> {
            List<String> lacking = r.text().isEmpty() ? List.of() : Users.lacks(engine.settings, r.text());
            if (!lacking.isEmpty()) return list("list", lacking.stream().map(each -> value("string", each)).toList());
            users.setPassword(number(r, "user"), r.text());
            return null;
        });
        web.route("POST", "/users/_checkPassword", false, BOTH, List.of(TEXT), r -> {
            List<String> lacking = Users.lacks(engine.settings, r.text());
            return lacking.isEmpty() ? null : list("list", lacking.stream().map(each -> value("string", each)).toList());
        });
        get("/users/(?<user>\\d+)/preferences", r -> users.preferences(number(r, "user")));
        put("/users/(?<user>\\d+)/preferences", r -> {
            for (Node property : r.xml().children) users.setPreference(number(r, "user"), property.attributes.get("name"), property.text);
            return null;
        });
        web.route("PUT", "/users/(?<user>\\d+)/preferences/{name}", false, BOTH, List.of(TEXT), r -> {
            users.setPreference(number(r, "user"), r.part("name"), r.text());
            return null;
        });
    }

    private static int number(Request r, String part) {
        return Integer.parseInt(r.part(part));
    }

    private Object login(Request r) throws Exception {
        Map<String, List<String>> form = r.form();
        String message = "Incorrect username or password.";
        Integer user = null;
        if (engine.isStarting()) {
            Thread.sleep(5000);
            message = "Server is still starting. Please try again shortly.";
        }
        if (!engine.isStarting()) user = users.check(form.getOrDefault("username", List.of("")).get(0), form.getOrDefault("password", List.of("")).get(0));
        Node answer = new Node("com.mirth.connect.model.LoginStatus").add("status", user == null ? "FAIL" : "SUCCESS").add("message", user == null ? message : "");
        if (user == null) return new Reply(401, answer);
        return new Reply(200, answer, Map.of("Set-Cookie", "JSESSIONID=" + users.open(user) + "; Path=/api; Secure"));
    }

    // --- whole documents: configuration map, scripts, settings, groups, code templates ---

    private void documents() {
        get("/server/configurationMap", r -> store.setting("configurationMap", "<map/>"));
        put("/server/configurationMap", r -> {
            Node map = r.xml();
            for (Node entry : map.children) {
                if (entry.children.size() != 2 || !entry.children.get(1).name.endsWith(".ConfigurationProperty")) throw new IllegalStateException("the map's values must be ConfigurationProperty");
            }
            store.put("configurationMap", map);
            engine.readConfiguration();
            return null;
        });
        get("/server/globalScripts", r -> store.setting("globalScripts", GLOBAL_SCRIPTS));
        put("/server/globalScripts", r -> {
            Node scripts = store.setting("globalScripts", GLOBAL_SCRIPTS);
            for (Node entry : r.xml().children) {
                String key = entry.children.get(0).text;
                String text = entry.children.get(1).text;
                if (!text.lines().filter(line -> !line.isBlank() && !line.strip().startsWith("//")).map(String::strip).toList().equals(List.of(key.equals("Preprocessor") ? "return message;" : "return;"))) {
                    return new Reply(501, "Stand-in: global scripts are not implemented, only their defaults\n");
                }
                scripts.children.removeIf(each -> each.children.get(0).text.equals(key));
                scripts.entry(key, text);
            }
            store.put("globalScripts", scripts);
            return null;
        });
        merged("/server/settings", "<serverSettings><clearGlobalMap>true</clearGlobalMap><queueBufferSize>1000</queueBufferSize></serverSettings>");
        merged("/server/updateSettings", "<updateSettings version=\"4.5.2\"><statsEnabled>true</statsEnabled></updateSettings>");
        for (String name : List.of("channelDependencies", "channelTags")) {
            get("/server/" + name, r -> store.setting(name, "<set/>"));
            put("/server/" + name, r -> {
                store.put(name, r.xml());
                return null;
            });
        }
        get("/server/channelMetadata", r -> store.tx(c -> {
            Node map = new Node("map");
            for (Map<String, Object> row : Store.query(c, "SELECT channel, body FROM standin.metadata ORDER BY channel")) {
                Node metadata = new Node("com.mirth.connect.model.ChannelMetadata");
                metadata.children.addAll(Node.stored((String) row.get("body")).children);
                map.add(new Node("entry").add("string", row.get("channel")).add(metadata));
            }
            return map;
        }));
        put("/server/channelMetadata", r -> store.tx(c -> {
            Store.update(c, "DELETE FROM standin.metadata");
            for (Node entry : r.xml().children) metadata(c, entry.text("string"), entry.children.get(1));
            return null;
        }));
        get("/channelgroups", r -> store.setting("channelGroups", "<list/>"));
        web.route("POST", "/channelgroups/_bulkUpdate", false, JSON_TEXT, List.of(MULTIPART), r -> {
            Node groups = r.parts().get("channelGroups");
            Node stored = counted(groups.children, store.setting("channelGroups", "<list/>"), group -> {
                Node members = Known.need(group, "channels");
                for (Node member : members.children) {
                    Node id = value("id", member.text("id"));
                    member.children.clear();
                    member.add(id).add("revision", 0);
                }
            });
            store.put("channelGroups", stored);
            return value("boolean", true);
        });
        codeTemplates();
    }

    private void merged(String path, String otherwise) {
        get(path, r -> store.setting(path, otherwise));
        put(path, r -> {
            Node settings = store.setting(path, otherwise);
            for (Node field : r.xml().children) {
                settings.remove(field.name);
                settings.add(field);
            }
            store.put(path, settings);
            return null;
        });
    }

    /** Gives a revision to each: that of the stored one where nothing changed, else one more; 1 to a new one. */
    private static Node counted(List<Node> given, Node stored, java.util.function.Consumer<Node> normal) {
        Node result = new Node("list");
        for (Node each : given) {
            normal.accept(each);
            Node before = stored.children.stream().filter(other -> other.text("id").equals(each.text("id"))).findFirst().orElse(null);
            if (before != null && before.comparable(COUNTED).equals(each.comparable(COUNTED))) {
                result.add(before);
                continue;
            }
            each.remove("lastModified");
            result.add(each.set("revision", String.valueOf(before == null ? 1 : before.number("revision") + 1)).add(time("lastModified", System.currentTimeMillis())));
        }
        return result;
    }

    private void codeTemplates() {
        get("/codeTemplates", r -> store.setting("codeTemplates", "<list/>"));
        get("/codeTemplateLibraries", r -> {
            Node libraries = store.setting("codeTemplateLibraries", "<list/>");
            Node templates = store.setting("codeTemplates", "<list/>");
            if (!r.flag("includeCodeTemplates")) return libraries;
            for (Node library : libraries.children) {
                library.child("codeTemplates").children.replaceAll(member -> templates.children.stream().filter(each -> each.text("id").equals(member.text("id"))).findFirst().orElse(member));
            }
            return libraries;
        });
        web.route("POST", "/codeTemplateLibraries/_bulkUpdate", false, BOTH, List.of(MULTIPART), this::bulkUpdate);
        web.route("PUT", "/codeTemplates/{id}", false, BOTH, XML_BODY, r -> {
            Node template = r.xml();
            Script.checkSyntax(template.text("name"), template.text("properties/code", ""));
            saveTemplates(List.of(template), Set.of());
            return value("boolean", true);
        });
        delete("/codeTemplates/{id}", r -> {
            saveTemplates(List.of(), Set.of(r.part("id")));
            return null;
        });
    }

    private Node saveTemplates(List<Node> changed, Set<String> removed) throws SQLException {
        Node stored = store.setting("codeTemplates", "<list/>");
        Node counted = counted(changed, stored, template -> { });
        for (Node template : counted.children) stored.children.removeIf(each -> each.text("id").equals(template.text("id")));
        stored.children.removeIf(each -> removed.contains(each.text("id")));
        stored.children.addAll(counted.children);
        store.put("codeTemplates", stored);
        return counted;
    }

    /** A template with a syntax error is refused inside the 200, and the old one stays (mirth-patterns.md §6.5). */
    private Object bulkUpdate(Request r) throws SQLException {
        Map<String, Node> parts = r.parts();
        Node libraries = counted(parts.getOrDefault("libraries", new Node("list")).children, store.setting("codeTemplateLibraries", "<list/>"), library -> {
            Node members = Known.need(library, "codeTemplates");
            members.children.replaceAll(member -> new Node("codeTemplate").attribute("version", Settings.VERSION).add("id", member.text("id")));
        });
        Node answers = new Node("codeTemplateResults");
        List<Node> good = new ArrayList<>();
        for (Node template : parts.getOrDefault("updatedCodeTemplates", new Node("list")).children) {
            try {
                Script.checkSyntax(template.text("name"), template.text("properties/code", ""));
                good.add(template);
            } catch (RhinoException error) {
                Node result = new Node("com.mirth.connect.model.CodeTemplateLibrarySaveResult_-CodeTemplateUpdateResult").add("success", false);
                answers.add(new Node("entry").add("string", template.text("id")).add(result.add(new Node("cause").attribute("class", error.getClass().getName())
                    .add("detailMessage", error.getMessage()))));
            }
        }
        for (Node template : saveTemplates(good, new HashSet<>(parts.getOrDefault("removedCodeTemplateIds", new Node("set")).strings())).children) {
            answers.add(new Node("entry").add("string", template.text("id")).add(updated("CodeTemplateUpdateResult", template)));
        }
        store.put("codeTemplateLibraries", libraries);
        Node results = new Node("libraryResults");
        for (Node library : libraries.children) results.add(new Node("entry").add("string", library.text("id")).add(updated("LibraryUpdateResult", library)));
        return new Node("com.mirth.connect.model.CodeTemplateLibrarySaveResult").add("overrideNeeded", false).add("librariesSuccess", true).add(results).add(answers);
    }

    private static Node updated(String kind, Node saved) {
        return new Node("com.mirth.connect.model.CodeTemplateLibrarySaveResult_-" + kind).add("success", true).add("newRevision", saved.text("revision"))
            .add(saved.child("lastModified").copy());
    }

    // --- channels ---

    private void channels() {
        get("/channels", r -> store.tx(c -> list("list", stored(c, null))));
        get("/channels/idsAndNames", r -> store.tx(c -> {
            Node map = new Node("map");
            for (Map<String, Object> row : Store.query(c, "SELECT id, name FROM standin.channel ORDER BY id")) map.entry((String) row.get("id"), row.get("name"));
            return map;
        }));
        get("/channels/portsInUse", r -> store.tx(c -> {
            Node ports = new Node("list");
            for (Node channel : stored(c, null)) {
                String port = channel.text("sourceConnector/properties/listenerConnectorProperties/port");
                if (port != null) ports.add(new Node("com.mirth.connect.donkey.model.channel.Ports").add("name", channel.text("name").toUpperCase()).add("id", channel.text("id")).add("port", port));
            }
            return ports;
        }));
        get("/channels/statuses", r -> {
            Node all = new Node("list");
            for (Channel channel : engine.channels()) if (asked(r, channel.id)) all.add(status(channel));
            if (r.flag("includeUndeployed")) for (Node channel : store.tx(c -> stored(c, null))) if (asked(r, channel.text("id"))) undeployed(channel, all);
            return all;
        });
        get("/channels/statistics", r -> {
            List<Node> all = new ArrayList<>();
            for (Channel channel : engine.channels()) if (asked(r, channel.id)) all.add(statistics(channel.id));
            return list("list", all);
        });
        for (String verb : List.of("deploy", "undeploy", "start", "stop")) {
            post("/channels/_" + verb, r -> act(verb, r, chosen(verb, r)));
            post("/channels/{id}/_" + verb, r -> act(verb, r, List.of(r.part("id"))));
        }
        post("/channels/_redeployAll", r -> {
            for (Channel channel : engine.channels()) engine.undeploy(channel.id);
            engine.globalMap.clear();
            return act("deploy", r, engine.channelIds());
        });
        get("/channels/{id}", r -> store.tx(c -> stored(c, r.part("id")).stream().findFirst().orElse(null)));
        web.route("POST", "/channels", false, JSON_TEXT, XML_BODY, r -> save(r.xml(), false));
        web.route("PUT", "/channels/{id}", false, JSON_TEXT, XML_BODY, r ->
            r.query.containsKey("startEdit") ? new Reply(501, "Stand-in: startEdit is not implemented\n") : save(r.xml(), r.flag("override")));
        delete("/channels/{id}", r -> {
            engine.undeploy(r.part("id"));
            return store.tx(c -> {
                for (String table : List.of("message", "metadata")) Store.update(c, "DELETE FROM standin." + table + " WHERE channel = ?", r.part("id"));
                Store.update(c, "DELETE FROM standin.channel WHERE id = ?", r.part("id"));
                Node groups = store.setting("channelGroups", "<list/>");
                for (Node group : groups.children) group.child("channels").children.removeIf(member -> member.text("id").equals(r.part("id")));
                Store.put(c, "channelGroups", groups);
                return null;
            });
        });
        post("/channels/{id}/enabled/(?<on>true|false)", r -> store.tx(c -> {
            Node metadata = Node.stored((String) Store.query(c, "SELECT body FROM standin.metadata WHERE channel = ?", r.part("id")).get(0).get("body"));
            metadata(c, r.part("id"), metadata.set("enabled", r.part("on")));
            return null;
        }));
        get("/channels/{id}/status", r -> {
            Channel channel = engine.deployed(r.part("id"));
            return channel == null ? new Reply(404, "") : status(channel);
        });
        get("/channels/{id}/statistics", r -> engine.deployed(r.part("id")) == null ? new Reply(404, "") : statistics(r.part("id")));
    }

    private static boolean asked(Request r, String id) {
        return !r.query.containsKey("channelId") || r.query.get("channelId").contains(id);
    }

    private List<String> chosen(String verb, Request r) throws SQLException {
        if (r.contentType.startsWith(FORM)) return r.form().getOrDefault("channelId", List.of());
        if (r.body.length > 0) return r.xml().strings();
        return verb.equals("deploy") ? engine.channelIds() : engine.channels().stream().map(channel -> channel.id).toList();
    }

    private Object act(String verb, Request r, List<String> ids) throws Exception {
        List<Exception> errors = new ArrayList<>();
        if (verb.equals("deploy")) {
            errors.addAll(engine.deploy(ids));
        } else {
            for (String id : ids) {
                Channel channel = engine.deployed(id);
                try {
                    if (verb.equals("undeploy")) engine.undeploy(id);
                    if (channel != null && verb.equals("start")) channel.start();
                    if (channel != null && verb.equals("stop")) channel.stop();
                } catch (Exception error) {
                    errors.add(error);
                }
            }
        }
        if (!errors.isEmpty() && r.flag("returnErrors")) throw errors.get(0);
        return null;
    }

    private static List<Node> stored(Connection c, String id) throws Exception {
        List<Node> found = new ArrayList<>();
        for (Map<String, Object> row : Store.query(c, "SELECT ch.id, revision, ch.body, coalesce(m.body, '<metadata><enabled>true</enabled></metadata>') AS metadata FROM standin.channel ch"
            + " LEFT JOIN standin.metadata m ON m.channel = ch.id WHERE length(ch.id) = 36 AND (?::text IS NULL OR ch.id = ?) ORDER BY ch.name", id, id)) {
            Node channel = Node.stored((String) row.get("body")).set("revision", String.valueOf(row.get("revision")));
            Known.need(channel, "sourceConnector");
            Node data = new Node("exportData").add(Node.stored((String) row.get("metadata")));
            for (String name : List.of("dependentIds", "dependencyIds", "channelTags")) data.add(name);
            found.add(channel.add(data));
        }
        return found;
    }

    /** Saves a channel, also one that could not be read: that becomes a stub (mirth.md §0.3, §4). False is a change without override. Throws where upstream answers 500. */
    private Node save(Node given, boolean override) throws SQLException {
        Known.need(given, "id");
        Known.need(given, "name");
        Known.need(given, "destinationConnectors");
        Node data = given.child("exportData");
        if (data != null && data.child("channelTags") != null && !data.child("channelTags").children.isEmpty()) throw new Template.Unsupported("tags in a channel's exportData are not implemented");
        String problem = engine.known.problem(given);
        if (problem != null) new Log("api").error("Channel " + given.text("name") + " is invalid: " + problem);
        Node channel = problem == null ? given.copy() : engine.known.stub(given);
        channel.remove("exportData");
        Node metadata = problem != null || data == null || data.child("metadata") == null ? new Node("metadata").add("enabled", problem == null) : data.child("metadata");
        String id = given.text("id");
        return store.tx(c -> {
            List<Map<String, Object>> before = Store.query(c, "SELECT body, revision FROM standin.channel WHERE id = ? FOR UPDATE", id);
            int revision = before.isEmpty() ? 0 : (Integer) before.get(0).get("revision");
            if (!before.isEmpty()) {
                Node old = Node.stored((String) before.get(0).get("body"));
                if (old.comparable(OWN).equals(channel.comparable(OWN))) {
                    metadata(c, id, metadata);
                    return value("boolean", true);
                }
                if (!override) return value("boolean", false);
                channel.set("nextMetaDataId", String.valueOf(Math.max(old.number("nextMetaDataId"), channel.number("nextMetaDataId"))));
            }
            metadata(c, id, metadata);
            channel.set("revision", String.valueOf(revision + 1));
            Store.update(c, "INSERT INTO standin.channel (id, name, revision, body, valid) VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET name = excluded.name,"
                + " revision = excluded.revision, body = excluded.body, valid = excluded.valid", id, channel.text("name"), revision + 1, channel.xml().replace("\r\n", "\n"),
                problem == null && id.length() == 36);
            return value("boolean", true);
        });
    }

    private static void metadata(Connection c, String id, Node body) throws SQLException {
        Node metadata = new Node("metadata");
        metadata.children.addAll(body.children);
        Store.update(c, "INSERT INTO standin.metadata VALUES (?, ?) ON CONFLICT (channel) DO UPDATE SET body = excluded.body", id, metadata.xml());
    }

    // --- what a checker asks ---

    private Map<Integer, Map<String, Long>> counts(String id) throws SQLException {
        return store.tx(c -> {
            Map<Integer, Map<String, Long>> counts = new LinkedHashMap<>();
            for (Map<String, Object> row : Store.query(c, "SELECT connector, status, count(*) AS n FROM standin.connector_message WHERE channel = ? GROUP BY connector, status", id)) {
                counts.computeIfAbsent((Integer) row.get("connector"), key -> new LinkedHashMap<>()).put((String) row.get("status"), (Long) row.get("n"));
            }
            return counts;
        });
    }

    private static long count(Map<Integer, Map<String, Long>> counts, Integer connector, Status status) {
        long sum = 0;
        for (Map.Entry<Integer, Map<String, Long>> each : counts.entrySet()) {
            if (connector != null && !connector.equals(each.getKey())) continue;
            if (status == Status.RECEIVED) sum += connector == null && each.getKey() != 0 ? 0 : each.getValue().values().stream().mapToLong(Long::longValue).sum();
            else sum += each.getValue().getOrDefault(status.name(), 0L);
        }
        return sum;
    }

    private static Node counters(Map<Integer, Map<String, Long>> counts, Integer connector) {
        Node map = new Node("statistics").attribute("class", "linked-hash-map");
        for (Status status : COUNTERS) map.add(new Node("entry").add(STATUS, status).add("long", count(counts, connector, status)));
        return map;
    }

    private Node statistics(String id) throws SQLException {
        Map<Integer, Map<String, Long>> counts = counts(id);
        Node node = new Node("channelStatistics").add("serverId", engine.serverId).add("channelId", id);
        for (Status status : List.of(Status.RECEIVED, Status.SENT, Status.ERROR, Status.FILTERED, Status.QUEUED)) node.add(status.name().toLowerCase(), count(counts, null, status));
        return node;
    }

    private Node status(Channel channel) throws SQLException {
        int current = store.tx(c -> (Integer) Store.query(c, "SELECT coalesce(max(revision), ?) AS n FROM standin.channel WHERE id = ?", channel.revision, channel.id).get(0).get("n"));
        Node head = new Node("dashboardStatus").add("channelId", channel.id).add("name", channel.name).add("state", channel.state())
            .add("deployedRevisionDelta", current - channel.revision).add(time("deployedDate", channel.deployedAt.toEpochMilli()));
        if (!engine.templateRevisions(channel.id).equals(channel.templateRevisions)) head.add("codeTemplatesChanged", true);
        return dashboard(head, channel.model);
    }

    /** A channel that is not deployed and could be: disabled ones are not shown. */
    private void undeployed(Node channel, Node into) throws SQLException {
        if (engine.deployed(channel.text("id")) != null || !channel.flag("exportData/metadata/enabled")) return;
        Node head = new Node("dashboardStatus").add("channelId", channel.text("id")).add("name", channel.text("name")).add("state", "UNDEPLOYED").add("deployedRevisionDelta", 0);
        into.add(dashboard(head, channel));
    }

    private Node dashboard(Node head, Node model) throws SQLException {
        Map<Integer, Map<String, Long>> counts = counts(model.text("id"));
        Node children = new Node("childStatuses");
        List<Node> connectors = new ArrayList<>(List.of(model.child("sourceConnector")));
        connectors.addAll(model.child("destinationConnectors").children);
        for (Node connector : connectors) {
            int number = connector.number("metaDataId");
            children.add(new Node("dashboardStatus").add("channelId", model.text("id")).add("name", number == 0 ? "Source" : connector.text("name"))
                .add("state", head.text("state")).add(counters(counts, number)).add("metaDataId", number)
                .add("queueEnabled", connector.flag("properties/destinationConnectorProperties/queueEnabled")).add("queued", count(counts, number, Status.QUEUED))
                .add("waitForPrevious", number > 0).add("statusType", number == 0 ? "SOURCE_CONNECTOR" : "DESTINATION_CONNECTOR"));
        }
        return head.add(counters(counts, null)).add(children).add("queueEnabled", false).add("queued", count(counts, null, Status.QUEUED)).add("waitForPrevious", false)
            .add("statusType", "CHANNEL");
    }

    // --- messages ---

    private void messages() {
        web.route("POST", "/channels/{id}/messages", false, BOTH, List.of(TEXT), r -> {
            Channel channel = engine.deployed(r.part("id"));
            if (channel == null || !channel.isStarted()) throw new IllegalStateException("channel " + r.part("id") + " is not started");
            List<Number> only = new ArrayList<>();
            for (String number : r.query.getOrDefault("destinationMetaDataId", List.of())) only.add(Integer.valueOf(number));
            return new Reply(201, value("long", channel.dispatch(new RawMessage(r.text(), only)).messageId()));
        });
        get("/channels/{id}/messages", r -> list("list", found(r, Integer.parseInt(r.query("limit", "20")), r.flag("includeContent"))));
        get("/channels/{id}/messages/count", r -> value("long", ids(r, Integer.MAX_VALUE, 0).size()));
        get("/channels/{id}/messages/maxMessageId", r -> store.tx(c -> value("long", Store.query(c,
            "SELECT coalesce(max(id), 0) AS n FROM standin.message WHERE channel = ?", r.part("id")).get(0).get("n"))));
        get("/channels/{id}/messages/(?<message>\\d+)", r -> message(r.part("id"), Long.parseLong(r.part("message")), List.of(), true));
        post("/channels/{id}/messages/(?<message>\\d+)/_reprocess", r -> {
            reprocess(r, List.of(Long.valueOf(r.part("message"))));
            return null;
        });
        post("/channels/{id}/messages/_reprocess", r -> {
            List<Long> ids = new ArrayList<>(ids(r, Integer.MAX_VALUE, 0));
            java.util.Collections.sort(ids);
            reprocess(r, ids);
            return null;
        });
    }

    /** In a thread of its own, as upstream: the answer says nothing of what comes of it. */
    private void reprocess(Request r, List<Long> ids) {
        String channelId = r.part("id");
        boolean replace = r.flag("replace");
        new Thread(() -> {
            try {
                Channel channel = engine.deployed(channelId);
                if (channel == null) throw new IllegalStateException("the channel is not deployed");
                for (long id : ids) channel.reprocess(id, replace);
            } catch (SQLException | RuntimeException | InterruptedException error) {
                new Log("api").error("Error reprocessing messages of channel " + channelId, error);
            }
        }, "reprocess").start();
    }

    private List<Long> ids(Request r, int limit, int offset) throws SQLException {
        List<String> statuses = r.query.getOrDefault("status", List.of());
        for (String other : r.query.keySet()) {
            if (!Set.of("status", "limit", "offset", "includeContent", "replace", "minMessageId", "maxMessageId").contains(other)) throw new Template.Unsupported("the message filter " + other + " is not implemented");
        }
        return store.tx(c -> Store.query(c, "SELECT id FROM standin.message m WHERE channel = ? AND id BETWEEN ? AND ? AND (? = '' OR EXISTS (SELECT 1 FROM standin.connector_message x"
            + " WHERE x.channel = m.channel AND x.message = m.id AND x.status = ANY (string_to_array(?, ',')))) ORDER BY id DESC LIMIT ? OFFSET ?", r.part("id"),
            Long.valueOf(r.query("minMessageId", "0")), Long.valueOf(r.query("maxMessageId", String.valueOf(Long.MAX_VALUE))), String.join(",", statuses),
            String.join(",", statuses), limit, offset).stream().map(row -> (Long) row.get("id")).toList());
    }

    private List<Node> found(Request r, int limit, boolean content) throws SQLException {
        List<Node> found = new ArrayList<>();
        for (long id : ids(r, limit, Integer.parseInt(r.query("offset", "0")))) found.add(message(r.part("id"), id, r.query.getOrDefault("status", List.of()), content));
        return found;
    }

    private Node message(String channelId, long id, List<String> statuses, boolean content) throws SQLException {
        return store.tx(c -> {
            List<Map<String, Object>> row = Store.query(c, "SELECT received, processed FROM standin.message WHERE channel = ? AND id = ?", channelId, id);
            if (row.isEmpty()) return null;
            Node message = new Node("message").add("messageId", id).add("serverId", engine.serverId).add("channelId", channelId)
                .add(time("receivedDate", ((Timestamp) row.get(0).get("received")).getTime())).add("processed", row.get(0).get("processed"));
            Node all = message.add("connectorMessages").attribute("class", "linked-hash-map");
            for (ConnectorMessage m : store.load(c, channelId, id)) {
                if (statuses.isEmpty() || statuses.contains(m.status.name())) all.add(new Node("entry").add("int", m.metaDataId).add(connectorMessage(m, content)));
            }
            return message;
        });
    }

    private Node connectorMessage(ConnectorMessage m, boolean content) {
        Node node = new Node("connectorMessage").add("messageId", m.messageId).add("metaDataId", m.metaDataId).add("channelId", m.channelId).add("connectorName", m.name)
            .add("serverId", engine.serverId).add(time("receivedDate", m.received.toEpochMilli())).add("status", m.status);
        if (content) {
            Map<String, String> contents = new LinkedHashMap<>();
            contents.put("raw", m.raw);
            contents.put("processedRaw", m.processedRaw);
            contents.put("transformed", m.transformed);
            contents.put("encoded", m.encoded);
            contents.put("sent", m.sent);
            contents.put("response", m.response);
            contents.forEach((name, text) -> {
                if (text != null) node.add(new Node(name).add("encrypted", false).add("messageId", m.messageId).add("metaDataId", m.metaDataId).add("content", text));
            });
            map(node, "sourceMapContent", m.sourceMap, true);
            map(node, "connectorMapContent", m.connectorMap, false);
            map(node, "channelMapContent", m.channelMap, false);
            map(node, "responseMapContent", m.responseMap, false);
            Node error = new Node("processingErrorContent").add("encrypted", false);
            node.add(m.error == null ? error : error.add("content", m.error));
        }
        return node.add("errorCode", m.error == null ? 0 : 1).add("sendAttempts", m.attempts);
    }

    private static void map(Node into, String name, Map<String, Object> values, boolean unmodifiable) {
        Node content = new Node("content").attribute("class", unmodifiable ? "java.util.Collections$UnmodifiableMap" : "map");
        Node entries = unmodifiable ? new Node("m") : content;
        values.forEach((key, value) -> entries.add(new Node("entry").add("string", key).add(value instanceof Response r ? response(r) : value("string", value))));
        if (unmodifiable) content.add(entries);
        into.add(new Node(name).add("encrypted", false).add(content));
    }

    // --- the data pruner ---

    private void extensions() {
        get("/extensions/Data Pruner/properties", r -> store.setting("Data Pruner", Pruner.DEFAULTS));
        put("/extensions/Data Pruner/properties", r -> {
            Node properties = r.flag("mergeProperties") ? store.setting("Data Pruner", Pruner.DEFAULTS) : new Node("properties");
            Function<Node, String> name = each -> each.attributes.get("name");
            for (Node property : r.xml().children) {
                properties.children.removeIf(each -> name.apply(each).equals(name.apply(property)));
                properties.add(property);
            }
            store.put("Data Pruner", properties);
            return null;
        });
        get("/extensions/datapruner/status", r -> engine.pruner.status());
        post("/extensions/datapruner/_start", r -> {
            engine.pruner.startOnce();
            return null;
        });
    }
}
