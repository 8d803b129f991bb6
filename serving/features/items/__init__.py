"""Candidates known beforehand: a file of items, encoded once for each artifact and mapped into all workers' memory."""

from serving.features.items.cache import ItemSource
from serving.features.items.store import ItemsError, ItemStore

__all__ = ["ItemSource", "ItemStore", "ItemsError"]
