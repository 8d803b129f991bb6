"""Every module is imported by a test: itself, by a public name of its package, or by the registry it is an entry of."""

import ast
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("ranker", "training", "serving")
REASONS = {
    "a part of every model: tests of architectures": "ranker.architectures.parts ranker.layers.tower",
    "what every encoder, metric and ranking stands on: tests of their packages": """
        ranker.encoding ranker.encoding.kinds.coded ranker.encoding.saved_vocabulary ranker.inference.pool
        ranker.inference.ranking ranker.inference.replay ranker.metrics.base""",
    "what callers refuse: tests of configs, labels, fusions and metrics": """
        ranker.config.errors ranker.config.words ranker.encoding.formulas ranker.fusion.checks ranker.metrics.checks""",
    "a part of the learned fusion: tests/ranker/fusion/learned/test_formula.py": "ranker.fusion.learned.boosting",
    "a part of predictions: tests/ranker/prediction/test_predictor.py": "ranker.prediction.ranked_lists",
    "cuts of a log, where a stopped job goes on: tests/ranker/prediction/test_job.py": "ranker.prediction.pieces",
    "what both passes over a log stand on: tests/training/data/test_encode.py": "training.data.encoded_chunks",
    "run as a command: tests/serving/test_predict.py": "ranker.prediction.command",
    "arithmetic of several classes, each tested": """
        ranker.metrics.row_classes ranker.weighting.projections ranker.weighting.scaling
        training.fusion_search.measurer training.fusion_search.methods.optuna_study""",
    "answers of a real server: tests/serving": """
        serving.http.admin_routes serving.http.connections serving.http.console_routes serving.http.info_routes
        serving.http.middleware serving.http.model_info serving.http.openapi serving.http.rank_route
        serving.http.request_bodies serving.http.small_bodies
        serving.protocol.formats.arrow_columns serving.protocol.formats.arrow_stream
        serving.protocol.messages serving.ranking.candidates serving.ranking.route serving.registry.snapshot""",
    "what a real server's processes do, log and measure: tests/serving": """
        serving.features.items.reserved serving.observability.process_metrics serving.observability.tracing
        serving.process.shutdown serving.process.worker serving.registry.version_loader serving.registry.watcher""",
    "the two ends of a connection to a scorer: tests/serving/scorer": """
        serving.process.child serving.scorer.buffers serving.scorer.loaded_models serving.scorer.messages
        serving.scorer.process serving.scorer.session""",
    "run as a command: tests/deploy/test_entry_points.py": "serving.fetch",
    "imported by the process that others are forked from: tests/training/test_own_process.py": "training.imported_once",
    "run as a command: tests/training/cli and tests/training/commands": """
        training.cli.backtest training.cli.cluster training.cli.compare training.cli.distill training.cli.encode
        training.cli.evaluate
        training.cli.evaluate_policy training.cli.experiment training.cli.export
        training.cli.fit training.cli.inspect training.cli.join training.cli.nightly
        ranker.prediction.command training.cli.pareto training.cli.promote training.cli.publish
        training.cli.report training.cli.schema training.cli.search
        training.cli.simulate training.commands.export training.commands.inputs training.commands.inspect
        training.commands.simulate_live training.display training.quiet_imports""",
    "steps of an online search on a service: tests/training/commands/test_online.py": """
        training.cli.online training.online.runner training.online.services training.online.verdict
        training.online.winner training.reports.online""",
    "steps of a distillation: tests/training/commands/test_distill.py": """
        training.distillation.agreement training.distillation.fit training.distillation.held_out_rows
        training.distillation.lists training.distillation.rows training.export.student""",
    "pages and tables that commands write: tests/training/commands": """
        training.fusion_search.summary training.off_policy.evaluate training.reports.artifact.cascade
        training.reports.compare training.reports.curves training.reports.gates training.reports.off_policy
        training.reports.promote training.reports.search training.sweeps.compare.costs""",
    "steps of an off-policy evaluation: tests/training/off_policy/test_estimators.py, test_evaluate_policy.py": """
        training.off_policy.log_table training.off_policy.side""",
    "artifacts in a store: tests/ranker/test_artifact_store.py": "ranker.urls training.commands.publish",
    "steps of reading a log: tests/ranker/log_files and tests/training/data": """
        ranker.log_files.csv_facts ranker.log_files.hive ranker.log_files.parquet
        ranker.log_files.part ranker.log_files.resolve training.data.split.missing""",
    "a model and the report of a backtest: tests/training/commands/test_backtest.py": """
        training.commands.backtest_day training.reports.backtest""",
    "rows that are evaluated: tests/training/commands/test_evaluate_rankings.py": """
        training.data.every_row training.data.plain_columns training.evaluation.ranked_rows""",
    "the result of judging an experiment: tests/training/commands/test_experiment.py": """
        training.experiments.judgement""",
    "reasons against a promotion: tests/training/promotion/test_decide.py": "training.promotion.soundness",
    "statistics of days, in steps of the encoding: tests/ranker/encoding/test_past_statistics.py": """
        ranker.encoding.key_statistics""",
    "a step of a join: tests/training/exposures/test_join.py": "training.exposures.exposure_run",
    "steps of a training: tests/training/trainer": """
        training.trainer.callbacks training.trainer.checkpoints training.trainer.epoch training.trainer.run
        training.distribution.reading""",
}
"""What tests the modules that no test imports, and these modules."""


def trees(*folders: str) -> dict[str, ast.Module]:
    """The modules below folders by dotted name, parsed."""
    files = [file for folder in folders for file in sorted((ROOT / folder).rglob("*.py"))]
    names = [".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for file in files]
    return {name: ast.parse(file.read_text(encoding="utf-8")) for name, file in zip(names, files, strict=True)}


MODULES = trees(*PACKAGES)


def statements(parts: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """All statements within parts of a module: imports are among them, and expressions are many."""
    for part in parts:
        yield part
        for field in ("body", "handlers", "orelse", "finalbody", "cases"):
            inner = getattr(part, field, ())
            if isinstance(inner, list):  # of an expression, it is another expression
                yield from statements(inner)


def imports(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Modules and names taken from them, of all imports of a module; the name is empty for the module itself."""
    for node in statements([tree]):
        if isinstance(node, ast.Import):
            yield from ((name.name, "") for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from ((node.module, name.name) for name in node.names)


@cache
def imports_of(module: str) -> list[tuple[str, str]]:
    """Those of a module of the packages."""
    return list(imports(MODULES[module]))


@cache
def origin(module: str, name: str) -> str:
    """The module that a name comes from, through the packages that pass it on."""
    if f"{module}.{name}" in MODULES:
        return f"{module}.{name}"
    for source, taken in imports_of(module):
        if taken == name and source in MODULES:
            return origin(source, name)
    return module


@cache
def registries(tree: ast.Module) -> set[str]:
    """Names of the registries that the classes and functions of a module are entries of."""
    calls = [
        decorator.func.value
        for node in statements([tree])
        if isinstance(node, ast.ClassDef | ast.FunctionDef)
        for decorator in node.decorator_list
        if isinstance(decorator, ast.Call) and isinstance(decorator.func, ast.Attribute)
        if decorator.func.attr == "register"
    ]
    return {call.id for call in calls if isinstance(call, ast.Name)}


@cache
def imported() -> set[str]:
    """Modules that tests import."""
    taken = {found for tree in trees("tests").values() for found in imports(tree) if found[0] in MODULES}
    names = {name for _, name in taken}
    direct = {origin(module, name) if name else module for module, name in taken}
    return direct | {module for module, tree in MODULES.items() if registries(tree) & names}


def has_own_tests(module: str) -> bool:
    """Whether a test file of its name is at its place: it may run the module through a command or a server."""
    *folders, name = module.split(".")
    return ROOT.joinpath("tests", *folders, f"test_{name}.py").exists()


def is_empty(tree: ast.Module) -> bool:
    """Whether a module has no code of its own: nothing but a docstring, imports and plain names."""
    passive = (ast.Expr, ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign)
    return all(isinstance(node, passive) for node in tree.body)


def test_every_module_is_imported_by_a_test_or_has_a_reason():
    code = {name for name, tree in MODULES.items() if not is_empty(tree) and not has_own_tests(name)}
    missing = code - imported()
    explained = {name for names in REASONS.values() for name in names.split()}
    assert missing <= explained, f"no test imports {sorted(missing - explained)}: write one, or give a reason here"
    assert explained <= MODULES.keys(), f"{sorted(explained - MODULES.keys())} are no longer there: remove them here"


def test_a_module_counts_if_imported_through_its_registry_or_package():
    assert origin("ranker.fusion", "Additive") == "ranker.fusion.formulas.additive"
    assert "ARCHITECTURES" in registries(MODULES["ranker.architectures.aitm"])
    assert "ranker.architectures.aitm" in imported()
