"""The only place where SI and lattice units are converted.

A lattice unit of length is dx, of time dt, of density the fluid's (scaled) density; in 2-D forces, energies, flow
rates and friction are per metre of depth.
"""

from __future__ import annotations

from dataclasses import dataclass

from sim.config import FluidConfig, NumericsConfig
from sim.lattice import CS2


@dataclass(frozen=True)
class Units:
    """Size of the lattice units in SI.

    Attributes
    ----------
    dx, dt
        Lattice spacing (m) and time step (s).
    density
        Density used in the simulation (kg/m³): the fluid's times the inertia scale.
    dimension
        2 or 3.
    """

    dx: float
    dt: float
    density: float
    dimension: int = 2

    @property
    def velocity(self) -> float:
        """Unit of velocity (m/s)."""
        return self.dx / self.dt

    @property
    def pressure(self) -> float:
        """Unit of pressure (Pa)."""
        return self.density * self.velocity**2

    @property
    def force_density(self) -> float:
        """Unit of force per volume (N/m³)."""
        return self.pressure / self.dx

    @property
    def tension(self) -> float:
        """Unit of tension, as of Ks (N/m)."""
        return self.pressure * self.dx

    @property
    def energy(self) -> float:
        """Unit of bending rigidity, as of Kb (J; in 2-D J m per metre of depth)."""
        return self.pressure * self.dx**3

    @property
    def force(self) -> float:
        """Unit of force (N; in 2-D N per metre of depth)."""
        return self.pressure * self.dx ** (self.dimension - 1)

    @property
    def friction(self) -> float:
        """Unit of a node's friction (N s/m; in 2-D Pa s)."""
        return self.force / self.velocity

    @property
    def flow_rate(self) -> float:
        """Unit of flow rate (m³/s; in 2-D m²/s)."""
        return self.velocity * self.dx ** (self.dimension - 1)


def make_units(fluid: FluidConfig, numerics: NumericsConfig) -> Units:
    """Return the units in which `numerics.tau` gives the fluid's viscosity.

    Notes
    -----
    ν_lu = cs² (τ - ½) = ν dt/dx² fixes dt = cs² (τ - ½) dx²/ν. The inertia scale multiplies the
    density, hence divides ν at constant viscosity and lengthens the time step.
    """
    if numerics.inertia_scale is None:
        raise ValueError("inertia_scale is still open: resolve the configuration first")
    density = fluid.density * numerics.inertia_scale
    dt = CS2 * (numerics.tau - 0.5) * numerics.dx**2 * density / fluid.viscosity
    return Units(numerics.dx, dt, density, numerics.dimension)
