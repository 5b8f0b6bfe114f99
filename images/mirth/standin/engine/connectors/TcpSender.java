package engine.connectors;

import com.mirth.connect.userutil.Response;
import com.mirth.connect.userutil.Status;
import engine.Attachments;
import engine.ConnectorMessage;
import engine.Destination;
import engine.Known;
import engine.Log;
import engine.Node;
import engine.Template;
import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.nio.charset.Charset;
import java.sql.SQLException;
import java.util.List;

/** TCP Sender with MLLP (mirth-patterns.md §5). SENT means that an answer was read; what it says is the validator's and the response transformer's business. */
public final class TcpSender implements Destination.Connector {
    private static final int REMOTE_CHECK_MILLIS = 100;
    private final Destination destination;
    private final Node model;
    private final Charset charset;
    private Socket socket;
    private BufferedInputStream in;
    private String connectedTo = "";
    private long lastUse;

    /** Throws Unsupported. */
    public TcpSender(Destination destination) {
        this.destination = destination;
        this.model = destination.properties;
        Mllp.check(model);
        Known.only(model, "serverMode", "false");
        charset = FileReader.charset(model.text("charsetEncoding"));
        for (String field : List.of("remoteAddress", "remotePort", "template")) Template.check(destination.name + ", " + field, model.text(field));
    }

    @Override
    public Node prepare(ConnectorMessage m) {
        Node replaced = model.copy();
        for (String field : List.of("remoteAddress", "remotePort", "template")) replaced.set(field, Template.replace(model.text(field, ""), destination.channel, m));
        return replaced;
    }

    @Override
    public synchronized Response send(Node properties, ConnectorMessage m) {
        try {
            String host = properties.text("remoteAddress", "");
            int port = TcpListener.port(properties.text("remotePort"));
            if (host.isBlank()) throw new IOException("Remote address is blank.");
            if (port <= 0) throw new IOException("Remote port is invalid.");
            connect(host, port);
            BufferedOutputStream out = new BufferedOutputStream(socket.getOutputStream(), 65536);
            Mllp.write(out, bytes(properties.text("template", ""), m));
            if (model.flag("ignoreResponse")) return done(new Response(Status.SENT, null, "Message successfully sent."));
            byte[] answer = Mllp.read(in);
            // A peer that closes without a byte is no error: TcpDispatcher.send of 4.5.2, seen by running it.
            if (answer == null) {
                close();
                return new Response(Status.SENT, null, "Message successfully sent, but no response received.");
            }
            return done(new Response(Status.SENT, new String(answer, charset), "Message successfully sent."));
        } catch (SocketTimeoutException error) {
            close();
            Status status = !model.flag("queueOnResponseTimeout") ? Status.ERROR : Status.QUEUED;
            return new Response(status, null, "SocketTimeoutException: Timeout waiting for response", Log.reason(error));
        } catch (IOException | SQLException error) {
            close();
            return new Response(Status.QUEUED, null, error.getClass().getSimpleName() + ": " + error.getMessage(), Log.reason(error));
        }
    }

    private byte[] bytes(String text, ConnectorMessage m) throws SQLException {
        if (destination.reattaches()) return Attachments.join(text, m.channelId, m.messageId, charset, false);
        return Attachments.expand(text, m.channelId, m.messageId).getBytes(charset);
    }

    private Response done(Response response) {
        lastUse = System.nanoTime();
        if (!model.flag("keepConnectionOpen")) close();
        return response;
    }

    private void connect(String host, int port) throws IOException {
        int idle = model.number("sendTimeout");
        boolean stale = idle > 0 && System.nanoTime() - lastUse > idle * 1_000_000L;
        if (socket != null && (stale || !connectedTo.equals(host + ":" + port) || model.flag("checkRemoteHost") && remoteHasClosed())) close();
        if (socket != null) return;
        Socket fresh = new Socket();
        int timeout = model.number("responseTimeout");
        fresh.connect(new InetSocketAddress(host, port), timeout);
        fresh.setSoTimeout(timeout);
        fresh.setTcpNoDelay(true);
        fresh.setKeepAlive(model.flag("keepConnectionOpen"));
        in = new BufferedInputStream(fresh.getInputStream(), 65536);
        socket = fresh;
        connectedTo = host + ":" + port;
    }

    /** As upstream finds out: by a read that waits 100 ms (mirth-patterns.md §0.1). */
    private boolean remoteHasClosed() throws IOException {
        try {
            socket.setSoTimeout(REMOTE_CHECK_MILLIS);
            in.mark(1);
            boolean ended = in.read() < 0;
            in.reset();
            return ended;
        } catch (SocketTimeoutException alive) {
            return false;
        } finally {
            socket.setSoTimeout(model.number("responseTimeout"));
        }
    }

    private void close() {
        if (socket == null) return;
        try {
            socket.close();
        } catch (IOException error) {
            destination.channel.log.warn("A socket could not be closed", error);
        }
        socket = null;
    }

    /** Not synchronized: it must also end a send that waits for its answer. */
    @Override
    public void stop() {
        close();
    }
}
