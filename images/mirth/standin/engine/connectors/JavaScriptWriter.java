package engine.connectors;

import com.mirth.connect.userutil.Response;
import com.mirth.connect.userutil.Status;
import engine.ConnectorMessage;
import engine.Destination;
import engine.Log;
import engine.Node;
import engine.Script;
import java.util.List;
import org.mozilla.javascript.RhinoException;

/** JavaScript Writer: what the script returns is the answer; a Response or Status sets the state; an exception is ERROR, queue or not (mirth-patterns.md §0.12). */
public final class JavaScriptWriter implements Destination.Connector {
    private final Destination destination;
    private final Script script;

    /** A syntax error does not fail the deploy, as upstream: every message is then in error. */
    public JavaScriptWriter(Destination destination, List<String> code) {
        this.destination = destination;
        script = compiled(code);
    }

    private Script compiled(List<String> code) {
        try {
            return Script.of(destination.name, code, destination.properties.text("script", ""));
        } catch (RhinoException error) {
            destination.channel.log.error(destination.name + ": the script cannot be compiled", error);
            return null;
        }
    }

    @Override
    public Node prepare(ConnectorMessage m) {
        return destination.properties;
    }

    @Override
    public Response send(Node properties, ConnectorMessage m) {
        if (script == null) return new Response(Status.ERROR, null, "Script not found in cache", "JavaScript Writer error\nERROR MESSAGE: Script not found in cache");
        try {
            Object result = script.run(Script.withStatuses(Script.scope(destination.channel, m)));
            if (result instanceof Response response) return new Response(response.getStatus(), response.getMessage(), response.getStatusMessage(), response.getError());
            String done = "JavaScript evaluation successful.";
            return result instanceof Status status ? new Response(status, null, done, null) : new Response(Status.SENT, result == null ? null : String.valueOf(result), done, null);
        } catch (RuntimeException | StackOverflowError error) {
            return new Response(Status.ERROR, null, "Error evaluating JavaScript Writer", Log.reason(error));
        }
    }
}
