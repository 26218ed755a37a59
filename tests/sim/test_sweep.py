"""`python -m sim.sweep`: outcomes, table, resuming, what is said and what is refused."""

import json
import shutil

import pytest
from sweep_commands import RESULTS, environment, listed, litter, reproduced, sweep, write_tiny

from sim.sweep_table import read_sweep

ROWS = """\
cell.ks,fluid.pressure_drop,numerics.kernel,numerics.inertia_scale
5e-3,,,
0.2,500,,
2e-2,,2,
5e-3,,,40
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sweep")
    write_tiny(folder)
    (folder / "rows.csv").write_text(ROWS)
    return folder


@pytest.fixture(scope="module")
def first(place):
    design = ["tiny.toml", "--quality", "draft", "--rows", "rows.csv"]
    return sweep(*design, "--out", "out", "--workers", "2", "--json", cwd=place)


def test_every_run_ends_with_an_outcome_and_a_row(place, first):
    assert first.returncode == 0, first.stderr
    assert "Traceback" not in first.stderr
    told = json.loads(first.stdout)
    assert (told["done"], told["refused"], told["computed"]) == (3, 1, 3)
    table, _ = read_sweep(place / "out")
    assert sorted(table["outcome"]) == ["EXITED", "REFUSED", "STUCK", "UNSTABLE"]
    reasons = dict(zip(table["outcome"], table["reason"], strict=True))
    assert "Mach" in reasons["UNSTABLE"]
    assert "inertia_scale" in reasons["REFUSED"]
    assert "core-hours" in first.stderr
    assert "MiB of memory for each worker" in first.stderr
    assert first.stderr.count("UNSTABLE tiny-") == 1
    assert first.stderr.count("refused tiny-") == 1
    assert litter(place / "out") == []


def test_runs_are_those_of_sim_run(place, first):
    import subprocess
    import sys

    call = [sys.executable, "-m", "sim.run", "tiny.toml", "--quality", "draft", "--quiet", "--out", "single"]
    subprocess.run(call, cwd=place, check=True, env=environment())
    (run,) = (place / "single").iterdir()
    for name in RESULTS:
        assert (run / name).read_bytes() == (place / "out" / run.name / name).read_bytes()
    assert not (place / "out" / run.name / "summary.png").exists()


def test_again_computes_nothing_and_changes_nothing(place, first):
    before = {path: path.stat().st_mtime_ns for path in (place / "out").glob("tiny-*/*")}
    table, files = reproduced(place / "out")
    again = sweep("--out", "out", "--json", cwd=place)
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["computed"] == 0
    assert before == {path: path.stat().st_mtime_ns for path in (place / "out").glob("tiny-*/*")}
    assert reproduced(place / "out") == (table, files)


def test_the_list_says_how_each_run_stands(place, first, tmp_path):
    folder = shutil.copytree(place / "out", tmp_path / "out")
    shutil.copy(place / "tiny.toml", tmp_path)
    states = {(one["state"], one["outcome"]) for one in listed(folder)["runs"]}
    assert states == {("done", "EXITED"), ("done", "STUCK"), ("done", "UNSTABLE"), ("refused", "REFUSED")}
    gone, damaged = sorted(path for path in folder.glob("tiny-*"))
    shutil.rmtree(gone)
    (damaged / "features.json").write_text("{")
    done = sweep("--out", folder, "--list", cwd=tmp_path)
    assert done.returncode == 4
    assert f"pending  {gone.name}" in done.stderr
    assert f"failed   {damaged.name}  FAILED" in done.stderr
    assert "1 done, 1 pending, 1 failed, 1 refused" in done.stderr


def test_a_dry_run_times_one_run_and_leaves_nothing(place):
    before = sorted(place.iterdir())
    design = ["tiny.toml", "--quality", "draft", "--grid", "cell.ks=2e-3:2e-2:100:log"]
    done = sweep(*design, "--out", "nowhere", "--dry-run", "--json", cwd=place)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["pending"] == 100
    assert 100 * 0.1 < 3600 * told["needs"]["core_hours"] < 100 * 30
    assert 50 < told["needs"]["memory"] / 2**20 < 1000
    assert 100 * 50e3 < told["needs"]["disk"] < 100 * 5e6
    assert sorted(place.iterdir()) == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ["no sweep was begun here"]),
        (["--cell.ks", "1e-3"], ["--cell.ks alone"]),
        (["hct116", "--grid", "cell.kss=1:2:3"], ["cell.kss", "did you mean cell.ks"]),
        (["hct116", "--gird", "cell.ks=1:2:3"], ["--gird", "did you mean --grid"]),
        (["hct117", "--grid", "cell.ks=1e-3:2e-3:3"], ["hct117", "did you mean 'hct116'"]),
        (["hct116", "--grid", "cell.ks=-1:2:3"], ["cell.ks", "-1.0", "N/m", "greater than 0"]),
        (["hct116", "--lhs", "4"], ["--range"]),
        (["hct116", "--lhs", "4", "--sobol", "4"], ["not allowed with"]),
        (["hct116", "--population", "classes"], ["hct116", "leave it out"]),
        (["--population", "klasses"], ["klasses", "classes"]),
        (["hct116", "--rows", "missing.csv"], ["missing.csv"]),
        (["hct116", "--workers", "0"], ["--workers 0"]),
        (["hct116", "--scheduler", "host:8786"], ["tcp://HOST:PORT"]),
        (["hct116", "--out", "blocked/sweep"], ["blocked"]),
        (["--table", "--out", "missing"], ["missing", "no such folder"]),
    ],
)
def test_bad_input_is_one_message_and_exit_2(tmp_path, arguments, words, capsys, monkeypatch):
    from sim.command import run_command
    from sim.sweep import main

    (tmp_path / "blocked").write_text("a file")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as caught:
        run_command(main, [*arguments, "--quiet"])
    text = capsys.readouterr().err
    assert caught.value.code == 2, text
    assert text.startswith("error: ")
    assert all(word in text for word in words), text
    assert [path.name for path in tmp_path.iterdir()] == ["blocked"]
