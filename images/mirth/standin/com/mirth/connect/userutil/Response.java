package com.mirth.connect.userutil;

import java.io.Serializable;

/** What came of sending: a state, the answer, and texts about it. */
public class Response implements Serializable {
    private static final long serialVersionUID = 1;
    private Status status;
    private String message;
    private String statusMessage;
    private String error;

    public Response(String message) {
        this(null, message);
    }

    public Response(Status status, String message) {
        this(status, message, "");
    }

    public Response(Status status, String message, String statusMessage) {
        this(status, message, statusMessage, "");
    }

    public Response(Status status, String message, String statusMessage, String error) {
        this.status = status;
        setMessage(message);
        this.statusMessage = statusMessage;
        this.error = error;
    }

    public Status getStatus() {
        return status;
    }

    public void setStatus(Status status) {
        this.status = status;
    }

    public String getMessage() {
        return message;
    }

    public final void setMessage(String message) {
        this.message = message == null ? "" : message;
    }

    public String getStatusMessage() {
        return statusMessage;
    }

    public void setStatusMessage(String statusMessage) {
        this.statusMessage = statusMessage;
    }

    public String getError() {
        return error;
    }

    public void setError(String error) {
        this.error = error;
    }

    @Override
    public String toString() {
        return message;
    }
}
