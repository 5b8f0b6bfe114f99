package com.mirth.connect.server.userutil;

import engine.ConnectorMessage;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;

/** `destinationSet` of a source's scripts: takes destinations out, by name or number. */
public class DestinationSet {
    private final ConnectorMessage message;

    public DestinationSet(ConnectorMessage message) {
        this.message = message;
    }

    private static List<Object> listed(Object given) {
        return given instanceof Collection<?> many ? new ArrayList<>(many) : List.of(given);
    }

    private static boolean names(Object given, String name, Integer number) {
        return given instanceof Number wanted ? wanted.intValue() == number : String.valueOf(given).equals(name);
    }

    public boolean remove(Object given) {
        return message.destinations.entrySet().removeIf(each -> listed(given).stream().anyMatch(one -> names(one, each.getKey(), each.getValue())));
    }

    public boolean removeAllExcept(Object given) {
        return message.destinations.entrySet().removeIf(each -> listed(given).stream().noneMatch(one -> names(one, each.getKey(), each.getValue())));
    }

    public boolean removeAll() {
        boolean any = !message.destinations.isEmpty();
        message.destinations.clear();
        return any;
    }
}
