package engine;

import com.mirth.connect.userutil.Status;
import java.time.Instant;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;

/** One message in one connector: 0 is the source, the others are destinations. */
public final class ConnectorMessage {
    public final String channelId;
    public String channelName;
    public final int metaDataId;
    public final String name;
    public long messageId;
    public Status status = Status.RECEIVED;
    public Instant received = Instant.now();
    public int attempts;
    public String raw;
    public String processedRaw;
    public String transformed;
    public String encoded;
    public String sent;
    public String response;
    public String error;
    public final Map<String, Object> sourceMap = new HashMap<>();
    public final Map<String, Object> channelMap = new HashMap<>();
    public final Map<String, Object> connectorMap = new HashMap<>();
    public final Map<String, Object> responseMap = new HashMap<>();
    /** Destination names and numbers of the channel; what `destinationSet` left of them. */
    public Map<String, Integer> destinations = new LinkedHashMap<>();

    public ConnectorMessage(String channelId, String channelName, int metaDataId, String name) {
        this.channelId = channelId;
        this.channelName = channelName;
        this.metaDataId = metaDataId;
        this.name = name;
    }

    /** What a filter, transformer or connector works on. */
    public String content() {
        return processedRaw == null ? raw : processedRaw;
    }
}
