package engine;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import javax.xml.stream.XMLStreamException;

/** The classes and elements of channel XML. What the product's XStream would not read makes a channel invalid, without a word (mirth.md §0.3, §8). */
public final class Known {
    /** Classes that upstream reads and the stand-in does not run: a channel with them is stored, and its deploy says which. */
    private static final Set<String> OTHERS = Set.of(
        "connectors.dimse.DICOMReceiverProperties", "connectors.dimse.DICOMDispatcherProperties", "connectors.doc.DocumentDispatcherProperties",
        "connectors.file.FileDispatcherProperties", "connectors.http.HttpReceiverProperties", "connectors.http.HttpDispatcherProperties",
        "connectors.jdbc.DatabaseDispatcherProperties", "connectors.smtp.SmtpDispatcherProperties", "connectors.jms.JmsReceiverProperties",
        "connectors.jms.JmsDispatcherProperties", "connectors.ws.WebServiceReceiverProperties", "connectors.ws.WebServiceDispatcherProperties",
        "plugins.datatypes.json.JSONDataTypeProperties", "plugins.datatypes.delimited.DelimitedDataTypeProperties", "plugins.datatypes.dicom.DICOMDataTypeProperties",
        "plugins.datatypes.edi.EDIDataTypeProperties", "plugins.datatypes.hl7v3.HL7V3DataTypeProperties", "plugins.mapper.MapperStep",
        "plugins.messagebuilder.MessageBuilderStep", "plugins.destinationsetfilter.DestinationSetFilterStep", "plugins.xsltstep.XsltStep",
        "plugins.scriptfilestep.ExternalScriptStep", "plugins.scriptfilerule.ExternalScriptRule", "plugins.rulebuilder.RuleBuilderRule");
    private static final String PACKAGE = "com.mirth.connect.";
    private static final String FRAME_MODE = PACKAGE + "model.transmission.framemode.FrameModeProperties";
    /** Elements that the defaults do not show, by parent. */
    private static final Map<String, Set<String>> MORE = Map.of(
        "channel", Set.of("exportData"),
        "connector", Set.of("responseTransformer"),
        "properties", Set.of("pluginProperties", "schemeProperties"),
        "transformer", Set.of("inboundTemplate", "outboundTemplate"),
        "responseTransformer", Set.of("inboundTemplate", "outboundTemplate"),
        "attachmentProperties", Set.of("className"));
    private static final Set<String> OPEN = Set.of("pluginProperties", "schemeProperties", "exportData", "cronJobs", "metaDataColumns", "mapVariables", "inboundTemplate", "outboundTemplate");
    private static final Set<String> NUMBERS = Set.of("metaDataId", "nextMetaDataId", "revision", "sequenceNumber", "processingThreads", "queueBufferSize",
        "retryIntervalMillis", "threadCount", "pollingFrequency", "pollingHour", "pollingMinute", "updateMode");
    private static final Map<String, Set<String>> ENUMS = Map.of(
        "messageStorageMode", Set.of("DEVELOPMENT", "PRODUCTION", "RAW", "METADATA", "DISABLED"),
        "initialState", Set.of("STARTED", "PAUSED", "STOPPED"),
        "mode", Set.of("SOURCE", "DESTINATION"),
        "pollingType", Set.of("INTERVAL", "TIME", "CRON"),
        "afterProcessingAction", Set.of("NONE", "MOVE", "DELETE"),
        "operator", Set.of("NONE", "AND", "OR"));

    private final Map<String, Node> classes = new HashMap<>();
    private final Node channel;

    /** Reads the defaults of the product, one file each. */
    public Known(Path folder) throws IOException, XMLStreamException {
        try (var files = Files.list(folder)) {
            for (Path file : (Iterable<Path>) files::iterator) {
                Node root = Node.parse(Files.readString(file));
                classes.put(root.name, root);
            }
        }
        channel = classes.get("channel");
        Node frame = classes.get(PACKAGE + "plugins.mllpmode.MLLPModeProperties").copy();
        for (String own : List.of("useMLLPv2", "ackBytes", "nackBytes", "maxRetries")) frame.remove(own);
        classes.put(FRAME_MODE, frame);
    }

    /** Why the product would not read this channel, or null. */
    public String problem(Node given) {
        if (!given.name.equals("channel")) return "it is no channel but " + given.name;
        if (!given.attributes.containsKey("version")) return "channel has no version";
        return problem(given, channel);
    }

    private String problem(Node given, Node known) {
        for (Node child : given.children) {
            String found = problem(given, child, known.child(child.name));
            if (found != null) return found;
        }
        return null;
    }

    private String problem(Node parent, Node given, Node known) {
        String kind = given.attributes.get("class");
        if (OPEN.contains(given.name)) return null;
        if (given.name.equals("destinationConnectors")) {
            for (Node connector : given.children) {
                String found = connector.name.equals("connector") ? problem(connector, channel.child("sourceConnector")) : "destinationConnectors holds " + connector.name;
                if (found != null) return found;
            }
            return null;
        }
        if (given.name.equals("responseTransformer")) return problem(given, channel.at("sourceConnector/transformer"));
        if (given.name.equals("elements")) return steps(given);
        if (given.name.equals("resourceIds")) return given.children.stream().allMatch(entry -> entry.name.equals("entry")) ? null : "resourceIds is no map";
        if (known == null && !MORE.getOrDefault(parent.name, Set.of()).contains(given.name)) return parent.name + " has no " + given.name;
        if (kind != null) {
            if (kind.startsWith(PACKAGE) && OTHERS.contains(kind.substring(PACKAGE.length()))) return null;
            if (classes.containsKey(kind)) return problem(given, classes.get(kind));
            if (known == null || !kind.equals(known.attributes.get("class"))) return "there is no class " + kind;
        }
        if (given.children.isEmpty() && !given.text.isEmpty()) {
            if (NUMBERS.contains(given.name) && !given.text.strip().matches("-?\\d{1,10}")) return given.name + " is no number";
            if (ENUMS.containsKey(given.name) && !ENUMS.get(given.name).contains(given.text)) return given.name + " cannot be " + given.text;
        }
        if (known == null || known.children.isEmpty()) return null;
        return problem(given, known);
    }

    private String steps(Node elements) {
        int unnumbered = 0;
        for (Node step : elements.children) {
            if (!step.attributes.containsKey("version")) return step.name + " has no version";
            if (step.child("sequenceNumber") == null && ++unnumbered > 1) return "steps have no sequenceNumber";
            Node known = classes.get(step.name);
            if (known == null && !(step.name.startsWith(PACKAGE) && OTHERS.contains(step.name.substring(PACKAGE.length())))) return "there is no step " + step.name;
            if (known == null) continue;
            for (Node field : step.children) {
                if (known.child(field.name) == null && !Set.of("name", "sequenceNumber", "operator").contains(field.name)) return step.name + " has no " + field.name;
                String found = ENUMS.containsKey(field.name) && !ENUMS.get(field.name).contains(field.text) ? field.name + " cannot be " + field.text : null;
                if (found != null) return found;
            }
        }
        return null;
    }

    /** What upstream stores in the place of a channel that it could not read (mirth.md §8.13). */
    public Node stub(Node given) {
        Node stub = channel.copy();
        stub.set("id", given.text("id")).set("name", given.text("name")).set("nextMetaDataId", "1");
        stub.set("description", "This channel is invalid. Verify all required extensions are loaded correctly.");
        Node source = stub.child("sourceConnector");
        source.children.removeIf(child -> !Set.of("metaDataId", "transformer", "filter", "enabled", "waitForPrevious").contains(child.name));
        source.child("transformer").children.removeIf(child -> !child.name.equals("elements"));
        source.set("enabled", "false");
        for (String script : List.of("preprocessingScript", "postprocessingScript", "deployScript", "undeployScript")) stub.remove(script);
        return stub;
    }

    // --- at deploy ---

    /** The element at a path. Throws IllegalStateException where it is missing: upstream stops there with a NullPointerException. */
    public static Node need(Node node, String path) {
        Node found = node.at(path);
        if (found == null) throw new IllegalStateException(node.name + " has no " + path);
        return found;
    }

    /** Throws Unsupported unless the element is absent, empty, or one of the values. */
    public static void only(Node node, String path, String... values) {
        String found = node.text(path, "");
        if (!found.isEmpty() && !Set.of(values).contains(found)) {
            throw new Template.Unsupported((node.attributes.containsKey("class") ? node.attributes.get("class").replaceAll(".*\\.", "") : node.name) + ": " + path + "=" + found
                + " is not implemented, only " + String.join(", ", values));
        }
    }
}
