"""Pictures of runs with several cells."""

from dataclasses import replace

import numpy as np
import pytest
from bridge_runs import UM, make_config, make_trace

from bridge.build import build
from bridge.command import InputError
from bridge.microscope import Microscope
from bridge.render import make_film
from bridge.scene import draw_scene
from bridge.views import frame, whole_channel
from sim.runfolder import write_run
from sim.trace import read_trace


@pytest.fixture(scope="module")
def trace():
    """Two cells, the second 25 µm behind the first."""
    alone = make_config()
    behind = alone.cell.model_copy(update={"start_x": alone.cell.start_x - 25 * UM, "name": "wbc"})
    channel = alone.channel.model_copy(update={"inlet_length": 60 * UM})
    config = alone.with_cells([alone.cell, behind]).model_copy(update={"channel": channel})
    one = make_trace(config, samples=40)
    shift = {name: one[name] - 25 * UM for name in ("x", "rear_x", "front_x")}
    other = replace(
        one, samples={**one.samples, **shift}, snapshots=one.snapshots - [25 * UM, 0], number=1, config=config
    )
    return replace(one, others=(other,))


def test_a_film_shows_both_and_knows_where_they_are(trace):
    film = make_film(trace, Microscope(pixel_size=0.5e-6), 400.0, 0)
    shot = film.shot(2)
    assert [row["cell"] for row in shot.truth] == [0, 1]
    assert shot.truth[0]["x"] - shot.truth[1]["x"] == pytest.approx(25 * UM, abs=1e-9)
    columns = np.flatnonzero(shot.mask.any(axis=0))
    assert (np.diff(columns) > 1).sum() == 1
    looks = [actor.scene.body for actor in film.actors]
    assert looks[0] != looks[1]


def test_a_frame_shows_both(trace):
    scope = Microscope(pixel_size=0.5e-6)
    scene, other = (draw_scene(one, scope, 0) for one in trace.together)
    both, single = frame(trace, "first", scene, scope, [other]), frame(trace, "first", scene, scope)
    assert both is not None
    assert single is not None
    assert [row["cell"] for row in both.truth] == [0, 1]
    assert [row["cell"] for row in single.truth] == [0]
    grid = whole_channel(trace.config.channel, scope.pixel_size)
    changed = abs(both.image.astype(float) - single.image)
    first, second = (one["x"][0] for one in trace.together)
    x, _ = grid.axes()
    near = [changed[:, abs(x - place) < 4 * UM].mean() for place in (first, second)]
    assert near[1] > 5 * max(near[0], 0.2)


def test_a_dataset_takes_single_cells_only(trace, tmp_path):
    write_run(tmp_path / "pair", lambda: trace, "report", picture=False)
    assert len(read_trace(tmp_path / "pair").together) == 2
    with pytest.raises(InputError, match="2 cells in one channel"):
        list(build([tmp_path / "pair"], 64, 0, print, lambda *_: None))
