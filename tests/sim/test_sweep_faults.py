"""What a sweep survives: killed workers, schedulers and sweeps, a full disk, others at the same folder.

Each of them ends, when it is gone on with, in the table and the run folders of a sweep that nothing has disturbed.
"""

import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time

import psutil
import pytest
from sweep_commands import command, environment, litter, reproduced, sweep, write_tiny

DESIGN = ["tiny.toml", "--quality", "draft", "--grid", "cell.ks=2e-3:2e-2:6:log", "--values", "cell.kb=5e-17,2e-16"]
DESIGN += ["--output.checkpoint_every", "0.1"]
RUNS = 12
WORKER_KILLS, SWEEP_KILLS, SCHEDULER_KILLS = 8, 6, 6  # 20 in all


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    write_tiny(folder)
    done = sweep(*DESIGN, "--out", "out", "--workers", "2", cwd=folder)
    assert done.returncode == 0, done.stderr
    table, files = reproduced(folder / "out")
    assert len(table) == 1 + RUNS
    assert len(files) == 4 * RUNS
    return table, files


@pytest.fixture
def place(tmp_path):
    write_tiny(tmp_path)
    return tmp_path


def start(place, *arguments):
    call = command(*DESIGN, "--out", "out", *arguments)
    with (place / "log").open("a") as log:
        return subprocess.Popen(
            call, cwd=place, stdout=log, stderr=log, env=environment(), start_new_session=True, preexec_fn=heed
        )


def heed():
    """Undo what a shell does to commands in the background, which is inherited: to ignore SIGINT."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def workers_of(process):
    """The processes that simulate: children that Dask's nannies have spawned."""
    with contextlib.suppress(psutil.NoSuchProcess):
        children = psutil.Process(process.pid).children(recursive=True)
        return [one for one in children if "spawn_main" in " ".join(command_line(one))]
    return []


def command_line(process):
    with contextlib.suppress(psutil.Error):
        return process.cmdline()
    return []


def end(process):
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def finished(place):
    return len(list((place / "out").glob("tiny-*/provenance.json")))


@pytest.mark.slow
def test_killed_workers_cost_nothing_but_time(place, undisturbed):
    chance = random.Random(1)
    process, killed = start(place, "--workers", "2"), 0
    try:
        while process.poll() is None and killed < WORKER_KILLS:
            time.sleep(chance.uniform(0.5, 3.0))
            workers = workers_of(process)
            if workers and (place / "out" / ".sweep" / "calibration.json").is_file() and finished(place) < RUNS:
                with contextlib.suppress(psutil.NoSuchProcess):
                    chance.choice(workers).kill()
                    killed += 1
        assert process.wait(timeout=300) == 0, (place / "log").read_text()
    finally:
        end(process)
    assert killed == WORKER_KILLS
    assert reproduced(place / "out") == undisturbed
    assert litter(place / "out") == []


@pytest.mark.slow
def test_a_killed_sweep_goes_on_where_it_was(place, undisturbed):
    chance = random.Random(2)
    for _ in range(SWEEP_KILLS):
        process = start(place, "--workers", "2")
        try:
            before, begun = finished(place), time.monotonic()
            while finished(place) == before and time.monotonic() - begun < 60:
                time.sleep(0.05)
            time.sleep(chance.uniform(0.0, 1.0))
            workers = workers_of(process)
            os.kill(process.pid, signal.SIGKILL)  # its workers must go of themselves
            assert process.wait(timeout=30) in (-signal.SIGKILL, 0)
            _, alive = psutil.wait_procs(workers, timeout=30)
            assert alive == []
        finally:
            end(process)
    done = sweep(*DESIGN, "--out", "out", "--workers", "2", "--json", cwd=place)
    assert done.returncode == 0, done.stderr
    assert reproduced(place / "out") == undisturbed
    assert litter(place / "out") == []


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Cluster:
    """A Dask scheduler and two workers, started from the command line as a user would."""

    def __init__(self, place):
        self.place, self.port = place, free_port()
        self.processes = []

    @property
    def address(self):
        return f"tcp://127.0.0.1:{self.port}"

    def start(self):
        address = ["--host", "127.0.0.1", "--port", str(self.port), "--no-dashboard"]
        worker = [
            self.address,
            "--nthreads",
            "1",
            "--memory-limit",
            "0",
            "--no-dashboard",
            "--local-directory",
            "scratch",
        ]
        self._start("dask_scheduler", address)
        for _ in range(2):
            self._start("dask_worker", worker)

    def _start(self, name, arguments):
        call = [sys.executable, "-m", f"distributed.cli.{name}", *arguments]
        with (self.place / "cluster.log").open("a") as log:
            self.processes.append(
                subprocess.Popen(
                    call, cwd=self.place, stdout=log, stderr=log, env=environment(), start_new_session=True
                )
            )

    def stop(self, how=signal.SIGTERM):
        """Stop the scheduler; the workers, which are of no use without, are stopped by whoever runs them."""
        scheduler, *workers = self.processes
        scheduler.send_signal(how)
        scheduler.wait(timeout=30)
        for one in workers:
            end(one)
        self.processes = []


@pytest.fixture
def cluster(place):
    one = Cluster(place)
    yield one
    for process in one.processes:
        end(process)


@pytest.mark.slow
def test_killed_schedulers_are_waited_for(place, cluster, undisturbed):
    chance = random.Random(3)
    process = start(place, "--scheduler", cluster.address)
    try:
        for kill in range(SCHEDULER_KILLS):
            cluster.start()
            before, begun = finished(place), time.monotonic()
            while finished(place) == before and time.monotonic() - begun < 60:
                time.sleep(0.05)
            time.sleep(chance.uniform(0.0, 1.0))
            if kill < SCHEDULER_KILLS - 1:
                assert process.poll() is None
            cluster.stop(signal.SIGKILL)
        cluster.start()
        assert process.wait(timeout=300) == 0, (place / "log").read_text()
    finally:
        end(process)
    assert reproduced(place / "out") == undisturbed
    assert litter(place / "out") == []


@pytest.mark.slow
def test_a_remote_scheduler_that_is_stopped_and_started_again(place, cluster, undisturbed):
    cluster.start()
    process = start(place, "--scheduler", cluster.address)
    try:
        begun = time.monotonic()
        while finished(place) < 3 and time.monotonic() - begun < 120:
            time.sleep(0.1)
        cluster.stop()
        time.sleep(15.0)  # longer than a client of Dask waits of itself
        assert process.poll() is None
        cluster.start()
        assert process.wait(timeout=300) == 0, (place / "log").read_text()
    finally:
        end(process)
    log = (place / "log").read_text()
    assert "waiting for a scheduler" in log
    assert "Traceback" not in log
    assert reproduced(place / "out") == undisturbed


@pytest.mark.slow
def test_two_sweeps_on_one_folder_share_the_work(place, undisturbed):
    call = command(*DESIGN, "--out", "out", "--workers", "1", "--json")
    both = [
        subprocess.Popen(call, cwd=place, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment())
        for _ in range(2)
    ]
    texts = [one.communicate(timeout=300) for one in both]
    assert [one.returncode for one in both] == [0, 0], texts
    computed = [json.loads(text)["computed"] for text, _ in texts]
    assert sum(computed) == RUNS
    assert min(computed) >= 2
    assert reproduced(place / "out") == undisturbed
    assert litter(place / "out") == []


@pytest.fixture
def small_disk(place):
    """A disk of 1 MiB at ``out``, and how to enlarge it."""
    folder = place / "out"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", folder], capture_output=True).returncode:
        pytest.skip("no permission to mount a small disk")
    yield lambda size: subprocess.run(["mount", "-o", f"remount,size={size}", folder], check=True)
    subprocess.run(["umount", "-l", folder], check=True)


@pytest.mark.slow
def test_a_full_disk_is_said_and_what_is_finished_stays(place, small_disk, undisturbed):
    small_disk("5m")
    (place / "out" / "filler").write_bytes(bytes(3 * 2**20 + 2**19))
    # what the calibration foresees would not fit: that it is refused at once is tested here, too
    refused = sweep(*DESIGN, "--out", "out", "--workers", "2", cwd=place)
    assert refused.returncode == 2, refused.stderr
    assert "are free: free some space" in refused.stderr
    calibration = place / "out" / ".sweep" / "calibration.json"
    calibration.write_text(json.dumps(json.loads(calibration.read_text()) | {"disk": 1}))
    done = sweep(*DESIGN, "--out", "out", "--workers", "2", cwd=place)
    assert done.returncode == 4, done.stderr
    assert "No space left on device" in done.stderr
    assert "run the same command again" in done.stderr
    assert "Traceback" not in done.stderr
    assert 0 < finished(place) < RUNS
    assert [path for path in litter(place / "out") if not path.name.endswith(".checkpoint.npz")] == []
    (place / "out" / "filler").unlink()
    small_disk("50m")
    assert sweep(*DESIGN, "--out", "out", "--workers", "2", cwd=place).returncode == 0
    assert reproduced(place / "out") == undisturbed


@pytest.mark.slow
def test_files_that_cannot_grow_stop_the_sweep(place, undisturbed):
    call = ["sh", "-c", 'ulimit -f 60; exec "$@"', "sh", *command(*DESIGN, "--out", "out", "--workers", "2")]
    done = subprocess.run(call, cwd=place, capture_output=True, text=True, timeout=300, env=environment())
    assert done.returncode == 4, done.stderr
    assert "File too large" in done.stderr
    assert finished(place) == 0
    assert sweep(*DESIGN, "--out", "out", "--workers", "2", cwd=place).returncode == 0
    assert reproduced(place / "out") == undisturbed


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_sweep_ends_soon_and_in_order(place, undisturbed, how):
    process = start(place, "--workers", "2")
    try:
        begun = time.monotonic()
        while finished(place) < 3 and time.monotonic() - begun < 120:
            time.sleep(0.05)
        if how == signal.SIGINT:
            os.killpg(process.pid, how)  # as a terminal does: to the workers, too
        else:
            process.send_signal(how)
        asked = time.monotonic()
        assert process.wait(timeout=60) == 130
        assert time.monotonic() - asked < 20
    finally:
        end(process)
    log = (place / "log").read_text()
    assert "interrupted" in log
    assert "Traceback" not in log
    assert [path for path in litter(place / "out") if not path.name.endswith(".checkpoint.npz")] == []
    assert len((place / "out" / "sweep.csv").read_text().splitlines()) == 1 + finished(place)
    assert sweep(*DESIGN, "--out", "out", "--workers", "2", cwd=place).returncode == 0
    assert reproduced(place / "out") == undisturbed


@pytest.mark.slow
def test_a_run_that_always_kills_its_worker_fails_and_the_others_do_not(place, monkeypatch):
    bad = place / "bad"
    bad.mkdir()
    (bad / "sitecustomize.py").write_text(
        "import os, sim.simulation as s\n"
        "whole = s.simulate\n"
        "def simulate(config, *rest):\n"
        "    if config.cell.ks > 0.01: os.kill(os.getpid(), 9)\n"
        "    return whole(config, *rest)\n"
        "s.simulate = simulate\n"
    )
    design = ["tiny.toml", "--quality", "draft", "--values", "cell.ks=5e-3,2e-2", "--out", "out", "--workers", "1"]
    monkeypatch.setenv("PYTHONPATH", f"{bad}:{os.environ.get('PYTHONPATH', '')}")
    done = sweep(*design, cwd=place)
    assert done.returncode == 4, done.stderr
    assert "its worker died each time" in done.stderr
    assert "1 done, 1 failed" in done.stderr
    monkeypatch.undo()
    again = sweep("--out", "out", cwd=place)
    assert again.returncode == 4
    assert finished(place) == 1
    assert sweep("--out", "out", "--retry-failed", cwd=place).returncode == 0
    assert finished(place) == 2
