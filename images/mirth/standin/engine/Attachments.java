package engine;

import com.mirth.connect.server.userutil.Attachment;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Takes attachments out of a message by regular expressions, and puts them back where their token stands (mirth-patterns.md §7.2, §11.4). */
public final class Attachments {
    private static final Pattern TOKEN = Pattern.compile("\\$\\{ATTACH:(?:([0-9a-f-]{36}):(\\d{1,19}):)?([0-9a-f-]{36})}");

    /** A pattern, whose last group is the attachment, and the type that it gets. */
    public record Rule(Pattern pattern, String type) {
    }

    private Attachments() {
    }

    /** Returns the message with tokens, and puts what it took into `taken`. */
    public static String split(String message, List<Rule> rules, List<Attachment> taken) {
        for (Rule rule : rules) {
            Matcher matcher = rule.pattern().matcher(message);
            StringBuilder rest = new StringBuilder();
            int from = 0;
            while (matcher.find()) {
                int group = matcher.groupCount();
                String content = matcher.group(group);
                if (content.isBlank()) continue;
                Attachment attachment = new Attachment(UUID.randomUUID().toString(), content.getBytes(StandardCharsets.UTF_8), rule.type());
                taken.add(attachment);
                rest.append(message, from, matcher.start(group)).append(attachment.getAttachmentId());
                from = matcher.end(group);
            }
            if (from > 0) message = rest.append(message, from, message.length()).toString();
        }
        return message;
    }

    /** Returns the bytes of a text with the attachments in it; `localOnly` leaves tokens of other channels as they are. An unknown one becomes nothing. */
    public static byte[] join(String text, String channelId, long messageId, Charset charset, boolean localOnly) throws SQLException {
        List<byte[]> pieces = new ArrayList<>();
        Matcher matcher = TOKEN.matcher(text);
        int from = 0;
        while (matcher.find()) {
            boolean local = matcher.group(1) == null;
            if (!local && localOnly) continue;
            pieces.add(text.substring(from, matcher.start()).getBytes(charset));
            Attachment found = Engine.get().store.attachment(local ? channelId : matcher.group(1), local ? messageId : Long.parseLong(matcher.group(2)), matcher.group(3));
            if (found != null) {
                byte[] content = found.getContent();
                pieces.add(charset.equals(StandardCharsets.UTF_8) ? content : new String(content, StandardCharsets.UTF_8).getBytes(charset));
            }
            from = matcher.end();
        }
        pieces.add(text.substring(from).getBytes(charset));
        if (pieces.size() == 1) return pieces.get(0);
        byte[] whole = new byte[pieces.stream().mapToInt(piece -> piece.length).sum()];
        int at = 0;
        for (byte[] piece : pieces) {
            System.arraycopy(piece, 0, whole, at, piece.length);
            at += piece.length;
        }
        return whole;
    }

    /** Returns a text whose own tokens also name channel and message, so that another channel can put the attachments back. */
    public static String expand(String text, String channelId, long messageId) {
        return text.replaceAll("\\$\\{ATTACH:([0-9a-f-]{36})}", "\\${ATTACH:" + channelId + ":" + messageId + ":$1}");
    }
}
