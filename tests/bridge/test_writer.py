import errno
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from test_records import example

from bridge import journal
from bridge.command import InputError
from bridge.records import Dataset, DatasetError, read_dataset, write_dataset
from bridge.stored import open_dataset, track_of
from bridge.writer import add_to_dataset, new_dataset

TRACKS = {"cell": np.array([0, 0, 2, 2, 2]), "time": np.arange(5.0), "di": np.linspace(0, 1, 5)}


def more(prefix: str = "n", count: int = 3, **changes) -> Dataset:
    data = example(count)
    table = data.table.assign(cell_id=[f"{prefix}{i}" for i in range(count)])
    return replace(data, table=table, **changes)


def joined(path, *parts: Dataset) -> Dataset:
    with new_dataset(path) as writer:
        for part in parts:
            writer.append(part)
    return read_dataset(path)


def test_cells_added_later_are_as_if_written_together(tmp_path):
    joined(tmp_path / "a.h5", example(), more("n"), more("o"))
    write_dataset(tmp_path / "b.h5", example())
    for part in (more("n"), more("o")):
        with add_to_dataset(tmp_path / "b.h5") as writer:
            assert "µ0" in writer.cells
            writer.append(part)
    one, other = read_dataset(tmp_path / "a.h5"), read_dataset(tmp_path / "b.h5")
    pd.testing.assert_frame_equal(one.table, other.table)
    for name in ("images", "views_present"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert (one.units, one.meta, len(one)) == (other.units, other.meta, 9)


def test_what_one_part_lacks_is_missing_there(tmp_path):
    bare = more("b", images=None, views_present=None)
    bare = replace(bare, table=bare.table.assign(extra=1.5, note="x"), units={**bare.units, "extra": "s"})
    masked = more("m", masks=np.full((3, 2, 8, 9), 255, np.uint8))
    other = more("v", views=("event",), images=np.ones((3, 1, 8, 9), np.uint8), views_present=np.ones((3, 1), bool))
    data = joined(tmp_path / "a.h5", bare, masked, other)
    assert data.table["extra"].isna().to_list() == [False] * 3 + [True] * 6
    assert data.table["note"].to_list() == ["x"] * 3 + [""] * 6
    assert data.views == ("first", "squeezed", "event")
    assert data.images.shape == (9, 3, 8, 9)
    assert not data.views_present[:3].any()
    assert data.views_present[6:].tolist() == [[False, False, True]] * 3
    np.testing.assert_array_equal(data.images[3:6, :2], example().images)
    assert data.masks[3:6, :2].min() == 255
    assert data.masks[6:].max() == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"units": {"max_velocity": "px/frame"}}, "'m/s' in one source and 'px/frame' in another"),
        ({"images": np.zeros((3, 2, 9, 9), np.uint8)}, "different sizes or depths: uint8 9 x 8 px and uint8 9 x 9 px"),
        ({"images": np.zeros((3, 2, 8, 9), np.uint16)}, "different sizes or depths"),
        ({"table": more("n").table.assign(max_velocity="x"), "units": {}}, "max_velocity is in|is text in one"),
        ({"table": example().table}, "cell 'µ0' occurs in two"),
        ({"meta": {"sources": ["x"], "seed": 2}}, "made with another seed"),
    ],
)
def test_contradicting_cells_are_refused_and_the_file_stays_as_it_was(tmp_path, change, message):
    path = tmp_path / "a.h5"
    write_dataset(path, replace(example(), meta={"sources": ["x"], "seed": 1}))
    before = path.read_bytes()

    def add():
        with add_to_dataset(path) as writer:
            writer.append(more("first", meta={"sources": ["x"]}))
            writer.append(replace(more("n"), **change))

    with pytest.raises(DatasetError, match=message):
        add()
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.h5"]


def test_provenance_of_what_is_added_is_kept(tmp_path):
    parts = [more(name, meta={"sources": [name], "provenance": {"seed": name}, "optics": {name: 1}}) for name in "ab"]
    meta = joined(tmp_path / "a.h5", *parts).meta
    assert meta["sources"] == ["a", "b"]
    assert meta["provenance"] == {"seed": "a"}
    assert meta["appended"] == [{"seed": "b"}]
    assert meta["optics"] == {"a": 1, "b": 1}


def test_appending_does_not_write_the_old_cells_again(tmp_path):
    path = tmp_path / "a.h5"
    joined(path, *(more(f"p{i}-") for i in range(40)))
    with h5py.File(path) as file:
        place = file["images"].id.get_chunk_info(0).byte_offset
    before, node = path.read_bytes(), path.stat().st_ino
    with add_to_dataset(path) as writer:
        writer.append(more("n"))
    after = path.read_bytes()
    assert path.stat().st_ino == node
    changed = np.flatnonzero(np.frombuffer(before, np.uint8) != np.frombuffer(after[: len(before)], np.uint8))
    assert len(changed) < 0.05 * len(before)
    with h5py.File(path) as file:
        assert file["images"].id.get_chunk_info(0).byte_offset == place


def test_tracks_are_read_cell_by_cell(tmp_path):
    path = tmp_path / "a.h5"
    joined(path, replace(example(), tracks=TRACKS), more("n"), replace(more("o"), tracks=TRACKS))
    with open_dataset(path) as data:
        np.testing.assert_array_equal(track_of(data, 0)["time"], [0, 1])
        assert track_of(data, 1)["time"].size == track_of(data, 4)["time"].size == 0
        np.testing.assert_array_equal(track_of(data, 8)["time"], [2, 3, 4])
    assert read_dataset(path).tracks is None
    assert track_of(read_dataset(path), 0) == {}


def test_pictures_stay_on_disk_until_they_are_asked_for(tmp_path):
    write_dataset(tmp_path / "a.h5", example())
    with open_dataset(tmp_path / "a.h5") as data:
        assert isinstance(data.images, h5py.Dataset)
        np.testing.assert_array_equal(data.images[1, 0], example().images[1, 0])


DYING = """
import os, signal, sys
from pathlib import Path
sys.path[:0] = [{root!r}, {tests!r}]
from test_writer import more
from bridge import journal
from bridge.writer import add_to_dataset
die = lambda *args: os.kill(os.getpid(), signal.SIGKILL)
if {moment!r} == "packing": journal._packed = die
if {moment!r} == "applying":
    apply = journal._apply
    def half(raw, pages):
        apply(raw, dict(list(pages.items())[:1]))
        die()
    journal._apply = half
if {moment!r} == "cleaning": Path.unlink = lambda path, missing_ok=False: die() if path.suffix == ".journal" else None
with add_to_dataset(Path({path!r})) as writer:
    writer.append(more("n"))
    if {moment!r} == "writing": die()
"""


@pytest.mark.parametrize(
    ("moment", "cells"), [("writing", 3), ("packing", 3), ("applying", 6), ("cleaning", 6)], ids=lambda v: str(v)
)
def test_a_process_killed_at_any_moment_leaves_the_file_as_it_was_or_as_it_should_be(tmp_path, moment, cells):
    path, tests = tmp_path / "a.h5", Path(__file__).parent
    write_dataset(path, example())
    code = DYING.format(root=str(tests.parents[1]), tests=str(tests), moment=moment, path=str(path))
    done = subprocess.run([sys.executable, "-c", code], check=False)
    assert done.returncode == -signal.SIGKILL
    data = read_dataset(path)
    assert len(data) == cells
    np.testing.assert_array_equal(data.images[:3], example().images)
    with add_to_dataset(path) as writer:
        writer.append(more("later"))
    assert len(read_dataset(path)) == cells + 3
    assert not (tmp_path / ".a.h5.journal").exists()


def test_an_incomplete_journal_is_dropped(tmp_path):
    path = tmp_path / "a.h5"
    write_dataset(path, example())
    (tmp_path / ".a.h5.journal").write_bytes(journal._packed({0: bytearray(b"x" * 4096)})[:-1])
    assert len(read_dataset(path)) == 3
    assert [p.name for p in tmp_path.iterdir()] == ["a.h5"]


@pytest.mark.parametrize("adding", [False, True])
def test_a_full_disk_is_an_error_and_leaves_the_file_as_it_was(tmp_path, monkeypatch, adding):
    path = tmp_path / "a.h5"
    write_dataset(path, example())
    before = path.read_bytes()
    act = journal.Overlay._try
    left = [5]

    def full(self, action):
        left[0] -= 1
        act(self, action if left[0] > 0 else lambda: os.pwrite(os.open("/dev/full", os.O_WRONLY), b"x", 0))

    monkeypatch.setattr(journal.Overlay, "_try", full)
    with pytest.raises(OSError, match=r"a\.h5") as caught, (add_to_dataset if adding else new_dataset)(path) as writer:
        writer.append(more("n"))
    assert caught.value.errno == errno.ENOSPC
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.h5"]


def test_two_processes_do_not_write_at_once(tmp_path):
    path = tmp_path / "a.h5"
    write_dataset(path, example())
    with add_to_dataset(path), pytest.raises(InputError, match=r"another process|not a readable"), add_to_dataset(path):
        pass


def test_file_of_fixed_size_cannot_be_added_to(tmp_path):
    path = tmp_path / "a.h5"
    write_dataset(path, example())
    with h5py.File(path, "r+") as file:
        values = file["table/cell_id"][()]
        del file["table/cell_id"]
        file.create_dataset("table/cell_id", data=values, dtype=h5py.string_dtype())
    with pytest.raises(DatasetError, match="cannot be added to"), add_to_dataset(path):
        pass


def test_runs_are_added_and_those_that_are_there_are_passed_over(runs, tmp_path, command):
    folders, out = sorted(runs.iterdir()), tmp_path / "cells.h5"
    assert command("bridge.build", *folders[:2], "--out", out, "--append").returncode == 0
    done = command("bridge.build", runs, "--out", out, "--append", "--json")
    assert done.returncode == 0, done.stderr
    assert (json.loads(done.stdout)["cells"], json.loads(done.stdout)["before"]) == (1, 2)
    together = tmp_path / "together.h5"
    assert command("bridge.build", *folders, "--out", together).returncode == 0
    one, other = read_dataset(out), read_dataset(together)
    pd.testing.assert_frame_equal(one.table, other.table)
    np.testing.assert_array_equal(one.images, other.images)
    before = out.read_bytes()
    assert command("bridge.build", runs, "--out", out, "--append").returncode == 0
    assert out.read_bytes() == before
    row = one.table["outcome"].to_list().index("EXITED")
    with open_dataset(out) as data:
        track = track_of(data, row)
    assert len(track["time"]) > 10
    assert track["di"].max() == pytest.approx(one.table["deformation_index"][row], abs=1e-6)
    done = command("bridge.build", runs, "--out", out, "--append", "--size", 32)
    assert done.returncode == 0  # nothing new: nothing to contradict
    done = command("bridge.build", folders[2], "--out", tmp_path / "c.h5")
    assert command("bridge.build", runs, "--out", tmp_path / "c.h5", "--append", "--size", 32).returncode == 2


MANY = """
import json, resource, sys, time
sys.path[:0] = [{root!r}, {tests!r}]
import numpy as np
from test_writer import many
from bridge.check import check
from bridge.stored import open_dataset
from bridge.writer import add_to_dataset, new_dataset
many(0, 256, {edge})
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
base, start, report = peak(), time.monotonic(), {{}}
with new_dataset({path!r}) as writer:
    for first in range(0, {count}, 256):
        writer.append(many(first, min(256, {count} - first), {edge}))
report["write"], report["write_s"] = peak() - base, time.monotonic() - start
start = time.monotonic()
with add_to_dataset({path!r}) as writer:
    writer.append(many({count}, 256, {edge}))
report["append"], report["append_s"] = peak() - base, time.monotonic() - start
start = time.monotonic()
with open_dataset({path!r}) as data:
    report["cells"] = len(data)
    report["pictures"] = data.images.size / 2**20
    report["findings"] = [finding.check for finding in check(data)]
report["check"], report["check_s"] = peak() - base, time.monotonic() - start
print(json.dumps(report))
"""


def many(first: int, count: int, edge: int) -> Dataset:
    """Some of many made-up cells, each with two pictures, a track of 20 samples and ten features."""
    rng = np.random.default_rng(first)
    numbers = np.arange(first, first + count)
    table = {"cell_id": [f"cell{i}" for i in numbers], "source": "simulated", "label": np.where(numbers % 2, "a", "b")}
    table |= {"group": [f"run{i // 50}" for i in numbers], "split": "", "fold": -1}
    table |= {f"feature{k}": rng.normal(size=count) for k in range(10)}
    images = rng.integers(100, 108, (count, 2, edge, edge), np.uint8)
    track = {name: np.zeros(20 * count) for name in ("time", "x", "di")} | {"cell": np.repeat(np.arange(count), 20)}
    present = np.ones((count, 2), bool)
    units = {f"feature{k}": "1" for k in range(10)}
    return Dataset(pd.DataFrame(table), units, {}, images, images, present, meta={"sources": ["x"]}, tracks=track)


def written_by_another_process(folder, count, edge):
    tests = Path(__file__).parent
    path = str(folder / "many.h5")
    code = MANY.format(root=str(tests.parents[1]), tests=str(tests), path=path, count=count, edge=edge)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.slow
def test_a_hundred_thousand_cells_are_never_in_memory_at_once(tmp_path):
    found = written_by_another_process(tmp_path, 100_000, 64)
    print(found)
    assert found["cells"] == 100_256
    assert found["pictures"] > 780  # MiB
    assert found["write"] < 150
    assert found["check"] < 350
    assert found["append_s"] < 0.1 * found["write_s"]


def test_an_append_interrupted_after_it_was_decided_is_brought_to_its_end(tmp_path, monkeypatch):
    path = tmp_path / "a.h5"
    write_dataset(path, example())
    apply, calls = journal._apply, []

    def interrupted(raw, pages):
        calls.append(0)
        if len(calls) == 1:
            raise KeyboardInterrupt
        apply(raw, pages)

    monkeypatch.setattr(journal, "_apply", interrupted)
    with pytest.raises(KeyboardInterrupt), add_to_dataset(path) as writer:
        writer.append(more("n"))
    assert len(read_dataset(path)) == 6


def test_a_reader_leaves_the_journal_of_a_writer_at_work_alone(tmp_path, monkeypatch):
    path = tmp_path / "a.h5"
    write_dataset(path, example())
    apply = journal._apply

    def looked_at(raw, pages):
        with pytest.raises(DatasetError, match="another process is writing to it"):
            read_dataset(path)
        apply(raw, pages)

    monkeypatch.setattr(journal, "_apply", looked_at)
    with add_to_dataset(path) as writer:
        writer.append(more("n"))
    assert len(read_dataset(path)) == 6
    assert not (tmp_path / ".a.h5.journal").exists()
