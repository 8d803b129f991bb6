"""``ranker-train search --exposures``: searches parameters by what they would have earned on logged requests."""

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

from ranker.artifact import Artifact
from ranker.log_files.errors import DataError
from training.commands.inputs import Progress, artifact_of, console_of
from training.commands.search import SearchOptions, plan_named, run, started
from training.config.experiment import ConfigError
from training.data.cache import digest
from training.fusion_search.policy_evaluator import PolicyEvaluator, Requests, policy_goal
from training.fusion_search.space import space
from training.fusion_search.summary import Evaluators, SearchResult
from training.off_policy.evaluate import disagreeing, truncation
from training.off_policy.options import EvaluationOptions
from training.off_policy.prepare import logged_of, logging_orders
from training.off_policy.read import read_exposures
from training.off_policy.reward import reward_of

_VALUE = re.compile(r"\s*off_policy\((?P<reward>.+)\)\s*", re.DOTALL)


def search_policies(
    artifact: str | Path | Artifact,
    exposures: str | Path,
    options: SearchOptions,
    *,
    output: str | Path,
    labels: str | Path | Sequence[str | Path] | None = None,
    model: str | None = None,
    evaluation: EvaluationOptions | None = None,
    pessimistic: bool = False,
    progress: Progress = True,
) -> SearchResult:
    """Tune the parameters of a fusion on requests that an exploring fusion answered.

    Parameters
    ----------
    artifact
        The version that ranked the requests.
    exposures, labels, model, evaluation
        As for ``evaluate_policy``. Bounds of support are constraints of the search, on each half of the users.
    options
        Fusion, method and budget; ``maximise`` is ``off_policy(FORMULA)``.
    output
        Folder for the report and the search state.
    pessimistic
        Search for the largest lower end of the interval, rather than the largest value.
    progress
        Whether to show progress, or the Rich console to show it on.

    Raises
    ------
    ConfigError
        If an option is invalid, or no parameter set is supported.
    DataError
        If the log cannot be used.
    """
    loaded, console, asked = artifact_of(artifact), console_of(progress), evaluation or EvaluationOptions()
    found = _VALUE.fullmatch(options.maximise or "")
    if found is None:
        raise ConfigError(
            f"--maximise {options.maximise or ''!r}: with --exposures, write off_policy(FORMULA), such as "
            "off_policy(click + 8*like)"
        )
    for option, given in (
        ("--require", options.require), ("--relevance", options.relevance), ("--group-by", options.group_by),
        ("--binned", options.binned),
    ):  # fmt: skip
        if given:
            raise ConfigError(f"{option}: does not apply with --exposures, which measures off_policy(FORMULA) alone")
    reward = reward_of("--maximise", found["reward"], loaded.schema)
    current = plan_named(loaded, options.fusion)
    searched = started(current, options.formula)
    around = space(searched, options.vary, options.trust)
    source = [labels] if isinstance(labels, str | Path) else labels
    log = read_exposures(Path(exposures), loaded, reward, model=model, labels=source)
    logged = logged_of(log, loaded, reward)
    logging, agreement = logging_orders(log, loaded, logged)
    refused, notes = truncation(logged, asked)
    for reason in [*disagreeing(agreement), *refused]:
        raise DataError(f"{exposures}: {reason}")
    for note in notes:
        console.print(note, style="yellow", markup=False)
    for why, count in log.left_out.items():
        console.print(f"{count:,} requests are left out: {why}", markup=False)
    goal = policy_goal(reward.text)
    parts = Requests(logged, logging).halves(options.held_out, options.seed)
    exact = [
        Evaluators(PolicyEvaluator(current, part, asked), PolicyEvaluator(searched, part, asked)) for part in parts
    ]
    bounded = PolicyEvaluator(searched, parts[0], asked, pessimistic=pessimistic)
    halves = [Evaluators(exact[0].baseline, bounded), exact[1]]
    seen = hashlib.sha256(logged.rewards.tobytes() + logged.scores.tobytes() + logging.fused.tobytes()).hexdigest()
    key = digest(
        seen, goal.text, current.stored().model_dump(mode="json"), searched.stored().model_dump(mode="json"),
        [str(d) for d in around.dimensions], options.method, options.budget, options.held_out, options.seed,
        asked.to_dict(), pessimistic,
    )  # fmt: skip
    return run(goal, around, halves, exact, key, options, Path(output), console)
