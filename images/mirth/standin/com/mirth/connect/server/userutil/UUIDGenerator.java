package com.mirth.connect.server.userutil;

import java.util.UUID;

public class UUIDGenerator {
    private UUIDGenerator() {
    }

    public static String getUUID() {
        return UUID.randomUUID().toString();
    }
}
