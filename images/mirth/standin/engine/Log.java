package engine;

import java.time.LocalDateTime;
import java.time.format.DateTimeFormatter;

/** Lines on standard output, as the product's console log has them. Scripts see it as `logger`. */
public final class Log {
    private static final DateTimeFormatter TIME = DateTimeFormatter.ofPattern("yyyy-MM-dd HH:mm:ss,SSS");
    private final String name;

    public Log(String name) {
        this.name = name;
    }

    private void write(String level, Object message, Object cause) {
        String more = cause == null ? "" : ": " + (cause instanceof Throwable thrown ? reason(thrown) : cause);
        System.out.printf("%-5s %s [%s] %s: %s%s%n", level, LocalDateTime.now().format(TIME), Thread.currentThread().getName(), name, message, more);
    }

    /** What is said of an error: its class, its text, and those of what caused it. */
    public static String reason(Throwable thrown) {
        StringBuilder out = new StringBuilder();
        int depth = 0;
        for (Throwable each = thrown; each != null && depth < 6; each = each.getCause(), depth++) {
            if (depth > 0) out.append(", caused by ");
            out.append(each.getClass().getSimpleName());
            if (each.getMessage() != null) out.append(": ").append(each.getMessage());
        }
        return out.toString();
    }

    public void error(Object message) {
        write("ERROR", message, null);
    }

    public void error(Object message, Object cause) {
        write("ERROR", message, cause);
    }

    public void warn(Object message) {
        write("WARN", message, null);
    }

    public void warn(Object message, Object cause) {
        write("WARN", message, cause);
    }

    public void info(Object message) {
        write("INFO", message, null);
    }

    public void info(Object message, Object cause) {
        write("INFO", message, cause);
    }

    public void debug(Object message) {
        write("DEBUG", message, null);
    }

    public void trace(Object message) {
    }
}
