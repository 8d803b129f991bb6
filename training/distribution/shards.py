"""How a run's tables are divided: kept in its folder, so that they can be restored with any number of servers."""

from dataclasses import asdict
from pathlib import Path
from typing import overload

import orjson

from ranker.files import replace_file
from ranker.layers.sharded_table import Partition

PARTITION = "partition.json"


@overload
def saved_partition(folder: Path, new: Partition) -> Partition: ...
@overload
def saved_partition(folder: Path, new: None = None) -> Partition | None: ...
def saved_partition(folder: Path, new: Partition | None = None) -> Partition | None:
    """The partition of the run in ``folder``, or else the ``new`` one, which is kept there; ``None`` for neither."""
    file = folder / PARTITION
    if file.is_file():
        return Partition(**orjson.loads(file.read_bytes()))
    if new is not None:
        replace_file(file, orjson.dumps(asdict(new)))
    return new
