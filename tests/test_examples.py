"""The examples run as printed, at draft size."""

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
SAYS = {
    "01_squeeze.py": ["summary.png", "frame.png"],
    "02_stiffness.py": ["transition time rises with Ks: yes", "presets ordered as in the paper"],
}


def test_every_example_is_tried():
    assert sorted(path.name for path in EXAMPLES.glob("*.py")) == sorted(SAYS)


@pytest.mark.slow
@pytest.mark.parametrize("name", SAYS)
def test_example(name, tmp_path):
    call = [sys.executable, str(EXAMPLES / name), "--quality", "draft", "--out", "runs"]
    done = subprocess.run(call, cwd=tmp_path, capture_output=True, text=True, timeout=900)
    # at this size velocities need not be in order, which the second example reports by 1
    assert done.returncode in (0, 1), done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    assert all(words in done.stdout for words in SAYS[name]), done.stdout
    assert list(tmp_path.glob("runs/*/summary.png"))
