"""From the folders of a sweep to its table and its figure."""

from __future__ import annotations

from pathlib import Path

from sim.files import replacing
from sim.sweep_table import make_table, read_sweep, write_table
from sim.sweeps.collect import collect
from sim.sweeps.figure import draw_sweep


def tabulate(folder: Path) -> str:
    """Make table and figure of a sweep anew; return what there is to say about them.

    Raises
    ------
    OSError
        If they cannot be written.
    """
    rows, left_out = collect(folder)
    write_table(folder, make_table(rows))
    table, columns = read_sweep(folder)
    with replacing(folder / "sweep.png") as part:
        draw_sweep(part, folder, table, columns)
    text = f"{folder / 'sweep.csv'}, sweep.h5 and sweep.png: {len(rows)} runs"
    return text + (f"; {left_out} of another version of the physics are left out" if left_out else "")
