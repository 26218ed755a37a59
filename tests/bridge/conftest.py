from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from bridge_runs import UM, make_config, make_trace, write_run

from sim.trace import Outcome

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three finished runs, one of them stuck."""
    parent = tmp_path_factory.mktemp("runs")
    write_run(parent, make_trace(make_config()))
    write_run(parent, make_trace(make_config("wbc", diameter=10 * UM)))
    write_run(parent, make_trace(make_config("hct116", ks=2e-3), Outcome.STUCK))
    return parent


@pytest.fixture(scope="session")
def command() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a command of the package as a user would."""

    def call(module: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, "-m", module, *map(str, arguments)]
        return subprocess.run(line, capture_output=True, text=True, cwd=ROOT, timeout=120, check=False)

    return call


@pytest.fixture(scope="session")
def shared() -> Path:
    """The shared data folder, or skip."""
    path = Path(os.environ.get("MIMLAB_SHARED", ROOT.parent / "shared")) / "data"
    if not path.is_dir():
        pytest.skip(f"no shared data at {path}; set MIMLAB_SHARED")
    return path
