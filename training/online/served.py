"""Rounds as the service's experiments: groups with shares, a salt, and the fusion of each."""

import hashlib
import re
from typing import Any

import numpy as np
import orjson

from ranker.fusion import DEFAULT
from training.config.online import Online
from training.fusion_search.space import Floats, Space
from training.online.state import CONTROL, Round

CONFIRM = "confirm"
WINNER = "winner"
"""Name of the set that is confirmed."""


def experiment_name(search: str, number: int, kind: str) -> str:
    """Name of a round's experiment, so that logs tell rounds apart: ``NAME-g003``, ``NAME-confirm``."""
    return f"{search}-{CONFIRM}" if kind == CONFIRM else f"{search}-g{number:03d}"


def is_of(search: str, experiment: str) -> bool:
    """Whether an experiment's name is that of a round of this search."""
    return re.fullmatch(rf"{re.escape(search)}-(g\d{{3,}}|{CONFIRM})", experiment) is not None


def fusion_at(space: Space, fusion: str, point: Floats) -> dict[str, Any]:
    """The fusion of a group, as the models file has it."""
    name = {} if fusion == DEFAULT else {"name": fusion}
    return {**name, **space.changes(point)}


def experiment(config: Online, space: Space, one: Round) -> dict[str, Any]:
    """The section ``experiment`` of the models file. A set that was stopped has the fusion of control."""
    service = config.service
    model = {} if service.model is None else {"model": service.model}
    today: dict[str, Any] = {} if config.fusion == DEFAULT else {"fusion": {"name": config.fusion}}
    groups: dict[str, Any] = {CONTROL: {"share": one.control, **model, **today}}
    for served in one.sets:
        point = np.array(served.point)
        own = today if served.stopped else {"fusion": fusion_at(space, config.fusion, point)}
        groups[served.name] = {"share": served.share, **model, **own}
    unit = {"unit": service.unit} if service.header is None else {"header": service.header}
    return {"name": one.experiment, **unit, "salt": one.salt, "coverage": service.coverage, "groups": groups}


def digest(content: dict[str, Any]) -> str:
    """Hash of an experiment, to see whether the services were asked to serve it."""
    return hashlib.blake2b(orjson.dumps(content, option=orjson.OPT_SORT_KEYS), digest_size=8).hexdigest()
