package engine.connectors;

import com.mirth.connect.server.userutil.RawMessage;
import engine.Channel;
import engine.Node;
import engine.Script;
import java.sql.SQLException;
import java.util.List;

/** JavaScript Reader: the script returns a message, or a java.util.List of them; an empty text is none. */
public final class JavaScriptReader extends Poller {
    private final Script script;

    /** Throws RhinoException on a syntax error, SQLException. */
    public JavaScriptReader(Channel channel, Node properties) throws SQLException {
        super(channel, properties);
        script = Script.of("reader", channel.code("SOURCE_RECEIVER"), properties.text("script", ""));
    }

    @Override
    void poll() throws Exception {
        Object result = script.run(Script.scope(channel));
        for (Object each : result instanceof List<?> many ? many : result == null ? List.of() : List.of(result)) {
            if (!running) return;
            if (each instanceof RawMessage message) channel.dispatch(message);
            else if (each != null && !String.valueOf(each).isEmpty()) channel.dispatch(new RawMessage(String.valueOf(each)));
        }
    }
}
