"""Candidates known beforehand: a file of items, encoded once for each artifact and mapped into all workers' memory."""

from serving.items.source import ItemSource
from serving.items.store import ItemsError, ItemStore

__all__ = ["ItemSource", "ItemStore", "ItemsError"]
