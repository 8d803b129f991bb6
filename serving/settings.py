"""How a server runs: from the environment, so that every worker process reads the same."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationError

from ranker.closed import Closed

PREFIX = "RANKER_SERVE_"


class SettingsError(ValueError):
    """A setting that cannot be used; its text names the variable and the value."""


class Settings(Closed):
    """Every setting is the environment variable of its name in capitals behind ``RANKER_SERVE_``."""

    artifact: Path = Field(description="An artifact, or a folder of versions: then the latest.")
    device: Literal["cpu", "cuda"] = Field("cpu", description="Where the model runs.")
    engine: str = Field("auto", description="What runs the model: auto, onnxruntime, openvino or tensorflow.")
    threads: int = Field(0, ge=0, le=1024, description="Threads of one request's arithmetic; 0 for one a core.")
    concurrency: int = Field(2, ge=1, le=256, description="Requests a worker works on at once; others wait.")
    max_in_flight: int = Field(
        32, ge=1, le=100_000, description="Requests a worker holds, waiting ones included; more are a 503."
    )
    max_candidates: int = Field(5000, ge=1, description="Candidates a request may have at most; more are a 422.")
    max_body_bytes: int = Field(8 * 2**20, ge=1024, description="Bytes a body may have at most; more are a 413.")
    body_timeout: float = Field(10.0, gt=0, description="Seconds in which a body must have come; then a 408.")
    drain: float = Field(2.0, ge=0, le=600, description="Seconds between SIGTERM and closing the port.")
    watch: float = Field(0.0, ge=0, description="Seconds between looks for a new version; 0 for never.")
    allow_schema_change: bool = Field(False, description="Also take versions whose requests or objectives differ.")
    docs: bool | None = Field(None, description="Serve /docs; by default only where no API key is asked for.")
    log_requests: Literal["all", "errors", "none"] = Field("errors", description="Which requests get a log line.")
    api_keys: SecretStr | None = Field(None, description="Keys for ranking, between commas.")
    api_keys_file: Path | None = Field(None, description="A file with keys for ranking, one a line.")
    admin_keys: SecretStr | None = Field(None, description="Keys for the admin routes, between commas.")
    admin_keys_file: Path | None = Field(None, description="A file with keys for the admin routes, one a line.")
    runtime: Path | None = Field(None, description="Where workers leave word for each other; the command makes one.")

    def environment(self) -> dict[str, str]:
        """Variables that :meth:`from_environment` reads these settings back from."""
        given = {name: value for name, value in self if value is not None}
        return {f"{PREFIX}{name.upper()}": _text(value) for name, value in given.items()}

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


def _text(value: object) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)
