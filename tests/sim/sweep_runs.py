"""Run folders of a sweep made without a solver: what the table needs of them is real, the traces are not."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "bridge"))
from bridge_runs import make_config, make_trace

from sim.runfolder import run_path, write_run
from sim.trace import Outcome


def write_fake_run(out: Path, outcome: Outcome = Outcome.EXITED, name: str = "hct116", **cell: float) -> Path:
    trace = make_trace(make_config(name, **cell), outcome)
    folder = run_path(out, trace.config)
    write_run(folder, lambda: trace, "", picture=False)
    return folder
