"""Formats of requests and answers by media type; a new one needs a file and an import here."""

from serving.protocol.formats.arrow import ARROW, ArrowReader
from serving.protocol.formats.base import BY_ROW, JSON, READERS, WRITERS, Answer, Opened, Reader
from serving.protocol.formats.json import JsonReader
from serving.protocol.formats.negotiation import Exchange, agreed

__all__ = [
    "ARROW",
    "BY_ROW",
    "JSON",
    "READERS",
    "WRITERS",
    "Answer",
    "ArrowReader",
    "Exchange",
    "JsonReader",
    "Opened",
    "Reader",
    "agreed",
]
