package engine;

import java.io.IOException;
import java.io.Reader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Properties;

/** conf/mirth.properties as the entrypoint wrote it, and the folders of the container (mirth.md §1). */
public final class Settings {
    public static final String VERSION = "4.5.2";
    public final Path home;
    private final Properties properties = new Properties();

    public Settings(Path home) throws IOException {
        this.home = home;
        try (Reader reader = Files.newBufferedReader(home.resolve("conf/mirth.properties"), StandardCharsets.UTF_8)) {
            properties.load(reader);
        }
    }

    public String get(String key, String otherwise) {
        String value = properties.getProperty(key);
        return value == null || value.isBlank() ? otherwise : value.trim();
    }

    /** Throws NumberFormatException. */
    public int number(String key, int otherwise) {
        return Integer.parseInt(get(key, String.valueOf(otherwise)));
    }

    public Path appdata(String file) {
        return home.resolve("appdata").resolve(file);
    }
}
