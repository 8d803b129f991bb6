"""How a server runs: from the environment, so that every worker process reads the same."""

import os
import re
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator, model_validator

from ranker.config.closed import Closed

PREFIX = "RANKER_SERVE_"


@dataclass(frozen=True)
class Group:
    """Settings that the command's help lists together, each as an option; one in no group is none."""

    title: str


NETWORK, LIMITS, VERSIONS = Group("Network"), Group("Limits"), Group("Versions")
ACCESS, ENGINE, STORES = Group("Access and logs"), Group("Engine"), Group("Items and users")

LINK = re.compile(r"(tcp|udp|sctp)://")
LINKED = re.compile(r"SERVICE_(HOST|PORT(_[A-Z0-9_]+)?)|PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?")
"""Variables, behind the prefix, that Kubernetes sets in the pods beside a service named ranker-serve."""
KEYS = ("api_keys", "api_keys_file", "admin_keys", "admin_keys_file")
ROUTES = ("rank", "model", "models", "metrics", "health", "admin", "docs", "openapi.json")
"""First parts of the service's own paths."""
MAY_BE_EMPTY = ("root_path", "cors_origins", "users_prefix")
ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^/\s?#,*]+")


class SettingsError(ValueError):
    """A setting that cannot be used; its text names the variable and the value."""


class Settings(Closed):
    """Every setting is the environment variable of its name in capitals behind ``RANKER_SERVE_``."""

    artifact: Path | None = Field(None, description="An artifact, or a folder of versions: then the latest.")
    models: Annotated[Path | None, VERSIONS] = Field(
        None, description="A file that names several models, in place of an artifact."
    )
    device: Annotated[Literal["cpu", "cuda"], ENGINE] = Field("cpu", description="Where the model runs.")
    engine: Annotated[str, ENGINE] = Field(
        "auto", description="What runs the model: auto, onnxruntime, openvino or tensorflow."
    )
    host: Annotated[str, NETWORK] = Field("127.0.0.1", description="Address to listen on; 0.0.0.0 for all.")
    port: Annotated[int, NETWORK] = Field(8000, ge=0, le=65535, description="Port to listen on; 0 for a free one.")
    workers: Annotated[int, NETWORK] = Field(1, ge=1, le=256, description="Processes; each loads the model.")
    root_path: Annotated[str, NETWORK] = Field(
        "",
        pattern=r"^(/[A-Za-z0-9._~-]+)*$",
        description="Prefix under which a proxy publishes the service, such as /ranker; removed or not on the way.",
    )
    forwarded_allow_ips: Annotated[str | None, NETWORK] = Field(
        None,
        description="Proxies, by address or network and between commas, whose X-Forwarded-For and -Proto are believed.",
    )
    cors_origins: Annotated[str, NETWORK] = Field(
        "", description="Origins whose pages may call the service from a browser, between commas; * for all."
    )
    threads: Annotated[int, ENGINE] = Field(
        0, ge=0, le=1024, description="Threads of one request's arithmetic; 0 shares the cores out."
    )
    concurrency: Annotated[int, LIMITS] = Field(
        2, ge=1, le=256, description="Requests a worker works on at once; others wait."
    )
    max_in_flight: Annotated[int, LIMITS] = Field(
        32, ge=1, le=100_000, description="Requests a worker holds, waiting ones included; more are a 503."
    )
    max_candidates: Annotated[int, LIMITS] = Field(
        5000, ge=1, description="Candidates a request may have at most; more are a 422."
    )
    max_body_bytes: Annotated[int, LIMITS] = Field(
        8 * 2**20, ge=1024, description="Bytes a body may have at most; more are a 413."
    )
    body_timeout: Annotated[float, LIMITS] = Field(
        10.0, gt=0, description="Seconds in which a body must have come; then a 408."
    )
    hung_after: Annotated[float, LIMITS] = Field(
        10.0,
        ge=1,
        description="Seconds without a sign of life after which one of several workers is replaced.",
    )
    start_timeout: Annotated[float, LIMITS] = Field(
        600.0, gt=0, description="Seconds in which each of several workers must have loaded its models."
    )
    max_receiving: Annotated[int, LIMITS] = Field(
        256, ge=1, description="Bodies a worker receives at once; for one more, the slowest gets a 408."
    )
    max_receiving_bytes: Annotated[int, LIMITS] = Field(
        64 * 2**20, ge=1024, description="Bytes of such bodies together; beyond, the slowest gets a 408."
    )
    max_connections: Annotated[int, LIMITS] = Field(
        1000, ge=1, le=1_000_000, description="Connections of a worker; for one more, the longest idle is closed."
    )
    max_head_bytes: Annotated[int, LIMITS] = Field(
        32 * 2**10, ge=1024, description="Bytes a request's head may have at most; more are a 431."
    )
    head_timeout: Annotated[float, LIMITS] = Field(
        10.0, gt=0, description="Seconds in which a request's head must have come; then a 408."
    )
    drain: Annotated[float, LIMITS] = Field(
        2.0, ge=0, le=600, description="Seconds between SIGTERM and closing the port."
    )
    items: Annotated[Path | None, STORES] = Field(
        None, description="Items that requests may name by id: a Parquet file, or a folder of them."
    )
    unknown_items: Annotated[Literal["score", "drop"], STORES] = Field(
        "score", description="What becomes of ids that the items do not have; the answer lists them either way."
    )
    users: SecretStr | None = Field(None, description="Where users' features are kept: redis://host:port/db.")
    users_file: Annotated[Path | None, STORES] = Field(
        None, description="A file that holds this URL, for one with a password."
    )
    users_prefix: Annotated[str, STORES] = Field(
        "user:", description="What stands before a user's id in the names of Redis's keys."
    )
    users_timeout_ms: Annotated[int, STORES] = Field(
        20, ge=1, le=10_000, description="Milliseconds that a user's features may take; then defaults are used."
    )
    watch: Annotated[float, VERSIONS] = Field(
        0.0, ge=0, description="Seconds between looks for a new version; 0 for never."
    )
    watch_fraction: Annotated[float, VERSIONS] = Field(
        1.0, ge=0, le=1, description="Fraction of the service's hosts that take a new version at once."
    )
    watch_delay: Annotated[float, VERSIONS] = Field(
        600.0, ge=0, description="Seconds after which the other hosts take it."
    )
    version: Annotated[int | None, VERSIONS] = Field(
        None, ge=1, lt=2**31, description="Serve this version of the folder and no other."
    )
    version_file: Annotated[Path | None, VERSIONS] = Field(
        None, description="A file that holds the number of the version to serve; it is followed while serving."
    )
    allow_schema_change: Annotated[bool, VERSIONS] = Field(
        False, description="Also take versions whose requests or objectives differ."
    )
    docs: Annotated[bool | None, ACCESS] = Field(
        None, description="Serve /docs; by default only where no API key is asked for."
    )
    log_requests: Annotated[Literal["all", "errors", "none"], ACCESS] = Field(
        "errors", description="Which requests get a log line."
    )
    api_keys: SecretStr | None = Field(None, description="Keys for ranking, between commas.")
    api_keys_file: Annotated[Path | None, ACCESS] = Field(None, description="A file with keys for ranking, one a line.")
    admin_keys: SecretStr | None = Field(None, description="Keys for the admin routes, between commas.")
    admin_keys_file: Annotated[Path | None, ACCESS] = Field(
        None, description="A file with keys for the admin routes, one a line."
    )
    runtime: Path | None = Field(None, description="Where workers leave word for each other; the command makes one.")

    @model_validator(mode="after")
    def _something_to_serve(self) -> Self:
        if self.artifact is None and self.models is None:
            raise ValueError("name what to serve: an artifact, or a file of models")
        if self.artifact is not None and self.models is not None:
            raise ValueError(f"name an artifact or a file of models, not both: got {self.artifact} and {self.models}")
        if (first := self.root_path.split("/")[1:2]) and first[0] in ROUTES:
            raise ValueError(
                f"root_path cannot be {self.root_path}: the service has routes of its own at /{first[0]}; publish it "
                "under another prefix"
            )
        if self.max_receiving_bytes < self.max_body_bytes:
            raise ValueError(
                f"max_receiving_bytes ({self.max_receiving_bytes}) must be at least max_body_bytes "
                f"({self.max_body_bytes}), or no body of that size could come"
            )
        if self.models is not None and self.items is not None:
            raise ValueError("items are named for each model in the file of models, not beside it")
        if self.models is not None and (self.version is not None or self.version_file is not None):
            raise ValueError("a version is named for each model in the file of models, not beside it")
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

    @field_validator("forwarded_allow_ips")
    @classmethod
    def _proxies(cls, value: str | None) -> str | None:
        for proxy in [] if value is None else map(str.strip, value.split(",")):
            try:
                ip_network(proxy)
            except ValueError:
                raise ValueError(f"{proxy!r} is no address or network, such as 10.0.0.7 or 10.0.0.0/8") from None
        return value

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, value: str) -> str:
        for origin in filter(None, map(str.strip, value.split(","))):
            if origin != "*" and not ORIGIN.fullmatch(origin):
                raise ValueError(f"{origin!r} is no origin; one is scheme://host or scheme://host:port, with no path")
        return value

    @property
    def origins(self) -> list[str]:
        """What ``cors_origins`` lists."""
        return [origin.strip() for origin in self.cors_origins.split(",") if origin.strip()]

    def environment(self) -> dict[str, str]:
        """Variables that :meth:`from_environment` reads these settings back from."""
        given = {name: value for name, value in self if value is not None}
        return {f"{PREFIX}{name.upper()}": _text(value) for name, value in given.items()}

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Settings":
        """Read the settings, leaving out what Kubernetes tells of a service named ranker-serve.

        Raises ``SettingsError`` for a variable with a bad value, or an unknown one.
        """
        named = {k.removeprefix(PREFIX): v for k, v in environment.items() if k.startswith(PREFIX)}
        given = {name.lower(): value for name, value in named.items() if not LINKED.fullmatch(name)}
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            first = error.errors()[0]
            message = first["msg"].removeprefix("Value error, ")
            if not first["loc"]:  # the input is all settings then, keys too
                raise SettingsError(f"{PREFIX}*: {message}") from None
            raise SettingsError(f"{PREFIX}{str(first['loc'][0]).upper()}: {message}, got {first['input']!r}") from None


def unset_empty(environment: MutableMapping[str, str]) -> None:
    """Remove the empty variables of settings, as templates write them for what has no value.

    Empty keys stay, to be refused: a secret that did not arrive must not open the service to everybody.
    """
    for name in Settings.model_fields:
        if name not in KEYS and environment.get(PREFIX + name.upper()) == "":
            del environment[PREFIX + name.upper()]


def _text(value: object) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)
