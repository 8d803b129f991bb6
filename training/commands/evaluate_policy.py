"""``ranker-train evaluate-policy``: what other policies would have earned on logged requests."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from ranker.artifact import Artifact
from training.commands.inputs import Progress, artifact_of, console_of
from training.off_policy.evaluate import Evaluation, evaluate, require_policies
from training.off_policy.options import EvaluationOptions
from training.off_policy.policies import PolicyOptions, policy_of
from training.off_policy.read import read_exposures
from training.off_policy.reward import reward_of
from training.reports.off_policy import HEADERS, explained, lines, verdict


def evaluate_policy(
    artifact: str | Path | Artifact,
    exposures: str | Path,
    policies: Sequence[str | Mapping[str, Any] | PolicyOptions],
    reward: str,
    *,
    labels: str | Path | Sequence[str | Path] | None = None,
    model: str | None = None,
    options: EvaluationOptions | None = None,
    progress: Progress = True,
) -> Evaluation:
    """Estimate what policies would have earned on requests that an exploring fusion answered.

    Parameters
    ----------
    artifact
        The version that ranked the requests: a folder that ``fit`` exported to, the folder of one version, or an
        ``Artifact``.
    exposures
        Folder of the exposure log.
    policies
        Fusions, by name or with what is changed: ``{"fusion": ..., "parameters": ..., "explore": ...}``.
    reward
        A formula of labels by task or column, such as ``click + 8*like``.
    labels
        Files that `ranker-train join` has written; by default the exposures have columns of labels.
    model
        Name of the model in the service; needed if the log has several.
    options
        Estimator, places, bounds.
    progress
        Whether to show progress, or the Rich console to show it on.

    Raises
    ------
    ArtifactError
        If an artifact cannot be read.
    ConfigError
        If a policy, the reward or an option is invalid.
    DataError
        If the log cannot be used.
    """
    loaded, console, asked = artifact_of(artifact), console_of(progress), options or EvaluationOptions()
    wanted = [_policy(policy) for policy in policies]
    require_policies(wanted)
    earns = reward_of("--reward", reward, loaded.schema)
    source = [labels] if isinstance(labels, str | Path) else labels
    logged = read_exposures(Path(exposures), loaded, earns, model=model, labels=source)
    with console.status("reading") as status:
        found = evaluate(logged, loaded, earns, wanted, asked, lambda name: status.update(f"policy {name}"))
    _print(found, console)
    return found


def _policy(given: str | Mapping[str, Any] | PolicyOptions) -> PolicyOptions:
    if isinstance(given, PolicyOptions):
        return given
    return policy_of("--policy", given)


def _print(found: Evaluation, console: Console) -> None:
    table = Table(*HEADERS, title=f"mean of {found.reward} a request")
    for line in lines(found):
        table.add_row(*(cell.replace("[", "\\[") for cell in line))
    console.print(table)
    console.print(explained(found), markup=False)
    for note in [*found.notes, *(f"{policy.name}: {doubt}" for policy in found.policies for doubt in policy.doubts)]:
        console.print(note, style="yellow", markup=False)
    console.print(verdict(found), style="red" if found.failed else "green", markup=False)
