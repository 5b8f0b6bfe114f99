package engine;

import java.text.SimpleDateFormat;
import java.util.ArrayList;
import java.util.Date;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** `${…}` in connector fields: what channels use of Velocity. What it does not know stays as it is, as upstream; `check` refuses it at deploy. */
public final class Template {
    private static final Pattern REFERENCE = Pattern.compile("\\$(!?)(?:\\{([^}]*)}|([A-Za-z][A-Za-z0-9_-]*))");
    private static final Pattern DATE = Pattern.compile("date\\.get\\((['\"])(.*)\\1\\)");
    private static final Pattern NAME = Pattern.compile("[A-Za-z_][A-Za-z0-9_-]*");
    private static final Pattern DIRECTIVE = Pattern.compile("#(set|if|else|elseif|end|foreach|parse|include|macro|evaluate|define)\\b|#[#*]");

    private Template() {
    }

    /** Throws Unsupported when a field holds what `replace` would not work out. */
    public static void check(String where, String template) {
        if (template == null) return;
        Matcher matcher = REFERENCE.matcher(template);
        while (matcher.find()) {
            String expression = matcher.group(2) == null ? matcher.group(3) : matcher.group(2);
            if (!NAME.matcher(expression).matches() && !DATE.matcher(expression).matches() && !expression.startsWith("message.")) {
                throw new Unsupported(where + ": the expression " + matcher.group() + " is not implemented");
            }
        }
        if (template.contains("$") && DIRECTIVE.matcher(template).find()) throw new Unsupported(where + ": Velocity directives are not implemented");
    }

    private static String replace(String template, Function<String, Object> values) {
        if (template == null || template.indexOf('$') < 0) return template;
        Matcher matcher = REFERENCE.matcher(template);
        StringBuilder out = new StringBuilder();
        int from = 0;
        while (matcher.find()) {
            String expression = matcher.group(2) == null ? matcher.group(3) : matcher.group(2);
            Object value = value(expression, values);
            out.append(template, from, matcher.start());
            out.append(value != null ? value : matcher.group(1).isEmpty() ? matcher.group() : "");
            from = matcher.end();
        }
        return out.append(template, from, template.length()).toString();
    }

    private static Object value(String expression, Function<String, Object> values) {
        Matcher date = DATE.matcher(expression);
        if (date.matches()) return new SimpleDateFormat(date.group(2)).format(new Date());
        return switch (expression) {
            case "UUID" -> UUID.randomUUID().toString();
            case "SYSTIME" -> System.currentTimeMillis();
            default -> values.apply(expression);
        };
    }

    /** Replaces in a field of a channel, without a message but with the `extra` values of one. */
    public static String replace(String template, Channel channel, Map<String, Object> extra) {
        return replace(template, name -> switch (name) {
            case "channelId" -> channel.id;
            case "channelName" -> channel.name;
            default -> first(name, List.of(extra, channel.globalChannelMap, Engine.get().globalMap, Map.copyOf(Engine.get().configuration())));
        });
    }

    /** Replaces in a field for one message: the maps of the message win over those of the channel, these over the server's. */
    public static String replace(String template, Channel channel, ConnectorMessage m) {
        List<Map<String, Object>> maps = new ArrayList<>(List.of(m.responseMap, m.connectorMap, m.channelMap, m.sourceMap, channel.globalChannelMap,
            Engine.get().globalMap));
        return replace(template, name -> switch (name) {
            case "channelId" -> channel.id;
            case "channelName" -> channel.name;
            case "message.messageId" -> m.messageId;
            case "message.encodedData" -> m.encoded;
            case "message.transformedData" -> m.transformed;
            case "message.rawData" -> m.raw;
            case "message.connectorName" -> m.name;
            default -> {
                Object value = first(name, maps);
                yield value == null ? Engine.get().configuration().get(name) : value;
            }
        });
    }

    private static Object first(String name, List<Map<String, Object>> maps) {
        for (Map<String, Object> map : maps) {
            Object value = map.get(name);
            if (value != null) return value;
        }
        return null;
    }

    /** Something that the stand-in does not do; the text names it. */
    public static final class Unsupported extends RuntimeException {
        private static final long serialVersionUID = 1;

        public Unsupported(String what) {
            super("Stand-in: " + what);
        }
    }
}
