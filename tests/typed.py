"""What the documentation prints as code, and a shell in which to type it."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
FENCE = re.compile(r"^```(\w*)(?: title=\"([^\"]+)\")?\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(page):
    """Return language, title and text of each block of code of a page."""
    return [found.groups() for found in FENCE.finditer((DOCS / page).read_text(encoding="utf-8"))]


def calls(page):
    """Return every command of a page, as words."""
    lines = [line for language, _, text in blocks(page) if language in ("", "bash") for line in text.splitlines()]
    return [shlex.split(line) for line in lines if line.startswith("python -m")]


def shell(text, folder):
    """Run lines as a user would, with this Python as `python`."""
    (folder / "bin").mkdir(exist_ok=True)
    wrapper = folder / "bin" / "python"
    wrapper.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
    wrapper.chmod(0o755)
    where = os.environ | {"PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    where["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    bash = shutil.which("bash") or pytest.skip("no bash on this machine")
    return subprocess.run([bash, "-euc", text], cwd=folder, capture_output=True, text=True, env=where, timeout=1200)
