package engine.connectors;

import com.mirth.connect.server.userutil.RawMessage;
import com.mirth.connect.userutil.Response;
import engine.Channel;
import engine.Known;
import engine.Node;
import engine.Template;
import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.Charset;
import java.sql.SQLException;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/** TCP Listener with MLLP: a thread for each connection. While the database is away a message is held and gets no answer (mirth-patterns.md §5.2). */
public final class TcpListener implements Channel.Source {
    private final Channel channel;
    private final Node properties;
    private final Charset charset;
    private final int most;
    private final Set<Socket> open = ConcurrentHashMap.newKeySet();
    private ServerSocket server;
    private Thread acceptor;

    /** Throws Unsupported, and NumberFormatException where maxConnections is missing. */
    public TcpListener(Channel channel, Node properties) {
        this.channel = channel;
        this.properties = properties;
        Mllp.check(properties);
        Known.only(properties, "serverMode", "true");
        Known.only(properties, "respondOnNewConnection", "0");
        Known.only(properties, "receiveTimeout", "0");
        Node listener = Known.need(properties, "listenerConnectorProperties");
        Template.check("TCP Listener, host", listener.text("host"));
        Template.check("TCP Listener, port", listener.text("port"));
        charset = FileReader.charset(properties.text("charsetEncoding"));
        most = Integer.parseInt(Known.need(properties, "maxConnections").text);
    }

    private String field(String name) {
        return Template.replace(properties.text("listenerConnectorProperties/" + name, ""), channel, Map.of());
    }

    /** The port as the model has it, for portsInUse; 0 where it is no number. */
    public static int port(String text) {
        return text != null && text.matches("\\d{1,5}") ? Integer.parseInt(text) : 0;
    }

    @Override
    public void start() throws IOException {
        server = new ServerSocket();
        server.setReuseAddress(true);
        server.bind(new InetSocketAddress(InetAddress.getByName(field("host")), port(field("port"))), 256);
        acceptor = new Thread(() -> accept(server), "listener of " + channel.name);
        acceptor.setDaemon(true);
        acceptor.start();
    }

    @Override
    public void stop() {
        try {
            if (server != null) server.close();
            for (Socket socket : open) socket.close();
            // The port is free only when nobody waits in accept() any more.
            if (acceptor != null) acceptor.join(5000);
        } catch (IOException error) {
            channel.log.warn("A socket could not be closed", error);
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
        }
        open.clear();
    }

    private void accept(ServerSocket from) {
        while (!from.isClosed()) {
            try {
                Socket socket = from.accept();
                if (open.size() >= most) {
                    socket.close();
                    continue;
                }
                open.add(socket);
                Thread thread = new Thread(() -> serve(socket), "connection of " + channel.name);
                thread.setDaemon(true);
                thread.start();
            } catch (IOException error) {
                if (!from.isClosed()) channel.log.error("A connection could not be accepted", error);
            }
        }
    }

    private void serve(Socket socket) {
        try (socket) {
            socket.setTcpNoDelay(true);
            socket.setKeepAlive(true);
            InputStream in = new BufferedInputStream(socket.getInputStream(), 65536);
            OutputStream out = new BufferedOutputStream(socket.getOutputStream(), 65536);
            Map<String, Object> values = Map.of("localAddress", socket.getLocalAddress().getHostAddress(), "localPort", socket.getLocalPort(), "remoteAddress",
                socket.getInetAddress().getHostAddress(), "remotePort", socket.getPort());
            boolean more = true;
            while (more) {
                String message = received(in);
                if (message == null) return;
                Response response = channel.dispatch(new RawMessage(message, null, values)).response();
                if (response != null && response.getMessage() != null && !response.getMessage().isEmpty()) Mllp.write(out, response.getMessage().getBytes(charset));
                more = properties.flag("keepConnectionOpen");
            }
        } catch (SQLException | IllegalStateException error) {
            channel.log.error("A message could not be stored, so it is not answered", error);
        } catch (IOException error) {
            if (!server.isClosed()) channel.log.warn("Error receiving message", error);
        } catch (InterruptedException stopped) {
            channel.log.debug("A connection was interrupted");
        } catch (OutOfMemoryError error) {
            channel.log.error("A message is too large for the heap, so it is not answered", error);
        } finally {
            open.remove(socket);
        }
    }

    private String received(InputStream in) throws IOException {
        byte[] bytes = Mllp.read(in);
        return bytes == null ? null : new String(bytes, charset);
    }
}
