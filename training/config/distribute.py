"""The config's ``training.distribute``: the processes and devices that a training runs on."""

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BeforeValidator, Field

from ranker.config.closed import Closed
from ranker.config.file import ConfigError

READERS = "Streams of rows that make up a batch, each of its own row groups; a multiple of the workers."


class Together(Closed):
    """What options of processes and devices that step together have in common."""

    readers: int | None

    def content(self) -> dict[str, Any]:
        """What results depend on: the rows of batches, not on how many processes and devices share them."""
        return {} if self.readers == 1 else {"readers": self.readers}


class OneProcess(Together):
    """One process and one device."""

    name: Literal["one"] = "one"
    readers: int = Field(1, ge=1, le=4096, description=f"{READERS} With more than one, batches are those of as many.")


class Mirrored(Together):
    """One process; every device has a copy of the model and trains on a share of each batch."""

    name: Literal["mirrored"] = "mirrored"
    devices: tuple[str, ...] | None = Field(
        None, min_length=1, description="TensorFlow's names of devices, such as GPU:0; by default all GPUs, or the CPU."
    )
    readers: int = Field(1, ge=1, le=4096, description=READERS)


class MultiWorker(Together):
    """Several processes with a copy of the model each, which step together on one batch."""

    name: Literal["multi_worker"] = "multi_worker"
    hosts: str | None = Field(
        None,
        description="File with one `host:port` a line, the workers in order; by default the environment's TF_CONFIG. "
        "A process's own place is in RANKER_WORKER or, in an indexed Kubernetes Job, JOB_COMPLETION_INDEX.",
    )
    readers: int | None = Field(None, ge=1, le=4096, description=f"{READERS} By default the number of workers.")


class ParameterServer(Closed):
    """Tables are divided among servers; workers read and move the rows of their batches, each at its own pace."""

    name: Literal["parameter_server"] = "parameter_server"
    shard_bytes: int = Field(
        64 << 20, ge=1, description="Smallest shard of a table that is worth a server of its own, in bytes."
    )
    staleness: int | None = Field(
        None,
        ge=0,
        description="A step begins only when all steps before the last `staleness` ones are done; 0: one after the "
        "other. By default steps never wait for one another.",
    )

    def content(self) -> dict[str, Any]:
        """What results depend on: the order in which rows of tables may move."""
        return {"name": self.name, "staleness": self.staleness}


Distribute: TypeAlias = Annotated[
    OneProcess | Mirrored | MultiWorker | ParameterServer,
    Field(discriminator="name"),
    BeforeValidator(lambda data: {"name": data} if isinstance(data, str) else data),
]
"""A bare name stands for one with the default options: ``distribute: multi_worker``."""


def check_alone(options: Distribute, what: str) -> None:
    """Raise ``ConfigError`` for a training in several processes; ``what`` trains many models in this one."""
    if not isinstance(options, OneProcess | Mirrored):
        raise ConfigError(
            f"training.distribute: {options.name} trains one model in several processes, and {what} trains many; use "
            "distribute: one or mirrored for it, and train the model that you choose with `fit`"
        )
