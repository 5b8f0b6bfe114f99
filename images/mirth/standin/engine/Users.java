package engine;

import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import javax.crypto.SecretKeyFactory;
import javax.crypto.spec.PBEKeySpec;

/** Users with PBKDF2 passwords, at first admin/admin, and their sessions, which a restart ends (mirth.md §2.1, §5). */
public final class Users {
    private static final int ITERATIONS = 600_000;
    private static final SecureRandom RANDOM = new SecureRandom();
    private final Store store;
    private final Map<String, Integer> sessions = new ConcurrentHashMap<>();

    /** Makes admin/admin where there is no user. */
    public Users(Store store) throws SQLException {
        this.store = store;
        store.tx(c -> {
            if (Store.query(c, "SELECT 1 FROM standin.person LIMIT 1").isEmpty()) add(c, "admin", hash("admin"), new Node("user").add("username", "admin"));
            return null;
        });
    }

    private static void add(java.sql.Connection c, String name, String password, Node body) throws SQLException {
        Store.update(c, "INSERT INTO standin.person (username, password, body) VALUES (?, ?, ?)", name, password, body.xml());
    }

    private static String hash(String password) {
        byte[] salt = new byte[16];
        RANDOM.nextBytes(salt);
        return encode(salt) + ":" + encode(derived(password, salt));
    }

    private static String encode(byte[] bytes) {
        return Base64.getEncoder().encodeToString(bytes);
    }

    private static byte[] derived(String password, byte[] salt) {
        try {
            return SecretKeyFactory.getInstance("PBKDF2WithHmacSHA256").generateSecret(new PBEKeySpec(password.toCharArray(), salt, ITERATIONS, 256)).getEncoded();
        } catch (GeneralSecurityException error) {
            throw new IllegalStateException(error);
        }
    }

    /** The user's number, or null. */
    public Integer check(String name, String password) throws SQLException {
        List<Map<String, Object>> found = store.tx(c -> Store.query(c, "SELECT id, password FROM standin.person WHERE username = ?", name));
        if (found.isEmpty() || password.isEmpty()) return null;
        String[] stored = ((String) found.get(0).get("password")).split(":");
        if (!MessageDigest.isEqual(derived(password, Base64.getDecoder().decode(stored[0])), Base64.getDecoder().decode(stored[1]))) return null;
        Integer id = (Integer) found.get(0).get("id");
        store.tx(c -> Store.update(c, "UPDATE standin.person SET last_login = ? WHERE id = ?", System.currentTimeMillis(), id));
        return id;
    }

    public String open(Integer user) {
        byte[] bytes = new byte[18];
        RANDOM.nextBytes(bytes);
        String session = "node0" + Base64.getUrlEncoder().encodeToString(bytes) + ".node0";
        sessions.put(session, user);
        return session;
    }

    public Integer of(String session) {
        return session == null ? null : sessions.get(session);
    }

    public void end(String session) {
        if (session != null) sessions.remove(session);
    }

    private List<Node> read(String where, Object... parameters) throws SQLException {
        return store.tx(c -> {
            List<Node> users = new ArrayList<>();
            for (Map<String, Object> row : Store.query(c, "SELECT id, username, body, last_login FROM standin.person WHERE " + where + " ORDER BY id", parameters)) {
                Node user = new Node("user").add("id", row.get("id")).add("username", row.get("username"));
                for (Node field : Node.stored((String) row.get("body")).children) if (!List.of("id", "username", "lastLogin").contains(field.name)) user.add(field);
                if (row.get("last_login") != null) user.add(Api.time("lastLogin", (Long) row.get("last_login")));
                users.add(user.set("strikeCount", "0").set("userConsent", "false"));
            }
            return users;
        });
    }

    public List<Node> all() throws SQLException {
        return read("true");
    }

    /** By number or name; null where there is none. */
    public Node find(String idOrName) throws SQLException {
        List<Node> found = idOrName.matches("\\d{1,9}") ? read("id = ?", Integer.valueOf(idOrName)) : read("username = ?", idOrName);
        return found.isEmpty() ? null : found.get(0);
    }

    /** Throws IllegalArgumentException for a blank name, SQLException for one that is taken. */
    public void add(Node user) throws SQLException {
        String name = user.text("username", "");
        if (name.isBlank()) throw new IllegalArgumentException("username cannot be blank");
        store.tx(c -> {
            add(c, name, hash(encode(RANDOM.generateSeed(24))), user);
            return null;
        });
    }

    /** Throws IllegalStateException for an unknown user. */
    public void change(int id, Node user) throws SQLException {
        int changed = store.tx(c -> Store.update(c, "UPDATE standin.person SET username = ?, body = ? WHERE id = ?", user.text("username"), user.xml(), id));
        if (changed == 0) throw new IllegalStateException("no user " + id);
    }

    public void delete(int id) throws SQLException {
        store.tx(c -> Store.update(c, "DELETE FROM standin.person WHERE id = ?", id));
        sessions.values().removeIf(user -> user == id);
    }

    /** What a password lacks, by the policy of the properties; empty when it is good. */
    public static List<String> lacks(Settings settings, String password) {
        List<String> lacking = new ArrayList<>();
        if (password.length() < settings.number("password.minlength", 0)) lacking.add("Password must be at least " + settings.number("password.minlength", 0) + " characters long.");
        for (String[] each : new String[][] {{"minupper", "[^A-Z]", "uppercase"}, {"minlower", "[^a-z]", "lowercase"}, {"minnumeric", "[^0-9]", "numeric"},
            {"minspecial", "[A-Za-z0-9]", "special"}}) {
            int wanted = settings.number("password." + each[0], 0);
            int count = password.replaceAll(each[1], "").length();
            if (wanted > 0 && count < wanted) lacking.add("Password must contain at least " + wanted + " " + each[2] + " character(s).");
            if (wanted < 0 && count > 0) lacking.add("Password cannot contain " + each[2] + " characters.");
        }
        return lacking;
    }

    /** Throws IllegalArgumentException for an empty password, IllegalStateException for an unknown user. */
    public void setPassword(int id, String password) throws SQLException {
        if (password.isEmpty()) throw new IllegalArgumentException("empty password");
        String hash = hash(password);
        if (store.tx(c -> Store.update(c, "UPDATE standin.person SET password = ? WHERE id = ?", hash, id)) == 0) throw new IllegalStateException("no user " + id);
    }

    public Node preferences(int id) throws SQLException {
        Node found = new Node("properties");
        store.tx(c -> {
            for (Map<String, Object> row : Store.query(c, "SELECT name, value FROM standin.preference WHERE person = ? ORDER BY name", id)) {
                Node property = found.add("property").attribute("name", (String) row.get("name"));
                property.text = (String) row.get("value");
            }
            return null;
        });
        return found;
    }

    public void setPreference(int id, String name, String value) throws SQLException {
        store.tx(c -> Store.update(c, "INSERT INTO standin.preference VALUES (?, ?, ?) ON CONFLICT (person, name) DO UPDATE SET value = excluded.value", id, name, value));
    }
}
