package engine.connectors;

import engine.Known;
import engine.Node;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.util.ArrayList;
import java.util.List;

/** MLLP frames: VT, the message, FS CR. */
final class Mllp {
    private static final int START = 0x0b;
    private static final int END = 0x1c;
    private static final int PIECE = 1 << 20;

    private Mllp() {
    }

    /** Throws Unsupported for every other frame. */
    static void check(Node properties) {
        Node mode = Known.need(properties, "transmissionModeProperties");
        Known.only(mode, "pluginPointName", "MLLP");
        Known.only(mode, "startOfMessageBytes", "0B");
        Known.only(mode, "endOfMessageBytes", "1C0D");
        Known.only(mode, "useMLLPv2", "false");
        Known.only(properties, "dataTypeBinary", "false");
        Known.only(properties, "overrideLocalBinding", "false");
    }

    /** The next message, or null at the end of the stream; what stands before the start byte is passed over. Throws IOException. */
    static byte[] read(InputStream in) throws IOException {
        int each = in.read();
        while (each >= 0 && each != START) each = in.read();
        if (each < 0) return null;
        List<byte[]> full = new ArrayList<>();
        byte[] piece = new byte[4096];
        int used = 0;
        int total = 0;
        boolean ending = false;
        while ((each = in.read()) >= 0) {
            if (ending && each == '\r') {
                byte[] message = new byte[total - 1];
                int at = 0;
                for (byte[] one : full) {
                    System.arraycopy(one, 0, message, at, Math.min(one.length, message.length - at));
                    at += one.length;
                }
                if (at < message.length) System.arraycopy(piece, 0, message, at, message.length - at);
                return message;
            }
            ending = each == END;
            if (used == piece.length) {
                full.add(piece);
                piece = new byte[PIECE];
                used = 0;
            }
            piece[used++] = (byte) each;
            total++;
        }
        return null;
    }

    static void write(OutputStream out, byte[] message) throws IOException {
        out.write(START);
        out.write(message);
        out.write(END);
        out.write('\r');
        out.flush();
    }
}
