"""Visible features of users and items as Arrow columns."""

import numpy as np
import pyarrow as pa

from training.simulator.population import CATEGORIES, CITIES, DEVICES, EMBEDDING, GENDERS, TAGS, Ints
from training.simulator.world import World


class Features:
    """The columns that a log, a request or a file of items shows of users and items, by the log's names.

    Text is taken from one Arrow array per feature.
    """

    def __init__(self, world: World) -> None:
        users, items = world.users, world.items
        self._usual = users.device
        self._uploaded = items.upload_day
        self._devices = pa.array(DEVICES)
        self._users = {
            "user_age": pa.array(users.age, from_pandas=True),
            "user_gender": pa.array(GENDERS).take(pa.array(users.gender)),
            "user_city": pa.array(CITIES).take(pa.array(users.city)),
            "user_activity": pa.array(users.activity),
        }
        self._items = {
            "author_id": pa.array(items.author),
            "category": pa.array(CATEGORIES).take(pa.array(items.category)),
            "tags": pa.ListArray.from_arrays(
                pa.array(items.tag_starts, type=pa.int32()), pa.array(TAGS).take(pa.array(items.tags))
            ),
            "duration_s": pa.array(items.duration),
            "item_embedding": pa.FixedSizeListArray.from_arrays(pa.array(items.embedding.ravel()), EMBEDDING),
        }

    def of_users(self, users: Ints) -> dict[str, pa.Array]:
        """Columns [B] of user ids [B] that do not change from visit to visit."""
        return {name: column.take(pa.array(users)) for name, column in self._users.items()}

    def of_items(self, items: Ints) -> dict[str, pa.Array]:
        """Columns [B] of item ids [B] that do not change from day to day."""
        return {name: column.take(pa.array(items)) for name, column in self._items.items()}

    def ages(self, items: Ints, day: int | Ints) -> pa.Array:
        """Days [B] since the upload of items [B], int32, on a day since the log's first."""
        return pa.array((day - self._uploaded[items]).astype(np.int32))

    def draw_devices(self, users: Ints, rng: np.random.Generator) -> pa.Array:
        """The device [B] of a visit of each of the users [B]: mostly the usual one."""
        device = np.where(
            rng.random(users.size) < 0.85, self._usual[users], rng.integers(len(DEVICES), size=users.size)
        )
        return self._devices.take(pa.array(device))
