"""Item features: a Parquet file of candidates, encoded once per artifact and memory-mapped by all workers."""

from serving.features.items.cache import ItemSource
from serving.features.items.store import ItemsError, ItemStore

__all__ = ["ItemSource", "ItemStore", "ItemsError"]
