package engine.connectors;

import com.mirth.connect.server.userutil.RawMessage;
import com.mirth.connect.userutil.Response;
import com.mirth.connect.userutil.Status;
import engine.Attachments;
import engine.Channel;
import engine.ConnectorMessage;
import engine.Destination;
import engine.Engine;
import engine.Log;
import engine.Node;
import engine.Template;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;

/** Channel Writer: hands a message to another channel; with the queue on it waits for one that is not running (mirth-patterns.md §6.3). */
public final class ChannelWriter implements Destination.Connector {
    private final Destination destination;

    /** Throws Unsupported. */
    public ChannelWriter(Destination destination) {
        this.destination = destination;
        Node variables = destination.properties.child("mapVariables");
        if (variables != null && !variables.children.isEmpty()) throw new Template.Unsupported(destination.name + ": mapVariables is not implemented");
        for (String field : List.of("channelId", "channelTemplate")) Template.check(destination.name + ", " + field, destination.properties.text(field));
    }

    @Override
    public Node prepare(ConnectorMessage m) {
        Node replaced = destination.properties.copy();
        for (String field : List.of("channelId", "channelTemplate")) replaced.set(field, Template.replace(replaced.text(field, ""), destination.channel, m));
        return replaced;
    }

    @Override
    public Response send(Node properties, ConnectorMessage m) throws InterruptedException {
        String id = properties.text("channelId");
        if (id.equals("none")) return new Response(Status.SENT, null, "Message routed successfully to no channel");
        Channel target = Engine.get().deployed(id);
        if (target == null || !target.isStarted()) return new Response(Status.QUEUED, null, "Error routing message to channel id: " + id, "channel " + id + " is not running");
        String text = properties.text("channelTemplate");
        try {
            text = destination.reattaches() ? new String(Attachments.join(text, m.channelId, m.messageId, StandardCharsets.UTF_8, false), StandardCharsets.UTF_8)
                : Attachments.expand(text, m.channelId, m.messageId);
            Response answer = target.receive(new RawMessage(text, null, Map.of("sourceChannelId", m.channelId, "sourceMessageId", m.messageId)));
            return new Response(Status.SENT, answer == null ? null : answer.getMessage(), "Message routed successfully to channel id: " + id);
        } catch (InterruptedException stopped) {
            throw stopped;
        } catch (Exception error) {
            return new Response(Status.QUEUED, null, "Error routing message to channel id: " + id, Log.reason(error));
        }
    }
}
