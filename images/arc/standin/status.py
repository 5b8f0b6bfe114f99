"""DIMSE status codes of upstream (dcm4chee.md §8.2, §8.3), and how a failure says why."""

from __future__ import annotations

from pydicom.dataset import Dataset

SUCCESS = 0x0000
PENDING = 0xFF00
CANCEL = 0xFE00
INVALID_VALUE = 0x0106
PROCESSING_FAILURE = 0x0110
DUPLICATE_INSTANCE = 0x0111
NO_SUCH_OBJECT = 0x0112
CLASS_CONFLICT = 0x0119
OUT_OF_RESOURCES = 0xA700
UNABLE_TO_CALCULATE_MATCHES = 0xA701
UNABLE_TO_PERFORM_SUBOPERATIONS = 0xA702
CONFLICTING_PATIENT = 0xA778
IDENTIFIER_DOES_NOT_MATCH = 0xA900
CANNOT_UNDERSTAND = 0xC000


def failure(status: int, reason: str) -> Dataset:
    """Return a response status with Error Comment (0000,0902), which holds 64 characters."""
    answer = Dataset()
    answer.Status = status
    answer.ErrorComment = reason[:64]
    return answer
