import numpy as np
import pytest

from sim.observe import outline_measures


def ellipse(a, b, angle=0.0, centre=(0.0, 0.0), count=400):
    phi = 2 * np.pi * np.arange(count) / count
    x = np.stack([a / 2 * np.cos(phi), b / 2 * np.sin(phi)], axis=1)
    c, s = np.cos(angle), np.sin(angle)
    return x @ np.array([[c, s], [-s, c]]) + centre


def test_an_ellipse():
    m = outline_measures(ellipse(8.0, 3.0, centre=(5.0, -1.0)))
    assert (m["x"], m["y"]) == pytest.approx((5.0, -1.0))
    assert m["area"] == pytest.approx(np.pi * 6, rel=1e-4)
    assert (m["major_axis"], m["minor_axis"]) == pytest.approx((8.0, 3.0), rel=1e-4)
    assert m["di"] == pytest.approx(5 / 11)
    assert m["di_ellipse"] == pytest.approx(5 / 11, rel=1e-3)
    assert (m["rear_x"], m["front_x"]) == pytest.approx((1.0, 9.0))


def test_a_cell_wider_than_long_has_a_negative_index():
    m = outline_measures(ellipse(3.0, 8.0))
    assert m["di"] == pytest.approx(-5 / 11)
    assert m["di_ellipse"] == pytest.approx(-5 / 11, rel=1e-3)


def test_axes_do_not_depend_on_orientation():
    m = outline_measures(ellipse(8.0, 3.0, angle=0.4))
    assert (m["major_axis"], m["minor_axis"]) == pytest.approx((8.0, 3.0), rel=1e-4)
    assert m["di"] < 5 / 11


@pytest.mark.parametrize("shift", [1e3, -1e3])
def test_far_from_the_origin_nothing_is_lost(shift):
    here, there = outline_measures(ellipse(8.0, 3.0)), outline_measures(ellipse(8.0, 3.0, centre=(shift, 0.0)))
    assert there["area"] == pytest.approx(here["area"], rel=1e-9)
    assert there["x"] == pytest.approx(shift)
