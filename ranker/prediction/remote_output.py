"""Results of a prediction at a URL: written to a local folder, and copied to the store when they are complete."""

import json
import shutil
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from ranker.prediction.output import PLAN, SUCCESS, SUMMARY, OutputError, differences
from ranker.remote_files import RemoteError, RemoteFolder
from ranker.urls import cache_folder, normal


class RemoteOutput:
    """A folder of results in a store.

    Attributes
    ----------
    folder
        The local folder that an interrupted job goes on with; it is removed once the results are copied.
    """

    def __init__(self, url: str | Path) -> None:
        """Raise ``OutputError`` for a URL that cannot be written."""
        try:
            self._target = RemoteFolder.at(normal(url))
        except RemoteError as error:
            raise OutputError(str(error)) from None
        self.folder = cache_folder() / "predictions" / sha256(normal(url).encode()).hexdigest()[:32]

    def __str__(self) -> str:
        return str(self._target)

    def summary(self, plan: Mapping[str, Any], restart: bool) -> dict[str, Any] | None:
        """The summary of complete results of this plan, if they are there.

        Raises ``OutputError`` for results of another plan, unless ``restart`` removes them, and for other files.
        """
        try:
            names = self._target.files()
            if restart:
                self._clear(names)
                return None
            if PLAN not in names:
                if names:
                    raise OutputError(f"{self}: holds {', '.join(names[:3])}, which no prediction wrote")
                return None
            if differs := differences(json.loads(self._target.read(PLAN)), json.loads(json.dumps(plan))):
                raise OutputError(
                    f"{self}: holds results of a job that differs in {', '.join(differs)}; name another folder, or "
                    "replace the results with --restart"
                )
            return json.loads(self._target.read(SUMMARY)) if SUCCESS in names else None
        except RemoteError as error:
            raise OutputError(str(error)) from None

    def copy(self) -> None:
        """Copy the local folder, its marker last, and remove it. Raises ``OutputError``."""
        names = sorted(path.name for path in self.folder.iterdir() if path.name != SUCCESS and path.name[0] != ".")
        try:
            for name in [*names, SUCCESS]:
                self._target.write(name, self.folder / name)
        except RemoteError as error:
            raise OutputError(f"{error}; the results are in {self.folder}: run the same command again") from None
        shutil.rmtree(self.folder)

    def _clear(self, names: list[str]) -> None:
        """Remove the results of a prediction, the marker first."""
        if PLAN in names:
            parts = [name for name in names if name.startswith("part-") and name.endswith(".parquet")]
            for name in [n for n in (SUCCESS, *parts, SUMMARY, PLAN) if n in names]:
                self._target.remove(name)
