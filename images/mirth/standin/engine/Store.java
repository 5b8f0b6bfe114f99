package engine;

import com.mirth.connect.server.userutil.Attachment;
import com.mirth.connect.userutil.Status;
import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.io.Serializable;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Timestamp;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** All state, in the schema `standin` of the PostgreSQL database: what is committed here survives kill -9. */
public final class Store {
    private static final int SEGMENT = 8 * 1024 * 1024;
    private static final String SCHEMA = """
        CREATE SCHEMA IF NOT EXISTS standin;
        CREATE TABLE IF NOT EXISTS standin.channel (id text PRIMARY KEY, name varchar(40) NOT NULL UNIQUE, revision int NOT NULL,
          body text NOT NULL, valid boolean NOT NULL, next_message bigint NOT NULL DEFAULT 1);
        CREATE TABLE IF NOT EXISTS standin.metadata (channel text PRIMARY KEY, body text NOT NULL);
        CREATE TABLE IF NOT EXISTS standin.setting (name text PRIMARY KEY, body text NOT NULL);
        CREATE TABLE IF NOT EXISTS standin.person (id serial PRIMARY KEY, username text NOT NULL UNIQUE, password text NOT NULL, body text NOT NULL, last_login bigint);
        CREATE TABLE IF NOT EXISTS standin.preference (person int NOT NULL REFERENCES standin.person ON DELETE CASCADE, name text NOT NULL,
          value text NOT NULL, PRIMARY KEY (person, name));
        CREATE TABLE IF NOT EXISTS standin.message (channel text NOT NULL, id bigint NOT NULL, received timestamptz NOT NULL DEFAULT now(),
          processed boolean NOT NULL DEFAULT false, PRIMARY KEY (channel, id));
        CREATE INDEX IF NOT EXISTS message_open ON standin.message (channel) WHERE NOT processed;
        CREATE TABLE IF NOT EXISTS standin.connector_message (channel text NOT NULL, message bigint NOT NULL, connector int NOT NULL, name text NOT NULL,
          status text NOT NULL, received timestamptz NOT NULL DEFAULT now(), attempts int NOT NULL DEFAULT 0, raw text, processed_raw text,
          transformed text, encoded text, sent text, response text, error text, maps bytea, PRIMARY KEY (channel, message, connector),
          FOREIGN KEY (channel, message) REFERENCES standin.message ON DELETE CASCADE);
        CREATE INDEX IF NOT EXISTS connector_message_queue ON standin.connector_message (channel, connector, message) WHERE status = 'QUEUED';
        CREATE INDEX IF NOT EXISTS connector_message_status ON standin.connector_message (channel, connector, status);
        CREATE TABLE IF NOT EXISTS standin.attachment (channel text NOT NULL, message bigint NOT NULL, id text NOT NULL, segment int NOT NULL,
          type text, content bytea NOT NULL, PRIMARY KEY (channel, message, id, segment),
          FOREIGN KEY (channel, message) REFERENCES standin.message ON DELETE CASCADE);
        """;

    /** Work in one transaction. */
    public interface Work<T> {
        T run(Connection connection) throws Exception;
    }

    /** No connection could be had, so nothing was done. */
    public static final class Away extends SQLException {
        Away(SQLException cause) {
            super(cause.getMessage(), cause.getSQLState(), cause);
        }
    }

    private final HikariDataSource pool;

    /** Connects and makes the tables. Throws SQLException when the database cannot be had, IllegalStateException when it is another's. */
    public Store(Settings settings) throws SQLException {
        String url = settings.get("database.url", "");
        DriverManager.getConnection(url, settings.get("database.username", ""), settings.get("database.password", "")).close();
        HikariConfig config = new HikariConfig();
        config.setJdbcUrl(url);
        config.setUsername(settings.get("database.username", ""));
        config.setPassword(settings.get("database.password", ""));
        config.setMaximumPoolSize(settings.number("database.max-connections", 20));
        config.setMinimumIdle(2);
        config.setConnectionTimeout(10000);
        config.setInitializationFailFast(false);
        config.setPoolName("mirth");
        pool = new HikariDataSource(config);
        try {
            tx(c -> {
                if (!query(c, "SELECT 1 FROM information_schema.tables WHERE table_name = 'schema_info' AND table_schema = 'public'").isEmpty()) {
                    throw new IllegalStateException("the database holds the tables of a real Mirth Connect: give the stand-in a database of its own");
                }
                query(c, "SELECT pg_advisory_xact_lock(452)");
                c.createStatement().execute(SCHEMA);
                return null;
            });
        } catch (SQLException | IllegalStateException error) {
            pool.close();
            throw error;
        }
    }

    public void close() {
        pool.close();
    }

    private Connection connection() throws Away {
        try {
            return pool.getConnection();
        } catch (SQLException error) {
            throw new Away(error);
        }
    }

    /** Runs `work` and commits; anything that it throws rolls back. Throws Away, SQLException, and unchecked what else `work` throws. */
    public <T> T tx(Work<T> work) throws SQLException {
        try (Connection c = connection()) {
            c.setAutoCommit(false);
            try {
                T result = work.run(c);
                c.commit();
                return result;
            } catch (Throwable error) {
                try {
                    c.rollback();
                } catch (SQLException lost) {
                    error.addSuppressed(lost);
                }
                if (error instanceof SQLException sql) throw sql;
                if (error instanceof RuntimeException unchecked) throw unchecked;
                if (error instanceof Error fatal) throw fatal;
                throw new IllegalStateException(error);
            }
        }
    }

    public static List<Map<String, Object>> query(Connection c, String sql, Object... parameters) throws SQLException {
        try (PreparedStatement statement = statement(c, sql, parameters); ResultSet rows = statement.executeQuery()) {
            List<Map<String, Object>> found = new ArrayList<>();
            int columns = rows.getMetaData().getColumnCount();
            while (rows.next()) {
                Map<String, Object> row = new HashMap<>();
                for (int i = 1; i <= columns; i++) row.put(rows.getMetaData().getColumnLabel(i), rows.getObject(i));
                found.add(row);
            }
            return found;
        }
    }

    public static int update(Connection c, String sql, Object... parameters) throws SQLException {
        try (PreparedStatement statement = statement(c, sql, parameters)) {
            return statement.executeUpdate();
        }
    }

    private static PreparedStatement statement(Connection c, String sql, Object... parameters) throws SQLException {
        PreparedStatement statement = c.prepareStatement(sql);
        for (int i = 0; i < parameters.length; i++) statement.setObject(i + 1, parameters[i]);
        return statement;
    }

    // --- settings: whole documents by name ---

    public Node setting(String name, String otherwise) throws SQLException {
        return tx(c -> {
            List<Map<String, Object>> found = query(c, "SELECT body FROM standin.setting WHERE name = ?", name);
            return Node.stored(found.isEmpty() ? otherwise : (String) found.get(0).get("body"));
        });
    }

    public static void put(Connection c, String name, Node body) throws SQLException {
        update(c, "INSERT INTO standin.setting VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET body = excluded.body", name, body.xml());
    }

    public void put(String name, Node body) throws SQLException {
        tx(c -> {
            put(c, name, body);
            return null;
        });
    }

    // --- messages ---

    /** Stores what a source received: under a number of its own, or in the place of the message that it replaces (0: none). */
    public void receive(Connection c, ConnectorMessage source, long replaced) throws SQLException {
        if (replaced > 0) {
            source.messageId = replaced;
            update(c, "DELETE FROM standin.message WHERE channel = ? AND id = ?", source.channelId, source.messageId);
        } else {
            source.messageId = ((Number) query(c, "UPDATE standin.channel SET next_message = next_message + 1 WHERE id = ? RETURNING next_message - 1 AS id", source.channelId)
                .get(0).get("id")).longValue();
        }
        update(c, "INSERT INTO standin.message (channel, id) VALUES (?, ?)", source.channelId, source.messageId);
        save(c, source);
    }

    public static void save(Connection c, ConnectorMessage m) throws SQLException {
        update(c, "INSERT INTO standin.connector_message (channel, message, connector, name, status, received, attempts, raw, processed_raw, transformed, encoded, sent, response,"
            + " error, maps) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (channel, message, connector) DO UPDATE SET status = excluded.status,"
            + " attempts = excluded.attempts, raw = excluded.raw, processed_raw = excluded.processed_raw, transformed = excluded.transformed, encoded = excluded.encoded,"
            + " sent = excluded.sent, response = excluded.response, error = excluded.error, maps = excluded.maps",
            m.channelId, m.messageId, m.metaDataId, m.name, m.status.name(), Timestamp.from(m.received), m.attempts, m.raw, m.processedRaw,
            m.transformed, m.encoded, m.sent, m.response, m.error, frozen(m));
    }

    public List<ConnectorMessage> load(Connection c, String channelId, long messageId) throws SQLException {
        return read(query(c, "SELECT * FROM standin.connector_message WHERE channel = ? AND message = ? ORDER BY connector", channelId, messageId));
    }

    /** The oldest queued message of a destination, or null. */
    public ConnectorMessage head(String channelId, int connector) throws SQLException {
        List<ConnectorMessage> found = tx(c -> read(query(c, "SELECT * FROM standin.connector_message WHERE channel = ? AND connector = ? AND status = 'QUEUED'"
            + " ORDER BY message LIMIT 1", channelId, connector)));
        return found.isEmpty() ? null : found.get(0);
    }

    public List<Long> unfinished(String channelId) throws SQLException {
        return tx(c -> query(c, "SELECT id FROM standin.message WHERE channel = ? AND NOT processed ORDER BY id", channelId).stream()
            .map(row -> (Long) row.get("id")).toList());
    }

    public static void processed(Connection c, String channelId, long messageId) throws SQLException {
        update(c, "UPDATE standin.message SET processed = true WHERE channel = ? AND id = ?", channelId, messageId);
    }

    public List<ConnectorMessage> read(List<Map<String, Object>> rows) {
        List<ConnectorMessage> found = new ArrayList<>();
        for (Map<String, Object> row : rows) {
            ConnectorMessage m = new ConnectorMessage((String) row.get("channel"), null, (Integer) row.get("connector"), (String) row.get("name"));
            m.messageId = (Long) row.get("message");
            m.status = Status.valueOf((String) row.get("status"));
            m.received = ((Timestamp) row.get("received")).toInstant();
            m.attempts = (Integer) row.get("attempts");
            m.raw = (String) row.get("raw");
            m.processedRaw = (String) row.get("processed_raw");
            m.transformed = (String) row.get("transformed");
            m.encoded = (String) row.get("encoded");
            m.sent = (String) row.get("sent");
            m.response = (String) row.get("response");
            m.error = (String) row.get("error");
            thaw(m, (byte[]) row.get("maps"));
            found.add(m);
        }
        return found;
    }

    private static byte[] frozen(ConnectorMessage m) {
        List<Map<String, Object>> maps = new ArrayList<>();
        for (Map<String, Object> map : List.of(m.sourceMap, m.channelMap, m.connectorMap, m.responseMap)) {
            Map<String, Object> plain = new HashMap<>();
            map.forEach((key, value) -> plain.put(key, storable(value) ? value : String.valueOf(value)));
            maps.add(plain);
        }
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (ObjectOutputStream out = new ObjectOutputStream(bytes)) {
            out.writeObject(maps);
        } catch (IOException error) {
            throw new IllegalStateException("a value of a map cannot be stored", error);
        }
        return bytes.toByteArray();
    }

    private static boolean storable(Object value) {
        return value == null || value instanceof com.mirth.connect.userutil.Response || value instanceof Serializable && value.getClass().getName().startsWith("java.lang.");
    }

    @SuppressWarnings("unchecked")
    private static void thaw(ConnectorMessage m, byte[] bytes) {
        try (ObjectInputStream in = new ObjectInputStream(new ByteArrayInputStream(bytes))) {
            List<Map<String, Object>> maps = (List<Map<String, Object>>) in.readObject();
            m.sourceMap.putAll(maps.get(0));
            m.channelMap.putAll(maps.get(1));
            m.connectorMap.putAll(maps.get(2));
            m.responseMap.putAll(maps.get(3));
        } catch (IOException | ClassNotFoundException error) {
            throw new IllegalStateException("the maps of message " + m.messageId + " cannot be read", error);
        }
    }

    // --- attachments, in pieces so that none needs its size several times over in memory ---

    public static void attach(Connection c, String channelId, long messageId, Attachment attachment) throws SQLException {
        byte[] content = attachment.getContent();
        for (int segment = 0, from = 0; segment == 0 || from < content.length; segment++, from += SEGMENT) {
            int length = Math.min(SEGMENT, content.length - from);
            try (PreparedStatement statement = c.prepareStatement("INSERT INTO standin.attachment VALUES (?, ?, ?, ?, ?, ?)")) {
                statement.setString(1, channelId);
                statement.setLong(2, messageId);
                statement.setString(3, attachment.getId());
                statement.setInt(4, segment);
                statement.setString(5, attachment.getType());
                statement.setBinaryStream(6, new ByteArrayInputStream(content, from, length), length);
                statement.executeUpdate();
            }
        }
    }

    public List<String> attachmentIds(String channelId, long messageId) throws SQLException {
        return tx(c -> query(c, "SELECT id FROM standin.attachment WHERE channel = ? AND message = ? AND segment = 0 ORDER BY id", channelId, messageId).stream()
            .map(row -> (String) row.get("id")).toList());
    }

    /** An attachment whole, or null. */
    public Attachment attachment(String channelId, long messageId, String id) throws SQLException {
        return tx(c -> {
            List<Map<String, Object>> found = query(c, "SELECT type, (SELECT sum(length(content)) FROM standin.attachment WHERE channel = a.channel AND message = a.message"
                + " AND id = a.id) AS size FROM standin.attachment a WHERE channel = ? AND message = ? AND id = ? AND segment = 0", channelId, messageId, id);
            if (found.isEmpty()) return null;
            byte[] content = new byte[((Number) found.get(0).get("size")).intValue()];
            int at = 0;
            for (int segment = 0; at < content.length; segment++) {
                byte[] piece = (byte[]) query(c, "SELECT content FROM standin.attachment WHERE channel = ? AND message = ? AND id = ? AND segment = ?",
                    channelId, messageId, id, segment).get(0).get("content");
                System.arraycopy(piece, 0, content, at, piece.length);
                at += piece.length;
            }
            return new Attachment(id, content, (String) found.get(0).get("type"));
        });
    }

    // --- pruning (mirth-patterns.md §7.3) ---

    /** Deletes what is older than a channel keeps; messages in error stay unless `errored`; what is not done with stays in any case. */
    public void prune(String channelId, Integer metaDataDays, Integer contentDays, boolean errored) throws SQLException {
        String done = " AND processed AND NOT EXISTS (SELECT 1 FROM standin.connector_message x WHERE x.channel = m.channel AND x.message = m.id AND x.status IN ('RECEIVED', 'QUEUED', 'PENDING'"
            + (errored ? "" : ", 'ERROR'") + "))";
        tx(c -> {
            if (contentDays != null) {
                Timestamp before = Timestamp.from(Instant.now().minusSeconds(86400L * contentDays));
                String old = " (SELECT m.id FROM standin.message m WHERE m.channel = ? AND m.received < ?" + done + ")";
                update(c, "UPDATE standin.connector_message SET raw = NULL, processed_raw = NULL, transformed = NULL, encoded = NULL, sent = NULL, response = NULL"
                    + " WHERE channel = ? AND message IN" + old, channelId, channelId, before);
                update(c, "DELETE FROM standin.attachment WHERE channel = ? AND message IN" + old, channelId, channelId, before);
            }
            if (metaDataDays != null) {
                update(c, "DELETE FROM standin.message m WHERE channel = ? AND received < ?" + done, channelId, Timestamp.from(Instant.now().minusSeconds(86400L * metaDataDays)));
            }
            return null;
        });
    }
}
