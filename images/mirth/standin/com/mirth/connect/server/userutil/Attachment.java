package com.mirth.connect.server.userutil;

import java.nio.charset.StandardCharsets;

public class Attachment {
    private final String id;
    private final byte[] content;
    private final String type;

    public Attachment(String id, byte[] content, String type) {
        this.id = id;
        this.content = content;
        this.type = type;
    }

    public String getId() {
        return id;
    }

    /** The token that stands for it in a message. */
    public String getAttachmentId() {
        return "${ATTACH:" + id + "}";
    }

    public byte[] getContent() {
        return content;
    }

    public String getContentString() {
        return new String(content, StandardCharsets.UTF_8);
    }

    public String getType() {
        return type;
    }
}
