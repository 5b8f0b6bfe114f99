package engine;

import java.io.StringReader;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import javax.xml.stream.XMLInputFactory;
import javax.xml.stream.XMLStreamConstants;
import javax.xml.stream.XMLStreamException;
import javax.xml.stream.XMLStreamReader;

/** An XML element as the API's bodies have it: attributes, and either text or children. Written as XML or, mechanically, as JSON (mirth.md §2.1). */
public final class Node {
    public final String name;
    public final Map<String, String> attributes = new LinkedHashMap<>();
    public final List<Node> children = new ArrayList<>();
    public String text = "";

    public Node(String name) {
        this.name = name;
    }

    /**
     * Reads back what `xml` wrote. As XML 1.1, which knows references to control characters: HL7 may hold them. There Java's parser repeats
     * text around a ] at the end of its buffer, so it gets a reference instead. Throws IllegalStateException.
     */
    public static Node stored(String xml) {
        try {
            return parse("<?xml version=\"1.1\"?>" + xml.replace("]", "&#93;"));
        } catch (XMLStreamException error) {
            throw new IllegalStateException("stored XML cannot be read", error);
        }
    }

    /** Parses a document. Throws XMLStreamException when it is not well-formed or holds a DTD. */
    public static Node parse(String xml) throws XMLStreamException {
        XMLInputFactory factory = XMLInputFactory.newFactory();
        factory.setProperty(XMLInputFactory.SUPPORT_DTD, false);
        factory.setProperty(XMLInputFactory.IS_COALESCING, true);
        XMLStreamReader reader = factory.createXMLStreamReader(new StringReader(xml.strip()));
        List<Node> path = new ArrayList<>();
        Node root = null;
        StringBuilder text = new StringBuilder();
        while (reader.hasNext()) {
            switch (reader.next()) {
                case XMLStreamConstants.START_ELEMENT -> {
                    Node node = new Node(reader.getLocalName());
                    for (int i = 0; i < reader.getAttributeCount(); i++) {
                        node.attributes.put(reader.getAttributeLocalName(i), reader.getAttributeValue(i));
                    }
                    if (path.isEmpty()) root = node; else path.get(path.size() - 1).children.add(node);
                    path.add(node);
                    text.setLength(0);
                }
                case XMLStreamConstants.CHARACTERS, XMLStreamConstants.CDATA, XMLStreamConstants.SPACE -> text.append(reader.getText());
                case XMLStreamConstants.END_ELEMENT -> {
                    Node node = path.remove(path.size() - 1);
                    if (node.children.isEmpty()) node.text = text.toString();
                    text.setLength(0);
                }
                case XMLStreamConstants.DTD -> throw new XMLStreamException("a DTD is not accepted");
                default -> { }
            }
        }
        if (root == null) throw new XMLStreamException("no element");
        return root;
    }

    public Node child(String wanted) {
        for (Node child : children) if (child.name.equals(wanted)) return child;
        return null;
    }

    /** The element at a path with slashes, or null. */
    public Node at(String path) {
        Node node = this;
        for (String step : path.split("/")) {
            node = node.child(step);
            if (node == null) return null;
        }
        return node;
    }

    /** The text at a path, or null where there is no such element: XStream leaves such a field null. */
    public String text(String path) {
        Node node = at(path);
        return node == null ? null : node.text;
    }

    public String text(String path, String otherwise) {
        String found = text(path);
        return found == null ? otherwise : found;
    }

    /** An absent boolean is false: XStream runs no constructor (mirth.md §0 trap 4). */
    public boolean flag(String path) {
        return "true".equalsIgnoreCase(text(path));
    }

    /** An absent number is 0, likewise. Throws NumberFormatException. */
    public int number(String path) {
        String found = text(path);
        return found == null || found.isBlank() ? 0 : Integer.parseInt(found.trim());
    }

    public Node add(String childName) {
        Node child = new Node(childName);
        children.add(child);
        return child;
    }

    public Node add(String childName, Object value) {
        Node child = add(childName);
        child.text = String.valueOf(value);
        return this;
    }

    public Node attribute(String key, String value) {
        attributes.put(key, value);
        return this;
    }

    public Node add(Node child) {
        children.add(child);
        return this;
    }

    public Node set(String childName, String value) {
        Node child = child(childName);
        if (child == null) add(childName, value); else child.text = value;
        return this;
    }

    public void remove(String childName) {
        children.removeIf(child -> child.name.equals(childName));
    }

    /** The strings of a set or list. */
    public List<String> strings() {
        return children.stream().map(child -> child.text).toList();
    }

    /** A map entry of two strings. */
    public Node entry(String key, Object value) {
        return add(new Node("entry").add("string", key).add("string", value));
    }

    public Node copy() {
        Node copy = new Node(name);
        copy.attributes.putAll(attributes);
        copy.text = text;
        for (Node child : children) copy.children.add(child.copy());
        return copy;
    }

    /** A form in which two elements are equal when the server sees no change: element order is free, `ignored` elements do not count. */
    public String comparable(Set<String> ignored) {
        StringBuilder out = new StringBuilder(name).append(new TreeMap<>(attributes));
        if (children.isEmpty()) return out.append(text.replace("\r\n", "\n")).toString();
        Map<String, StringBuilder> byName = new TreeMap<>();
        for (Node child : children) {
            if (!ignored.contains(child.name)) byName.computeIfAbsent(child.name, key -> new StringBuilder()).append(child.comparable(ignored)).append('\n');
        }
        return out.append(byName.values()).toString();
    }

    public String xml() {
        StringBuilder out = new StringBuilder();
        write(out, "");
        return out.toString();
    }

    private void write(StringBuilder out, String indent) {
        out.append(indent).append('<').append(name);
        attributes.forEach((key, value) -> {
            out.append(' ').append(key).append("=\"");
            escape(value, out);
            out.append('"');
        });
        if (children.isEmpty() && text.isEmpty()) {
            out.append("/>");
            return;
        }
        out.append('>');
        if (children.isEmpty()) {
            escape(text, out);
        } else {
            for (Node child : children) {
                out.append('\n');
                child.write(out, indent + "  ");
            }
            out.append('\n').append(indent);
        }
        out.append("</").append(name).append('>');
    }

    public static void escape(String value, StringBuilder out) {
        for (int i = 0; i < value.length(); i++) {
            char c = value.charAt(i);
            switch (c) {
                case '<' -> out.append("&lt;");
                case '>' -> out.append("&gt;");
                case '&' -> out.append("&amp;");
                case '"' -> out.append("&quot;");
                case '\'' -> out.append("&apos;");
                case '\n', '\t' -> out.append(c);
                default -> {
                    if (c < ' ' || c >= 0x7f && c < 0xa0 || c == 0x2028) out.append("&#x").append(Integer.toHexString(c)).append(';'); else out.append(c);
                }
            }
        }
    }

    /** `{"name": …}`; attributes become `@key`, repeated elements a list, a lone element an object, texts numbers where they look so. */
    public String json() {
        StringBuilder out = new StringBuilder("{").append(quoted(name)).append(':');
        writeJson(out);
        return out.append('}').toString();
    }

    private void writeJson(StringBuilder out) {
        if (children.isEmpty() && attributes.isEmpty()) {
            out.append(scalar(text));
            return;
        }
        out.append('{');
        boolean[] first = {true};
        attributes.forEach((key, value) -> {
            comma(first, out);
            out.append(quoted("@" + key)).append(':').append(quoted(value));
        });
        if (children.isEmpty() && !text.isEmpty()) {
            comma(first, out);
            out.append("\"$\":").append(scalar(text));
        }
        Map<String, List<Node>> byName = new LinkedHashMap<>();
        for (Node child : children) byName.computeIfAbsent(child.name, key -> new ArrayList<>()).add(child);
        byName.forEach((key, nodes) -> {
            comma(first, out);
            out.append(quoted(key)).append(':');
            if (nodes.size() > 1) out.append('[');
            for (int i = 0; i < nodes.size(); i++) {
                if (i > 0) out.append(',');
                nodes.get(i).writeJson(out);
            }
            if (nodes.size() > 1) out.append(']');
        });
        out.append('}');
    }

    private static void comma(boolean[] first, StringBuilder out) {
        if (!first[0]) out.append(',');
        first[0] = false;
    }

    private static String scalar(String value) {
        if (value.isEmpty()) return "null";
        if (value.equals("true") || value.equals("false")) return value;
        if (value.matches("-?(0|[1-9]\\d{0,17})(\\.\\d{1,15})?")) return value;
        return quoted(value);
    }

    public static String quoted(String value) {
        StringBuilder out = new StringBuilder("\"");
        for (int i = 0; i < value.length(); i++) {
            char c = value.charAt(i);
            switch (c) {
                case '"' -> out.append("\\\"");
                case '\\' -> out.append("\\\\");
                case '\n' -> out.append("\\n");
                case '\r' -> out.append("\\r");
                case '\t' -> out.append("\\t");
                default -> {
                    if (c < ' ') out.append(String.format("\\u%04x", (int) c)); else out.append(c);
                }
            }
        }
        return out.append('"').toString();
    }
}
