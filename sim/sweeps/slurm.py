"""A batch script for Slurm: scheduler, workers and sweep in one job."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from sim.files import write_text

SCRIPT = """\
#!/usr/bin/env bash
# A sweep as one Slurm job: a Dask scheduler, a worker for each task, and the sweep itself. Set what follows to what
# your cluster wants (partition, account), then: sbatch {name}
# Submit it again when its time was too short: it goes on. The sweep's folder must be on a file system that all nodes
# share. Scheduler and workers trust whoever reaches their ports: on a network that others use, set up TLS (see Dask).
#SBATCH --job-name=mimlab-sweep
#SBATCH --ntasks=32
#SBATCH --cpus-per-task=1
#SBATCH --mem-per-cpu=1G
#SBATCH --time=24:00:00
#SBATCH --output=sweep-%j.log
set -euo pipefail
cd {folder}
python={python}
scheduler="$PWD/.scheduler-${{SLURM_JOB_ID:?run this with sbatch}}.json"
trap 'kill $(jobs -p) 2>/dev/null || true; rm -f "$scheduler"' EXIT
"$python" -m distributed.cli.dask_scheduler --scheduler-file "$scheduler" --port 0 --no-dashboard &
srun "$python" -m distributed.cli.dask_worker --scheduler-file "$scheduler" --nthreads 1 --memory-limit 0 \\
    --no-dashboard &
"$python" -m sim.sweep {arguments} --scheduler "$scheduler"
"""


def write_script(path: Path, argv: Sequence[str]) -> None:
    """Write the script that does what a command line says, from the folder in which it was typed.

    Parameters
    ----------
    path
        Where to write.
    argv
        Arguments of ``python -m sim.sweep``, ``--slurm`` among them.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    kept = list(argv)
    for index, argument in enumerate(kept):
        if argument == "--slurm":
            del kept[index : index + 2]
            break
        if argument.startswith("--slurm="):
            del kept[index]
            break
    fill = {"name": path.name, "folder": Path.cwd(), "python": sys.executable}
    quoted = {key: shlex.quote(str(value)) for key, value in fill.items()}
    write_text(path, SCRIPT.format(**quoted, arguments=shlex.join(kept)))
