from dataclasses import replace

import numpy as np
import pytest
from bridge_runs import UM, make_config, make_trace, write_run
from PIL import Image

from bridge.body import outline_area
from bridge.microscope import Microscope
from bridge.scene import draw_scene
from bridge.views import FIELD, UNDEFORMED, crop, frame, moment
from sim.trace import Outcome

MICROSCOPE = Microscope()
TRACE = make_trace(make_config(), samples=200)


def test_moments_are_what_they_say():
    end = TRACE.config.channel.constriction_length
    first, middle, squeezed = (moment(TRACE, which) for which in ("first", "middle", "squeezed"))
    assert TRACE["front_x"][first] <= 0
    assert abs(TRACE["di"][first]) <= UNDEFORMED
    assert TRACE["x"][middle] == pytest.approx(end / 2, abs=0.3 * UM)
    assert TRACE["front_x"][squeezed] <= end < TRACE["front_x"][squeezed + 1]
    assert 0 <= TRACE["x"][squeezed] <= end


def test_stuck_cell_has_no_squeezed_view():
    stuck = make_trace(make_config(), Outcome.STUCK)
    scene = draw_scene(stuck, MICROSCOPE, 0)
    assert crop(stuck, "squeezed", scene, MICROSCOPE, 64) is None
    assert crop(stuck, "first", scene, MICROSCOPE, 64) is not None
    assert frame(stuck, "middle", scene, MICROSCOPE) is None


# both straight edges of a squeezed cell round the same way: 1 % of its height wants finer pixels
@pytest.mark.parametrize(("which", "size"), [("first", 256), ("squeezed", 1024)])
def test_mask_has_the_area_of_the_outline(which, size):
    view = crop(TRACE, which, draw_scene(TRACE, MICROSCOPE, 0), MICROSCOPE, size)
    area = (view.mask > 0).sum() * (FIELD / size) ** 2
    assert area == pytest.approx(outline_area(TRACE.snapshots[moment(TRACE, which)]), rel=0.01)


def test_cell_is_seen_where_the_mask_says():
    quiet = replace(MICROSCOPE, unevenness=0.0)
    view = crop(TRACE, "first", draw_scene(TRACE, quiet, 0), quiet, 256)
    rim = view.mask > 0
    rim = rim & ~(np.roll(rim, 4, 0) & np.roll(rim, -4, 0) & np.roll(rim, 4, 1) & np.roll(rim, -4, 1))
    background = view.image[110:146, 5:40]
    assert view.image[view.mask > 0].std() > 2 * background.std()
    assert view.image[rim].mean() < background.mean() - 3 * background.std()


def test_same_seed_same_bytes_other_seed_other_bytes():
    pictures = [
        crop(TRACE, "squeezed", draw_scene(TRACE, MICROSCOPE, seed), MICROSCOPE, 64).image.tobytes()
        for seed in (0, 0, 1)
    ]
    assert pictures[0] == pictures[1]
    assert pictures[0] != pictures[2]


def test_each_cell_and_each_view_has_its_own_noise_but_one_body():
    other = make_trace(make_config(ks=2e-3), samples=200)
    one, two = (draw_scene(trace, MICROSCOPE, 0) for trace in (TRACE, other))
    assert one.body.granules.tobytes() != two.body.granules.tobytes()
    assert len({seed.generate_state(1)[0] for seed in one.noise}) == len(one.noise)


def test_crop_keeps_its_scale_whatever_the_size():
    views = [crop(TRACE, "first", draw_scene(TRACE, MICROSCOPE, 0), MICROSCOPE, n) for n in (64, 160)]
    areas = [(view.mask > 0).sum() * (FIELD / n) ** 2 for view, n in zip(views, (64, 160), strict=True)]
    assert areas[0] == pytest.approx(areas[1], rel=0.03)
    coarse = np.asarray(Image.fromarray(views[1].image).resize((64, 64), Image.Resampling.BOX), float)
    assert np.corrcoef(coarse.ravel(), views[0].image.ravel())[0, 1] > 0.97


def test_command_writes_the_whole_channel(tmp_path, command):
    run = write_run(tmp_path, make_trace(make_config()))
    out = tmp_path / "picture.png"
    assert command("bridge.render", run, "--out", out, "--json").returncode == 0
    with Image.open(out) as image:
        assert image.mode == "L"
        assert image.width == pytest.approx(TRACE.config.channel.length / MICROSCOPE.pixel_size, abs=2)
    before = out.read_bytes()
    assert command("bridge.render", run, "--out", out, "--quiet").stderr == ""
    assert out.read_bytes() == before


def test_command_refuses_what_is_no_run(tmp_path, command):
    done = command("bridge.render", tmp_path, "--out", tmp_path / "x.png")
    assert done.returncode == 2
    assert "not a finished run folder" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "x.png").exists()
