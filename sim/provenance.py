"""What made a result: command line, machine, versions, commit."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def software(packages: Sequence[str]) -> dict[str, Any]:
    """Return command line, machine, Python, versions of `packages` and of this project, and the commit.

    Parameters
    ----------
    packages
        Names of distributions whose versions may move a result.
    """
    import platform

    return {
        "command": sys.argv,
        "host": platform.node(),
        "platform": platform.platform(),
        "cpus": os.cpu_count(),
        "python": platform.python_version(),
        "versions": _versions(tuple(packages)),
        "commit": commit(),
    }


@functools.cache
def _versions(packages: tuple[str, ...]) -> dict[str, str]:
    import importlib.metadata

    # Once a process: a sweep asks for every run.
    versions = {name: importlib.metadata.version(name) for name in packages}
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        versions["mimlab"] = importlib.metadata.version("mimlab")
    return versions


@functools.cache
def commit() -> str | None:
    """Return the commit of the source tree, if it is a git checkout."""
    import subprocess

    git = ["git", "rev-parse", "HEAD"]
    try:
        done = subprocess.run(git, cwd=Path(__file__).parent, capture_output=True, text=True, timeout=5, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
