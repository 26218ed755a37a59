"""What the README prints can be typed."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
CALLS = sorted({line.split("#")[0].strip() for line in TEXT.splitlines() if line.strip().startswith("python -m ")})


def test_every_option_of_every_command_exists():
    helps = {}
    for call in CALLS:
        _, _, module, *words = shlex.split(call)
        if module not in helps:
            line = [sys.executable, "-m", module, "--help"]
            helps[module] = subprocess.run(line, capture_output=True, text=True, check=True, cwd=ROOT).stdout
        for word in words:
            if word.startswith("--"):
                assert re.search(rf"{re.escape(word)}\b", helps[module]), call
    assert len(helps) == 6


def test_links_and_targets_exist():
    for target in re.findall(r"\]\(([^)#:]+)\)", TEXT):
        assert (ROOT / target).exists(), target
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^make (\w+)", TEXT, re.MULTILINE):
        assert f"\n{target}:" in makefile


@pytest.mark.slow
def test_the_python_example_runs(tmp_path):
    code = TEXT.split("```python")[1].split("```")[0]
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("EXITED\ndeformation index 0.7")
