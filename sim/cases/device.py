"""The paper's device in three dimensions: pressure gradient in the constriction, and pressure drop of the whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from sim.cases import Curve, Result, Tick, relative
from sim.cases.duct import section
from sim.cases.flow import Flow, viscosity
from sim.cases.reference import read_reference
from sim.channel import make_channel
from sim.config import ChannelConfig
from sim.lattice import CS2, D3Q19
from sim.outline import outline
from sim.predict import duct_factor

SPEED = 0.003
"""Aim for the mean velocity in the gap, lattice units; keeps the density drop below 2 %."""
VISCOSITY, GAP_VELOCITY = 1e-3, 10e-3
"""Pressures are given for water (Pa s) at this mean velocity in the gap (m/s)."""


@dataclass(frozen=True)
class Device:
    """The device on the lattice, periodic along x.

    Attributes
    ----------
    config, dx
        Geometry and lattice spacing in m.
    inside
        Fluid nodes (x, y, z).
    x
        Position of the planes of nodes (nx,) in m.
    resistance
        Pressure gradient over μ Q of the local section (nx,), lattice units, by the series for a rectangular duct.
    """

    config: ChannelConfig
    dx: float
    inside: np.ndarray
    x: np.ndarray
    resistance: np.ndarray


def make_device(dx: float, config: ChannelConfig) -> Device:
    """Put the channel on the lattice, and find the resistance of its sections from the outline itself."""
    channel = make_channel(config, dx, 3)  # pyright: ignore[reportArgumentType] (frozen, so hashable)
    inside = channel.grid.box(channel.grid.fluid)
    x = channel.origin[0] + (1 + np.arange(len(inside))) * dx
    wall = outline(config)
    height, depth = 2 * np.interp(x, wall[:, 0], wall[:, 1]) / dx, config.depth / dx
    short, long = np.minimum(height, depth), np.maximum(height, depth)
    factor = np.array([duct_factor(w, h) for w, h in zip(long, short, strict=True)])
    return Device(config, dx, inside, x, 12 / (factor * long * short**3))


def device(
    *,
    tick: Tick,
    dx: float = 0.52e-6,
    tau: float = 1.0,
    precision: str = "float32",
    channel: Mapping[str, Any] = MappingProxyType({}),
) -> Result:
    """Drive the device by a pressure drop and compare with the duct series and with lubrication theory.

    Parameters
    ----------
    dx
        Lattice spacing, m; 0.4 µm gives 13 × 50 nodes in the constriction, 5.2 × 20 µm exactly.
    tau, precision
        Of the flow.
    channel
        Fields of `ChannelConfig` that differ from the paper's device.

    Notes
    -----
    Lubrication: the pressure gradient is everywhere that of a straight duct of the local section. It neglects
    what the bending of the streamlines in the tapers costs, hence the tolerance of 10 %.
    """
    made = make_device(dx, ChannelConfig(**channel))
    nu, nodes = viscosity(tau), made.inside[len(made.x) // 3].shape
    gap, depth = round(made.config.gap / dx), nodes[1]
    rate = SPEED * gap * depth
    drive = nu * rate * made.resistance.mean()
    flow = Flow(D3Q19, made.inside, (True, False, False), tau, (drive,), precision)
    excess = np.cumsum(drive - nu * rate * made.resistance)
    density = 1 + (excess - excess.mean()) / CS2
    flow.set_populations(np.broadcast_to(density[:, None, None], made.inside.shape), np.zeros((3, *made.inside.shape)))
    middle = int(np.argmin(abs(made.x - made.config.constriction_length / 2)))
    flow.steady(lambda: flow.velocity()[middle].sum(), 2e-4, 500, 30_000, tick)
    return _compare(made, flow, drive, nu, middle, f"device, dx = {1e6 * dx:g} µm, {precision}")


def _compare(made: Device, flow: Flow, drive: float, nu: float, middle: int, name: str) -> Result:
    density, velocity = flow.moments()
    config, gap = made.config, round(made.config.gap / made.dx)
    mean_density = density.mean(axis=(1, 2), where=made.inside)
    straight = abs(made.x - config.constriction_length / 2) < config.constriction_length / 6
    gradient = drive - CS2 * np.polyfit(np.flatnonzero(straight), mean_density[straight], 1)[0]
    lanes = made.inside[middle].any(axis=1)
    _, mean = section(velocity[0, middle, lanes])
    table = read_reference("duct_series")
    factor = table.where(w=20.0, h=5.2)["factor"][0]
    short = f"{gap} × {made.inside.shape[2]} nodes"
    rate = velocity[0].sum(axis=(1, 2)).mean()
    # Pressure at a mean velocity of 10 mm/s in the gap: p μ_SI/(μ Q) Q_SI, lengths in dx.
    scale = VISCOSITY * GAP_VELOCITY * config.gap * config.depth / (nu * rate * made.dx**3)
    drop, lubrication = drive * len(made.x), nu * rate * made.resistance.sum()
    found = 12 * nu * mean / (gradient * gap**2)
    rows = (
        relative(f"{name}: F = 12μū/(Gh²) in mid-constriction, {short}", found, factor, table.source, 0.01),
        relative(
            f"{name}: pressure drop (Pa) at 10 mm/s",
            scale * drop,
            scale * lubrication,
            "lubrication with the series",
            0.1,
        ),
    )
    x = (1e6 * made.x).tolist()
    pressure = CS2 * mean_density - drive * np.arange(len(made.x))
    theory = -nu * rate * np.cumsum(made.resistance)
    axes = ("x (µm)", "pressure (Pa) at 10 mm/s in the gap")
    curves = (
        Curve("device", axes, name.removeprefix("device, "), x, (scale * (pressure - pressure[0])).tolist()),
        Curve("device", axes, "lubrication theory", x, (scale * (theory - theory[0])).tolist(), True),
    )
    return Result(rows, curves)
