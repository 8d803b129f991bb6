"""Writes the section ``experiment`` of a service's models file; everything else stays as it is, comments included."""

import codecs
import json
import os
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from ranker.config.file import ConfigError, document
from ranker.config.yaml import YamlError, parse
from ranker.files import replacing

KEY = "experiment"


def current_experiment(file: Path) -> dict[str, Any] | None:
    """The experiment in a models file, if there is one. Raises ``ConfigError`` if the file cannot be read."""
    found = document(file).data.get(KEY)
    if found is not None and not isinstance(found, dict):
        raise ConfigError(f"{file}, {KEY}: must be a mapping, got {found!r:.80}")
    return found


def check_writable(file: Path) -> None:
    """Raise ``ConfigError`` unless the file is there and can be replaced."""
    if file.is_symlink():
        raise ConfigError(
            f"{file}: is a link, which writing would replace; name the file that it leads to, {file.resolve()}"
        )
    document(file)
    if not os.access(file.parent, os.W_OK | os.X_OK):
        raise ConfigError(f"{file}: cannot be replaced: no permission to write to the folder {file.resolve().parent}")


def write_experiment(file: Path, experiment: Mapping[str, Any] | None) -> None:
    """Replace the experiment, or remove it; the file changes as a whole, with the permissions that it has.

    Raises ``ConfigError`` if the file cannot be read or written.
    """
    content = with_experiment(file, experiment).encode()
    try:
        mode, marked = file.stat().st_mode, file.read_bytes().startswith(codecs.BOM_UTF8)
        with replacing(file) as partial:
            partial.write_bytes(codecs.BOM_UTF8 + content if marked else content)
            partial.chmod(mode)
    except OSError as error:
        raise ConfigError(f"{file}: cannot be written: {error.strerror or error}") from None


def with_experiment(file: Path, experiment: Mapping[str, Any] | None) -> str:
    """Text of the file with this experiment, or without one.

    In YAML's block style only the lines of the section change; JSON, and other YAML in flow style, is written anew.
    Raises ``ConfigError`` if the file cannot be read, or its other sections refer to the experiment.
    """
    before = document(file)
    text = file.read_bytes().decode("utf-8-sig")
    rest = {key: value for key, value in before.data.items() if key != KEY}
    added = {} if experiment is None else {KEY: dict(experiment)}
    assert isinstance(before.tree, yaml.MappingNode)
    if _is_json(text):
        new = json.dumps({**rest, **added}, indent=2, ensure_ascii=False) + "\n"
    elif before.tree.flow_style:
        new = yaml.safe_dump({**rest, **added}, sort_keys=False, allow_unicode=True)
    else:
        new = _spliced(text, before.tree, yaml.safe_dump(added, sort_keys=False, allow_unicode=True) if added else "")
    try:
        after = parse(new).data
    except YamlError:
        after = None
    if after != {**rest, **added}:
        raise ConfigError(
            f"{file}: its section {KEY} cannot be replaced on its own: other sections refer to it by an alias, or the "
            "document ends in a way that nothing can be added to; write the section as plain lines at the end"
        )
    return new


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _spliced(text: str, tree: yaml.MappingNode, section: str) -> str:
    """Replace the lines from the section's key to the end of its value; comments after it stay.

    The section gets the indentation and the ends of lines of the file.
    """
    lines = text.splitlines(keepends=True)
    end = "\r\n" if lines and lines[0].endswith("\r\n") else "\n"
    section = textwrap.indent(section, " " * tree.start_mark.column).replace("\n", end)
    for key, value in tree.value:
        if key.value == KEY:
            return "".join([*lines[: key.start_mark.line], section, *lines[_last_line(value) + 1 :]])
    if lines and not lines[-1].endswith(("\n", "\r")):
        lines[-1] += end
    return "".join([*lines, section])


def _last_line(node: yaml.Node) -> int:
    """Last line of a node's own text; a mark of the end of a block would be at whatever follows it."""
    if isinstance(node, yaml.MappingNode) and not node.flow_style and node.value:
        return max(_last_line(part) for part in node.value[-1])
    if isinstance(node, yaml.SequenceNode) and not node.flow_style and node.value:
        return _last_line(node.value[-1])
    mark = node.end_mark
    return int(mark.line - 1 if mark.column == 0 and mark.line > node.start_mark.line else mark.line)
