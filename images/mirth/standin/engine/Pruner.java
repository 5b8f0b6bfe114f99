package engine;

import java.sql.SQLException;
import java.time.LocalDateTime;
import java.util.List;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;

/** The data pruner: hourly while its property `enabled` is true, and on demand (mirth-patterns.md §7.3). */
public final class Pruner {
    private static final Log LOG = new Log("pruner");
    public static final String DEFAULTS = """
        <properties><property name="archiveEnabled">&lt;boolean&gt;false&lt;/boolean&gt;</property><property name="archiverBlockSize">50</property>
        <property name="enabled">false</property><property name="includeAttachments">&lt;boolean&gt;false&lt;/boolean&gt;</property>
        <property name="maxEventAge"></property><property name="pruneEvents">false</property><property name="pruningBlockSize">1000</property></properties>
        """;
    private final Engine engine;
    private final ScheduledExecutorService timer = Executors.newSingleThreadScheduledExecutor(work -> {
        Thread thread = new Thread(work, "pruner");
        thread.setDaemon(true);
        return thread;
    });
    private volatile String last = "-";
    private volatile boolean running;

    public Pruner(Engine engine) {
        this.engine = engine;
    }

    public void start() {
        timer.scheduleAtFixedRate(() -> {
            try {
                if (isEnabled()) prune();
            } catch (SQLException error) {
                LOG.error("Pruning failed", error);
            }
        }, 1, 1, TimeUnit.HOURS);
    }

    public void startOnce() {
        timer.execute(this::prune);
    }

    private boolean isEnabled() throws SQLException {
        return engine.store.setting("Data Pruner", DEFAULTS).children.stream().anyMatch(each -> "enabled".equals(each.attributes.get("name")) && each.text.equals("true"));
    }

    private void prune() {
        LocalDateTime began = LocalDateTime.now();
        int done = 0;
        running = true;
        try {
            List<String> ids = engine.channelIds();
            for (String id : ids) {
                String body = engine.store.tx(c -> Store.query(c, "SELECT body FROM standin.metadata WHERE channel = ?", id).stream().map(row -> (String) row.get("body"))
                    .findFirst().orElse("<metadata/>"));
                Node kept = Node.stored(body).child("pruningSettings");
                if (kept != null) engine.store.prune(id, days(kept, "pruneMetaDataDays"), days(kept, "pruneContentDays"), kept.flag("pruneErroredMessages"));
                done++;
            }
            last = "Initiated " + began + ", " + done + " of " + ids.size() + " channels processed";
        } catch (Exception error) {
            LOG.error("Pruning failed", error);
            last = "Initiated " + began + ", failed after " + done + " channels";
        } finally {
            running = false;
        }
    }

    private static Integer days(Node kept, String name) {
        return kept.text(name, "").isEmpty() ? null : kept.number(name);
    }

    public Node status() {
        return new Node("map").entry("lastProcess", last).entry("isRunning", running).entry("currentState", running ? "Running" : "Not running")
            .entry("nextProcess", "Scheduled within the hour").entry("currentProcess", "-");
    }
}
