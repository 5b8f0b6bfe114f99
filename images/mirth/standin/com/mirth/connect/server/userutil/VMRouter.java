package com.mirth.connect.server.userutil;

import com.mirth.connect.userutil.Response;
import com.mirth.connect.userutil.Status;
import engine.Channel;
import engine.Engine;
import engine.Log;

/** `router` of scripts: hands a message to another channel's Channel Reader. */
public class VMRouter {
    private static final Log LOG = new Log("router");

    public Response routeMessage(String channelName, String message) {
        return routeMessage(channelName, new RawMessage(message));
    }

    public Response routeMessage(String channelName, RawMessage message) {
        return route(Engine.get().byName(channelName), channelName, message);
    }

    public Response routeMessageByChannelId(String channelId, String message) {
        return routeMessageByChannelId(channelId, new RawMessage(message));
    }

    public Response routeMessageByChannelId(String channelId, RawMessage message) {
        return route(Engine.get().deployed(channelId), channelId, message);
    }

    /** The answer that the target's responseVariable names: null for None; ERROR where the target is not running (mirth-patterns.md §6.3). */
    private static Response route(Channel target, String wanted, RawMessage message) {
        if (target == null || !target.isStarted()) {
            LOG.error("Could not route a message to channel " + wanted + ": it is not running");
            return new Response(Status.ERROR, "", "Error routing message to channel id: " + wanted);
        }
        try {
            return target.receive(message);
        } catch (Exception error) {
            LOG.error("Could not route a message to channel " + wanted, error);
            return new Response(Status.ERROR, "", "Error routing message to channel id: " + wanted);
        }
    }
}
