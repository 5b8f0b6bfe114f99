package engine;

import com.mirth.connect.userutil.Response;
import com.mirth.connect.userutil.Status;
import java.text.SimpleDateFormat;
import java.util.Date;
import java.util.List;
import java.util.regex.Pattern;

/** What data type HL7V2 does without steps: line ends, the acknowledgement of a listener, the reading of one by a sender (mirth.md §8). */
public final class Hl7 {
    private Hl7() {
    }

    public static String lineBreaks(String message) {
        return message.replaceAll("\r\n|\r|\n", "\r");
    }

    /** As Java splits: empty pieces at the end are left out, so of nothing but separators nothing is left. */
    private static String[] split(String text, char separator) {
        return Pattern.compile(Pattern.quote(String.valueOf(separator))).split(text);
    }

    /** First component of a field, "" where the segment is shorter. Throws ArrayIndexOutOfBoundsException where the field is separators alone. */
    private static String first(String[] fields, int index, char component) {
        return index < fields.length ? split(fields[index], component)[0] : "";
    }

    private static String header(String message) {
        int end = message.indexOf('\r');
        return end < 0 ? message : message.substring(0, end);
    }

    private static char or(char otherwise, char given, char field) {
        return given == field ? otherwise : given;
    }

    /** The acknowledgement, or null where none can be made. What is no HL7 is taken for it, so that its fourth character separates fields, as upstream does. */
    public static Response acknowledge(Status status, String message, Node dataType) {
        String text = message.trim();
        if (dataType.flag("serializationProperties/convertLineBreaks")) text = lineBreaks(text);
        if (text.length() < 9) return null;
        if (text.startsWith("<")) throw new Template.Unsupported("an acknowledgement to HL7 as XML is not implemented");
        char field = text.charAt(3);
        char component = text.charAt(4);
        char repetition = or('~', text.charAt(5), field);
        char escape = or('\\', text.charAt(6), field);
        char part = or('&', text.charAt(7), field);
        try {
            String[] msh = split(header(text), field);
            Node properties = dataType.child("responseGenerationProperties");
            String kind = status == Status.ERROR ? "error" : status == Status.FILTERED ? "rejected" : "successful";
            String note = properties.text(kind + "ACKMessage", "");
            String[] type = msh.length > 8 ? split(msh[8], component) : new String[] {""};
            String application = first(msh, 4, component);
            String control = first(msh, 9, component);
            String[] processing = msh.length > 10 ? split(msh[10], component) : new String[] {""};
            String version = first(msh, 11, component).isEmpty() ? "2.4" : first(msh, 11, component);
            String now = new SimpleDateFormat(properties.text("dateFormat", "yyyyMMddHHmmss.SSS")).format(new Date());
            String answer = String.join(String.valueOf(field), "MSH", "" + component + repetition + escape + part, application.isEmpty() ? "MIRTH" : application,
                first(msh, 5, component), first(msh, 2, component), first(msh, 3, component), now, "",
                Pattern.matches("2\\.[0-3](\\..*)?|\\d+", version) ? "ACK" : "ACK" + component + (type.length > 1 ? type[1] : "") + component + "ACK", now,
                (processing[0].isEmpty() ? "P" : processing[0]) + (processing.length > 1 ? component + processing[1] : ""), version)
                + "\rMSA" + field + properties.text(kind + "ACKCode") + field + (control.isEmpty() ? "1" : control) + (note.isEmpty() ? "" : field + note) + "\r";
            return new Response(status, answer, "HL7v2 " + (kind.equals("successful") ? "" : "N") + "ACK successfully generated.");
        } catch (ArrayIndexOutOfBoundsException error) {
            return null;
        }
    }

    /** Sets the state by MSA-1 and MSA-2, as a sender with validateResponse does: AE, AR and another message's answer are ERROR, gibberish is QUEUED. */
    public static void validate(Response response, ConnectorMessage sent, Node dataType) {
        String answer = response.getMessage() == null ? "" : lineBreaks(response.getMessage().strip());
        String[] msa = null;
        if (answer.startsWith("MSH") && answer.length() > 8) {
            for (String segment : answer.split("\r")) if (segment.startsWith("MSA")) msa = split(segment, answer.charAt(3));
        }
        Node properties = dataType.child("responseValidationProperties");
        if (msa == null || msa.length < 2) {
            response.setStatus(Status.QUEUED);
            response.setStatusMessage("Invalid HL7 v2.x acknowledgement received.");
        } else if (codes(properties, "successfulACKCode").contains(msa[1])) {
            String control = first(split(header(lineBreaks(sent.encoded)), sent.encoded.charAt(3)), 9, sent.encoded.charAt(4));
            boolean same = msa.length > 2 && first(msa, 2, answer.charAt(4)).equals(control);
            response.setStatus(same || !properties.flag("validateMessageControlId") ? Status.SENT : Status.ERROR);
            if (response.getStatus() == Status.ERROR) response.setStatusMessage("Response control ID does not match the request's: " + String.join("|", msa));
        } else {
            response.setStatus(codes(properties, "errorACKCode").contains(msa[1]) || codes(properties, "rejectedACKCode").contains(msa[1]) ? Status.ERROR : Status.QUEUED);
            response.setStatusMessage("NACK received: " + String.join("|", msa));
        }
        if (response.getStatus() == Status.ERROR) response.setError(response.getStatusMessage());
    }

    private static List<String> codes(Node properties, String name) {
        return List.of(properties.text(name, "").split(","));
    }
}
