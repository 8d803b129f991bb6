import warnings

import numpy as np
import pytest

from ranker.expressions import FUNCTIONS, LONGEST, ExpressionError, parse

NAN = float("nan")


def value(text, **values):
    return parse(text).evaluate(values)


@pytest.mark.parametrize(
    ("text", "values", "expected"),
    [
        ("2 + 3 * 4 - 6 / 3", {}, 12),
        ("-x ** 2", {"x": 3}, -9),
        ("2 ** 3 ** 2", {}, 512),
        ("x ** 0.5", {"x": 9}, 3),
        ("x % 3", {"x": [7, -1, 2.5]}, [1, 2, 2.5]),
        ("click**a * (1 + b*like) + c*log1p(watch)", {"click": 4, "a": 0.5, "b": 2, "like": 3, "c": 1, "watch": 0}, 14),
        ("x > 1", {"x": [0, 1, 2]}, [0, 0, 1]),
        ("0 < x <= 2", {"x": [0, 1, 2, 3]}, [0, 1, 1, 0]),
        ("x == 1 or not x", {"x": [0, 1, 2]}, [1, 1, 0]),
        ("3 and x", {"x": [0, 5]}, [0, 1]),
        ("x if x > 1 else -x", {"x": [1, 2]}, [-1, 2]),
        ("where(click == 1, log1p(dwell), 1)", {"click": [1, 0], "dwell": [np.e - 1, 50]}, [1, 1]),
        ("min(x, 2, 3) + max(x, 2, 3)", {"x": [1, 5]}, [4, 7]),
        ("clip(x, 0, 1)", {"x": [-1, 0.5, 9]}, [0, 0.5, 1]),
        ("sigmoid(x)", {"x": [-np.inf, -1e6, 0, np.log(3), np.inf]}, [0, 0, 0.5, 0.75, 1]),
        ("log(exp(x)) + expm1(log1p(x)) - sqrt(x * x)", {"x": 3}, 3),
        ("floor(x) + ceil(x) + abs(-x)", {"x": 1.5}, 4.5),
        ("tanh(x)", {"x": 0}, 0),
        ('tab == "home"', {"tab": ["home", "feed"]}, [1, 0]),
        ("tab != 'home'", {"tab": ["home", "feed"]}, [0, 1]),
        ("+x", {"x": 2}, 2),
    ],
)
def test_by_hand(text, values, expected):
    np.testing.assert_allclose(value(text, **values), expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x + 1", NAN),
        ("x > 1", NAN),
        ("x != x", NAN),
        ("x ** 0", NAN),
        ("1 ** x", NAN),
        ("not x", NAN),
        ("0 and x", 0),
        ("1 and x", NAN),
        ("x and 0", 0),
        ("1 or x", 1),
        ("x or 0", NAN),
        ("0 < 1 < x", NAN),
        ("0 > 1 > x", 0),
        ("0 * x", NAN),
        ("where(x, 1, 2)", NAN),
        ("1 if x else 2", NAN),
        ("where(is_null(x), 7, x)", 7),
        ("where(1, 2, x)", 2),
        ("coalesce(x, 3)", 3),
        ("coalesce(x, x, 4)", 4),
        ("is_null(x)", 1),
        ("min(x, 1)", NAN),
        ("clip(x, 0, 1)", NAN),
        ("sigmoid(x)", NAN),
    ],
)
def test_nulls_spread_until_they_are_settled(text, expected):
    np.testing.assert_array_equal(value(text, x=NAN), expected)


def test_nulls_of_text_and_of_masked_arrays():
    np.testing.assert_array_equal(value("tab == 'a'", tab=["a", None, NAN, "b"]), [1, NAN, NAN, 0])
    np.testing.assert_array_equal(value("coalesce(tab != 'a', 5)", tab=["a", None]), [0, 5])
    np.testing.assert_array_equal(value("x + 1", x=np.ma.MaskedArray([1, 9], [False, True])), [2, NAN])


def test_names_in_their_order():
    expression = parse('where(tab == "home", b * a, a + max(c, 2))')
    assert expression.names == ("tab", "b", "a", "c")
    assert expression.texts == {"tab"}
    assert expression == parse(' where(tab == "home", b * a, a + max(c, 2)) ')


@pytest.mark.parametrize("text", ["a * x + b", "where(x > a, x, b)", "x ** a and b", "clip(x, a, b)", "min(x, a, b)"])
def test_parameters_broadcast_against_scores(text):
    random = np.random.default_rng(0)
    x, a, b = random.normal(size=9), random.normal(size=(4, 1)), random.normal(size=(4, 1))
    whole = value(text, x=x, a=a, b=b)
    assert whole.shape == (4, 9)
    rows = [value(text, x=x, a=float(a[i, 0]), b=float(b[i, 0])) for i in range(4)]
    np.testing.assert_array_equal(whole, rows)


def test_what_python_computes_numpy_computes():
    random = np.random.default_rng(1)
    text = "(a + 2) * b - a / (b + 3) % 2 + (a if a > b else b) ** 2 + (a < b) * (not a > 0.5)"
    a, b = random.random(50), random.random(50)
    expected = [eval(text, {}, {"a": x, "b": y}) for x, y in zip(a.tolist(), b.tolist(), strict=True)]
    np.testing.assert_allclose(value(text, a=a, b=b), expected, rtol=1e-12)


def test_every_function_takes_arrays_of_every_shape_and_gives_floats():
    for name, function in FUNCTIONS.items():
        text = f"{name}({', '.join(['x'] * function.least)})"
        for x in (0.5, [0.5], [[0.5], [0.25]], np.array([1, 0]), []):
            result = value(text, x=x)
            assert result.dtype == np.float64, name
            assert result.shape == np.shape(x), name


def test_what_has_no_value_is_nan_or_infinite_without_a_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        got = value("x / 0 + 0 * log(x)", x=[1.0, 0.0, -1.0])
        assert np.isposinf(got[0])
        assert np.isnan(got[1:]).all()
        assert np.isnan(value("x ** 0.5", x=-1.0))
        assert np.isposinf(value("9 ** 9 ** 9 ** 9"))
        assert np.isnan(value("1 % 0"))
        assert np.isposinf(value("exp(1e6)"))


def test_a_formula_without_names_is_a_number():
    assert parse("1 + 1").names == ()
    assert value("1 + 1").shape == ()


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "a formula must not be empty"),
        ("a +", r"'a \+' is not a valid formula: invalid syntax at character 4"),
        ("1 + lg(x)", r"'lg' at character 5 of '1 \+ lg\(x\)' is not a known function; did you mean 'log'"),
        ("a.b", r"'a\.b' at character 1 of 'a\.b' is not part of the grammar"),
        ("a[0]", "is not part of the grammar"),
        ("lambda: 1", "is not part of the grammar"),
        ("[x for x in y]", "is not part of the grammar"),
        ("(a, b)", "is not part of the grammar"),
        ("a if b else [c]", r"'\[c\]' at character 13"),
        ("f'{a}'", "is not part of the grammar"),
        ("(a := 1)", "is not part of the grammar"),
        ("await a", "is not a valid formula|not part"),
        ("a = 1", "is not a valid formula"),
        ("import os", "is not a valid formula"),
        ("a; b", "is not a valid formula"),
        ("a\nb", "is not a valid formula"),
        ("a // b", "is not part of the grammar"),
        ("a @ b", "is not part of the grammar"),
        ("a << 9", "is not part of the grammar"),
        ("~a", "is not part of the grammar"),
        ("a in b", "is not part of the grammar"),
        ("a is b", "is not part of the grammar"),
        ("True", "is not part of the grammar"),
        ("None", "is not part of the grammar"),
        ("...", "is not part of the grammar"),
        ("1j", "is not part of the grammar"),
        ("b'x' == a", "is not part of the grammar"),
        ("'x'", "is text, which is allowed only in"),
        ("'x' * 3", "is text, which is allowed only in"),
        ("a < 'x'", "must compare text in the form"),
        ("a == b == 'x'", "must compare text in the form"),
        ("a + 1 == 'x'", "must compare text in the form"),
        ("'x' == 'x'", "must compare text in the form"),
        ("a == 'x' and a > 1", "uses 'a' as a number and compares it with text"),
        ("log()", r"has 0 argument\(s\); log takes 1"),
        ("log(a, b)", r"has 2 argument\(s\); log takes 1"),
        ("min(a)", r"has 1 argument\(s\); min takes at least 2"),
        ("min(*a)", r"'\*a' at character 5|takes at least 2"),
        ("max(a, *b)", r"'\*b' at character 8"),
        ("log(x=1)", "has a keyword argument"),
        ("log(**a)", "has a keyword argument"),
        ("log + 1", "'log' at character 1 .* is a function"),
        ("log(a)(b)", "is not a function"),
        ("a.log(b)", "is not a function"),
        ("__import__('os')", "'__import__' at character 1 .* is not a known function"),
        ("().__class__", "is not part of the grammar"),
        ("1e999", "is too large a number"),
        ("0x" + "f" * 1000, "is too large a number"),
        ("9" * 1900, "is too large a number"),
        ("a\0b", "is not a valid formula"),
        ("é + a.b", "'a.b' at character 5"),
        ("(a +\n b.c)", r"'b\.c' at character 7"),
    ],
)
def test_what_is_not_of_the_grammar_is_named(text, match):
    with pytest.raises(ExpressionError, match=match):
        parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "(" * 999 + "a" + ")" * 999,
        "-" * 1999 + "1",
        "not " * 400 + "a",
        "a**" * 600 + "a",
        "a+" * 900 + "a",
        "abs(" * 300 + "a" + ")" * 300,
        "a if a else " * 150 + "a",
        "a" * (LONGEST + 1),
        "[" * 1999,
        "((((((((((",
        "\ud800",
    ],
)
def test_hostile_texts_are_refused_shortly(text):
    with pytest.raises(ExpressionError) as error:
        parse(text)
    assert len(str(error.value)) < 2300


def test_no_text_does_more_than_be_refused():
    random = np.random.default_rng(2)
    pieces = [
        "a",
        "b",
        "1",
        "0.5",
        "log",
        "where",
        "(",
        ")",
        ",",
        " ",
        "+",
        "-",
        "*",
        "**",
        "/",
        "%",
        "<",
        "==",
        "not ",
    ]
    pieces += [" and ", " or ", " if ", " else ", "'x'", ".", "[", "]", "{", "lambda", ":", "=", "\n", "\\", "é", "#"]
    taken = 0
    for _ in range(10_000):
        text = "".join(random.choice(pieces, random.integers(1, 9)))
        try:
            expression = parse(text)
        except ExpressionError:
            continue
        taken += 1
        values = {name: ["x"] if name in expression.texts else [0.5] for name in expression.names}
        assert expression.evaluate(values).shape == ((1,) if expression.names else ()), text
    assert taken > 150


def drawn(random, depth):
    """A random formula of a and b, written with all its parentheses."""
    if depth == 0:
        return str(random.choice(["a", "b", "2", "0.5"]))
    parts = [drawn(random, depth - 1) for _ in range(3)]
    forms = ["({} + {})", "({} - {})", "({} * {})", "(-{})", "({} < {} <= {})", "({} if {} else {})", "(not {})"]
    forms += ["abs({})", "min({}, {})", "max({}, {}, {})", "({} == {})", "({} >= {})"]
    return str(random.choice(forms)).format(*parts)


def test_random_formulas_are_what_python_makes_of_them():
    random = np.random.default_rng(3)
    a, b = random.integers(-2, 3, (2, 20)).astype(float)
    for _ in range(200):
        text = drawn(random, 4)
        expected = [float(eval(text, {}, {"a": x, "b": y})) for x, y in zip(a.tolist(), b.tolist(), strict=True)]
        got = np.broadcast_to(value(text, a=a, b=b), 20)
        np.testing.assert_allclose(got, expected, rtol=1e-12, err_msg=text)


def test_a_long_sum_is_taken():
    assert value("+".join(["a"] * 90), a=1) == 90


def test_unknown_names_are_named_with_the_nearest():
    with pytest.raises(ExpressionError, match=r"'clik' at character 5 .* is not a known name; did you mean 'click'"):
        parse("1 + clik", known=["click", "like"])
    assert parse("min + click", known=["min", "click"]).evaluate({"min": 1, "click": 2}) == 3


@pytest.mark.parametrize(("values", "match"), [({}, "needs a value for 'x'"), ({"x": ["a"]}, "needs numbers for 'x'")])
def test_values_that_do_not_fit_are_named(values, match):
    with pytest.raises(ExpressionError, match=match):
        parse("x + 1").evaluate(values)
