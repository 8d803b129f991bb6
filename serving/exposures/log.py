"""The exposure log of one worker: which requests are logged, for whom, and what of them."""

import re
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from pydantic import SecretStr

from ranker.exposures.schema import columns_of, log_schema, stream_schema
from ranker.exposures.units import hashed_unit
from ranker.registry import alternatives
from serving.experiments.assignment import Split, point, unit_in
from serving.exposure_settings import REDIS
from serving.exposures.arrow_values import warm_up
from serving.exposures.folder import Folder, Rolling
from serving.exposures.redis_stream import RedisStream
from serving.exposures.retention import Retention
from serving.exposures.rows import Hash, Logged
from serving.exposures.sinks import Sink
from serving.exposures.writer import ExposureWriter
from serving.ranking.exposure import ExposureColumns
from serving.ranking.ranker import Ranker
from serving.ranking.request_trace import RequestTrace
from serving.settings import PREFIX, Settings, SettingsError

SALT = "exposures"
"""Salt of the hash that samples requests, unlike that of any experiment."""
URL = re.compile(r"[a-z0-9+.-]+://|(redis|rediss|unix):", re.IGNORECASE)
"""What is no folder: a folder's name is shown, and a misspelt URL may have a password."""


class ExposureLog:
    """Chooses requests when they are routed, and queues them for the writer once they are answered."""

    def __init__(self, settings: Settings, sink: Sink, *, hashed: bool) -> None:
        warm_up()  # before the first request, which the thread would write late
        self._settings, self._hashed = settings, hashed
        self._sample, self._unit = settings.exposures_sample, settings.exposures_unit
        self._columns: WeakKeyDictionary[Ranker, ExposureColumns] = WeakKeyDictionary()
        self.writer = ExposureWriter(sink, settings.exposures_flush, settings.exposures_queue_bytes)

    @classmethod
    def of(cls, settings: Settings) -> "ExposureLog | None":
        """The log that the settings name, if any. Raises ``SettingsError``."""
        target = _secret(settings.exposures, settings.exposures_file, "EXPOSURES")
        if target is None:
            return None
        salt = _secret(settings.exposures_salt, settings.exposures_salt_file, "EXPOSURES_SALT")
        hashed: Hash | None = None if salt is None else partial(hashed_unit, salt=salt)
        if target.startswith(REDIS):
            stream = settings.exposures_stream, settings.exposures_stream_length
            return cls(settings, RedisStream(target, *stream, hashed), hashed=salt is not None)
        if URL.match(target):
            raise SettingsError(f"{PREFIX}EXPOSURES: must be a folder or a URL of Redis ({', '.join(REDIS)})")
        rolling = Rolling(settings.exposures_roll_seconds, settings.exposures_roll_bytes)
        retention = Retention(settings.exposures_keep_days, settings.exposures_keep_bytes)
        return cls(settings, Folder(Path(target), rolling, retention, hashed), hashed=salt is not None)

    def check(self, rankers: Mapping[str, Ranker]) -> None:
        """Raise ``SettingsError`` for a column that no model has, and for a folder that cannot be written."""
        schemas = [ranker.artifact.schema for ranker in rankers.values()]
        context = {column for schema in schemas for column in columns_of(schema, "context")}
        known = context | {column for schema in schemas for column in columns_of(schema, "candidate")}
        for name in self._settings.exposures_feature_names:
            if name != "all" and name not in known:
                raise SettingsError(
                    f"{PREFIX}EXPOSURES_FEATURES: no request has a column {name!r}{alternatives(name, sorted(known))}"
                )
        if self._unit is not None and self._unit not in context:
            raise SettingsError(
                f"{PREFIX}EXPOSURES_UNIT: no request has a context column {self._unit!r}"
                f"{alternatives(self._unit, sorted(context))}"
            )
        self.writer.sink.check()

    def begin(
        self,
        trace: RequestTrace,
        ranker: Ranker,
        split: Split | None,
        body: Mapping[str, Any],
        headers: Mapping[str, str],
    ) -> None:
        """Decide whether a request is logged, once it is routed; ``body`` is not yet checked."""
        if self._sample < 1 and point(SALT, trace.request_id) >= self._sample:
            return
        columns = self._columns.get(ranker)
        if columns is None:
            columns = self._columns[ranker] = self._of(ranker)
        trace.exposing = columns
        trace.unit = unit_in(body, self._unit) if split is None else split.unit_of(body, headers)

    def add(self, trace: RequestTrace) -> None:
        """Queue an answered request, if it is logged."""
        columns, exposure, route = trace.exposing, trace.exposed, trace.route
        if columns is None or exposure is None or route is None:
            return
        self.writer.offer(
            Logged(
                columns,
                time.time_ns() // 1_000_000,
                trace.request_id,
                route.model,
                route.version,
                route.experiment,
                trace.unit,
                exposure,
                exposure.size,
            )
        )

    def facts(self) -> dict[str, Any]:
        """What is logged, and how far, as ``/admin/status`` shows it."""
        writer, settings = self.writer, self._settings
        return {
            "to": writer.sink.name,
            "sample": settings.exposures_sample,
            "features": settings.exposures_features,
            "hashed": self._hashed,
            "depth": settings.exposures_depth,
            "requests": writer.requests,
            "rows": writer.rows,
            "bytes": writer.bytes,
            "dropped": dict(writer.dropped),
            "unwritten_seconds": round(writer.unwritten_seconds, 3),
            "problem": writer.problem,
        }

    def _of(self, ranker: Ranker) -> ExposureColumns:
        """What is logged of a version of a model; columns that it does not have are left out."""
        artifact, names = ranker.artifact, self._settings.exposures_feature_names
        chosen = {
            side: tuple(column for column in columns_of(artifact.schema, side) if names == ["all"] or column in names)
            for side in ("context", "candidate")
        }
        schema = stream_schema(log_schema(artifact, chosen["context"], chosen["candidate"], hashed=self._hashed))
        return ExposureColumns(
            schema,
            chosen["context"],
            chosen["candidate"],
            rows=self._settings.exposures_rows,
            depth=self._settings.exposures_depth,
        )


def _secret(value: SecretStr | None, file: Path | None, name: str) -> str | None:
    """A setting that may be in a file. Raises ``SettingsError``."""
    if value is not None:
        if not (given := value.get_secret_value().strip()):
            raise SettingsError(f"{PREFIX}{name}: is empty")
        return given
    if file is None:
        return None
    try:
        text = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{PREFIX}{name}_FILE: cannot be read: {error}") from None
    if not text:
        raise SettingsError(f"{PREFIX}{name}_FILE: {file} is empty")
    return text
