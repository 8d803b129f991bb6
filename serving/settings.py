"""How a server runs: from the environment, so that every worker process reads the same."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, ValidationError, model_validator

from ranker.closed import Closed

PREFIX = "RANKER_SERVE_"


class SettingsError(ValueError):
    """A setting that cannot be used; its text names the variable and the value."""


class Settings(Closed):
    """Every setting is the environment variable of its name in capitals behind ``RANKER_SERVE_``."""

    artifact: Path | None = Field(None, description="An artifact, or a folder of versions: then the latest.")
    models: Path | None = Field(None, description="A file that names several models, in place of an artifact.")
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
    items: Path | None = Field(
        None, description="Items that requests may name by id: a Parquet file, or a folder of them."
    )
    unknown_items: Literal["score", "drop"] = Field(
        "score", description="What becomes of ids that the items do not have; the answer lists them either way."
    )
    users: SecretStr | None = Field(None, description="Where users' features are kept: redis://host:port/db.")
    users_prefix: str = Field("user:", description="What stands before a user's id in the names of Redis's keys.")
    users_timeout_ms: int = Field(
        20, ge=1, le=10_000, description="Milliseconds that a user's features may take; then defaults are used."
    )
    watch: float = Field(0.0, ge=0, description="Seconds between looks for a new version; 0 for never.")
    allow_schema_change: bool = Field(False, description="Also take versions whose requests or objectives differ.")
    docs: bool | None = Field(None, description="Serve /docs; by default only where no API key is asked for.")
    log_requests: Literal["all", "errors", "none"] = Field("errors", description="Which requests get a log line.")
    api_keys: SecretStr | None = Field(None, description="Keys for ranking, between commas.")
    api_keys_file: Path | None = Field(None, description="A file with keys for ranking, one a line.")
    admin_keys: SecretStr | None = Field(None, description="Keys for the admin routes, between commas.")
    admin_keys_file: Path | None = Field(None, description="A file with keys for the admin routes, one a line.")
    runtime: Path | None = Field(None, description="Where workers leave word for each other; the command makes one.")

    @model_validator(mode="after")
    def _something_to_serve(self) -> Self:
        if self.artifact is None and self.models is None:
            raise ValueError("name what to serve: an artifact, or a file of models")
        if self.artifact is not None and self.models is not None:
            raise ValueError(f"name an artifact or a file of models, not both: got {self.artifact} and {self.models}")
        if self.models is not None and self.items is not None:
            raise ValueError("items are named for each model in the file of models, not beside it")
        return self

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
            message = first["msg"].removeprefix("Value error, ")
            if not first["loc"]:  # the input is all settings then, keys too
                raise SettingsError(f"{PREFIX}*: {message}") from None
            raise SettingsError(f"{PREFIX}{str(first['loc'][0]).upper()}: {message}, got {first['input']!r}") from None


def _text(value: object) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)
