"""What is known of the empty channel's flow before it is computed: lubrication theory."""

from __future__ import annotations

import numpy as np

from sim.channel import Channel
from sim.config import SimulationConfig

TERMS = np.arange(1, 400, 2) * np.pi


def duct_factor(w: float, h: float) -> float:
    """Return F of a duct, mean velocity = F G h²/(12 μ), h the shorter side: 1 - (192/π⁵)(h/w) Σ tanh(nπw/2h)/n⁵."""
    w, h = max(w, h), min(w, h)
    return float(1 - 192 * h / w * (np.tanh(TERMS * w / (2 * h)) / TERMS**5).sum())


def section_resistance(config: SimulationConfig, heights: np.ndarray) -> np.ndarray:
    """Return pressure gradient over viscosity and flow rate at sections of some heights (n,), 1/m⁴; in 2-D 1/m³.

    Notes
    -----
    Plane channel 12/h³; duct 12/(F w h³), h the shorter side (`duct_factor`); tube 128/(π d⁴). A Couette channel has no
    side walls.
    """
    channel = config.channel
    if config.numerics.dimension == 2 or channel.kind == "couette":
        return 12 / heights**3
    if channel.kind == "cylinder":
        return np.full(len(heights), 128 / (np.pi * channel.gap**4))
    short, long = np.minimum(heights, channel.depth), np.maximum(heights, channel.depth)
    distinct, where = np.unique(short / long, return_inverse=True)
    factor = np.array([duct_factor(1.0, ratio) for ratio in distinct])[where]
    return 12 / (factor * long * short**3)


def gap_area(config: SimulationConfig) -> float:
    """Return the area of the constriction's section (m²), in 2-D its height (m)."""
    channel = config.channel
    if config.numerics.dimension == 2:
        return channel.gap
    return np.pi / 4 * channel.gap**2 if channel.kind == "cylinder" else channel.gap * channel.depth


def empty_flow(config: SimulationConfig, channel: Channel) -> tuple[float, float]:
    """Return pressure drop over the channel (Pa) and mean velocity in the gap (m/s) of the empty channel.

    Notes
    -----
    dp/dx = -μ Q times `section_resistance`. Of a Couette flow the velocity is that of the walls.
    """
    fluid, geometry = config.fluid, config.channel
    if fluid.shear_rate is not None:
        return 0.0, fluid.shear_rate * geometry.gap / 2
    resistance = fluid.viscosity * float(section_resistance(config, channel.heights()).sum()) * channel.dx
    if fluid.mean_velocity or fluid.flow_rate:
        # In 2-D the area of the gap is per metre of depth, a flow rate that of the whole channel.
        area = gap_area(config) * (geometry.depth if config.numerics.dimension == 2 else 1.0)
        velocity = fluid.mean_velocity or float(fluid.flow_rate or 0.0) / area
        return velocity * gap_area(config) * resistance, velocity
    drop = fluid.pressure_drop or float(fluid.body_force or 0.0) * geometry.length
    return drop, drop / resistance / gap_area(config)


def transit_time(config: SimulationConfig, channel: Channel, gap_velocity: float, x: np.ndarray) -> np.ndarray:
    """Return when the mean flow of the empty channel is at each of the increasing positions `x` (T,) in m.

    Times are in s, counted from the first position.
    """
    heights = channel.heights()
    centres = channel.origin[0] + channel.dx * (1 + np.arange(len(heights)))
    slowness = np.interp(x, centres, heights) / (gap_velocity * config.channel.gap)
    return np.concatenate(([0.0], np.cumsum(np.diff(x) * (slowness[1:] + slowness[:-1]) / 2)))


def exit_position(config: SimulationConfig) -> float:
    """Return about where the centroid (m) of a cell is at the end: out of the exit taper and round, or at `stop_x`."""
    channel, stop = config.channel, config.output.stop_x
    diameter = max(cell.diameter for cell in config.all_cells)
    if stop is not None:
        return min(stop + diameter / 2, channel.x_end)
    return min(channel.x_exit + 2.5 * diameter, channel.x_end)


def whole_path(config: SimulationConfig, end: float, points: int) -> np.ndarray:
    """Return positions (points,) from where the last of the cells starts to `end`, m."""
    return np.linspace(min(cell.start_x for cell in config.all_cells), end, points)
