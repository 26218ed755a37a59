from __future__ import annotations

import contextlib
import importlib
import io
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from bridge_runs import UM, make_config, make_trace, write_run

from bridge.command import run_command
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
    """Run a command of the package as a user would, but in this process: starting one costs a second."""

    def call(module: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        words = [*map(str, arguments)]
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), pytest.raises(SystemExit) as leaving:
            run_command(importlib.import_module(module).main, words)
        return subprocess.CompletedProcess([module, *words], leaving.value.code, out.getvalue(), err.getvalue())

    return call


@pytest.fixture(scope="session")
def shared() -> Path:
    """The shared data folder, or skip."""
    path = Path(os.environ.get("MIMLAB_SHARED", ROOT.parent / "shared")) / "data"
    if not path.is_dir():
        pytest.skip(f"no shared data at {path}; set MIMLAB_SHARED")
    return path
