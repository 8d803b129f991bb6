"""The bench as a person works on it: what it shows is what ``/rank`` answers."""

import json

import pytest

from tests.serving.console import shown
from tests.serving.console.shown import DASH, MINUS, choose, number, ranked, request


@pytest.fixture
def bench(page):
    shown.bench(page)
    return page


def ids(rows):
    return [row["Id"] for row in rows]


def texts(answer):
    """Ids as the page writes them."""
    return [name if isinstance(name, str) else json.dumps(name) for name in answer["ids"]]


def asked(console, body, **query):
    suffix = "".join(f"?{name}={value}" for name, value in query.items())
    answer = console.post(f"/admin/console/rank{suffix}", body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def moved_slider(bench, title, value, lane=0):
    """Move the slider that a label names within a fieldset."""
    bench.run(f"document.querySelectorAll('.lane details')[{lane}].open = true")
    script = """((title, value, lane) => {
      const [group, label] = title.split(' of ').reverse();
      const sets = [...document.querySelectorAll('.lane')[lane].querySelectorAll('fieldset')];
      const set = sets.find((one) => one.querySelector('legend').textContent === group);
      const name = [...set.querySelectorAll('.sliders label')].find((one) => one.textContent === label);
      const range = document.getElementById(name.htmlFor);
      range.value = value;
      range.dispatchEvent(new Event('input'));
      return Number(range.value);
    })"""
    return bench.run(f"{script}({title!r}, {value}, {lane})")


def test_a_request_to_start_from_is_ranked_at_once(console, bench):
    expected = asked(console, {**console.request, "explain": True})
    rows = ranked(bench)
    assert ids(rows) == texts(expected)
    assert [number(row["Score"]) for row in rows] == pytest.approx(expected["fused"], abs=5.1e-4)
    bars = bench.run("[...document.querySelectorAll('svg.contributions')].map((bar) => bar.getAttribute('aria-label'))")
    assert len(bars) == len(rows)
    assert all(name in bars[0] for name in ("click ", "buy ", "watch "))
    click = float(bars[0].split("click ")[1].split(",")[0].replace(MINUS, "-"))
    assert click == pytest.approx(expected["explanations"]["contributions"]["click"][0], rel=6e-3, abs=1e-6)


def test_why_tells_scores_contributions_places_without_rules_and_steps(console, bench):
    why = asked(console, {**console.request, "explain": True})["explanations"]
    assert any(why["moved_by"]["diverse"])
    assert any(why["rules"]["special"])
    for i, (places, special) in enumerate(zip(why["moved_by"]["diverse"], why["rules"]["special"], strict=True)):
        bench.run(f"document.querySelectorAll('tbody td button[aria-expanded]')[{i}].click()")
        text = bench.run(f"document.querySelectorAll('.details')[{i}].innerText")
        for name in ("click", "buy", "watch"):
            part = next(line for line in text.splitlines() if line.startswith(name)).split()
            assert number(part[2]) == pytest.approx(why["contributions"][name][i], rel=1e-3, abs=1e-4)
            assert int(part[3]) == why["rank_without"][name][i]
        assert ("Rules that apply: special." in text) == special
        assert ("Moved by: diverse" in text) == (places != 0)
        assert places == 0 or f"diverse {'▲' if places > 0 else '▼'} {abs(places)}." in text


def test_sliders_move_parameters_within_bounds_and_show_the_moves(console, bench):
    before = ids(ranked(bench))
    assert "vs start" not in ranked(bench)[0]
    taken = moved_slider(bench, "click of share", 5)
    bench.until("document.querySelector('thead').textContent.includes('vs start')")
    fusion = {"name": "default", "parameters": {"share": {"click": taken, "buy": 2.0, "watch": 1.0}}}
    expected = asked(console, {**console.request, "fusion": fusion})
    rows = ranked(bench)
    assert ids(rows) == texts(expected) != before
    assert {row["vs start"][0] for row in rows} >= {"▲", "▼"}
    moved_slider(bench, "lambda of Re-ranking: diverse", 0.1)
    fusion["rerank"] = {"diverse": {"lambda": 0.1}}
    expected = json.dumps(texts(asked(console, {**console.request, "fusion": fusion})))
    names = "[...document.querySelectorAll('.lane tbody th')].map((cell) => cell.textContent)"
    bench.until(f"JSON.stringify({names}) === JSON.stringify({expected})")
    bench.run("[...document.querySelectorAll('button')].find((one) => one.textContent.startsWith('Back to')).click()")
    bench.until("!document.querySelector('thead').textContent.includes('vs start')")
    assert ids(ranked(bench)) == before


def test_exploration_is_drawn_again_only_when_asked(console, bench):
    choose(bench, ".choices select", "fusion curious", index=2)
    bench.until("document.querySelector('.used').textContent.includes('fusion curious')")
    first = ranked(bench)
    assert all(0 < number(row["Drawn with"]) <= 100 for row in first)
    assert len({row["Drawn with"] for row in first}) > 3
    bench.run("document.querySelector('.lane details').open = true")
    press = "[...document.querySelectorAll('button')].find((one) => one.textContent === '{}').click()"
    bench.run(press.format("Rank"))
    assert ranked(bench) == first
    bench.run(press.format("Draw again"))
    names = "[...document.querySelectorAll('.lane tbody th')].map((cell) => cell.textContent)"
    bench.until(f"JSON.stringify({names}) !== JSON.stringify({json.dumps(ids(first))})")
    moved_slider(bench, "first of Exploration", 1)
    bench.until("document.querySelector('thead').textContent.includes('vs start')")
    assert [row["Drawn with"] for row in ranked(bench)].count("100.0 %") == 19  # places that are not drawn
    bench.run("document.querySelector('[data-step=explore]').click()")
    bench.until("!document.querySelector('thead').textContent.includes('Drawn with')")
    plain = asked(console, {**console.request, "fusion": {"name": "curious", "explore": False}})
    assert ids(ranked(bench)) == texts(plain)


def test_a_number_out_of_bounds_is_refused_by_the_service_at_its_field(console, bench):
    bench.run("document.querySelector('.lane details').open = true")
    choose(bench, ".sliders input[type=number]", "1e9", "input")
    reason = bench.until("document.querySelector('.lane .problems').innerText")
    bad = {**console.request, "fusion": {"name": "default", "parameters": {"share": {"click": 1e9}}}}
    assert reason.endswith(console.post("/admin/console/rank", bad).json()["detail"][0]["reason"])
    marked = bench.run("[...document.querySelectorAll('[aria-invalid]')].map((one) => one.getAttribute('aria-label'))")
    assert marked == ["share click, exactly"]
    choose(bench, ".sliders input[type=number]", "1", "input")
    bench.until("document.querySelector('.lane .problems').innerText === ''")
    assert bench.run("document.querySelectorAll('[aria-invalid]').length") == 0


def test_two_versions_and_two_groups_are_compared_side_by_side(console, bench):
    bench.run("[...document.querySelectorAll('button')].find((one) => one.textContent.startsWith('Compare')).click()")
    ranked(bench, "B")
    choose(bench, ".lane:nth-child(2) .choices select", "1", index=1)
    bench.until("document.querySelectorAll('.used')[1].textContent.startsWith('shop version 1')")
    rows, first = ranked(bench, "B"), ranked(bench, "A")
    expected = asked(console, console.request, version=1)
    assert ids(rows) == texts(expected) != ids(first)
    places = {"▲": 1, "▼": -1, DASH: 0}
    for place, row in enumerate(rows):
        mark, _, by = row["vs A"].partition(" ")
        if ids(rows).count(row["Id"]) == 1:
            assert ids(first).index(row["Id"]) - place == places[mark] * int(by or 0)
    choose(bench, ".lane:nth-child(2) .choices select", "2", index=1)
    choose(bench, ".lane:nth-child(1) .choices select", "group control", index=2)
    choose(bench, ".lane:nth-child(2) .choices select", "group calm", index=2)
    bench.until("document.querySelectorAll('.used')[1].textContent.includes('fusion calm')")
    calm = asked(console, {**console.request, "fusion": {"name": "calm"}})
    assert ids(ranked(bench, "B")) == texts(calm)


def test_mistakes_are_told_in_the_services_words(console, bench):
    right = console.request
    wrong = [
        {**right, "context": {**right["context"], "age": "old"}},
        {**right, "candidates": {**right["candidates"], "lenght": [1.0] * 20}},
        {**right, "fusion": {"name": "clam"}},
        '{"candidates": [',
        {},
        [1],
        "null",
    ]
    for body in wrong:
        request(bench, body)
        bench.until("document.querySelector('#request').getAttribute('aria-invalid') === 'true'")
        bench.until("document.querySelector('[aria-busy]') === null")
        told = bench.run("[...document.querySelectorAll('#request-problems li')].map((one) => one.textContent)")
        assert told == [f"{one['field']} {one['reason']}" for one in console.rank(body).json()["detail"]], body
        request(bench, right)
        bench.until("document.querySelectorAll('#request-problems li').length === 0")
        assert len(ranked(bench)) == 20


def test_ids_of_64_bits_stay_as_they_are(console, bench):
    """As numbers of JavaScript they would be those of other users and items."""

    def group(user):
        return console.rank(of(user)).json()["experiment"]["group"]

    def of(user):
        return {**console.request, "context": {**console.request["context"], "user": user}}

    odd = range(2**53 + 1, 2**53 + 99, 2)
    user = next(user for user in odd if group(user) != group(int(float(user))))
    request(bench, of(user))
    bench.until(f"document.querySelector('.used').textContent.endsWith('group {group(user)}')")
    text = '{"ids": [9223372036854775807, -9007199254740993, 1.25, 1e300, "-9007199254740993", 7]}'
    written, shown_ids, laid_out = bench.run(
        f"""import("/ranker/console/json.js").then(({{read, write, shown, pretty}}) => {{
          const value = read({text!r});
          return [write(value), value.ids.map(shown), pretty(value)];
        }})"""
    )
    assert json.loads(written) == json.loads(laid_out) == json.loads(text)
    assert shown_ids == ["9223372036854775807", "-9007199254740993", "1.25", "1e+300", "-9007199254740993", "7"]


def test_the_field_of_a_problem_is_selected_in_the_text(console, bench):
    lengths = [*console.request["candidates"]["length"][:3], "long", *console.request["candidates"]["length"][4:]]
    request(bench, {**console.request, "candidates": {**console.request["candidates"], "length": lengths}})
    bench.until("document.querySelector('#request-problems button') !== null")
    bench.run("document.querySelector('#request-problems button').click()")
    start, end, text = bench.run(
        "['selectionStart', 'selectionEnd', 'value'].map((part) => document.activeElement[part])"
    )
    assert text[start:end] == '"long"'
    assert bench.run("document.activeElement.id") == "request"


def test_data_never_becomes_markup(console, bench):
    attack = "<img src=x onerror=\"document.title='broken'\">"
    names = [attack, "</td><script>document.title='broken'</script>", *console.request["candidates"]["sku"][2:]]
    body = {**console.request, "candidates": {**console.request["candidates"], "sku": names}}
    request(bench, body)
    bench.until("document.querySelector('.lane').innerText.includes('onerror')")
    names = "[...document.querySelectorAll('.lane tbody th')]"
    place = bench.run(f"{names}.findIndex((cell) => cell.textContent.startsWith('<img'))")
    bench.run(f"document.querySelectorAll('tbody td button')[{place}].click()")
    request(bench, {**body, attack: 1})
    bench.until("document.querySelector('#request-problems').innerText.includes('onerror')")
    assert bench.run("document.querySelectorAll('main img, main script').length") == 0
    assert bench.run("document.title") == "Bench · ranker console"
    assert bench.errors == [error for error in bench.errors if "422" in error]
