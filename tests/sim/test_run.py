"""`python -m sim.run` as a user calls it."""

import json
import os
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest
from tiny import TINY


@pytest.fixture
def tiny(tmp_path):
    path = tmp_path / "tiny.toml"
    path.write_text(TINY)
    return path


def heed_interrupts():
    """Undo what a shell does to commands in the background, which is inherited: to ignore SIGINT."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def sim_run(*arguments, cwd, **options):
    command = [sys.executable, "-m", "sim.run", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300, **options)


def test_a_run_from_a_file_and_again(tiny, tmp_path):
    first = sim_run(tiny, "--quality", "draft", "--json", cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    result = json.loads(first.stdout)
    assert result["outcome"] == "EXITED"
    assert "nodes across the gap: 8" in first.stderr
    assert "summary.png" in first.stderr
    (folder,) = (tmp_path / "runs").iterdir()
    assert folder.name.startswith("tiny-")
    stamp = (folder / "result.h5").stat().st_mtime_ns
    second = sim_run(tiny, "--quality", "draft", "--json", cwd=tmp_path)
    assert json.loads(second.stdout) == result
    assert "nothing computed" in second.stderr
    assert (folder / "result.h5").stat().st_mtime_ns == stamp


def test_the_resolved_configuration_gives_the_same_run(tiny, tmp_path):
    folder = json.loads(sim_run(tiny, "--quality", "draft", "--json", "--quiet", cwd=tmp_path).stdout)["folder"]
    again = sim_run(f"{folder}/config.toml", "--json", "--quiet", "--out", "other", cwd=tmp_path)
    other = json.loads(again.stdout)["folder"]
    for name in ("config.toml", "trace.csv", "features.json", "result.h5"):
        assert (tmp_path / other / name).read_bytes() == (tmp_path / folder / name).read_bytes(), name


def test_a_stuck_run_is_kept_and_exits_with_4(tiny, tmp_path):
    done = sim_run(
        tiny, "--quality", "draft", "--cell.ks", "0.2", "--fluid.pressure_drop=500", "--json", cwd=tmp_path
    )  # fmt: skip
    assert done.returncode == 4
    result = json.loads(done.stdout)
    assert result["outcome"] == "STUCK"
    assert result["features"]["transition_time"]["value"] is None
    last = pd.read_csv(tmp_path / result["folder"] / "trace.csv").iloc[-1]
    where = f"at x = {1e6 * last.x_m:.3g} µm, its leading edge at {1e6 * last.front_x_m:.3g} µm"
    assert result["advice"].startswith(where)
    assert "under 500 Pa: the cell does not move: raise fluid.pressure_drop" in result["advice"]
    assert result["advice"] in (tmp_path / result["folder"] / "log.txt").read_text(encoding="utf-8")
    assert (tmp_path / result["folder"] / "summary.png").is_file()


def test_dry_run_computes_nothing(tmp_path):
    done = sim_run("--dry-run", "--json", cwd=tmp_path)
    assert done.returncode == 0
    plan = json.loads(done.stdout)
    assert all(check["passed"] for check in plan["checks"])
    assert 0.5 < plan["predicted_seconds"] < 600
    assert "steps/s" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["wbk"], ["wbk", "did you mean 'wbc'"]),
        (["missing.toml"], ["missing.toml", "no such file"]),
        (["--cell.kss", "3"], ["--cell.kss", "did you mean --cell.ks"]),
        (["--cell.ks", "-1e-3"], ["cell.ks", "-1e-3", "N/m", "greater than 0"]),
        (["--cell.ks", "soft"], ["cell.ks", "soft", "N/m"]),
        (["--numerics.dx", "2.6e-6"], ["channel.gap", "2.0 lattice nodes", "numerics.dx to 6.5e-07 m"]),
        (["--cell.diameter", "30e-6"], ["cell.diameter", "3e-05 m", "does not fit"]),
        (["--quality", "ultra"], ["ultra", "quick"]),
        (["hct116", "wbc"], ["wbc"]),
        (["--numerics.inertia_scale", "40"], ["refuses", "Mach", "numerics.inertia_scale to"]),
        (["--out", "blocked/runs"], ["blocked", "a folder was expected"]),
    ],
)
def test_bad_input_is_one_message_and_exit_2(tmp_path, arguments, words):
    (tmp_path / "blocked").write_text("a file")
    done = sim_run(*arguments, "--quiet", cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr
    assert all(word in done.stderr for word in words), done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["blocked"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission(tiny, tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    done = sim_run(tiny, "--quiet", "--out", "locked", cwd=tmp_path)
    assert done.returncode == 2
    assert "permission" in done.stderr


def test_a_file_that_cannot_grow_leaves_nothing(tiny, tmp_path):
    sim_run(tiny, "--quality", "draft", "--quiet", "--out", "warm", cwd=tmp_path)  # fills the caches
    limited = f"ulimit -f 20; exec {sys.executable} -m sim.run {tiny} --quality draft --quiet"
    done = subprocess.run(["bash", "-c", limited], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert "disk" in done.stderr or "large" in done.stderr
    assert list((tmp_path / "runs").iterdir()) == []


def test_interrupt_leaves_nothing_half_written(tiny, tmp_path):
    command = [sys.executable, "-m", "sim.run", "--quality", "quick", "--out", "runs"]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, preexec_fn=heed_interrupts)
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("runs/.*.part")) and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, text = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted" in text
    assert "Traceback" not in text
    assert list((tmp_path / "runs").iterdir()) == []


def test_a_killed_run_goes_on_from_its_checkpoint_to_the_same_bytes(tiny, tmp_path):
    arguments = [tiny, "--quality", "draft", "--quiet", "--output.checkpoint_every", "0.01"]
    assert sim_run(*arguments, "--out", "undisturbed", cwd=tmp_path).returncode == 0
    command = [sys.executable, "-m", "sim.run", *map(str, arguments), "--out", "killed"]
    for _ in range(2):
        process = subprocess.Popen(command, cwd=tmp_path)
        deadline = time.monotonic() + 60
        before = {p: p.stat().st_mtime_ns for p in tmp_path.glob("killed/.*.checkpoint.npz")}
        while time.monotonic() < deadline and process.poll() is None:
            now = {p: p.stat().st_mtime_ns for p in tmp_path.glob("killed/.*.checkpoint.npz") if p.exists()}
            if now and now != before:
                break
            time.sleep(0.005)
        process.kill()
        assert process.wait(timeout=60) == -signal.SIGKILL
    assert sim_run(*arguments, "--out", "killed", cwd=tmp_path).returncode == 0
    (one,) = (p for p in (tmp_path / "undisturbed").iterdir() if p.name.startswith("tiny"))
    other = tmp_path / "killed" / one.name
    for name in ("config.toml", "trace.csv", "features.json", "result.h5"):
        assert (one / name).read_bytes() == (other / name).read_bytes(), name
    assert not list((tmp_path / "killed").glob(".*.checkpoint.npz"))


def test_help_is_quick_and_lists_units(tmp_path):
    start = time.monotonic()
    done = sim_run("--help", cwd=tmp_path)
    assert time.monotonic() - start < 5  # about 0.3 s on an idle machine
    assert done.returncode == 0
    assert "--cell.ks" in done.stdout
    assert "(N/m)" in done.stdout
