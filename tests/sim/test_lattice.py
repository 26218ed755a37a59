import numpy as np
import pytest

from sim.lattice import CS2, D2Q9, D3Q19


@pytest.mark.parametrize("lattice", [D2Q9, D3Q19], ids=lambda s: s.name)
class TestVelocitySet:
    def test_opposite_velocities_are_negative(self, lattice):
        assert (lattice.c[lattice.opposite] == -lattice.c).all()

    def test_moments_are_isotropic_to_fourth_order(self, lattice):
        c, w, eye = lattice.c, lattice.w, np.eye(lattice.d)
        assert w.sum() == pytest.approx(1, abs=1e-15)
        assert w @ c == pytest.approx(np.zeros(lattice.d), abs=1e-15)
        assert np.einsum("q,qa,qb->ab", w, c, c) == pytest.approx(CS2 * eye, abs=1e-15)
        fourth = np.einsum("q,qa,qb,qc,qd->abcd", w, c, c, c, c)
        pairs = np.einsum("ab,cd->abcd", eye, eye)
        isotropic = CS2**2 * (pairs + pairs.transpose(0, 2, 1, 3) + pairs.transpose(0, 2, 3, 1))
        assert fourth == pytest.approx(isotropic, abs=1e-15)
