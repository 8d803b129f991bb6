"""Translates a text formula into JavaScript for the report."""

import ast
import json
from functools import reduce

from ranker.expressions import parse

_BINARY: dict[type[ast.operator], str] = {
    ast.Add: "({} + {})",
    ast.Sub: "({} - {})",
    ast.Mult: "({} * {})",
    ast.Div: "({} / {})",
    ast.Mod: "E.mod({}, {})",
    ast.Pow: "E.power({}, {})",
}
_COMPARE: dict[type[ast.cmpop], str] = {
    ast.Eq: "===",
    ast.NotEq: "!==",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
}


def to_javascript(text: str) -> str:
    """JavaScript source of a function of values by name, which calls ``FUSION.EXPRESSION``.

    The code is generated from the parsed formula, with names as strings, so that no config text becomes code. Raises
    ``ExpressionError`` for an invalid formula, ``ValueError`` for one that compares with text.
    """
    expression = parse(text)
    if expression.texts:
        raise ValueError(f"{text!r} compares with text, which the report does not support")
    body = _translate(ast.parse(expression.text, mode="eval").body)
    return f"((v) => {{ const E = FUSION.EXPRESSION; return {body}; }})"


def _translate(node: ast.expr) -> str:
    match node:
        case ast.Constant(value=int() | float() as value):
            return repr(float(value))
        case ast.Name(id=name):
            return f"v[{json.dumps(name)}]"
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return f"(-{_translate(operand)})"
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return _translate(operand)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return f"((x) => E.known(x === 0, x))({_translate(operand)})"
        case ast.BinOp(left=left, op=operation, right=right):
            return _BINARY[type(operation)].format(_translate(left), _translate(right))
        case ast.Compare(left=left, ops=operations, comparators=comparators):
            parts = [_translate(part) for part in (left, *comparators)]
            pairs = [
                f"((a, b) => E.known(a {_COMPARE[type(operation)]} b, a, b))({a}, {b})"
                for operation, a, b in zip(operations, parts, parts[1:], strict=False)
            ]
            return reduce(lambda a, b: f"E.both({a}, {b})", pairs)
        case ast.BoolOp(op=operation, values=values):
            combine = "both" if isinstance(operation, ast.And) else "either"
            return reduce(lambda a, b: f"E.{combine}({a}, {b})", [f"E.truth({_translate(value)})" for value in values])
        case ast.IfExp(test=test, body=then, orelse=otherwise):
            return f"E.where({_translate(test)}, {_translate(then)}, {_translate(otherwise)})"
        case ast.Call(func=ast.Name(id=name), args=arguments):
            return f"E.{name}({', '.join(map(_translate, arguments))})"
    raise ValueError(f"{ast.unparse(node)} has no JavaScript")  # unreachable: the grammar allows no other node
