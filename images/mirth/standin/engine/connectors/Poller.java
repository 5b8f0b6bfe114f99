package engine.connectors;

import engine.Channel;
import engine.Known;
import engine.Node;

/** A source that asks at an interval, in a thread of its own. */
abstract class Poller implements Channel.Source {
    protected final Channel channel;
    protected final Node properties;
    protected volatile boolean running;
    private final long interval;
    private final boolean atStart;
    private Thread thread;

    Poller(Channel channel, Node properties) {
        this.channel = channel;
        this.properties = properties;
        Node poll = Known.need(properties, "pollConnectorProperties");
        Known.only(poll, "pollingType", "INTERVAL");
        Known.only(poll, "pollConnectorPropertiesAdvanced/weekly", "true");
        Known.only(poll, "pollConnectorPropertiesAdvanced/allDay", "true");
        interval = poll.number("pollingFrequency");
        atStart = poll.flag("pollOnStart");
    }

    /** Asks once. What it throws is logged; the next poll comes in its time. */
    abstract void poll() throws Exception;

    @Override
    public void start() {
        running = true;
        thread = new Thread(this::work, "poll of " + channel.name);
        thread.setDaemon(true);
        thread.start();
    }

    @Override
    public void stop() {
        running = false;
        if (thread == null || thread == Thread.currentThread()) return;
        synchronized (this) {
            notifyAll();
        }
        try {
            thread.join(10000);
            if (thread.isAlive()) thread.interrupt();
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    private synchronized void pause() throws InterruptedException {
        long until = System.nanoTime() + interval * 1_000_000;
        for (long left = interval; running && left > 0; left = (until - System.nanoTime()) / 1_000_000) wait(left);
    }

    private void work() {
        try {
            if (!atStart) pause();
            while (running) {
                try {
                    poll();
                } catch (InterruptedException stopped) {
                    throw stopped;
                } catch (Exception error) {
                    channel.log.error("Failed to poll", error);
                }
                pause();
            }
        } catch (InterruptedException stopped) {
            channel.log.debug("Polling was interrupted");
        }
    }
}
