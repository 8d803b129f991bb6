"""Links between pages that lie in different folders of the repository, as the site has them."""

import importlib.util
from types import SimpleNamespace

import pytest

from tests.docs.pages import ROOT


@pytest.fixture(scope="module")
def hook():
    spec = importlib.util.spec_from_file_location("repository_files", ROOT / "docs" / "hooks" / "repository_files.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Site:
    """The files of a site, by their paths in it."""

    names = ("config.md", "deploy/README.md", "deploy/models.yaml", "benchmarks/README.md")

    def get_file_from_path(self, name):
        return name if name in self.names else None


@pytest.mark.parametrize(
    ("source", "link", "on_site"),
    [
        ("docs/serving.md", "config.md#schema", "config.md#schema"),
        ("docs/serving.md", "../deploy/README.md#in-a-cluster", "deploy/README.md#in-a-cluster"),
        ("docs/serving.md", "../deploy/models.yaml", "deploy/models.yaml"),
        ("docs/serving.md", "#keys", "#keys"),
        ("docs/serving.md", "https://example.com/a.md", "https://example.com/a.md"),
        ("deploy/README.md", "../docs/config.md", "../config.md"),
        ("CONTRIBUTING.md", "docs/config.md", "config.md"),
        ("CONTRIBUTING.md", "benchmarks/", "benchmarks/README.md"),
    ],
)
def test_links_lead_to_the_page_of_the_site(hook, source, link, on_site):
    page = SimpleNamespace(file=SimpleNamespace(abs_src_path=str(ROOT / source), src_uri=source.removeprefix("docs/")))
    config = SimpleNamespace(config_file_path=str(ROOT / "mkdocs.yml"))
    text = "a [page]({}) and\n\n```sh\n[in](code.md)\n```\n"
    assert hook.on_page_markdown(text.format(link), page, config, Site()) == text.format(on_site)
