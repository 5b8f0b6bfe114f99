package com.mirth.connect.userutil;

import engine.ConnectorMessage;
import java.util.Collections;
import java.util.Map;

/** `connectorMessage` of scripts. */
public class ImmutableConnectorMessage {
    private final ConnectorMessage message;

    public ImmutableConnectorMessage(ConnectorMessage message) {
        this.message = message;
    }

    public String getChannelId() {
        return message.channelId;
    }

    public String getChannelName() {
        return message.channelName;
    }

    public String getConnectorName() {
        return message.name;
    }

    public int getMetaDataId() {
        return message.metaDataId;
    }

    public long getMessageId() {
        return message.messageId;
    }

    public int getSendAttempts() {
        return message.attempts;
    }

    public Status getStatus() {
        return message.status;
    }

    public String getRawData() {
        return message.raw;
    }

    public String getProcessedRawData() {
        return message.processedRaw;
    }

    public String getTransformedData() {
        return message.transformed;
    }

    public String getEncodedData() {
        return message.encoded;
    }

    public String getResponseData() {
        return message.response;
    }

    public String getProcessingError() {
        return message.error;
    }

    public Map<String, Object> getSourceMap() {
        return Collections.unmodifiableMap(message.sourceMap);
    }

    public Map<String, Object> getChannelMap() {
        return message.channelMap;
    }

    public Map<String, Object> getConnectorMap() {
        return message.connectorMap;
    }

    public Map<String, Object> getResponseMap() {
        return message.responseMap;
    }

    public Map<String, Integer> getDestinationIdMap() {
        return Collections.unmodifiableMap(message.destinations);
    }
}
