"""The winner of a search as a fusion: for a config, and as a further fusion of an artifact."""

from pathlib import Path
from typing import Any

import numpy as np
import yaml

from ranker.artifact import Artifact, ArtifactError, load, with_fusions
from ranker.config.file import ConfigError
from ranker.fusion import DEFAULT, Plan
from training.config.online import Online
from training.fusion_search.space import Space
from training.online.state import Outcome


def plan_of(space: Space, outcome: Outcome) -> Plan:
    """The winner's fusion."""
    assert outcome.point is not None
    return space.at(np.array(outcome.point))


def as_config(config: Online, plan: Plan) -> dict[str, Any]:
    """The sections of a training config that hold the winner: ``fusions`` by name, or ``fusion``."""
    options = plan.stored().options
    shown = {"name": options.name, **options.model_dump(mode="json", exclude_defaults=True, exclude={"name"})}
    return {"fusion": shown} if config.winner_name == DEFAULT else {"fusions": {config.winner_name: shown}}


def to_yaml(config: Online, plan: Plan, outcome: Outcome) -> str:
    """A file that a config can take the winner from."""
    content = yaml.safe_dump(as_config(config, plan), sort_keys=False, allow_unicode=True)
    return f"# Winner of the online search {config.name}: {outcome.why}.\n{content}"


def export(config: Online, artifact: Artifact, plan: Plan, root: Path) -> Artifact:
    """Write the artifact with the winner as the next version below ``root``, unless the latest one there has it."""
    name = config.winner_name
    try:
        latest = load(root)
    except (ArtifactError, OSError):
        latest = None
    if latest is not None and name in latest.fusions and latest.fusions[name].stored() == plan.stored():
        return latest
    experiment = dict(artifact.manifest.experiment)
    options = plan.stored().options.model_dump(mode="json")
    if name == DEFAULT:
        experiment["fusion"] = options
    else:
        experiment["fusions"] = {**experiment.get("fusions", {}), name: options}
    return with_fusions(artifact, {**artifact.fusions, name: plan}, experiment, root)


def check_name(config: Online, artifact: Artifact) -> None:
    """Raise ``ConfigError`` if the artifact has another fusion of the winner's name."""
    if config.winner_name in artifact.fusions and config.winner_name != DEFAULT:
        raise ConfigError(
            f"winner: {artifact.folder} has a fusion {config.winner_name!r} already; name the winner otherwise, or "
            f"{DEFAULT} to replace the default fusion"
        )
