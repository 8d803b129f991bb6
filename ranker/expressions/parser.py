"""Text -> formula: Python's parser builds the syntax tree, and only listed node types are accepted."""

import ast
import math
import operator
import warnings
from collections.abc import Callable, Collection, Mapping
from functools import reduce
from typing import Any

import numpy as np

from ranker.expressions.expression import Evaluator, Expression, ExpressionError
from ranker.expressions.functions import FUNCTIONS, both, either, known, power, truth, where
from ranker.registry import alternatives

LONGEST = 2000
"""Maximum characters of a formula."""
DEEPEST = 100
"""Maximum nesting depth of a formula; a sum of n terms counts as n."""


_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.Mod: np.mod,
    ast.Pow: power,
}
_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_GRAMMAR = 'numbers, names, + - * / % **, comparisons, and, or, not, if-else, calls, and name == "text"'


def parse(text: str, known: Collection[str] | None = None) -> Expression:
    """Parse a formula that may use the names ``known`` (any by default). Raises ``ExpressionError``."""
    text = text.strip().replace("\r\n", "\n").replace("\r", "\n")
    if not text:
        raise ExpressionError("a formula must not be empty")
    if len(text) > LONGEST:
        raise ExpressionError(f"a formula has at most {LONGEST} characters, and {text[:40]!r}... has {len(text)}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python's syntax warnings do not apply; errors are found below
            tree = ast.parse(f"{text}\n", mode="eval")  # without a final newline Python misplaces errors at the end
    except SyntaxError as error:
        at = f" at character {_place(text, error.lineno or 1, (error.offset or 1) - 1)}"
        raise ExpressionError(f"{text!r} is not a valid formula: {error.msg}{at}") from None
    except (ValueError, RecursionError, MemoryError):
        raise ExpressionError(
            f"{text!r:.80} is not a valid formula: it cannot be read, or is nested too deeply"
        ) from None
    parser = _Parser(text, known)
    evaluator = parser.build(tree.body)
    for name in parser.names:
        if name in parser.texts and name in parser.numbers:
            raise ExpressionError(f"{text!r} uses {name!r} as a number and compares it with text")
    return Expression(text, tuple(parser.names), frozenset(parser.texts), evaluator)


def _place(text: str, line: int, offset: int) -> int:
    """1-based character position in the text of an offset in a line."""
    return sum(len(before) + 1 for before in text.split("\n")[: line - 1]) + offset + 1


class _Parser:
    """Walks the syntax tree and rejects node types that are not listed."""

    def __init__(self, text: str, known: Collection[str] | None) -> None:
        self.text = text
        self.known = known
        self.names: dict[str, None] = {}
        self.numbers: set[str] = set()
        self.texts: set[str] = set()
        self._depth = 0
        self._kinds: dict[type[ast.AST], Callable[[Any], Evaluator]] = {
            ast.Constant: self._constant,
            ast.Name: self._number,
            ast.UnaryOp: self._unary,
            ast.BinOp: self._binary,
            ast.Compare: self._compare,
            ast.BoolOp: self._logical,
            ast.IfExp: self._conditional,
            ast.Call: self._call,
        }

    def build(self, node: ast.expr) -> Evaluator:
        """Compile a node to a function of values by name."""
        if type(node) not in self._kinds:
            raise self._error(node, f"is not part of the grammar ({_GRAMMAR})")
        self._depth += 1
        if self._depth > DEEPEST:
            raise ExpressionError(f"{self.text!r:.80} is nested more than {DEEPEST} levels deep")
        built = self._kinds[type(node)](node)
        self._depth -= 1
        return built

    def _constant(self, node: ast.Constant) -> Evaluator:
        if isinstance(node.value, str):
            raise self._error(node, 'is text, which is allowed only in name == "text" and name != "text"')
        if type(node.value) not in (int, float):
            raise self._error(node, f"is not part of the grammar ({_GRAMMAR})")
        try:
            value = float(node.value)  # type: ignore[arg-type]
        except OverflowError:
            value = math.inf
        if not math.isfinite(value):
            raise self._error(node, "is too large a number")
        number = np.float64(value)
        return lambda _: number

    def _number(self, node: ast.Name) -> Evaluator:
        self.numbers.add(self._name(node))
        return operator.itemgetter(node.id)

    def _name(self, node: ast.Name) -> str:
        if self.known is not None and node.id not in self.known:
            raise self._error(node, f"is not a known name{alternatives(node.id, sorted(self.known))}")
        if node.id in FUNCTIONS and self.known is None:
            raise self._error(node, "is a function: call it with arguments in parentheses")
        self.names.setdefault(node.id)
        return node.id

    def _unary(self, node: ast.UnaryOp) -> Evaluator:
        operand = self.build(node.operand)
        if isinstance(node.op, ast.USub):
            return lambda values: -operand(values)
        if isinstance(node.op, ast.UAdd):
            return operand
        if isinstance(node.op, ast.Not):
            return lambda values: known(np.equal(x := operand(values), 0), x)
        raise self._error(node, f"is not part of the grammar ({_GRAMMAR})")

    def _binary(self, node: ast.BinOp) -> Evaluator:
        if type(node.op) not in _BINARY:
            raise self._error(node, f"is not part of the grammar ({_GRAMMAR})")
        compute, left, right = _BINARY[type(node.op)], self.build(node.left), self.build(node.right)
        return lambda values: compute(left(values), right(values))

    def _compare(self, node: ast.Compare) -> Evaluator:
        for operation in node.ops:
            if type(operation) not in _COMPARE:
                raise self._error(node, f"is not part of the grammar ({_GRAMMAR})")
        if any(isinstance(part, ast.Constant) and isinstance(part.value, str) for part in node.comparators):
            return self._text(node)
        compared = [_COMPARE[type(operation)] for operation in node.ops]
        parts = [self.build(part) for part in (node.left, *node.comparators)]

        def evaluate(values: Mapping[str, Any]) -> Any:
            operands = [part(values) for part in parts]
            pairs = zip(compared, operands, operands[1:], strict=False)
            return reduce(both, [known(compare(a, b), a, b) for compare, a, b in pairs])

        return evaluate

    def _text(self, node: ast.Compare) -> Evaluator:
        text = node.comparators[0]
        if len(node.ops) > 1 or not isinstance(node.ops[0], ast.Eq | ast.NotEq) or not isinstance(node.left, ast.Name):
            raise self._error(node, 'must compare text in the form name == "text" or name != "text"')
        name, expected, same = self._name(node.left), text.value, isinstance(node.ops[0], ast.Eq)  # type: ignore[attr-defined]
        self.texts.add(name)

        def evaluate(values: Mapping[str, Any]) -> Any:
            value = values[name]
            null = np.asarray((value == None) | (value != value), dtype=bool)  # noqa: E711
            return np.where(null, np.nan, np.asarray(value == expected, dtype=bool) == same)

        return evaluate

    def _logical(self, node: ast.BoolOp) -> Evaluator:
        parts = [self.build(part) for part in node.values]
        combine = both if isinstance(node.op, ast.And) else either
        return lambda values: reduce(combine, [truth(part(values)) for part in parts])

    def _conditional(self, node: ast.IfExp) -> Evaluator:
        condition, then, otherwise = (self.build(part) for part in (node.test, node.body, node.orelse))
        return lambda values: where(condition(values), then(values), otherwise(values))

    def _call(self, node: ast.Call) -> Evaluator:
        if not isinstance(node.func, ast.Name):
            raise self._error(node.func, "is not a function")
        name = node.func.id
        if name not in FUNCTIONS:
            raise self._error(node.func, f"is not a known function{alternatives(name, FUNCTIONS, 'functions')}")
        compute, least, most = FUNCTIONS[name]
        if node.keywords:
            raise self._error(node, "has a keyword argument; arguments must be positional")
        if not least <= len(node.args) <= (most or LONGEST):
            wanted = f"at least {least}" if most is None else str(least)
            raise self._error(node, f"has {len(node.args)} argument(s); {name} takes {wanted}")
        arguments = [self.build(argument) for argument in node.args]
        return lambda values: compute(*[argument(values) for argument in arguments])

    def _error(self, node: ast.expr, why: str) -> ExpressionError:
        line = self.text.split("\n")[node.lineno - 1]
        offset = len(line.encode()[: node.col_offset].decode())  # Python counts bytes
        part = ast.get_source_segment(self.text, node) or ""
        shown = part if len(part) <= 40 else f"{part[:40]}..."
        return ExpressionError(
            f"{shown!r} at character {_place(self.text, node.lineno, offset)} of {self.text!r} {why}"
        )
