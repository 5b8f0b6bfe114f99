package com.mirth.connect.server.userutil;

import java.util.Collection;
import java.util.HashMap;
import java.util.Map;

/** A message as it is handed to a channel. */
public class RawMessage {
    private final String rawData;
    private final Map<String, Object> sourceMap = new HashMap<>();
    private final Collection<Number> destinations;

    public RawMessage(String rawData) {
        this(rawData, null, null);
    }

    public RawMessage(String rawData, Collection<Number> destinationMetaDataIds) {
        this(rawData, destinationMetaDataIds, null);
    }

    public RawMessage(String rawData, Collection<Number> destinationMetaDataIds, Map<String, Object> sourceMap) {
        this.rawData = rawData;
        this.destinations = destinationMetaDataIds;
        if (sourceMap != null) this.sourceMap.putAll(sourceMap);
    }

    public String getRawData() {
        return rawData;
    }

    public Map<String, Object> getSourceMap() {
        return sourceMap;
    }

    public Collection<Number> getDestinationMetaDataIds() {
        return destinations;
    }
}
