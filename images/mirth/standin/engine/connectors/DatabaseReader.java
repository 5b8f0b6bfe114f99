package engine.connectors;

import com.mirth.connect.server.userutil.RawMessage;
import engine.Channel;
import engine.Known;
import engine.Node;
import engine.Script;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** Database Reader in script mode: one message per row, as XML; the update script runs after each is stored (mirth-patterns.md §1.2). */
public final class DatabaseReader extends Poller {
    private final Script select;
    private final Script update;

    /** Throws Unsupported, RhinoException, SQLException. */
    public DatabaseReader(Channel channel, Node properties) throws SQLException {
        super(channel, properties);
        Known.only(properties, "useScript", "true");
        if (!properties.flag("useScript")) throw new engine.Template.Unsupported("Database Reader: useScript=false is not implemented");
        Known.only(properties, "aggregateResults", "false");
        Known.only(properties, "updateMode", "1", "3");
        List<String> code = channel.code("SOURCE_RECEIVER");
        select = Script.of("select", code, properties.text("select", ""));
        update = properties.text("updateMode", "1").equals("3") ? Script.of("update", code, properties.text("update", "")) : null;
    }

    @Override
    void poll() throws Exception {
        Object result = select.run(Script.scope(channel));
        if (result instanceof ResultSet rows) {
            try (rows) {
                while (running && rows.next()) {
                    Map<String, Object> row = new LinkedHashMap<>();
                    for (int i = 1; i <= rows.getMetaData().getColumnCount(); i++) put(row, rows.getMetaData().getColumnLabel(i), rows.getObject(i));
                    process(row);
                }
            }
        } else if (result instanceof List<?> rows) {
            for (Object each : rows) {
                if (!running) return;
                if (!(each instanceof Map<?, ?> given)) throw new IllegalStateException("Received invalid list entry, expected Map<String, Object>: " + each);
                Map<String, Object> row = new LinkedHashMap<>();
                for (Map.Entry<?, ?> entry : given.entrySet()) put(row, String.valueOf(entry.getKey()), entry.getValue());
                process(row);
            }
        } else {
            throw new IllegalStateException("Unrecognized result: " + result);
        }
    }

    private static void put(Map<String, Object> row, String name, Object value) {
        String key = name.toLowerCase(Locale.ENGLISH);
        if (row.containsKey(key)) throw new IllegalStateException("Multiple columns have the alias/name '" + key + "' (case-insensitive).");
        row.put(key, value);
    }

    private void process(Map<String, Object> row) throws InterruptedException {
        try {
            StringBuilder xml = new StringBuilder("<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"no\"?><result>");
            row.forEach((name, value) -> {
                if (value == null) return;
                xml.append('<').append(name).append('>');
                escape(String.valueOf(value), xml);
                xml.append("</").append(name).append('>');
            });
            channel.dispatch(new RawMessage(xml.append("</result>").toString()));
            if (update != null) {
                Map<String, Object> scope = Script.scope(channel);
                scope.put("resultMap", row);
                update.run(scope);
            }
        } catch (SQLException | RuntimeException error) {
            channel.log.error("Failed to process row retrieved from the database", error);
        }
    }

    /** Text as a DOM serialiser writes it: quotes stay. */
    private static void escape(String value, StringBuilder out) {
        out.append(value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#13;"));
    }
}
