"""Pages of the Python API: a page for each public module of ``ranker``, which mkdocstrings fills from docstrings."""

import ast
from pathlib import Path

LEFT_OUT = ("command_line", "config", "iso_times", "quality", "step_plan")
"""Helpers that nobody calls from outside."""
INTRODUCTION = """# Python API: modules of ranker

From docstrings. Shapes are in brackets: `[N, T]` is an array of N rows by T tasks. Import names from the module whose
page they are on; what is on no page may change at any time.

| module | |
|---|---|
"""


def modules(root: Path) -> dict[str, str]:
    """Public modules of ``ranker``, with the first line of their docstrings.

    These are the modules at its top, and packages below that list what they give in ``__all__``.
    """
    found = {}
    for file in sorted((root / "ranker").rglob("*.py")):
        parts = file.relative_to(root).with_suffix("").parts[1:]
        inside = parts[:-1] if parts[-1] == "__init__" else parts
        tree = ast.parse(file.read_text(encoding="utf-8"))
        top = len(inside) == 1
        package = parts[-1] == "__init__" and "__all__" in _assigned(tree)
        if inside and inside[0] not in LEFT_OUT and (top or package):
            found[".".join(("ranker", *inside))] = (ast.get_docstring(tree) or "").split("\n")[0]
    return found


def _assigned(tree: ast.Module) -> dict[str, ast.expr]:
    """Names that a module assigns, and what."""
    return {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def _hidden(root: Path, module: str) -> list[str]:
    """Full names of what a package gives under the name of a module of its own, which mkdocstrings takes it for."""
    folder = root.joinpath(*module.split("."))
    if not folder.is_dir():
        return []
    tree = ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))
    return [
        f"{node.module}.{name.name}"
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for name in node.names
        if (folder / f"{name.name}.py").exists()
    ]


def page(root: Path, module: str) -> str:
    """The page of a module."""
    parts = [f"# `{module}`", f"::: {module}\n    options:\n      show_root_heading: false\n      heading_level: 2"]
    parts += [f"::: {name}\n    options:\n      heading_level: 2" for name in _hidden(root, module)]
    return "\n\n".join(parts) + "\n"


def index(found: dict[str, str]) -> str:
    """The list of all pages."""
    return INTRODUCTION + "".join(f"| [`{name}`]({name}.md) | {line} |\n" for name, line in found.items())
