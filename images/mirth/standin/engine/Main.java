package engine;

import java.nio.file.Path;
import java.sql.SQLException;

/** Boot, in the product's order: database, web server, engine, channels (mirth.md §1.5). */
public final class Main {
    private static final Log LOG = new Log("mirth");

    private Main() {
    }

    public static void main(String[] arguments) throws Exception {
        System.setProperty("sun.net.httpserver.nodelay", "true");
        Settings settings = new Settings(Path.of(arguments[0]));
        if (!settings.get("database", "derby").equals("postgres")) {
            LOG.error("Stand-in: database=" + settings.get("database", "derby") + " is not implemented, only postgres");
            System.exit(1);
        }
        Store store = connect(settings);
        Engine engine = new Engine(store, settings, new Known(Path.of(arguments[1])));
        Runtime.getRuntime().addShutdownHook(new Thread(engine::stop, "shutdown"));
        try {
            new Web(engine, new Users(store), settings).start();
        } catch (Exception error) {
            // As upstream: the process goes on without an API, only a health check notices.
            LOG.error("Failed to start the web server", error);
        }
        engine.start();
        LOG.info("Mirth Connect " + Settings.VERSION + " (stand-in) server successfully started.");
    }

    /** Connects to the database, with the retries that the settings give. Ends the process with 0 when it cannot, as upstream does. */
    private static Store connect(Settings settings) throws InterruptedException {
        int retries = settings.number("database.connection.maxretry", 2);
        for (int attempt = 0; ; attempt++) {
            try {
                return new Store(settings);
            } catch (SQLException error) {
                LOG.error("Failed to establish a connection to the database", error);
                if (attempt >= retries) System.exit(0);
                Thread.sleep(settings.number("database.connection.retrywaitinmilliseconds", 10000));
            } catch (IllegalStateException error) {
                LOG.error(error.getMessage());
                System.exit(1);
            }
        }
    }
}
