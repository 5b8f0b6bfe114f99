package com.mirth.connect.userutil;

/** States of a message in a connector. */
public enum Status {
    RECEIVED, FILTERED, TRANSFORMED, SENT, QUEUED, ERROR, PENDING
}
