"""`python -m sim.verify`: as a user calls it, and every case fails when the physics is broken."""

import dataclasses
import functools
import json
import math
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from validation import flaws

from sim import verify
from sim.cases import Curve, Result, absolute, relative
from sim.cases.duct import profile
from sim.cases.figures import write_figure
from sim.cases.reference import read_reference
from sim.cases.table import CASES, Case
from sim.command import InputError, UnstableSimulation
from sim.predict import duct_factor

# Case, size at which it is computed here, and the flaws that it has to see.
SMALL = {
    "poiseuille": (
        {"heights": (8,), "taus": (1.0,)},
        ("wrong_viscosity", "missing_half_force", "shifted_walls"),
    ),
    "couette": ({"height": 8, "taus": (1.0,)}, ("wrong_viscosity", "shifted_walls", "slow_walls")),
    "womersley": (
        {"height": 16, "alphas": (2.0,), "precisions": ("float64",)},
        ("wrong_viscosity", "missing_half_force", "shifted_walls"),
    ),
    "taylor-green": ({"taus": (1.0,), "precisions": ("float64",)}, ("wrong_viscosity",)),
    "duct": (
        {"square": ((10, 10),), "paper": ((10, 38),), "precisions": ("float64",)},
        ("wrong_viscosity", "missing_half_force", "shifted_walls"),
    ),
    "cavity-100": ({"size": 41}, ("wrong_viscosity", "shifted_walls", "slow_walls")),
    "spheres": (
        {"period": 16, "interpolated": (0.064,), "precisions": ("float64",)},
        ("wrong_viscosity", "receding_walls", "careless_cuts"),
    ),
    "red-cell": ({"forces": (67.6,)}, ("stiff_membrane",)),
    "relaxation": ({"level": 2}, ("swollen_rest",)),
    "ring-shear": ({"numbers": (0.04,)}, ("stiff_springs",)),
    "ring-invariance": ({}, ("nearest_node",)),
    "contraction": ({"h": 12, "lengths": (3.0,), "precisions": ("float64",)}, ("wrong_viscosity", "receding_walls")),
}

FACTORS = {
    ("cavity-100", "wrong_viscosity"): {"factor": 1.5},
    ("contraction", "wrong_viscosity"): {"factor": 0.9},
    ("ring-shear", "stiff_springs"): {"factor": 1.25},
}
"""Where the usual flaw is within the tolerance: the cavity hardly changes, the slit is off by 3 % already, and a ring's
deformation goes with the cube root of its stiffness."""


def small(name):
    case = next(case for case in CASES if case.name == name)
    return dataclasses.replace(case, parameters={**case.parameters, **SMALL[name][0]})


@pytest.mark.parametrize("name", SMALL)
def test_a_case_passes_at_small_size(name):
    rows = small(name).compute().rows
    assert rows
    assert [row for row in rows if not row.passed] == []


@pytest.mark.parametrize(("name", "flaw"), [(name, flaw) for name in SMALL for flaw in SMALL[name][1]])
def test_a_case_sees_broken_physics(monkeypatch, name, flaw):
    case = small(name)
    getattr(flaws, flaw)(monkeypatch, case.module, **FACTORS.get((name, flaw), {}))
    assert [row for row in case.compute().rows if not row.passed]


def test_every_case_of_the_default_set_has_a_broken_twin():
    from validation.test_flow_cases import HEAVY

    assert {case.name for case in CASES if not case.full} <= {*SMALL, *HEAVY}


# The command


def sim_verify(*arguments, cwd, **environment):
    command = [sys.executable, "-m", "sim.verify", *map(str, arguments)]
    return subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, timeout=300, env={**os.environ, **environment}
    )


def test_the_command_prints_a_table_and_json_and_takes_up_from_the_cache(tmp_path):
    first = sim_verify("--case", "couette", "--json", "--plot", tmp_path / "fig", cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    report = json.loads(first.stdout)
    assert report["pass"] is True
    assert {"case", "value", "reference", "source", "error", "tolerance", "pass"} <= set(report["cases"][0])
    assert "within tolerance" in first.stderr
    assert (tmp_path / "fig" / "plane.png").stat().st_size > 10_000
    second = sim_verify("--case", "couette", "--json", cwd=tmp_path)
    assert "computed before: couette" in second.stderr
    assert json.loads(second.stdout) == report


def test_an_unknown_case_and_a_wrong_option_are_refused(tmp_path):
    done = sim_verify("--case", "cuette", cwd=tmp_path)
    assert done.returncode == 2
    assert "did you mean couette?" in done.stderr
    assert "Traceback" not in done.stderr
    assert sim_verify("--threads", "0", cwd=tmp_path).returncode == 2
    assert sim_verify("--fast", cwd=tmp_path).returncode == 2


def test_help_is_quick_and_names_the_cases(tmp_path):
    best = math.inf
    for _ in range(3):
        start = time.monotonic()
        done = sim_verify("--help", cwd=tmp_path)
        best = min(best, time.monotonic() - start)
    assert best < 1
    assert all(case.name in done.stdout for case in CASES)


def test_quiet_says_nothing(tmp_path):
    done = sim_verify("--case", "couette", "--quiet", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_an_interrupt_ends_with_130_and_no_traceback(tmp_path):
    command = [sys.executable, "-m", "sim.verify", "--case", "cylinder", "--fresh"]
    heed = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # a shell's background job ignores it
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, preexec_fn=heed) as process:
        time.sleep(4)
        process.send_signal(signal.SIGINT)
        _, message = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in message


def quick(**changes):
    parameters = {"height": 8, "taus": (1.0,), "precisions": ("float64",)}
    return dataclasses.replace(Case("quick", "plane", "couette", "", 1, parameters=parameters), **changes)


@pytest.fixture
def one_case(monkeypatch, tmp_path):
    monkeypatch.setenv("MIMLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(verify, "CASES", (quick(),))


@pytest.mark.usefixtures("one_case")
def test_a_miss_gives_exit_code_1(monkeypatch, capsys):
    flaws.shifted_walls(monkeypatch, "plane")
    assert verify.main(["--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["pass"] is False
    assert not all(case["pass"] for case in report["cases"])


@pytest.mark.usefixtures("one_case")
def test_an_unstable_case_is_a_miss_and_is_not_kept(monkeypatch, capsys):
    def explode(self, tick):
        raise UnstableSimulation("it blew up")

    monkeypatch.setattr(Case, "compute", explode)
    assert verify.main(["--json"]) == 1
    out, err = capsys.readouterr()
    assert json.loads(out)["cases"][0]["value"] is None
    assert "it blew up" in err
    monkeypatch.undo()
    assert verify.verify([quick()], False, 1, True)["quick"].rows[0].passed


@pytest.mark.usefixtures("one_case")
def test_a_kept_result_is_used_until_parameters_change_or_fresh_is_asked_for(monkeypatch):
    verify.main(["--quiet"])
    calls = []
    monkeypatch.setattr(Case, "compute", lambda self, tick: calls.append(self) or Result((absolute("", 0, 0, "", 1),)))
    verify.main(["--quiet"])
    assert calls == []
    verify.main(["--quiet", "--fresh"])
    assert len(calls) == 1
    monkeypatch.setattr(verify, "CASES", (quick(parameters={"height": 10}),))
    verify.main(["--quiet"])
    assert len(calls) == 2


@pytest.mark.usefixtures("one_case")
def test_a_damaged_file_in_the_cache_is_computed_again(tmp_path):
    verify.main(["--quiet"])
    (path,) = (tmp_path / "cache" / "verify").glob("quick-*.json")
    whole = path.read_text()
    path.write_text(whole[: len(whole) // 2])
    assert verify.main(["--quiet"]) == 0
    assert path.read_text() == whole


def test_the_digest_follows_the_code_that_a_case_uses():
    names = {path.name for path in verify.sources("sim.cases.cylinder")}
    assert {"cylinder.py", "flow.py", "fluid.py", "grid.py", "boundary.py", "lbm.py", "walls.py"} <= names
    assert not {"device.py", "simulation.py", "verify.py", "channel.py"} & names


def test_families_and_full_cases_are_selected():
    names = lambda *a: [case.name for case in verify.select(*a)]  # noqa: E731
    assert names([], False) == [case.name for case in CASES if not case.full]
    assert names([], True) == [case.name for case in CASES]
    assert names(["cavity"], False) == ["cavity-100", "cavity-400", "cavity-1000"]
    assert "cavity-1000-float64" in names(["cavity"], True)
    assert names(["duct-fine"], False) == ["duct-fine"]
    with pytest.raises(InputError, match="did you mean duct"):
        verify.select(["dukt"], False)


# The pieces


def test_rows_pass_within_their_tolerance_and_never_with_nan():
    assert relative("", 1.01, 1.0, "", 0.011).passed
    assert not relative("", 1.02, 1.0, "", 0.011).passed
    assert absolute("", 1.9, 2.0, "", 0.11).passed
    assert not absolute("", float("nan"), 2.0, "", 0.1).passed


def test_every_reference_table_names_its_source():
    from importlib import resources

    tables = [p for p in (resources.files("sim") / "reference").iterdir() if p.name.endswith(".csv")]
    assert len(tables) >= 9
    for path in tables:
        assert path.read_text(encoding="utf-8").startswith("# source: "), path.name


def test_the_series_for_ducts_agree_with_the_table():
    table = read_reference("duct_series")
    for w, h, factor, ratio in zip(*(table[k] for k in ("w", "h", "factor", "max_over_mean")), strict=True):
        assert duct_factor(w, h) == pytest.approx(factor, abs=1e-6)
        centre = float(profile(w, h, np.array(h / 2), np.array(w / 2)))
        assert centre * 12 / factor == pytest.approx(ratio, rel=2e-4)


def test_a_missing_number_of_a_table_is_nan():
    table = read_reference("ghia1982_v_horizontal")
    assert np.isnan(table["v_re400"][table["x"] == 0.9063]).all()
    assert np.isfinite(table["v_re1000"]).all()


def test_a_figure_is_drawn_with_logarithmic_axes(tmp_path):
    curves = [
        Curve("a", ("log:n", "log:error"), "here", [1.0, 10.0], [1.0, 0.1]),
        Curve("b", ("x (µm)", "y"), "known", [0.0, 1.0], [0.0, 1.0], True, True),
    ]
    write_figure(tmp_path / "f.png", "title", [*curves, curves[0]])
    assert (tmp_path / "f.png").stat().st_size > 5000
