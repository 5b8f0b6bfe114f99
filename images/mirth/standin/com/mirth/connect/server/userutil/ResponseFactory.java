package com.mirth.connect.server.userutil;

import com.mirth.connect.userutil.Response;
import com.mirth.connect.userutil.Status;

public class ResponseFactory {
    private ResponseFactory() {
    }

    public static Response getSentResponse(String message) {
        return new Response(Status.SENT, message);
    }

    public static Response getErrorResponse(String message) {
        return new Response(Status.ERROR, message);
    }

    public static Response getFilteredResponse(String message) {
        return new Response(Status.FILTERED, message);
    }

    public static Response getQueuedResponse(String message) {
        return new Response(Status.QUEUED, message);
    }
}
