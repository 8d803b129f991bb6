"""Settings of the service, read from the environment so that every worker process sees the same values."""

import os
import re
from collections.abc import Mapping, MutableMapping
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator, model_validator

from serving.exposure_settings import SALT, ExposureSettings
from serving.setting_groups import ACCESS, ENGINE, LIMITS, NETWORK, STORES, VERSIONS

PREFIX = "RANKER_SERVE_"


LINK = re.compile(r"(tcp|udp|sctp)://")
LINKED = re.compile(r"SERVICE_(HOST|PORT(_[A-Z0-9_]+)?)|PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?")
"""Variables, without the prefix, that Kubernetes sets in pods next to a service named ranker-serve."""
KEYS = ("api_keys", "api_keys_file", "admin_keys", "admin_keys_file", *SALT)
"""Secrets without which the service would be more open than is meant; an empty one is refused."""
ROUTES = ("rank", "model", "models", "metrics", "health", "admin", "console", "docs", "openapi.json")
"""First path segments of the service's own routes."""
MAY_BE_EMPTY = ("root_path", "cors_origins", "users_prefix")
DEVICES = re.compile(r"cpu(,cpu)*|cuda(:[0-9]{1,3})?(,cuda(:[0-9]{1,3})?)*")
"""One device, or several of one kind; a device named twice gets two scorers."""
ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^/\s?#,*]+")


class SettingsError(ValueError):
    """An invalid setting; the message names the variable and the value."""


class Settings(ExposureSettings):
    """Settings of the service; each is read from ``RANKER_SERVE_`` plus its name in capitals."""

    artifact: Path | None = Field(None, description="An artifact, or a folder of versions to serve the latest of.")
    models: Annotated[Path | None, VERSIONS] = Field(
        None, description="File that lists several models, instead of an artifact."
    )
    device: Annotated[str, ENGINE] = Field(
        "cpu", description="Device that runs the model: cpu, cuda, or several such as cuda:0,cuda:1."
    )
    scorer: Annotated[Literal["auto", "on", "off"], ENGINE] = Field(
        "auto", description="Whether one process for each device runs the engine for all workers; auto: on cuda."
    )
    engine: Annotated[str, ENGINE] = Field(
        "auto", description="Inference engine: auto, onnxruntime, openvino or tensorflow."
    )
    precision: Annotated[Literal["float32", "tf32", "bfloat16", "float16", "auto"], ENGINE] = Field(
        "float32", description="Precision of the engine's arithmetic; auto is the fastest that keeps the bound."
    )
    precision_min_ndcg: Annotated[float, ENGINE] = Field(
        0.999, ge=0, le=1, description="Lowest NDCG@10 of another precision's rankings against those of float32."
    )
    cascade: Annotated[Literal["auto", "request", "off"], ENGINE] = Field(
        "auto",
        description="Rank in two stages where the artifact has a student: auto if its rankings agree with the full "
        "model's, request only for requests that ask, off for none.",
    )
    host: Annotated[str, NETWORK] = Field("127.0.0.1", description="Address to listen on; 0.0.0.0 for all.")
    port: Annotated[int, NETWORK] = Field(8000, ge=0, le=65535, description="Port to listen on; 0 for a free one.")
    workers: Annotated[int, NETWORK] = Field(
        1, ge=1, le=256, description="Worker processes; each loads the model, unless scorers do."
    )
    root_path: Annotated[str, NETWORK] = Field(
        "",
        pattern=r"^(/[A-Za-z0-9._~-]+)*$",
        description="Path prefix under which a proxy publishes the service, such as /ranker; it may strip it or not.",
    )
    forwarded_allow_ips: Annotated[str | None, NETWORK] = Field(
        None,
        description="Trusted proxies: comma-separated addresses or networks whose X-Forwarded-For and -Proto are used.",
    )
    cors_origins: Annotated[str, NETWORK] = Field(
        "", description="Comma-separated origins whose pages may call the service from a browser; * for all."
    )
    threads: Annotated[int, ENGINE] = Field(
        0,
        ge=0,
        le=1024,
        description="Threads the engine uses per request; 0 divides the cores among the workers, or the scorers.",
    )
    concurrency: Annotated[int, LIMITS] = Field(
        2, ge=1, le=256, description="Requests a worker ranks at once; others wait."
    )
    max_in_flight: Annotated[int, LIMITS] = Field(
        32, ge=1, le=100_000, description="Requests a worker holds, including waiting ones; more get a 503."
    )
    max_candidates: Annotated[int, LIMITS] = Field(
        5000, ge=1, description="Most candidates per request; more get a 422."
    )
    max_body_bytes: Annotated[int, LIMITS] = Field(
        8 * 2**20, ge=1024, description="Largest request body in bytes; larger ones get a 413."
    )
    body_timeout: Annotated[float, LIMITS] = Field(
        10.0, gt=0, description="Seconds to receive a request body; slower ones get a 408."
    )
    hung_after: Annotated[float, LIMITS] = Field(
        10.0,
        ge=1,
        description="Seconds without a heartbeat after which one of several workers is replaced.",
    )
    start_timeout: Annotated[float, LIMITS] = Field(
        600.0, gt=0, description="Seconds each of several workers has to load its models."
    )
    max_receiving: Annotated[int, LIMITS] = Field(
        256, ge=1, description="Bodies a worker receives at once; beyond that, the slowest gets a 408."
    )
    max_receiving_bytes: Annotated[int, LIMITS] = Field(
        64 * 2**20, ge=1024, description="Total bytes of bodies being received; beyond that, the slowest gets a 408."
    )
    max_connections: Annotated[int, LIMITS] = Field(
        1000, ge=1, le=1_000_000, description="Connections per worker; beyond that, the longest idle one is closed."
    )
    max_head_bytes: Annotated[int, LIMITS] = Field(
        32 * 2**10, ge=1024, description="Largest request head in bytes; larger ones get a 431."
    )
    head_timeout: Annotated[float, LIMITS] = Field(
        10.0, gt=0, description="Seconds to receive a request head; slower ones get a 408."
    )
    drain: Annotated[float, LIMITS] = Field(
        2.0, ge=0, le=600, description="Seconds between SIGTERM and closing the port."
    )
    items: Annotated[Path | None, STORES] = Field(
        None, description="Items that requests may name by id: a Parquet file, or a folder of them."
    )
    unknown_items: Annotated[Literal["score", "drop"], STORES] = Field(
        "score", description="Whether unknown item ids are scored or dropped; the answer lists them either way."
    )
    users: SecretStr | None = Field(None, description="Redis that stores user features: redis://host:port/db.")
    users_file: Annotated[Path | None, STORES] = Field(
        None, description="File that holds the Redis URL of the users, for a URL with a password."
    )
    users_prefix: Annotated[str, STORES] = Field(
        "user:", description="Prefix of the Redis keys; the user's id follows."
    )
    users_timeout_ms: Annotated[int, STORES] = Field(
        20, ge=1, le=10_000, description="Timeout of a user look-up in milliseconds; after it, defaults are used."
    )
    watch: Annotated[float, VERSIONS] = Field(
        0.0, ge=0, description="Seconds between checks for a new version; 0 for never."
    )
    watch_fraction: Annotated[float, VERSIONS] = Field(
        1.0, ge=0, le=1, description="Fraction of hosts that take a new version at once."
    )
    watch_delay: Annotated[float, VERSIONS] = Field(
        600.0, ge=0, description="Seconds after which the other hosts take a new version."
    )
    version: Annotated[int | None, VERSIONS] = Field(
        None, ge=1, lt=2**31, description="Serve only this version of the folder."
    )
    version_file: Annotated[Path | None, VERSIONS] = Field(
        None, description="File that holds the number of the version to serve; changes are followed."
    )
    allow_schema_change: Annotated[bool, VERSIONS] = Field(
        False, description="Also accept versions whose request schema or objectives differ."
    )
    docs: Annotated[bool | None, ACCESS] = Field(
        None, description="Serve /docs; by default only if no API key is required."
    )
    log_requests: Annotated[Literal["all", "errors", "none"], ACCESS] = Field(
        "errors", description="Which requests get a log line."
    )
    api_keys: SecretStr | None = Field(None, description="API keys for ranking, comma-separated.")
    api_keys_file: Annotated[Path | None, ACCESS] = Field(
        None, description="File with API keys for ranking, one per line."
    )
    admin_keys: SecretStr | None = Field(None, description="API keys for the admin routes, comma-separated.")
    admin_keys_file: Annotated[Path | None, ACCESS] = Field(
        None, description="File with API keys for the admin routes, one per line."
    )
    console: Annotated[bool, ACCESS] = Field(
        False, description="Serve /console, a page for holders of an admin key: what is served, and a bench."
    )
    console_reports: Annotated[Path | None, ACCESS] = Field(
        None, description="JSON of `ranker-train experiment`, or a folder of such files, for the console to show."
    )
    runtime: Path | None = Field(None, description="Folder that the workers share; the command creates one.")
    scorers: SecretStr | None = Field(None, description="Addresses and secrets of the scorers; the command sets them.")

    @model_validator(mode="after")
    def _something_to_serve(self) -> Self:
        if self.artifact is None and self.models is None:
            raise ValueError("name what to serve: an artifact, or a file of models")
        if self.artifact is not None and self.models is not None:
            raise ValueError(f"name an artifact or a file of models, not both: got {self.artifact} and {self.models}")
        if self.console and self.admin_keys is None and self.admin_keys_file is None:
            raise ValueError("console needs admin keys: set admin_keys or admin_keys_file, or leave the console off")
        if self.console_reports is not None and not self.console:
            raise ValueError("console_reports is shown by the console alone: set console, or leave the reports out")
        if (first := self.root_path.split("/")[1:2]) and first[0] in ROUTES:
            raise ValueError(
                f"root_path cannot be {self.root_path}: the service has routes of its own at /{first[0]}; publish it "
                "under another prefix"
            )
        if self.scorer == "off" and len(self.devices) > 1:
            raise ValueError(f"several devices ({self.device}) need scorers: leave scorer at auto, or set it to on")
        if self.max_receiving_bytes < self.max_body_bytes:
            raise ValueError(
                f"max_receiving_bytes ({self.max_receiving_bytes}) must be at least max_body_bytes "
                f"({self.max_body_bytes}), or no body of that size could be received"
            )
        if self.models is not None and self.items is not None:
            raise ValueError("with a file of models, set items for each model in that file")
        if self.models is not None and (self.version is not None or self.version_file is not None):
            raise ValueError("with a file of models, set version or version_file for each model in that file")
        if self.version is not None and self.version_file is not None:
            raise ValueError(f"name a version or a version_file, not both: got {self.version} and {self.version_file}")
        if self.users is not None and self.users_file is not None:
            raise ValueError("name users or users_file, not both")
        return self

    @field_validator("*", mode="before")
    @classmethod
    def _not_empty(cls, value: object, info: ValidationInfo) -> object:
        if value == "" and info.field_name not in MAY_BE_EMPTY:
            raise ValueError("is empty; give it a value, or leave it out")
        return value

    @field_validator("port", mode="before")
    @classmethod
    def _no_service_link(cls, value: object) -> object:
        if isinstance(value, str) and LINK.match(value):
            raise ValueError(
                "is the address of a Kubernetes service, not a port: set enableServiceLinks: false in the pod, or give "
                "the service a name other than ranker-serve"
            )
        return value

    @field_validator("device")
    @classmethod
    def _devices(cls, value: str) -> str:
        if not DEVICES.fullmatch(value):
            raise ValueError("must be 'cpu', 'cuda', or devices of one kind such as cuda:0,cuda:1")
        return value

    @field_validator("forwarded_allow_ips")
    @classmethod
    def _proxies(cls, value: str | None) -> str | None:
        for proxy in [] if value is None else map(str.strip, value.split(",")):
            try:
                ip_network(proxy)
            except ValueError:
                raise ValueError(f"{proxy!r} is not an address or network, such as 10.0.0.7 or 10.0.0.0/8") from None
        return value

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, value: str) -> str:
        for origin in filter(None, map(str.strip, value.split(","))):
            if origin != "*" and not ORIGIN.fullmatch(origin):
                raise ValueError(
                    f"{origin!r} is not an origin; write scheme://host or scheme://host:port, without a path"
                )
        return value

    @property
    def devices(self) -> list[str]:
        """The devices in ``device``."""
        return self.device.split(",")

    @property
    def device_kind(self) -> str:
        """``cpu`` or ``cuda``."""
        return self.devices[0].partition(":")[0]

    @property
    def origins(self) -> list[str]:
        """The origins in ``cors_origins``."""
        return [origin.strip() for origin in self.cors_origins.split(",") if origin.strip()]

    def environment(self) -> dict[str, str]:
        """These settings as variables that :meth:`from_environment` reads back."""
        values = {name: value for name, value in self if value is not None}
        return {f"{PREFIX}{name.upper()}": _text(value) for name, value in values.items()}

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Settings":
        """Read the settings, ignoring the variables that Kubernetes sets for a service named ranker-serve.

        Raises ``SettingsError`` for an unknown variable or an invalid value.
        """
        named = {k.removeprefix(PREFIX): v for k, v in environment.items() if k.startswith(PREFIX)}
        values = {name.lower(): value for name, value in named.items() if not LINKED.fullmatch(name)}
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            message = first["msg"].removeprefix("Value error, ")
            if not first["loc"]:  # the input is then all settings, including keys: do not show it
                raise SettingsError(f"{PREFIX}*: {message}") from None
            raise SettingsError(f"{PREFIX}{str(first['loc'][0]).upper()}: {message}, got {first['input']!r}") from None


def unset_empty(environment: MutableMapping[str, str]) -> None:
    """Remove empty variables, which templates write for settings without a value.

    Empty keys stay and are refused: a missing secret must not open the service to everybody, nor name users in a log.
    """
    for name in Settings.model_fields:
        if name not in KEYS and environment.get(PREFIX + name.upper()) == "":
            del environment[PREFIX + name.upper()]


def _text(value: object) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)
