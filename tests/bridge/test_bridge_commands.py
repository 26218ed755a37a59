"""What every command of the package does with a wrong command line or place to write: one message, exit code 2."""

import importlib
import json

import h5py
import pytest
from bridge_runs import make_config, make_trace, write_run
from PIL import Image

from bridge.command import Exit, run_command


@pytest.fixture
def place(tmp_path, monkeypatch):
    write_run(tmp_path / "runs", make_trace(make_config()))
    (tmp_path / "table.csv").write_text("cell_id,label,DI\na,x,0.1\nb,y,0.2\n")
    (tmp_path / "folder.h5").mkdir()
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "empty").mkdir()
    (tmp_path / "foreign.h5").touch()
    with h5py.File(tmp_path / "foreign.h5", "w") as file:
        file["a"] = 1
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(capsys, line):
    """Run a command in this process; return exit code, standard output and standard error."""
    module, *words = line.split()
    with pytest.raises(SystemExit) as caught:
        run_command(importlib.import_module(module).main, words)
    return caught.value.code, *capsys.readouterr()


BUILD, RENDER, INGEST = "bridge.build runs --out", "bridge.render RUN --out", "bridge.ingest table.csv --out"
WRONG = [
    ("bridge.build --out a.h5", "no run given"),
    ("bridge.build runs", "missing from python -m bridge.build: --out"),
    ("bridge.build nowhere --out a.h5", "nowhere: no such folder"),
    ("bridge.build table.csv --out a.h5", "table.csv: no such folder"),
    ("bridge.build empty --out a.h5", "empty: not a finished run folder"),
    (f"{BUILD} a.h5 --sise 32", "--sise, 32; did you mean --size?"),
    (f"{BUILD} a.h5 --size big", "--size: no whole number: 'big'"),
    (f"{BUILD} a.h5 --size -4", "--size = -4 px"),
    (f"{BUILD} a.h5 --seed -1", "--seed = -1"),
    (f"{BUILD} a.csv", "--out = 'a.csv': its name must end in .h5"),
    (f"{BUILD} folder.h5", "folder.h5: this is a folder"),
    (f"{BUILD} table.csv/a.h5", "table.csv/a.h5: a part of this path is a file"),
    ("bridge.render --out a.png", "no run given; name a run folder, or a recording with --match"),
    ("bridge.render runs --out a.png", "runs: not a finished run folder"),
    (f"{RENDER} a.png --moment end", "invalid choice 'end' for argument '--moment'"),
    (f"{RENDER} a.png --size 3", "--size = 3 px"),
    (f"{RENDER} a.png --seed -1", "--seed = -1"),
    (f"{RENDER} a.jpg", "--out = 'a.jpg': its name must end in .png"),
    (f"{RENDER} folder.png", "folder.png: this is a folder"),
    ("bridge.ingest --out a.h5", "no source given"),
    (f"{INGEST} table.csv", "--out = 'table.csv': its name must end in .h5"),
    (f"{INGEST} a.h5 --classes x", "label = 'y' is none of x"),
    (f"{INGEST} a.h5 --clases x", "did you mean --classes?"),
    ("bridge.check", "missing from python -m bridge.check: PATH"),
    ("bridge.check nowhere.h5", "nowhere.h5: no such file"),
    ("bridge.check table.csv", "table.csv: not a readable dataset"),
    ("bridge.check foreign.h5", "foreign.h5: no /table or /meta"),
    ("bridge.check empty", "empty: no such file"),
]


@pytest.mark.parametrize(("line", "words"), WRONG)
def test_bad_input_is_one_message_and_nothing_written(place, capsys, line, words):
    before = {path: path.stat().st_mtime_ns for path in place.rglob("*")}
    run = next((place / "runs").iterdir()).relative_to(place)
    code, out, err = call(capsys, line.replace("RUN", str(run)))
    assert (code, out) == (Exit.BAD_INPUT, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert words in err
    assert {path: path.stat().st_mtime_ns for path in place.rglob("*")} == before


def test_json_is_all_that_stands_on_standard_output(place, capsys):
    for line in (f"{BUILD} a.h5", f"{INGEST} b.h5", "bridge.check b.h5", f"bridge.render {place}/runs/RUN --out c.png"):
        run = next((place / "runs").iterdir()).name
        code, out, err = call(capsys, f"{line.replace('RUN', run)} --json --quiet")
        assert (code, err) == (Exit.DONE, "")
        assert isinstance(json.loads(out), dict)
        assert out.count("\n") == 1


def test_a_picture_can_be_had_at_any_width(place, capsys):
    run = next((place / "runs").iterdir())
    for size, width in (("", 804), ("--size 200", 200)):
        code, _, err = call(capsys, f"bridge.render {run} --out a.png {size}")
        assert code == Exit.DONE
        assert f"{width} x" in err
        assert Image.open("a.png").width == width


def test_a_narrow_terminal_does_not_cut_a_message(place, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    _, _, err = call(capsys, f"bridge.build {'long' * 20} --out a.h5 --sise 3")
    assert err == "error: unrecognized options: --sise, 3; did you mean --size?; see python -m bridge.build --help\n"
