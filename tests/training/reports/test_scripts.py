"""The bundle is made once for all processes, and always there."""

from importlib.metadata import version

import vl_convert

from training.reports.scripts import vega_bundle

make = vega_bundle.__wrapped__


def test_it_is_kept_for_the_next_process_and_made_where_it_cannot_be(tmp_path, monkeypatch):
    made = []
    monkeypatch.setattr(vl_convert, "javascript_bundle", lambda _: made.append(1) or "draw('</script>')")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert make() == make() == "draw('<\\/script>')"
    assert len(made) == 1
    (kept,) = tmp_path.rglob("*.js")
    assert version("vl-convert-python") in kept.name
    kept.write_bytes(b"\xff\xfe")  # not text: made again, and kept
    assert make() == make() == "draw('<\\/script>')"
    assert len(made) == 2
    monkeypatch.setenv("XDG_CACHE_HOME", str(kept))  # a file: nothing can be kept
    assert make() == make() == "draw('<\\/script>')"
    assert len(made) == 4


def test_it_defines_what_pages_call(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert "vegaEmbed" in make()
