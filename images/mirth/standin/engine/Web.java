package engine;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import com.sun.net.httpserver.HttpsConfigurator;
import com.sun.net.httpserver.HttpsServer;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Executors;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;

/** HTTPS on 8443 with the API, and the landing page on 8080. Who may, which form is asked for and given: the API's own rules are in Api. */
public final class Web {
    private static final Log LOG = new Log("web");
    public static final String XML = "application/xml";
    public static final String JSON = "application/json";
    public static final String TEXT = "text/plain";
    public static final String FORM = "application/x-www-form-urlencoded";
    public static final String MULTIPART = "multipart/form-data";

    /** A call of the API. */
    public static final class Request {
        public String method;
        public String path;
        public final Map<String, String> names = new HashMap<>();
        public final Map<String, List<String>> query = new HashMap<>();
        public String contentType = "";
        public byte[] body = {};
        public String session;
        public Integer user;

        public String text() {
            return new String(body, StandardCharsets.UTF_8);
        }

        public Node xml() {
            try {
                return Node.parse(text());
            } catch (javax.xml.stream.XMLStreamException error) {
                throw new IllegalArgumentException("the body is not XML: " + error.getMessage(), error);
            }
        }

        public String part(String name) {
            return names.get(name);
        }

        public String query(String name, String otherwise) {
            return query.containsKey(name) ? query.get(name).get(0) : otherwise;
        }

        public boolean flag(String name) {
            return query(name, "false").equals("true");
        }

        public Map<String, List<String>> form() {
            return parsed(text());
        }

        /** The parts of a multipart body, by name. Throws IllegalStateException where a part has no type that is read. */
        public Map<String, Node> parts() {
            Matcher boundary = Pattern.compile("boundary=\"?([^\";]+)").matcher(contentType);
            if (!boundary.find()) throw new IllegalArgumentException("multipart without boundary");
            Map<String, Node> parts = new HashMap<>();
            for (String piece : ("\r\n" + text()).split("\r\n--" + Pattern.quote(boundary.group(1)))) {
                int end = piece.indexOf("\r\n\r\n");
                Matcher name = Pattern.compile("name=\"([^\"]+)\"").matcher(end < 0 ? "" : piece.substring(0, end));
                if (!name.find()) continue;
                if (!Pattern.compile("(?i)content-type:\\s*application/xml").matcher(piece.substring(0, end)).find()) {
                    throw new IllegalStateException("part " + name.group(1) + " is not application/xml");
                }
                try {
                    parts.put(name.group(1), Node.parse(piece.substring(end + 4)));
                } catch (javax.xml.stream.XMLStreamException error) {
                    throw new IllegalArgumentException("part " + name.group(1) + " is not XML", error);
                }
            }
            return parts;
        }
    }

    /** An answer that is not simply 200 with a value or 204 without. */
    public record Reply(int status, Object body, Map<String, String> headers) {
        public Reply(int status, Object body) {
            this(status, body, Map.of());
        }
    }

    /** Gives null (204), a Node (XML or JSON), a String (text), or a Reply. */
    public interface Handler {
        Object handle(Request request) throws Exception;
    }

    /** A path with {names}, who may call it, and the forms in which it answers and is asked; the first is the default. */
    public record Route(String method, Pattern pattern, boolean open, List<String> produces, List<String> consumes, Handler handler) {
    }

    private final Engine engine;
    private final Users users;
    private final Settings settings;
    private final List<Route> routes = new ArrayList<>();

    public Web(Engine engine, Users users, Settings settings) {
        this.engine = engine;
        this.users = users;
        this.settings = settings;
        new Api(engine, users, this);
    }

    public void route(String method, String path, boolean open, List<String> produces, List<String> consumes, Handler handler) {
        routes.add(new Route(method, Pattern.compile(path.replaceAll("\\{(\\w+)}", "(?<$1>[^/]+)")), open, produces, consumes, handler));
    }

    // --- servers ---

    /** Throws what keeps it from listening: a keystore that its passwords do not open, a port in use. */
    public void start() throws IOException, GeneralSecurityException, InterruptedException {
        int landing = settings.number("http.port", 8080);
        if (landing != 0) {
            HttpServer plain = HttpServer.create(new InetSocketAddress(settings.get("http.host", "0.0.0.0"), landing), 0);
            plain.createContext("/", this::landing);
            plain.setExecutor(Executors.newCachedThreadPool());
            plain.start();
        }
        HttpsServer secure = HttpsServer.create(new InetSocketAddress(settings.get("https.host", "0.0.0.0"), settings.number("https.port", 8443)), 0);
        secure.setHttpsConfigurator(new HttpsConfigurator(tls()));
        secure.createContext("/", this::landing);
        secure.createContext("/api/", this::api);
        secure.setExecutor(Executors.newCachedThreadPool());
        secure.start();
        LOG.info("Web server running at https://0.0.0.0:" + settings.number("https.port", 8443) + "/ and http://0.0.0.0:" + landing + "/");
    }

    private SSLContext tls() throws IOException, GeneralSecurityException, InterruptedException {
        String type = settings.get("keystore.type", "JCEKS");
        char[] store = settings.get("keystore.storepass", "changeme").toCharArray();
        char[] key = settings.get("keystore.keypass", "changeme").toCharArray();
        Path file = settings.appdata("keystore.jks");
        if (!Files.exists(file)) {
            Process keytool = new ProcessBuilder("keytool", "-genkeypair", "-alias", "mirthconnect", "-keyalg", "RSA", "-keysize", "2048", "-validity", "18250",
                "-dname", "CN=mirth-connect", "-storetype", type, "-keystore", file.toString(), "-storepass", new String(store), "-keypass",
                type.equals("PKCS12") ? new String(store) : new String(key)).redirectErrorStream(true).start();
            String said = new String(keytool.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            if (keytool.waitFor() != 0) throw new IOException("keytool made no certificate: " + said);
        }
        KeyStore keys = KeyStore.getInstance(type);
        try (InputStream in = new FileInputStream(file.toFile())) {
            keys.load(in, store);
        }
        KeyManagerFactory managers = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        managers.init(keys, key);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(managers.getKeyManagers(), null, null);
        return context;
    }

    private void landing(HttpExchange exchange) throws IOException {
        boolean page = List.of("/", "/index.html").contains(exchange.getRequestURI().getPath());
        byte[] body = (page ? "<!DOCTYPE html><title>Mirth Connect " + Settings.VERSION + "</title><h1>Mirth Connect, stand-in</h1>" : "Not Found").getBytes(StandardCharsets.UTF_8);
        exchange.getResponseHeaders().set("Content-Type", page ? "text/html;charset=utf-8" : TEXT);
        try (exchange; OutputStream out = start(exchange, page ? 200 : 404, body.length)) {
            out.write(body);
        }
    }

    private static OutputStream start(HttpExchange exchange, int status, int length) throws IOException {
        exchange.sendResponseHeaders(status, length == 0 ? -1 : length);
        return exchange.getResponseBody();
    }

    // --- the API's envelope ---

    private void api(HttpExchange exchange) throws IOException {
        List<String> accepted = accepted(exchange);
        Reply reply;
        try {
            exchange.getResponseHeaders().set("Access-Control-Allow-Origin", "*");
            reply = answered(exchange, accepted);
        } catch (Exception error) {
            LOG.error(exchange.getRequestMethod() + " " + exchange.getRequestURI(), error);
            Node thrown = new Node(error.getClass().getName()).add("detailMessage", String.valueOf(error.getMessage()));
            if (error.getCause() != null) thrown.add(new Node("cause").attribute("class", error.getCause().getClass().getName()).add("detailMessage", Log.reason(error.getCause())));
            reply = new Reply(500, thrown);
        }
        try (exchange) {
            send(exchange, reply, accepted);
        }
    }

    private static List<String> accepted(HttpExchange exchange) {
        List<String> given = new ArrayList<>();
        for (String header : exchange.getRequestHeaders().getOrDefault("Accept", List.of("*/*"))) {
            for (String type : header.split(",")) given.add(type.replaceAll(";.*", "").strip().toLowerCase(java.util.Locale.ROOT));
        }
        return given;
    }

    private static String chosen(List<String> produces, List<String> accepted) {
        for (String type : accepted) {
            if (type.equals("*/*")) return produces.get(0);
            for (String mine : produces) if (mine.equals(type) || type.equals(mine.replaceAll("/.*", "/*"))) return mine;
        }
        return null;
    }

    private Reply answered(HttpExchange exchange, List<String> accepted) throws Exception {
        String requestedWith = exchange.getRequestHeaders().getFirst("X-Requested-With");
        byte[] body = exchange.getRequestBody().readAllBytes();
        if (requestedWith == null || requestedWith.isBlank()) return new Reply(400, "All requests must have 'X-Requested-With' header");
        Request request = new Request();
        request.method = exchange.getRequestMethod();
        request.path = exchange.getRequestURI().getPath().substring("/api".length());
        request.query.putAll(parsed(exchange.getRequestURI().getRawQuery()));
        request.contentType = String.valueOf(exchange.getRequestHeaders().getFirst("Content-Type"));
        request.body = body;
        Route route = null;
        for (Route each : routes) {
            Matcher matcher = each.pattern().matcher(request.path);
            if (!each.method().equals(request.method) || !matcher.matches()) continue;
            route = each;
            Matcher named = Pattern.compile("\\(\\?<(\\w+)>").matcher(each.pattern().pattern());
            while (named.find()) request.names.put(named.group(1), matcher.group(named.group(1)));
            break;
        }
        if (route == null) return new Reply(501, "Stand-in: " + request.method + " /api" + request.path + " is not implemented\n");
        String asked = request.contentType.replaceAll(";.*", "").strip();
        if (!route.consumes().isEmpty() && !route.consumes().contains(asked)) {
            return asked.equals(JSON) && route.consumes().contains(XML) ? new Reply(501, "Stand-in: bodies as JSON are not implemented, send XML\n") : new Reply(415, "");
        }
        String form = chosen(route.produces(), accepted);
        if (form == null) return new Reply(406, "");
        if (!route.open()) {
            request.session = session(exchange);
            request.user = users.of(request.session);
            if (request.user == null) {
                Reply refused = basic(exchange, request, form);
                if (refused != null) return refused;
            }
        } else {
            request.session = session(exchange);
        }
        Object value = route.handler().handle(request);
        Reply reply = value instanceof Reply given ? given : new Reply(value == null ? 204 : 200, value);
        if (!(reply.body() instanceof Node) || form.equals(XML)) return reply;
        return new Reply(reply.status(), new Json(form.equals(TEXT) ? ((Node) reply.body()).text : ((Node) reply.body()).json(), form), reply.headers());
    }

    /** A body that is written already. */
    private record Json(String text, String type) {
    }

    private Reply basic(HttpExchange exchange, Request request, String form) throws Exception {
        String given = exchange.getRequestHeaders().getFirst("Authorization");
        if (given == null || !given.startsWith("Basic ")) return new Reply(401, "");
        if (engine.isStarting()) return new Reply(503, "");
        String[] account = new String(Base64.getDecoder().decode(given.substring(6).strip()), StandardCharsets.UTF_8).split(":", 2);
        request.user = account.length < 2 ? null : users.check(account[0], account[1]);
        if (request.user == null) return new Reply(form.equals(TEXT) ? 500 : 401, "");
        request.session = users.open(request.user);
        exchange.getResponseHeaders().add("Set-Cookie", "JSESSIONID=" + request.session + "; Path=/api; Secure");
        return null;
    }

    private static String session(HttpExchange exchange) {
        Matcher found = Pattern.compile("JSESSIONID=([^;,\\s]+)").matcher(String.join(";", exchange.getRequestHeaders().getOrDefault("Cookie", List.of())));
        return found.find() ? found.group(1) : null;
    }

    public static Map<String, List<String>> parsed(String encoded) {
        Map<String, List<String>> values = new HashMap<>();
        if (encoded == null || encoded.isEmpty()) return values;
        for (String pair : encoded.split("&")) {
            String[] both = Arrays.copyOf(pair.split("=", 2), 2);
            values.computeIfAbsent(URLDecoder.decode(both[0], StandardCharsets.UTF_8), key -> new ArrayList<>())
                .add(both[1] == null ? "" : URLDecoder.decode(both[1], StandardCharsets.UTF_8));
        }
        return values;
    }

    private void send(HttpExchange exchange, Reply reply, List<String> accepted) throws IOException {
        String type = XML;
        String text = "";
        if (reply.body() instanceof Json json) {
            type = json.type();
            text = json.text();
        } else if (reply.body() instanceof Node node) {
            boolean json = reply.status() >= 400 && JSON.equals(chosen(List.of(XML, JSON), accepted));
            type = json ? JSON : XML;
            text = json ? node.json() : node.xml();
        } else if (reply.body() != null) {
            type = TEXT;
            text = String.valueOf(reply.body());
        }
        byte[] body = text.getBytes(StandardCharsets.UTF_8);
        reply.headers().forEach((name, value) -> exchange.getResponseHeaders().add(name, value));
        if (body.length > 0) exchange.getResponseHeaders().set("Content-Type", type);
        try (OutputStream out = start(exchange, reply.status(), body.length)) {
            out.write(body);
        }
    }
}
