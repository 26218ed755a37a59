"""Shared fixtures: a cache of its own for the tests, and the optional shared data."""

import os
from pathlib import Path

import pytest

from sim.files import cache_dir

ROOT = Path(__file__).resolve().parents[1]


def pytest_configure(config):
    # One cache for the session and its subprocesses, kept between runs so that JIT is paid once.
    os.environ["MIMLAB_CACHE"] = str(cache_dir("tests"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder of shared data; the test is skipped where it is absent."""
    folder = Path(os.environ.get("MIMLAB_SHARED", ROOT.parent / "shared"))
    if not folder.is_dir():
        pytest.skip("the shared data folder is absent (set MIMLAB_SHARED)")
    return folder
