package com.mirth.connect.server.userutil;

import com.mirth.connect.userutil.ImmutableConnectorMessage;
import engine.Attachments;
import engine.Engine;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;

public class AttachmentUtil {
    private AttachmentUtil() {
    }

    /** Text with its tokens replaced, as bytes. Only the form that a channel of the lab needs: not binary, and re-attached. */
    public static byte[] reAttachMessage(String raw, ImmutableConnectorMessage message, String charset, boolean binary, boolean reattach, boolean localOnly)
        throws SQLException {
        if (binary) throw new UnsupportedOperationException("the stand-in does not re-attach binary messages");
        if (!reattach) return raw.getBytes(Charset.forName(charset));
        return Attachments.join(raw, message.getChannelId(), message.getMessageId(), Charset.forName(charset), localOnly);
    }

    public static String reAttachMessage(String raw, ImmutableConnectorMessage message) throws SQLException {
        return new String(reAttachMessage(raw, message, "UTF-8", false, true, false), StandardCharsets.UTF_8);
    }

    public static String reAttachMessage(ImmutableConnectorMessage message) throws SQLException {
        return reAttachMessage(message.getEncodedData() == null ? message.getRawData() : message.getEncodedData(), message);
    }

    public static List<String> getMessageAttachmentIds(ImmutableConnectorMessage message) throws SQLException {
        return getMessageAttachmentIds(message.getChannelId(), message.getMessageId());
    }

    public static List<String> getMessageAttachmentIds(String channelId, Long messageId) throws SQLException {
        return Engine.get().store.attachmentIds(channelId, messageId);
    }

    public static List<Attachment> getMessageAttachments(ImmutableConnectorMessage message) throws SQLException {
        return getMessageAttachments(message.getChannelId(), message.getMessageId());
    }

    public static List<Attachment> getMessageAttachments(String channelId, Long messageId) throws SQLException {
        List<Attachment> found = new ArrayList<>();
        for (String id : getMessageAttachmentIds(channelId, messageId)) found.add(Engine.get().store.attachment(channelId, messageId, id));
        return found;
    }

    public static Attachment getMessageAttachment(ImmutableConnectorMessage message, String id) throws SQLException {
        return Engine.get().store.attachment(message.getChannelId(), message.getMessageId(), id);
    }

    public static Attachment getMessageAttachment(String channelId, Long messageId, String id) throws SQLException {
        return Engine.get().store.attachment(channelId, messageId, id);
    }
}
