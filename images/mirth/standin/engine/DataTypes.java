package engine;

import java.util.ArrayList;
import java.util.List;

/** Inbound and outbound data type of one transformer, with its script: what happens to a message between raw and encoded. */
public final class DataTypes {
    private final Node transformer;
    private final String inbound;
    private final Script script;

    /** Throws Unsupported for what cannot be run, IllegalStateException for what is missing, RhinoException for a syntax error. */
    public DataTypes(String where, Node connector, List<String> code) {
        transformer = Known.need(connector, "transformer");
        inbound = check(where, transformer);
        List<Node> rules = enabled(where, Known.need(connector, "filter"));
        List<Node> steps = enabled(where, transformer);
        boolean differs = !inbound.equals(transformer.text("outboundDataType"));
        boolean runs = differs || !rules.isEmpty() || !steps.isEmpty();
        if (runs && (inbound.equals("HL7V2") || "HL7V2".equals(transformer.text("outboundDataType")))) {
            throw new Template.Unsupported(where + ": data type HL7V2 with filter rules, steps, or another data type beside it is not implemented");
        }
        script = runs ? Script.filterTransformer(where + " filter/transformer", code, inbound.equals("XML"), rules, steps) : null;
    }

    /** Checks both data types; returns the inbound one. */
    public static String check(String where, Node transformer) {
        for (String side : List.of("inbound", "outbound")) {
            String name = transformer.text(side + "DataType", "");
            if (!List.of("RAW", "XML", "HL7V2").contains(name)) throw new Template.Unsupported(where + ": data type " + name + " is not implemented, only RAW, XML, HL7V2");
            if (!transformer.text(side + "Template", "").isEmpty()) throw new Template.Unsupported(where + ": " + side + "Template is not implemented");
            Node properties = Known.need(transformer, side + "Properties");
            if (name.equals("XML")) Known.only(properties, "serializationProperties/stripNamespaces", "false");
            if (name.equals("HL7V2")) {
                for (String group : List.of("serializationProperties", "deserializationProperties", "responseGenerationProperties")) {
                    Known.only(properties, group + "/segmentDelimiter", "\\r");
                }
                Known.only(properties, "responseGenerationProperties/msh15ACKAccept", "false");
                Known.only(properties, "responseValidationProperties/originalMessageControlId", "Destination_Encoded");
            }
        }
        return transformer.text("inboundDataType");
    }

    /** The steps or rules that are switched on, in their order. */
    public static List<Node> enabled(String where, Node parent) {
        List<Node> found = new ArrayList<>();
        for (Node step : Known.need(parent, "elements").children) {
            if (!step.flag("enabled")) continue;
            if (!step.name.endsWith(".JavaScriptStep") && !step.name.endsWith(".JavaScriptRule")) {
                throw new Template.Unsupported(where + ": " + step.name.replaceAll(".*\\.", "") + " is not implemented");
            }
            found.add(step);
        }
        found.sort((a, b) -> a.number("sequenceNumber") - b.number("sequenceNumber"));
        return found;
    }

    public String inbound() {
        return inbound;
    }

    /** Sets transformed and encoded content; returns false for a filtered message. Throws what a script throws. */
    public boolean apply(Channel channel, ConnectorMessage m) {
        String content = m.content();
        if (script == null) {
            m.encoded = inbound.equals("HL7V2") && transformer.flag("inboundProperties/serializationProperties/convertLineBreaks") ? Hl7.lineBreaks(content) : content;
            return true;
        }
        if (inbound.equals("XML")) m.transformed = content.strip().replaceFirst("^<\\?xml[^>]*\\?>\\s*", "");
        var scope = Script.scope(channel, m);
        boolean passes = Boolean.TRUE.equals(script.run(scope, "msg"));
        m.transformed = (String) scope.get("msg");
        if (passes) m.encoded = m.transformed;
        return passes;
    }
}
