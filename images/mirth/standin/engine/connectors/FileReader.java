package engine.connectors;

import com.mirth.connect.server.userutil.RawMessage;
import com.mirth.connect.userutil.Response;
import com.mirth.connect.userutil.Status;
import engine.Channel;
import engine.Known;
import engine.Node;
import engine.Template;
import java.io.IOException;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/** File Reader on a folder of this machine (mirth-patterns.md §4). */
public final class FileReader extends Poller {
    private record Found(Path path, long modified, long size) {
    }

    /** Throws Unsupported. */
    public FileReader(Channel channel, Node properties) {
        super(channel, properties);
        Known.only(properties, "scheme", "FILE");
        Known.only(properties, "directoryRecursion", "false");
        Known.only(properties, "binary", "false");
        Known.only(properties, "ignoreFileSizeMaximum", "true");
        Known.only(properties, "sortBy", "date", "name", "size");
        for (String action : List.of("afterProcessingAction", "errorReadingAction")) Known.only(properties, action, "NONE", "MOVE", "DELETE");
        Known.only(properties, "errorResponseAction", "AFTER_PROCESSING", "MOVE", "DELETE");
        for (String field : List.of("host", "moveToDirectory", "moveToFileName", "errorMoveToDirectory", "errorMoveToFileName")) {
            Template.check("File Reader, " + field, properties.text(field));
        }
    }

    static Charset charset(String name) {
        return name == null || name.isEmpty() || name.equals("DEFAULT_ENCODING") ? StandardCharsets.UTF_8 : Charset.forName(name);
    }

    @Override
    void poll() throws Exception {
        List<Found> files = listed(Path.of(Template.replace(properties.text("host", ""), channel, Map.of())));
        String poll = String.valueOf(System.nanoTime());
        int sequence = 1;
        for (Found file : files) {
            if (!running) return;
            if (isReady(file.path()) || file == files.get(files.size() - 1)) process(file, poll, sequence++);
        }
    }

    private List<Found> listed(Path folder) throws IOException {
        String filter = Template.replace(properties.text("fileFilter", "*"), channel, Map.of());
        List<Pattern> wanted = new ArrayList<>();
        if (properties.flag("regex")) {
            wanted.add(Pattern.compile(filter));
        } else {
            for (String glob : filter.split(",")) wanted.add(Pattern.compile(Pattern.quote(glob.strip()).replace("*", "\\E.*\\Q").replace("?", "\\E.\\Q")));
        }
        List<Found> found = new ArrayList<>();
        try (var entries = Files.newDirectoryStream(folder)) {
            for (Path path : entries) {
                String name = path.getFileName().toString();
                if (properties.flag("ignoreDot") && name.startsWith(".") || wanted.stream().noneMatch(each -> each.matcher(name).matches())) continue;
                if (isReady(path)) found.add(new Found(path, Files.getLastModifiedTime(path).toMillis(), Files.size(path)));
            }
        }
        found.sort(switch (properties.text("sortBy", "date")) {
            case "date" -> Comparator.comparingLong(Found::modified);
            case "size" -> Comparator.comparingLong(Found::size);
            default -> Comparator.comparing(file -> file.path().getFileName().toString(), String.CASE_INSENSITIVE_ORDER);
        });
        return found;
    }

    /** Old and large enough. Throws NumberFormatException when fileAge is no number: `${key}` is not evaluated there (mirth-patterns.md §11.8). */
    private boolean isReady(Path path) throws IOException {
        if (!Files.isRegularFile(path) || !Files.isReadable(path)) return false;
        if (properties.flag("checkFileAge") && System.currentTimeMillis() - Files.getLastModifiedTime(path).toMillis() < Long.parseLong(properties.text("fileAge"))) return false;
        String minimum = properties.text("fileSizeMinimum", "");
        return Files.size(path) >= (minimum.matches("\\d+") ? Long.parseLong(minimum) : 0);
    }

    /** `sequence` counts the files of a poll from 1, those that could not be stored included. */
    private void process(Found file, String poll, int sequence) throws InterruptedException {
        String name = file.path().getFileName().toString();
        Map<String, Object> values = new HashMap<>(Map.of("originalFilename", name, "fileDirectory", file.path().getParent().toString(), "fileSize", file.size(),
            "fileLastModified", file.modified(), "pollId", poll, "pollSequenceId", sequence));
        Response response = null;
        boolean failed = false;
        try {
            String text = new String(Files.readAllBytes(file.path()), charset(properties.text("charsetEncoding")));
            response = channel.dispatch(new RawMessage(text, null, values)).response();
        } catch (IOException | java.sql.SQLException | RuntimeException error) {
            failed = true;
            channel.log.error("Unable to dispatch the file " + file.path(), error);
        }
        boolean refused = response != null && response.getStatus() == Status.ERROR && !"AFTER_PROCESSING".equals(properties.text("errorResponseAction", "AFTER_PROCESSING"));
        String action = properties.text(failed ? "errorReadingAction" : refused ? "errorResponseAction" : "afterProcessingAction", "NONE");
        try {
            if (action.equals("DELETE")) Files.delete(file.path());
            if (action.equals("MOVE")) move(file.path(), name, failed || refused, values);
        } catch (IOException error) {
            channel.log.error("Error moving or deleting the file " + file.path(), error);
        }
    }

    private void move(Path from, String name, boolean bad, Map<String, Object> values) throws IOException {
        String folder = Template.replace(properties.text(bad ? "errorMoveToDirectory" : "moveToDirectory", ""), channel, values);
        String wanted = Template.replace(properties.text(bad ? "errorMoveToFileName" : "moveToFileName", ""), channel, values);
        Path into = folder.isBlank() ? from.getParent() : Path.of(folder);
        Files.createDirectories(into);
        Path target = into.resolve(wanted.isBlank() ? name : wanted);
        if (!target.equals(from)) Files.move(from, target, StandardCopyOption.REPLACE_EXISTING);
    }
}
