package engine;

import com.mirth.connect.server.userutil.DatabaseConnectionFactory;
import com.mirth.connect.server.userutil.DestinationSet;
import com.mirth.connect.server.userutil.VMRouter;
import com.mirth.connect.userutil.ImmutableConnectorMessage;
import com.mirth.connect.userutil.Response;
import com.mirth.connect.userutil.Status;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.mozilla.javascript.Context;
import org.mozilla.javascript.ContextFactory;
import org.mozilla.javascript.ImporterTopLevel;
import org.mozilla.javascript.NativeArray;
import org.mozilla.javascript.NativeJSON;
import org.mozilla.javascript.NativeObject;
import org.mozilla.javascript.Scriptable;
import org.mozilla.javascript.ScriptableObject;
import org.mozilla.javascript.Undefined;
import org.mozilla.javascript.Wrapper;

/** One script of a channel, compiled with its code templates, and what it sees. Rhino runs it interpreted, in ES6, as upstream does. */
public final class Script {
    private static final ContextFactory FACTORY = new ContextFactory() {
        @Override
        protected Context makeContext() {
            Context context = super.makeContext();
            context.setLanguageVersion(Context.VERSION_ES6);
            context.setOptimizationLevel(-1);
            return context;
        }
    };
    private static final ScriptableObject SHARED = shared();
    private static final Map<String, String> MAPS = Map.of("$co", "connectorMap", "$c", "channelMap", "$s", "sourceMap", "$gc", "globalChannelMap", "$g", "globalMap",
        "$cfg", "configurationMap", "$r", "responseMap");
    private static final String PRELUDE = prelude();

    private final org.mozilla.javascript.Script compiled;

    /** Throws RhinoException on a syntax error. */
    private Script(String name, String source) {
        Context context = FACTORY.enterContext();
        try {
            compiled = context.compileString(source, name, 1, null);
        } finally {
            Context.exit();
        }
    }

    /** A script whose text is the body of a function; its value is what that returns. Throws RhinoException on a syntax error. */
    public static Script of(String name, List<String> templates, String body) {
        return new Script(name, PRELUDE + String.join("\n", templates) + "\nfunction doScript() {\n" + body + "\n}\ndoScript();");
    }

    /** Filter rules and transformer steps: gives true, or false for a filtered message, and leaves `msg`. */
    public static Script filterTransformer(String name, List<String> templates, boolean xml, List<Node> rules, List<Node> steps) {
        StringBuilder body = new StringBuilder(xml ? "msg = new XML(connectorMessage.getTransformedData());\ndefault xml namespace = '';\n"
            : "msg = new String(connectorMessage.getProcessedRawData() != null ? connectorMessage.getProcessedRawData() : connectorMessage.getRawData());\n");
        StringBuilder all = new StringBuilder();
        for (int i = 0; i < rules.size(); i++) {
            body.append("function filterRule").append(i).append("() {\n").append(rules.get(i).text("script", "")).append("\n}\n");
            String operator = rules.get(i).text("operator", "NONE");
            all.append(operator.equals("AND") ? " && " : operator.equals("OR") ? " || " : "").append("(filterRule").append(i).append("() == true)");
        }
        body.append("function doFilter() { return ").append(rules.isEmpty() ? "true" : "(" + all + ")").append("; }\n");
        body.append(transform(steps)).append("if (doFilter() == true) { doTransform(); return true; }\nreturn false;");
        return of(name, templates, body.toString());
    }

    public static Script responseTransformer(String name, List<String> templates, List<Node> steps) {
        return of(name, templates, "msg = new String(response.getMessage());\n" + transform(steps) + "doTransform();");
    }

    private static String transform(List<Node> steps) {
        StringBuilder body = new StringBuilder("function doTransform() {\n");
        for (Node step : steps) body.append(step.text("script", "")).append('\n');
        return body.append("if (typeof msg == 'xml' && msg.hasSimpleContent()) msg = msg.toXMLString();\n}\n").toString();
    }

    /** Throws RhinoException when a code template has a syntax error. */
    public static void checkSyntax(String name, String source) {
        new Script(name, source);
    }

    private static ScriptableObject shared() {
        Context context = FACTORY.enterContext();
        try {
            ScriptableObject scope = new ImporterTopLevel(context);
            context.evaluateString(scope, "importPackage(Packages.com.mirth.connect.userutil); importPackage(Packages.com.mirth.connect.server.userutil);"
                + "XML.ignoreWhitespace = true; XML.prettyPrinting = false;", "shared", 1, null);
            scope.sealObject();
            return scope;
        } finally {
            Context.exit();
        }
    }

    private static String prelude() {
        StringBuilder out = new StringBuilder();
        MAPS.forEach((name, map) -> out.append("function ").append(name).append("(key, value) { return arguments.length == 1 ? ").append(map).append(".get(key) : ")
            .append(map).append(".put(key, value); }\n"));
        out.append("function $(key) {\n");
        for (String map : List.of("responseMap", "connectorMap", "channelMap", "sourceMap", "globalChannelMap", "globalMap", "configurationMap", "resultMap")) {
            out.append("  if (typeof ").append(map).append(" != 'undefined' && ").append(map).append(".containsKey(key)) return ").append(map).append(".get(key);\n");
        }
        return out.append("  return '';\n}\n").toString();
    }

    // --- what scripts see ---

    /** Values of every script of a channel. */
    public static Map<String, Object> scope(Channel channel) {
        Map<String, Object> scope = new HashMap<>();
        scope.put("router", new VMRouter());
        scope.put("configurationMap", Engine.get().configuration());
        scope.put("globalMap", Engine.get().globalMap);
        scope.put("DatabaseConnectionFactory", new DatabaseConnectionFactory());
        scope.put("logger", new Log(channel.name));
        scope.put("channelId", channel.id);
        scope.put("channelName", channel.name);
        scope.put("globalChannelMap", channel.globalChannelMap);
        return scope;
    }

    public static Map<String, Object> scope(Channel channel, ConnectorMessage m) {
        Map<String, Object> scope = scope(channel);
        scope.put("connectorMessage", new ImmutableConnectorMessage(m));
        scope.put("sourceMap", Collections.unmodifiableMap(m.sourceMap));
        scope.put("connectorMap", m.connectorMap);
        scope.put("channelMap", m.channelMap);
        scope.put("responseMap", m.responseMap);
        scope.put("connector", m.name);
        if (m.metaDataId == 0) scope.put("destinationSet", new DestinationSet(m));
        return scope;
    }

    public static Map<String, Object> withStatuses(Map<String, Object> scope) {
        for (Status status : Status.values()) scope.put(status.name(), status);
        return scope;
    }

    public static Map<String, Object> withResponse(Map<String, Object> scope, Response response) {
        scope.put("response", new Response(response.getStatus(), response.getMessage(), response.getStatusMessage(), response.getError()));
        scope.put("responseStatus", response.getStatus());
        scope.put("responseStatusMessage", response.getStatusMessage());
        scope.put("responseErrorMessage", response.getError());
        return withStatuses(scope);
    }

    // --- running ---

    /** Runs with a fresh scope; returns the value as Java has it (null for undefined), and leaves the variables of `wanted` in it. Throws what the script throws. */
    public Object run(Map<String, Object> scope, String... wanted) {
        Context context = FACTORY.enterContext();
        try {
            Scriptable top = context.newObject(SHARED);
            top.setPrototype(SHARED);
            top.setParentScope(null);
            scope.forEach((name, value) -> top.put(name, top, Context.javaToJS(value, top)));
            Object result = java(context, top, compiled.exec(context, top));
            for (String name : wanted) scope.put(name, java(context, top, ScriptableObject.getProperty(top, name)));
            return result;
        } finally {
            Context.exit();
        }
    }

    private static Object java(Context context, Scriptable top, Object value) {
        if (value == null || value instanceof Undefined || value == Scriptable.NOT_FOUND) return null;
        if (value instanceof Wrapper wrapped) return wrapped.unwrap();
        if (value instanceof Boolean || value instanceof Number) return value;
        if (value instanceof NativeObject || value instanceof NativeArray) return String.valueOf(NativeJSON.stringify(context, top, value, null, null));
        return Context.toString(value);
    }
}
