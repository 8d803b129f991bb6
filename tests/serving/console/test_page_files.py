"""The page is whole: what it names is there, and nothing is there that it does not name."""

import re

import pytest

from serving.console.page_files import INDEX, TYPES, page_files

FILES = page_files("")
TEXT = {name: file.content.decode() for name, file in FILES.items()}


def test_the_page_and_its_scripts_name_all_files_and_no_others():
    named = {INDEX, *re.findall(r'(?:href|src)="/console/([^"]+)"', TEXT[INDEX])}
    for text in TEXT.values():
        named |= set(re.findall(r'from "\./([^"]+)"', text))
    assert named == set(FILES)
    assert all(file.media_type == TYPES[name[name.rindex(".") :]] for name, file in FILES.items())


def test_addresses_begin_with_the_prefix_of_the_proxy():
    page = page_files("/ranker")[INDEX].content.decode()
    assert 'src="/ranker/console/main.js"' in page
    assert 'data-root="/ranker"' in page
    assert "ROOT_PATH" not in page
    assert 'data-root=""' in TEXT[INDEX]


@pytest.mark.parametrize("name", sorted(TEXT))
def test_nothing_is_inline_and_nothing_comes_from_elsewhere(name):
    text = TEXT[name].replace("http://www.w3.org/2000/svg", "")  # a name, not an address
    assert "//" not in re.sub(r"(^|[\s;])// .*", "", text), "an address of another host"
    for risky in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function(", " style="):
        assert risky not in text
    if name == INDEX:
        assert "<style" not in text
        assert not re.search(r"<script(?![^>]*src=)", text)
        assert not re.search(r"\son[a-z]+=", text)
