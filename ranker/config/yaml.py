"""YAML text -> plain data by the core schema of YAML 1.2; every error names its line.

PyYAML implements YAML 1.1, which reads ``on`` and ``no`` as booleans, ``12:30`` as 750, ``010`` as 8 and ``1e-3`` as
text. Here booleans are ``true`` and ``false``, integers are decimal, ``0o`` or ``0x``, floats may have an exponent, and
everything else is text, including dates. Keys of mappings are always text, as written: ``on``, ``1``, ``null``.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import yaml

DEEPEST = 50
"""Maximum nesting depth of mappings and lists."""
LARGEST = 100_000
"""Maximum number of nodes after expanding aliases."""
LONGEST_NUMBER = 400
"""Maximum characters of a number; longer ones exceed every float."""

_TAG = "tag:yaml.org,2002:"
_NULL, _BOOL, _INT, _FLOAT, _STR = (_TAG + name for name in ("null", "bool", "int", "float", "str"))
_MAPPING, _SEQUENCE = _TAG + "map", _TAG + "seq"
_SURROGATE = re.compile("[\ud800-\udfff]")
_PATTERNS = {
    _NULL: re.compile(r"~|null|Null|NULL|"),
    _BOOL: re.compile(r"true|True|TRUE|false|False|FALSE"),
    _INT: re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+"),
    _FLOAT: re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"),
}


class YamlError(ValueError):
    """Text that is not usable YAML; the message is one line and names the line of the text."""


class Document(NamedTuple):
    """Plain data of a text, and its root node, whose nodes know their lines; ``None`` for an empty text."""

    data: Any
    tree: yaml.Node | None


class _Loader(yaml.SafeLoader):
    """PyYAML's composer without YAML 1.1 tags and with a limit on nesting."""

    depth = 0

    def resolve(self, kind: type[yaml.Node], value: str, implicit: Any) -> str:
        """Tag of an untagged node: for a plain scalar, by the core schema."""
        if kind is not yaml.ScalarNode:
            return _MAPPING if kind is yaml.MappingNode else _SEQUENCE
        matching = (tag for tag, pattern in _PATTERNS.items() if pattern.fullmatch(value))
        return next(matching, _STR) if implicit[0] else _STR

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        self.depth += 1
        if self.depth > DEEPEST:
            raise YamlError(f"line {self.get_mark().line + 1}: is nested more than {DEEPEST} levels deep")
        node: yaml.Node | None = super().compose_node(parent, index)
        self.depth -= 1
        return node


def parse(text: str) -> Document:
    """Parse one document. Raises ``YamlError``, also for a duplicate key."""
    try:
        loader = _Loader(text)
        tree = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        raise YamlError(_explained(error)) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise YamlError(f"line {line}: the character U+{error.character:04X} is not allowed; escape it") from None
    except (ValueError, OverflowError) as error:  # an escape outside Unicode
        raise error if isinstance(error, YamlError) else YamlError(f"invalid escape in a text: {error}") from None
    if tree is None:
        return Document(None, None)
    _check_size(tree)
    return Document(_value(tree), tree)


def written(node: yaml.Node | None) -> str | None:
    """A plain scalar as written in the text; None for quoted text, mappings and lists."""
    return node.value if isinstance(node, yaml.ScalarNode) and node.style is None else None


def _value(node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        _check_tag(node, _MAPPING)
        return _mapping(node)
    if isinstance(node, yaml.SequenceNode):
        _check_tag(node, _SEQUENCE)
        return [_value(child) for child in node.value]
    return _scalar(node)


def _mapping(node: yaml.MappingNode) -> dict[str, Any]:
    """Keys and values; keys merged with ``<<`` follow the mapping's own keys, which take precedence."""
    own: dict[str, Any] = {}
    lines: dict[str, int] = {}
    merged: list[yaml.Node] = []
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise YamlError(f"line {_line(key)}: a key must be a name, not a mapping or a list")
        name = _text(key)
        if name in lines:
            raise YamlError(f"line {_line(key)}: duplicate key {name!r:.80}, first on line {lines[name]}")
        lines[name] = _line(key)
        if name == "<<" and key.style is None:
            merged += value.value if isinstance(value, yaml.SequenceNode) else [value]
        else:
            own[name] = _value(value)
    for other in merged:
        if not isinstance(other, yaml.MappingNode):
            raise YamlError(f"line {_line(other)}: << takes a mapping or a list of mappings")
        for name, value in _mapping(other).items():
            own.setdefault(name, value)
    return own


def _scalar(node: yaml.Node) -> Any:
    text = _text(node)
    _check_tag(node, *_PATTERNS, _STR)
    tag: str = node.tag
    if tag == _STR:
        return text
    if not _PATTERNS[tag].fullmatch(text) and not (tag == _FLOAT and _PATTERNS[_INT].fullmatch(text)):
        raise YamlError(f"line {_line(node)}: {text!r:.80} is not a valid {tag.removeprefix(_TAG)}")
    if tag in (_INT, _FLOAT) and len(text) > LONGEST_NUMBER:
        raise YamlError(f"line {_line(node)}: {text[:20]}... has {len(text)} digits, too many for a number")
    return _READERS[tag](text)


def _int(text: str) -> int:
    base = {"0o": 8, "0x": 16}.get(text[:2], 10)
    return int(text, base)


def _float(text: str) -> float:
    return float(text.replace(".inf", "inf").replace(".nan", "nan")) if text[-1] in "fn" else float(text)


_READERS: Mapping[str, Callable[[str], Any]] = {
    _NULL: lambda _: None,
    _BOOL: lambda text: text.lower() == "true",
    _INT: _int,
    _FLOAT: lambda text: _float(text.lower()),
}


def _text(node: yaml.Node) -> str:
    text: str = node.value
    if _SURROGATE.search(text):
        raise YamlError(f"line {_line(node)}: {text!r:.80} contains half of a surrogate pair, which is not a character")
    return text


def _check_tag(node: yaml.Node, *allowed: str) -> None:
    if node.tag not in allowed:
        tag = node.tag.replace(_TAG, "!!")
        raise YamlError(f"line {_line(node)}: the tag {tag} is not allowed here; write plain text, numbers or lists")


def _check_size(tree: yaml.Node) -> None:
    """Reject recursive aliases and those that expand to too many values."""
    sizes: dict[int, int] = {}
    open_nodes: set[int] = set()

    def size(node: yaml.Node) -> int:
        mark = id(node)
        if mark in open_nodes:
            raise YamlError(f"line {_line(node)}: an alias refers to a value that contains it")
        if mark not in sizes:
            open_nodes.add(mark)
            sizes[mark] = 1 + sum(size(child) for child in _children(node))
            open_nodes.remove(mark)
        if sizes[mark] > LARGEST:
            raise YamlError(f"line {_line(node)}: has more than {LARGEST:,} values after expanding aliases")
        return sizes[mark]

    size(tree)


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        for pair in node.value:
            yield from pair
    elif isinstance(node, yaml.SequenceNode):
        yield from node.value


def _line(node: yaml.Node) -> int:
    return node.start_mark.line + 1 if node.start_mark else 1


def _explained(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    problem = error.problem or error.context or "cannot be read"
    if "'\\t'" in problem:
        problem = "found a tab; indent with spaces"
    elif "expected a single document" in (error.context or ""):
        problem = "a second document begins; a config must be a single document"
    elif mark and error.context and error.context_mark and error.problem:
        since = error.context_mark.line + 1
        problem = f"{problem} ({error.context}{f' that begins on line {since}' if since != mark.line + 1 else ''})"
    where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    return where + " ".join(problem.split())
