"""Settings of the exposure log."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, SecretStr, model_validator

from ranker.config.closed import Closed
from serving.setting_groups import EXPOSURES

SALT = ("exposures_salt", "exposures_salt_file")
REDIS = ("redis://", "rediss://", "unix://")
"""How the URL of a Redis begins."""


class ExposureSettings(Closed):
    """The part of the settings that is about the exposure log."""

    exposures: Annotated[SecretStr | None, EXPOSURES] = Field(
        None, description="Log what answers showed: a folder of Parquet files, or a Redis, redis://host:port/db."
    )
    exposures_file: Annotated[Path | None, EXPOSURES] = Field(
        None, description="File that holds the Redis URL of the exposure log, for a URL with a password."
    )
    exposures_sample: Annotated[float, EXPOSURES] = Field(
        1.0, gt=0, le=1, description="Fraction of requests that are logged, chosen by a hash of the request id."
    )
    exposures_features: Annotated[str, EXPOSURES] = Field(
        "ids", description="Features to log: ids for none but the item's id, all, or comma-separated columns."
    )
    exposures_unit: Annotated[str | None, EXPOSURES] = Field(
        None,
        description="Context column that identifies the user while no experiment runs; default: the request's user.",
    )
    exposures_salt: SecretStr | None = Field(
        None, description="Secret with which users are hashed in the exposure log; without one they are not."
    )
    exposures_salt_file: Annotated[Path | None, EXPOSURES] = Field(
        None, description="File that holds the secret with which users are hashed in the exposure log."
    )
    exposures_depth: Annotated[int, EXPOSURES] = Field(
        0, ge=0, description="Log at least so many first candidates of a request, also those beyond the answer."
    )
    exposures_rows: Annotated[int, EXPOSURES] = Field(
        1000, ge=1, description="Most candidates of a request that are logged."
    )
    exposures_flush: Annotated[float, EXPOSURES] = Field(
        1.0, ge=0.01, le=60, description="Seconds between writes of the log; a killed worker loses at most its last."
    )
    exposures_roll_seconds: Annotated[float, EXPOSURES] = Field(
        300.0, ge=1, le=86_400, description="Seconds after which a worker's file is finished, so that it can be read."
    )
    exposures_roll_bytes: Annotated[int, EXPOSURES] = Field(
        64 * 2**20, ge=2**16, description="Bytes, not yet compressed, after which a worker's file is finished."
    )
    exposures_keep_days: Annotated[float | None, EXPOSURES] = Field(
        None, gt=0, description="Days after which a finished file is deleted; default: never."
    )
    exposures_keep_bytes: Annotated[int | None, EXPOSURES] = Field(
        None,
        ge=2**20,
        description="Bytes of all finished files beyond which the oldest are deleted; default: no limit.",
    )
    exposures_queue_bytes: Annotated[int, EXPOSURES] = Field(
        64 * 2**20, ge=2**16, description="Bytes a worker holds for the log; beyond that, requests are not logged."
    )
    exposures_stream: Annotated[str, EXPOSURES] = Field(
        "ranker:exposures", min_length=1, description="Key of the Redis stream."
    )
    exposures_stream_length: Annotated[int, EXPOSURES] = Field(
        1_000_000, ge=1, description="Requests that the Redis stream keeps, approximately."
    )

    @model_validator(mode="after")
    def _one_log(self) -> Self:
        if self.exposures is not None and self.exposures_file is not None:
            raise ValueError("name exposures or exposures_file, not both")
        if self.exposures_salt is not None and self.exposures_salt_file is not None:
            raise ValueError("name exposures_salt or exposures_salt_file, not both")
        if self.exposures_depth > self.exposures_rows:
            raise ValueError(
                f"exposures_depth ({self.exposures_depth}) must be at most exposures_rows ({self.exposures_rows})"
            )
        named = [name.strip() for name in self.exposures_features.split(",")]
        if len(named) > 1 and (alone := {"ids", "all"} & {*named}):
            raise ValueError(f"exposures_features: {min(alone)} must be alone, got {self.exposures_features!r}")
        if not self.exposures_feature_names and self.exposures_features.strip() != "ids":
            raise ValueError(f"exposures_features must be ids, all, or columns, got {self.exposures_features!r}")
        return self

    @property
    def exposures_feature_names(self) -> list[str]:
        """The columns in ``exposures_features``; empty for ``ids``, and ``["all"]`` for all."""
        names = [name.strip() for name in self.exposures_features.split(",") if name.strip()]
        return [] if names == ["ids"] else names
