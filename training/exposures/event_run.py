"""The events of one run: read once, kept on disk, and each given what became of it."""

from collections import Counter
from collections.abc import Iterator, Sequence
from enum import IntEnum
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from training.exposures.event_files import SCHEMA
from training.exposures.key_index import KeyIndex, SortedKeys
from training.exposures.keys import event_keys, hashed_units, hashes, paired
from training.exposures.spill import Spill, leading

EVENT = [("key", "u8"), ("identity", "u8"), ("time", "i8"), ("code", "i2"), ("value", "f8"), ("number", "i8")]
OWN = [("identity", "u8"), ("number", "i8")]


class Fate(IntEnum):
    """What became of an event."""

    NEW = 0
    COUNTED = 1
    REPEATED = 2
    LATE = 3
    ORPHAN = 4
    PENDING = 5
    OTHER = 6
    INCOMPLETE = 7


class EventRun:
    """Events on disk, by what they are matched by.

    Attributes
    ----------
    by_request, by_user
        Events with a request id, and those with a user alone, divided by the leading bits of their key.
    fates
        One for each event so far, in the order of reading.
    kinds
        How many events of each kind there are.
    """

    def __init__(self, folder: Path, labels: Sequence[str], bits: int, salt: str | None) -> None:
        parts = 1 << bits
        self.by_request = Spill(folder / "by_request", EVENT, parts)
        self.by_user = Spill(folder / "by_user", EVENT, parts)
        self.kinds: Counter[str] = Counter()
        self.users = 0
        self._own = Spill(folder / "events", OWN, parts)
        self._codes = pa.array(labels, type=pa.string())
        self._bits, self._salt = bits, salt
        self._fates: list[npt.NDArray[np.uint8]] = []
        self._stored = folder / "events.arrow"
        self._sink = pa.OSFile(str(self._stored), "wb")
        self._writer = pa.ipc.new_stream(self._sink, SCHEMA, options=pa.ipc.IpcWriteOptions(compression="lz4"))
        self._count = 0

    def add(self, events: pa.Table) -> None:
        """Add events of ``event_files.SCHEMA``."""
        events = events.combine_chunks()
        kinds = pc.value_counts(events["kind"].combine_chunks())
        self.kinds.update(dict(zip(kinds.field(0).to_pylist(), kinds.field(1).to_pylist(), strict=True)))
        codes = pc.fill_null(pc.index_in(events["kind"], value_set=self._codes), -1).to_numpy().astype(np.int16)
        has = {name: pc.is_valid(events[name]).to_numpy() for name in ("item", "kind", "time", "request_id", "user")}
        whole = has["item"] & has["kind"] & has["time"] & (has["request_id"] | has["user"])
        fates = np.where(whole, np.where(codes < 0, Fate.OTHER, Fate.NEW), Fate.INCOMPLETE).astype(np.uint8)
        users = events["user"] if self._salt is None else hashed_units(events["user"], self._salt)
        request, user, item = hashes(events["request_id"]), hashes(users), hashes(events["item"])
        columns = {
            "key": paired(np.where(has["request_id"], request, user), item),
            "identity": event_keys(events, np.where(has["request_id"], request, user)),
            "time": pc.fill_null(events["time"], 0).to_numpy(),
            "code": codes,
            "value": events["value"].to_numpy(),
            "number": np.arange(self._count, self._count + events.num_rows),
        }
        used = fates == Fate.NEW
        for spill, some in ((self.by_request, used & has["request_id"]), (self.by_user, used & ~has["request_id"])):
            spill.add(leading(columns["key"][some], self._bits), **{name: of[some] for name, of in columns.items()})
        self.users += int((used & ~has["request_id"]).sum())
        own = {name: columns[name][used] for name in ("identity", "number")}
        self._own.add(leading(own["identity"], self._bits), **own)
        self._fates.append(fates)
        self._count += events.num_rows
        self._writer.write_table(events)

    def close(self) -> None:
        """End reading: ``fates`` can be given now."""
        self._writer.close()
        self._sink.close()
        self.fates = np.concatenate(self._fates) if self._fates else np.zeros(0, dtype=np.uint8)

    def drop_repeated(self, decided: KeyIndex) -> None:
        """Mark all but the first of the same events, and those that earlier runs have decided."""
        for part in range(self._own.parts):
            own = self._own.read(part)
            order = np.argsort(own["identity"], kind="stable")
            identity, number = own["identity"][order], own["number"][order]
            again = np.append(False, identity[1:] == identity[:-1])[: identity.size] | decided.holds(identity)
            self.fates[number[again]] = Fate.REPEATED

    def write_decided(self, file: SortedKeys) -> None:
        """Keep the identities of the events whose fate is decided, for later runs."""
        for part in range(self._own.parts):
            own = self._own.read(part)
            file.add(own["identity"][np.isin(self.fates[own["number"]], (Fate.COUNTED, Fate.LATE, Fate.ORPHAN))])

    def of(self, fate: Fate) -> Iterator[pa.Table]:
        """The events with a fate, as they were read."""
        start = 0
        with pa.OSFile(str(self._stored)) as source, pa.ipc.open_stream(source) as stream:
            for batch in stream:
                mask = self.fates[start : start + batch.num_rows] == fate
                start += batch.num_rows
                if mask.any():
                    yield pa.Table.from_batches([batch]).filter(pa.array(mask))

    def store(self, fate: Fate, file: Path) -> int:
        """Write the events with a fate to a Parquet file, if there are any, and return their number."""
        rows, writer = 0, None
        for table in self.of(fate):
            writer = writer or pq.ParquetWriter(file, SCHEMA, compression="zstd")
            writer.write_table(table)
            rows += table.num_rows
        if writer is not None:
            writer.close()
        return rows

    def counts(self) -> dict[Fate, int]:
        """How many events there are of each fate."""
        found = np.bincount(self.fates, minlength=len(Fate))
        return {fate: int(found[fate]) for fate in Fate}
