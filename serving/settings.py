"""How a server runs: from the environment, so that every worker process reads the same."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from ranker.closed import Closed

PREFIX = "RANKER_SERVE_"


class SettingsError(ValueError):
    """A setting that cannot be used; its text names the variable and the value."""


class Settings(Closed):
    """Every setting is the environment variable of its name in capitals behind ``RANKER_SERVE_``."""

    artifact: Path = Field(description="An artifact, or a folder of versions: then the latest.")
    device: Literal["cpu", "cuda"] = Field("cpu", description="Where the model runs.")
    threads: int = Field(0, ge=0, le=1024, description="Threads of one request's arithmetic; 0 for one a core.")
    concurrency: int = Field(2, ge=1, le=256, description="Requests a worker works on at once; others wait.")
    max_candidates: int = Field(5000, ge=1, description="Candidates a request may have at most.")

    def environment(self) -> dict[str, str]:
        """Variables that :meth:`from_environment` reads these settings back from."""
        return {f"{PREFIX}{name.upper()}": str(value) for name, value in self}

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Settings":
        """Read the settings. Raises ``SettingsError`` for a variable with a bad value, or an unknown one."""
        given = {k.removeprefix(PREFIX).lower(): v for k, v in environment.items() if k.startswith(PREFIX)}
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            first = error.errors()[0]
            name = PREFIX + str(first["loc"][0]).upper() if first["loc"] else PREFIX + "*"
            raise SettingsError(f"{name}: {first['msg']}, got {first['input']!r}") from None
