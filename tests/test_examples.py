"""The tutorial and the examples run as printed, at draft size, one after the other in one folder; the notebook, too."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typed import blocks, shell

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
SAYS = {
    "01_squeeze.py": ["summary.png", "frame.png"],
    "02_stiffness.py": ["transition time rises with Ks: yes", "presets ordered as in the paper"],
    "03_dataset.py": ["10 runs", "10 cells", "check: 0 errors, 20 distinct pictures"],
    "04_train_and_explain.py": ["report.html: scores"],
    "05_own_channel.py": ["EXITED: transition time"],
    "06_own_video.py": ["1 cell(s), 2 pictures", "deformation index"],
    "07_stiffness_of_one_cell.py": ["Ks = ", "true 8.00 mN/m"],
}
MAY_SAY_NO = ("02_stiffness.py",)
"""At draft size velocities need not be in order, which this example reports by 1."""


PLACES = {"03_dataset.py": "cells", "04_train_and_explain.py": "cells"}
"""The cells of the tutorial are those of these examples."""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """One folder for all, so that a run that one has made is there for the next."""
    return tmp_path_factory.mktemp("examples")


def test_every_example_is_tried():
    assert sorted(path.name for path in EXAMPLES.glob("*.py")) == sorted(SAYS)


@pytest.mark.slow
def test_the_tutorial_leads_to_a_trained_model(place):
    lines = [text for language, _, text in blocks("tutorial.md") if language == "bash"]
    done = shell("\n".join(lines), place)
    assert done.returncode == 0, done.stderr[-3000:]
    for page in ("training", "cells", *place.glob("runs/hct116-*")):
        assert (place / page / "report.html").stat().st_size > 50_000
    assert len((place / "predictions.csv").read_text().splitlines()) == 11
    # What the page on microscopes says is tried on the run of the tutorial.
    code = next(text for language, _, text in blocks("howto/microscope.md") if language == "python")
    (run,) = place.glob("runs/hct116-*")
    tried = subprocess.run([sys.executable, "-c", f"run = {str(run)!r}\n{code}"], capture_output=True, text=True)
    assert tried.returncode == 0, tried.stderr
    assert tried.stdout.startswith("(128, 128)")


@pytest.mark.slow
@pytest.mark.parametrize("name", SAYS)
def test_example(name, place):
    call = [sys.executable, str(EXAMPLES / name), "--quality", "draft", "--out", PLACES.get(name, "runs")]
    done = subprocess.run(call, cwd=place, capture_output=True, text=True, timeout=900)
    assert done.returncode in ((0, 1) if name in MAY_SAY_NO else (0,)), done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    assert all(words in done.stdout for words in SAYS[name]), done.stdout
    assert list(place.glob("runs/*/summary.png"))


@pytest.mark.slow
def test_the_notebook_runs(tmp_path, monkeypatch):
    nbclient, nbformat = (pytest.importorskip(name) for name in ("nbclient", "nbformat"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(EXAMPLES.parent), os.environ.get("PYTHONPATH", "")]))
    notebook = nbformat.read(EXAMPLES / "tour.ipynb", as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells), "store the notebook without outputs"
    nbclient.NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert sum("image/png" in output.get("data", {}) for output in outputs) >= 3
    assert any("transition time" in output.get("text", "") for output in outputs)
