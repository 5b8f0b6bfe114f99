"""A received HL7 message, with all that its handler needs."""

from __future__ import annotations

from dataclasses import dataclass

from standin.device import Device
from standin.hl7config import Application
from standin.hl7text import Message
from standin.registry import Registry
from standin.storing import Store


@dataclass(frozen=True)
class Received:
    """One message to one of the device's applications."""

    message: Message
    application: Application
    device: Device
    registry: Registry
    store: Store

    @property
    def message_type(self) -> str:
        """Code and event, such as ADT^A04."""
        return self.message.header.message_type
