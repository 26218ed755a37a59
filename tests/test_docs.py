"""The documentation builds without a warning, needs no network, and what it prints can be typed."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from typed import blocks, calls, shell

from sim.features import FEATURES

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("*.md")) + sorted(DOCS.glob("howto/*.md"))


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(DOCS)) for page in PAGES])
def test_every_option_of_every_command_exists(page, helps):
    for _, _, module, *words in calls(page):
        verb = words[:1] if module == "sim.emulate" else []
        for word in words if module != "venv" else []:
            measured = module == "sim.emulate" and word[2:] in FEATURES
            if word.startswith("--") and not measured:
                assert re.search(rf"{re.escape(word)}\b", helps(module, *verb)), f"{module} {word}"


@pytest.fixture(scope="module")
def helps():
    """What a command prints with --help, asked once."""
    known = {}

    def ask(*words):
        if words not in known:
            line = [sys.executable, "-m", *words, "--help"]
            known[words] = subprocess.run(line, capture_output=True, text=True, check=True, cwd=ROOT).stdout
        return known[words]

    return ask


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The documentation as built, warnings as errors."""
    pytest.importorskip("mkdocs")
    folder = tmp_path_factory.mktemp("site")
    call = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", str(folder)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(call, cwd=ROOT, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.mark.slow
def test_the_site_asks_the_network_for_nothing(site):
    pages = list(site.rglob("*.html"))
    assert len(pages) > 20
    for page in pages:
        text = page.read_text(encoding="utf-8")
        loaded = re.findall(r"<(?:script|img|iframe|source)[^>]*\ssrc=\"([^\"]+)\"", text)
        loaded += re.findall(r"<link[^>]*rel=\"(?:stylesheet|icon|preconnect|preload)\"[^>]*href=\"([^\"]+)\"", text)
        loaded += re.findall(r"<link[^>]*href=\"([^\"]+)\"[^>]*rel=\"(?:stylesheet|icon|preconnect|preload)\"", text)
        assert not [link for link in loaded if link.startswith(("http:", "https:", "//"))], page


@pytest.mark.slow
def test_pages_are_made_of_the_code(site):
    commands = (site / "reference" / "commands" / "index.html").read_text(encoding="utf-8")
    for package in ("sim", "bridge", "learn"):
        for path in (ROOT / package).glob("*.py"):
            if "run_command(main)" in path.read_text(encoding="utf-8"):
                assert f"python -m {package}.{path.stem}" in commands
    features = (site / "theory" / "features" / "index.html").read_text(encoding="utf-8")
    assert "transit_time_full" in features
    flow = (site / "theory" / "flow" / "index.html").read_text(encoding="utf-8")
    assert flow.count("<math") > 20
    assert "$$" not in flow
    decisions = (site / "decisions" / "index.html").read_text(encoding="utf-8")
    assert all(path.stem in decisions for path in (DOCS / "decisions").glob("0*.md"))


@pytest.mark.slow
@pytest.mark.parametrize(("page", "last"), [("howto/channel.md", "polygon"), ("howto/cell.md", "mine.toml")])
def test_what_a_page_writes_can_be_run(page, last, tmp_path):
    for _, title, text in blocks(page):
        if title:
            (tmp_path / title).write_text(text, encoding="utf-8")
    line = next(words for words in calls(page) if last in words)
    done = shell(shlex.join(line), tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
