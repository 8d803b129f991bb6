"""Joins exposures and events into a training log, in bounded memory, and only what earlier runs have not written.

Rows and events are divided on disk by a hash of request and item, so that each part fits into memory. Matching a part
gives for each event the number of its row; these are divided again, by ranges of rows, and added up to labels while the
exposures are read a second time and written.
"""

import errno
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ranker.exposures import ExposureError, ExposureFile, exposure_files, facts, open_files, recover
from ranker.log_files.log_reader import DataError
from ranker.registry import suggestion
from ranker.remote_files import Location, full_name
from training.exposures.event_files import SCHEMA, about, event_files, fingerprint, read_events
from training.exposures.event_run import EventRun, Fate
from training.exposures.exposure_run import ExposureRun, check_units
from training.exposures.key_index import KeyIndex, SortedKeys
from training.exposures.labels import MATCHED, RANGE, RowLabels
from training.exposures.log_columns import LogColumns
from training.exposures.matching import NONE, Window, earliest, latest
from training.exposures.options import Joined, JoinOptions
from training.exposures.parts import DayParts
from training.exposures.spill import Spill, bits_for
from training.exposures.state import Index, JoinFolder, Settings, State, check_same, join_folder
from training.progress_listener import Progress, no_progress

PART = 200_000
"""Rows or events of a part that is matched in memory."""
READ_ONLY = (errno.EACCES, errno.EPERM, errno.EROFS)
_TYPES = {"any": pa.int8(), "count": pa.int32()}


def join(
    exposures: Path,
    events: Sequence[str | Path],
    columns: LogColumns,
    output: Path,
    options: JoinOptions,
    progress: Progress = no_progress,
) -> Joined:
    """Write the rows whose window is over and that no earlier run has written into ``output``, by UTC day.

    Raises ``DataError`` for exposures or events that cannot be read, for columns that the exposures lack, for labels of
    events that never occurred, and for an ``output`` that was begun with other settings.
    """
    try:
        _recover(exposures)
        begun = [f.begun for f in open_files(exposures) if options.model in (None, f.model)]  # by living services
        files = [f for f in exposure_files(exposures) if options.model in (None, f.model)]
    except (OSError, ExposureError) as error:
        raise DataError(str(error)) from None
    if not files:
        about = "" if options.model is None else f" of the model {options.model!r}"
        raise DataError(
            f"{exposures}: holds no finished files of exposures{about}, such as date=2026-01-31/NAME.parquet"
        )
    try:
        with join_folder(output) as folder:
            run = _Run(folder, files, event_files(events), columns, options, progress)
            run.wait_for(min(begun, default=None))
            return run.run()
    except ExposureError as error:
        raise DataError(str(error)) from None
    except FileNotFoundError:
        gone = next((file.path for file in files if not file.path.exists()), None)
        if gone is None:
            raise
        raise DataError(
            f"{gone}: was deleted while it was read; run again, and have the service keep its files for longer "
            "(exposures_keep_days, exposures_keep_bytes)"
        ) from None


def _recover(exposures: Path) -> None:
    """Finish what killed services left, unless the folder may only be read: its rows are then waited for."""
    try:
        recover(exposures)
    except OSError as error:
        if error.errno not in READ_ONLY:
            raise


class _Run:
    def __init__(
        self,
        folder: JoinFolder,
        files: list[ExposureFile],
        event_sources: list[Location],
        columns: LogColumns,
        options: JoinOptions,
        progress: Progress,
    ) -> None:
        self.folder, self.files, self.columns, self.options, self.progress = folder, files, columns, options, progress
        self.state = folder.state
        self.settings = Settings(
            labels=tuple(map(str, options.labels)),
            within=options.within.total_seconds(),
            model=options.model,
            columns=(*columns.needed.context, *columns.needed.candidate, *columns.needed.other),
        )
        check_same(self.state.settings, self.settings, folder.log)
        self.within = int(options.within.total_seconds() * 1000)
        self.now = int((time.time() if options.now is None else options.now.timestamp()) * 1000)
        self.watermark = max(self.state.watermark, self.now - self.within - int(options.grace.total_seconds() * 1000))
        self.event_sources = {full_name(file): file for file in event_sources}
        self.prints = {name: fingerprint(file) for name, file in self.event_sources.items()}
        self.result = Joined()

    def wait_for(self, begun: datetime | None) -> None:
        """Hold exposures back from when the oldest unfinished file was begun: its rows are not there yet."""
        if begun is None:
            return
        before = int(begun.timestamp() * 1000) - 1
        if before < self.watermark:
            self.watermark = max(self.state.watermark, before)
            self.result.waiting = begun

    def run(self) -> Joined:
        for file in self.files:
            if not self._done(file):
                facts(file.path)
                self.columns.check(pq.read_schema(file.path).names, file.path)
        new = [file for name, file in self.event_sources.items() if self.prints[name] != self.state.events.get(name)]
        rows = sum(pq.read_metadata(file.path).num_rows for file in self.files if not self._done(file))
        bits = bits_for(max(rows, sum(map(about, new))), PART)
        names = list(dict.fromkeys(label.event for label in self.options.labels))
        events = EventRun(self.folder.work, names, bits, self.options.salt)
        self._read(events, new)
        self._check_kinds(events)
        by_user = self.state.by_user or events.users > 0
        if by_user:
            check_units([file for file in self.files if not self._done(file)], self.options.salt is not None)
        events.drop_repeated(self._index(self.state.decided))
        shown = ExposureRun(self.folder.work, bits, self.watermark, users=by_user)
        shown.read(self.files, self.state.exposures, self.progress)
        matched = Spill(self.folder.work / "matched", MATCHED, sum(part.rows for part in shown.parts) // RANGE + 1)
        moved: dict[Path, Path] = {}
        indices = {
            "shown": self._match(events, events.by_request, shown.by_request, matched, "shown", moved),
            "shown_users": self._match(events, events.by_user, shown.by_user, matched, "shown_users", moved)
            if by_user
            else (),
        }
        indices["decided"] = (*self._remembered("decided"), *self._kept_decided(events, moved))
        self._write(shown, matched, names, moved)
        pending = self._left(events, moved)
        self._count(events, shown)
        known = {file.path.name for file in self.files}
        read = {name: each for name, each in self.state.exposures.items() if name in known}
        self.result.lost = [n for n, each in self.state.exposures.items() if n not in known and not each.done]
        self.folder.commit(
            State(
                run=self.state.run + 1,
                watermark=self.watermark,
                settings=self.settings,
                exposures={**read, **shown.read_files()},
                events={**self.state.events, **self.prints},
                pending=pending,
                by_user=by_user,
                kinds=tuple(sorted({*self.state.kinds, *filter(None, events.kinds)})),
                **indices,
            ),
            moved,
        )
        return self.result

    def _done(self, file: ExposureFile) -> bool:
        seen = self.state.exposures.get(file.path.name)
        return seen is not None and seen.done

    def _read(self, events: EventRun, new: list[Location]) -> None:
        if self.state.pending is not None:
            with pq.ParquetFile(self.folder.folder / self.state.pending) as file:
                for batch in file.iter_batches():
                    events.add(pa.Table.from_batches([batch]).cast(SCHEMA))
        for source in new:
            for table in read_events(source):
                events.add(table)
                self.progress("read events", table.num_rows)
        events.close()

    def _check_kinds(self, events: EventRun) -> None:
        seen = {*self.state.kinds, *filter(None, events.kinds)}
        for label in self.options.labels:
            if label.event not in seen:
                found = ", ".join(sorted(seen)) if seen else "none, there are no events"
                raise DataError(
                    f"--label {label}: no event is of the kind {label.event!r}{suggestion(label.event, seen)} "
                    f"(kinds: {found})"
                )

    def _index(self, indices: Sequence[Index]) -> KeyIndex:
        return KeyIndex(self.folder.folder / index.name for index in indices)

    def _remembered(self, name: str) -> tuple[Index, ...]:
        """Indices of earlier runs that are still needed."""
        oldest = self.watermark - int(self.options.remember.total_seconds() * 1000)
        return tuple(index for index in getattr(self.state, name) if index.until >= oldest)

    def _new_index(self, name: str, moved: dict[Path, Path]) -> tuple[Index, SortedKeys]:
        index = Index(name=f"{name}-{self.state.run + 1:06d}.keys", until=self.watermark)
        written = SortedKeys(self.folder.work / index.name)
        moved[written.path] = self.folder.folder / index.name
        return index, written

    def _kept_decided(self, events: EventRun, moved: dict[Path, Path]) -> tuple[Index, ...]:
        index, written = self._new_index("decided", moved)
        events.write_decided(written)
        return (index,)

    def _window(self) -> Window:
        return Window(self.within, self.watermark, self.now)

    def _match(
        self, events: EventRun, asked: Spill, shown: Spill, matched: Spill, name: str, moved: dict[Path, Path]
    ) -> tuple[Index, ...]:
        """Decide the fate of events of one sort, and return the index of what is written."""
        earlier = self._index(getattr(self.state, name))
        index, written = self._new_index(name, moved)
        by_user = name == "shown_users"
        for part in range(shown.parts):
            rows, some = shown.read(part), asked.read(part)
            some = some[events.fates[some["number"]] == Fate.NEW]
            at = latest(rows["key"], rows["time"], some["key"], some["time"])
            if not by_user:  # a device's clock may be behind
                early = at == NONE
                at[early] = earliest(rows["key"], rows["time"], some["key"][early])
                self.result.early += int((early & (at != NONE)).sum())
            fates = self._window().fates(rows["time"], at, some["time"], earlier.holds(some["key"]), by_user=by_user)
            events.fates[some["number"]] = fates
            counted = fates == Fate.COUNTED
            number = rows["row"][at[counted]]
            columns = {field: some[field][counted] for field in ("time", "code", "value", "identity")}
            matched.add(number // RANGE, row=number, **columns)
            written.add(rows["key"][rows["time"] <= self.watermark])
            self.progress("match events", some.size)
        return (*self._remembered(name), index)

    def _write(self, shown: ExposureRun, matched: Spill, names: list[str], moved: dict[Path, Path]) -> None:
        parts = DayParts(self.folder.work / "log", self.folder.log, self.state.run + 1)
        labels = RowLabels(matched, self.options.labels, names)
        for rows, times, numbers in shown.closed(self.columns.reads):
            found = labels.of(numbers)
            for name, values in found.items():
                counted = np.nan_to_num(values) != 0
                self.result.positive[name] = self.result.positive.get(name, 0) + int(counted.sum())
            arrays = {
                label.column: pa.array(found[label.column], from_pandas=True).cast(_TYPES.get(label.kind, pa.float64()))
                for label in self.options.labels
            }
            parts.write(self.columns.table(rows, arrays), times)
            self.progress("write the log", rows.num_rows)
        parts.close()
        moved.update(parts.files)
        self.result.rows, self.result.days = sum(parts.rows.values()), dict(sorted(parts.rows.items()))
        self.result.files = list(parts.files.values())
        self.result.unknown = dict(self.columns.unknown)
        self.result.empty = self.columns.empty if self.result.rows else []

    def _left(self, events: EventRun, moved: dict[Path, Path]) -> str | None:
        """Keep pending events for the next run, and write rejected ones if asked to."""
        run = self.state.run + 1
        if self.options.rejected is not None:
            self.options.rejected.mkdir(parents=True, exist_ok=True)
            for name, fate in (("late", Fate.LATE), ("orphans", Fate.ORPHAN)):
                events.store(fate, self.options.rejected / f"{name}-{run:06d}.parquet")
        pending = self.folder.work / f"pending-{run:06d}.parquet"
        if not events.store(Fate.PENDING, pending):
            return None
        moved[pending] = self.folder.folder / pending.name
        return pending.name

    def _count(self, events: EventRun, shown: ExposureRun) -> None:
        self.result.events = {fate: count for fate, count in events.counts().items() if fate != Fate.NEW}
        self.result.kinds = {kind: count for kind, count in events.kinds.items() if kind is not None}
        self.result.held_back = sum(part.rows - part.closed for part in shown.parts)
