"""Claims: who computes what, and what becomes of the claims of processes that are gone."""

import json
import os
import subprocess
import sys
import threading
import time

import pytest
from sweep_commands import environment

from sim.files import here, replacing
from sim.sweeps import claims
from sim.sweeps.claims import claim, claimed, clean

HOLD = """
import sys, time
from pathlib import Path
from sim.sweeps.claims import claim
with claim(Path(sys.argv[1]), "run-1") as mine:
    print(mine, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def other(tmp_path):
    """Another process that holds run-1."""
    call = [sys.executable, "-c", HOLD, str(tmp_path)]
    process = subprocess.Popen(call, stdout=subprocess.PIPE, text=True, env=environment())
    assert process.stdout.readline() == "1\n"
    yield process
    process.kill()
    process.communicate()


def test_what_is_claimed_cannot_be_had_until_its_process_is_killed(tmp_path, other):
    assert claimed(tmp_path) == {"run-1"}
    with claim(tmp_path, "run-1") as mine, claim(tmp_path, "run-2") as another:
        assert (mine, another) == (0, 1)
        assert claimed(tmp_path) == {"run-1", "run-2"}
    assert claimed(tmp_path) == {"run-1"}
    other.kill()
    other.wait()
    assert claimed(tmp_path) == set()
    with claim(tmp_path, "run-1") as mine:
        assert mine == 2


def test_a_claim_is_given_back_also_after_a_failure(tmp_path):
    with pytest.raises(ZeroDivisionError), claim(tmp_path, "run-1"):
        raise ZeroDivisionError
    with claim(tmp_path, "run-1") as mine:
        assert mine


def foreign(folder, age, **owner):
    path = folder / ".sweep" / "claims" / "run-1.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"host": "elsewhere", "pid": 1, "born": 0.0, "mark": "x"} | owner))
    os.utime(path, (time.time() - age, time.time() - age))
    return path


def test_claims_of_other_hosts_live_while_they_are_touched(tmp_path):
    foreign(tmp_path, 1.0)
    with claim(tmp_path, "run-1") as mine:
        assert not mine
    foreign(tmp_path, claims.SILENCE + 10)
    with claim(tmp_path, "run-1") as mine:
        assert mine


def test_the_number_of_a_process_may_be_used_again(tmp_path):
    foreign(tmp_path, 0.0, host=here(), pid=os.getpid(), born=1.0)
    with claim(tmp_path, "run-1") as mine:
        assert mine


def test_a_damaged_claim_counts_until_it_is_old(tmp_path):
    foreign(tmp_path, 1.0).write_text("{")
    assert claimed(tmp_path) == {"run-1"}
    path = foreign(tmp_path, 0.0)
    path.write_text("{")
    os.utime(path, (0, 0))
    assert claimed(tmp_path) == set()


def test_a_claim_is_touched_while_it_is_held(tmp_path, monkeypatch):
    monkeypatch.setattr(claims, "HEARTBEAT", 0.01)
    path = tmp_path / ".sweep" / "claims" / "run-1.json"
    with claim(tmp_path, "run-1"):
        os.utime(path, (0, 0))
        deadline = time.monotonic() + 20
        while path.stat().st_mtime == 0 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert path.stat().st_mtime > 0


def test_only_one_of_many_gets_a_void_claim(tmp_path):
    for _ in range(20):
        foreign(tmp_path, claims.SILENCE + 10)
        start, end, got = threading.Barrier(8), threading.Barrier(8), []

        def take(start=start, end=end, got=got):
            start.wait()
            with claim(tmp_path, "run-1") as mine:
                got.append(mine)
                end.wait(60)

        threads = [threading.Thread(target=take) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(got) == [0] * 7 + [1]


def test_processes_that_died_over_a_run_are_counted(tmp_path):
    for turn in (1, 2):
        foreign(tmp_path, claims.SILENCE + 10, turn=turn)
        with claim(tmp_path, "run-1") as mine:
            assert mine == turn + 1
    with claim(tmp_path, "run-1") as mine:
        assert mine == 1


def test_what_a_killed_process_left_is_cleaned_away(tmp_path):
    (tmp_path / ".sweep" / "ledger").mkdir(parents=True)
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    dead = tmp_path / f".run-1.{here()}-{gone.pid}-abcdef.part"
    dead.mkdir()
    (dead / "trace.csv").write_text("x")
    (tmp_path / ".sweep" / "ledger" / f".run.{here()}-{gone.pid}-abcdef.part.json").write_text("{")
    distant = tmp_path / ".run-1.elsewhere-1-abcdef.part"
    distant.mkdir()
    foreign(tmp_path, claims.SILENCE + 10)
    with replacing(tmp_path / "run-2") as mine:
        mine.mkdir()
        clean(tmp_path)
        assert sorted(path.name for path in tmp_path.iterdir()) == sorted([".sweep", distant.name, mine.name])
    assert not list((tmp_path / ".sweep" / "ledger").iterdir())
    assert not list((tmp_path / ".sweep" / "claims").iterdir())
