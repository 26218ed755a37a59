"""The shape of the project: imports run one way, cheap imports, nothing compiled or trained before it is needed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
COMMANDS = (
    "sim.run",
    "sim.sweep",
    "sim.emulate",
    "sim.verify",
    "bridge.build",
    "bridge.ingest",
    "bridge.check",
    "bridge.export",
    "bridge.gap",
    "bridge.render",
    "bridge.splits",
    "learn.run",
    "learn.ablation",
    "learn.apply",
    "learn.baselines",
    "learn.crossval",
    "learn.curve",
    "learn.explain",
    "learn.export",
    "learn.report",
    "learn.reproduce",
    "learn.transfer",
)
HEAVY = ("numba", "llvmlite", "jax", "flax", "optax", "sklearn", "skimage", "matplotlib", "pandas")


def python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)


def test_imports_run_one_way():
    executable = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([executable, "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_a_forbidden_import_is_seen(tmp_path):
    for package in ("sim", "bridge", "learn"):
        (tmp_path / package).mkdir()
        for source in (ROOT / package).rglob("*.py"):
            target = tmp_path / source.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())
    (tmp_path / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    (tmp_path / "sim" / "units.py").write_text("import learn\n")
    executable = Path(sys.executable).with_name("lint-imports")
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run([executable, "--no-cache"], cwd=tmp_path, capture_output=True, text=True, env=environment)
    assert done.returncode == 1
    assert "sim.units" in done.stdout


@pytest.mark.parametrize("package", ["sim", "bridge", "learn"])
def test_importing_a_package_loads_no_compiler_and_no_jax(package):
    code = f"import sys, {package}; print([m for m in {HEAVY!r} if m in sys.modules])"
    assert python(code).stdout.strip() == "[]"


@pytest.mark.parametrize("command", COMMANDS)
def test_help_loads_no_compiler_and_no_jax(command):
    call = [sys.executable, "-X", "importtime", "-m", command, "--help"]
    done = subprocess.run(call, capture_output=True, text=True, cwd=ROOT, check=True)
    assert "usage" in done.stdout
    modules = {line.rsplit("|", 1)[-1].strip() for line in done.stderr.splitlines()}
    assert "argparse" in modules or "tyro" in modules
    assert modules.isdisjoint(HEAVY)


@pytest.mark.parametrize("text", ["import pickle", "pickle.load", "allow_pickle=True", "urlopen", "import requests"])
def test_nothing_is_unpickled_or_downloaded(text):
    sources = [p for package in ("sim", "bridge", "learn") for p in (ROOT / package).rglob("*.py")]
    assert not [p for p in sources if text in p.read_text()]


def test_no_copyleft_import():
    names = ("dclab", "lbmpy", "ultralytics", "espressomd")
    sources = [p.read_text() for package in ("sim", "bridge", "learn") for p in (ROOT / package).rglob("*.py")]
    assert not [n for n in names for s in sources if f"import {n}" in s or f"from {n}" in s]
