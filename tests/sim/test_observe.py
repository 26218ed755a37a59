import numpy as np
import pytest

from sim import mesh
from sim.observe import outline_measures
from sim.observe3d import membrane_measures, projected_outline
from sim.shell import make_shell
from sim.units import Units


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


def test_the_outline_of_an_ellipsoid_is_its_largest_ellipse():
    shape = mesh.ellipsoid(4, (8.0, 3.0, 5.0))
    m = outline_measures(projected_outline(shape.nodes + np.array([5.0, -1.0, 2.0]), mesh.topology(shape.faces).edges))
    assert (m["x"], m["y"]) == pytest.approx((5.0, -1.0), abs=1e-3)
    assert (m["major_axis"], m["minor_axis"]) == pytest.approx((8.0, 3.0), rel=0.01)
    assert m["area"] == pytest.approx(np.pi * 6, rel=0.01)


def test_a_waist_is_seen():
    shape = mesh.icosphere(4, 10.0)
    x = shape.nodes * [2.0, 1.0, 1.0]
    x[:, 1] *= 1 - 0.6 * np.exp(-(x[:, 0] ** 2) / 4)
    outline = projected_outline(x, mesh.topology(shape.faces).edges)
    assert np.ptp(outline[abs(outline[:, 0]) < 0.1, 1]) == pytest.approx(
        4.0, rel=0.08
    )  # edges are as long as the waist is wide
    assert outline_measures(outline)["area"] < 0.9 * np.pi * 50


def test_measures_of_a_stretched_sphere():
    shape = mesh.icosphere(4, 10.0)
    law = make_shell(shape.nodes, shape.faces, ks=2.0, kb=0.1)
    units = Units(2e-6, 1e-7, 1000.0, 3)
    m = membrane_measures(law, 1.1 * shape.nodes, 2e-6 * (1.1 * shape.nodes + np.array([0.0, 0.0, 3.0])), units)
    assert m["volume"] == pytest.approx(np.pi / 6 * (22e-6) ** 3, rel=1e-9)
    assert m["surface"] == pytest.approx(np.pi * (22e-6) ** 2, rel=5e-3)
    assert (m["z"], m["depth"]) == pytest.approx((6e-6, 22e-6), rel=5e-3)
    assert (m["areal_strain"], m["largest_areal_strain"]) == pytest.approx((0.21, 0.21))
    # Springs of a triangular network stretched by λ: tension √3 ks (1 - 1/λ).
    assert m["tension"] == pytest.approx(np.sqrt(3) * 2.0 * (1 - 1 / 1.1) * units.tension, rel=0.02)
    assert m["stretching_energy"] == pytest.approx(0.5 * 2.0 * (0.1 * law.length0) @ (0.1 * law.length0) * units.energy)
    assert m["bending_energy"] == pytest.approx(0, abs=1e-9 * units.energy)
