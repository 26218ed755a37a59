"""Before anything is computed: predict the flow, choose what was left open, and refuse what cannot work."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from sim.channel import Channel, make_channel, nodes_across_gap
from sim.config import ConfigError, SimulationConfig
from sim.lattice import CS2
from sim.outline import wall_distance, walls
from sim.units import Units, make_units

MIN_NODES = 8
MIN_CELL = 8
"""Lattice spacings across the cell."""
MAX_NODES = 5e7
"""Of a two-dimensional flow: some 3 GB."""
MAX_REYNOLDS = 1.0
MAX_SPEED_LU = 0.015
MAX_DENSITY_DROP = 0.05
MAX_KS_LU = {2: 0.47, 3: 1.6, 4: 2.7}
"""A third of the last stable ks measured with each kernel (`sim/reference/ib_explicit_stability_ks.csv`)."""
KV_STABILITY = 0.02
"""kv in lattice units must stay below this times the square of the cell's height in the gap in dx.

The explicit step has to resolve the thickness oscillation of a flat cell, ω² ∝ kv/height²; measured
here at 8 and 16 nodes across the gap: stable at 0.015 times the square, unstable at 0.035."""
TARGET_SLIP = 0.005
"""Slip for which friction is chosen, over the mean flow velocity in the gap; kinks in the wall may triple it."""


@dataclass(frozen=True)
class Check:
    """One line of the pre-flight check.

    Attributes
    ----------
    name, text
        What is checked; the number with its unit and the rule.
    passed
        Whether the rule holds.
    remedies
        Fields any one of which, set to the value (SI) or less, makes it pass.
    """

    name: str
    text: str
    passed: bool
    remedies: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Flight:
    """A resolved configuration and what is expected of it.

    Attributes
    ----------
    config
        With inertia scale, friction, sampling interval and time limit filled in.
    channel
        The channel on the lattice.
    units
        Lattice units.
    pressure_drop
        Drive over the whole channel, Pa.
    gap_velocity
        Predicted mean velocity in the empty gap, m/s.
    checks
        In the order in which they are shown.
    numbers
        The same numbers by name, SI, for the record.
    """

    config: SimulationConfig
    channel: Channel
    units: Units
    pressure_drop: float
    gap_velocity: float
    checks: tuple[Check, ...]
    numbers: Mapping[str, float]


def empty_flow(config: SimulationConfig, channel: Channel) -> tuple[float, float]:
    """Return pressure drop over the channel (Pa) and mean velocity in the gap (m/s) of the empty channel.

    Notes
    -----
    Lubrication: dp/dx = -12 μ Q/h³ with the flow rate Q per metre of depth; plane channel. Of a Couette flow the
    velocity is that of the walls.
    """
    fluid, geometry = config.fluid, config.channel
    if fluid.shear_rate is not None:
        return 0.0, fluid.shear_rate * geometry.gap / 2
    resistance = 12 * fluid.viscosity * float((channel.heights() ** -3.0).sum()) * channel.dx
    if fluid.mean_velocity or fluid.flow_rate:
        velocity = fluid.mean_velocity or float(fluid.flow_rate or 0.0) / (geometry.gap * geometry.depth)
        return velocity * geometry.gap * resistance, velocity
    drop = fluid.pressure_drop or float(fluid.body_force or 0.0) * geometry.length
    return drop, drop / resistance / geometry.gap


def transit_time(config: SimulationConfig, channel: Channel, gap_velocity: float, x: np.ndarray) -> np.ndarray:
    """Return when the mean flow of the empty channel is at each of the increasing positions `x` (T,) in m.

    Times are in s, counted from the first position.
    """
    heights = channel.heights()
    centres = channel.origin[0] + channel.dx * (1 + np.arange(len(heights)))
    slowness = np.interp(x, centres, heights) / (gap_velocity * config.channel.gap)
    return np.concatenate(([0.0], np.cumsum(np.diff(x) * (slowness[1:] + slowness[:-1]) / 2)))


def exit_position(config: SimulationConfig) -> float:
    """Return about where the centroid (m) of a cell is when it has left the exit taper and is round again."""
    channel = config.channel
    return min(channel.x_exit + 2.5 * config.cell.diameter, channel.x_end)


def preflight(config: SimulationConfig) -> Flight:
    """Resolve and check a configuration.

    Raises
    ------
    ConfigError
        If the channel cannot be put on the lattice or the cell cannot be put into the channel.
    """
    config = _with_file_digest(config)
    _check_geometry(config)
    channel = make_channel(config.channel, config.numerics.dx)
    _check_channel(config, channel)
    drop, gap_velocity = empty_flow(config, channel)
    config = _resolve(config, channel, drop, gap_velocity)
    units = make_units(config.fluid, config.numerics)
    checks, numbers = _checks(config, channel, units, drop, gap_velocity)
    return Flight(config, channel, units, drop, gap_velocity, tuple(checks), numbers)


def require(flight: Flight) -> None:
    """Raise a `ConfigError` with every failed check and what makes all of them pass."""
    failed = [check for check in flight.checks if not check.passed]
    if not failed:
        return
    common = set.intersection(*(set(check.remedies) for check in failed))
    ways = [f"{name} to {min(check.remedies[name] for check in failed):.3g}" for name in sorted(common)]
    lines = [f"{check.name}: {check.text}" for check in failed]
    remedy = f"set {', or '.join(ways)}" if ways else "leave numerics.tau and numerics.inertia_scale to the program"
    raise ConfigError("pre-flight check refuses this run:\n  " + "\n  ".join(lines) + f"\n  {remedy} (SI units)")


def _check_geometry(config: SimulationConfig) -> None:
    channel, cell, numerics = config.channel, config.cell, config.numerics
    nodes = nodes_across_gap(channel, numerics.dx)
    if nodes < MIN_NODES:
        raise ConfigError(
            f"channel.gap = {channel.gap:g} m is {channel.gap / numerics.dx:.1f} lattice nodes across at "
            f"numerics.dx = {numerics.dx:g} m; at least {MIN_NODES} are needed: "
            f"set numerics.dx to {channel.gap / MIN_NODES:.4g} m or less"
        )
    error = abs(nodes * numerics.dx / channel.gap - 1)
    if error > 0.01:
        raise ConfigError(
            f"channel.gap = {channel.gap:g} m is {channel.gap / numerics.dx:.2f} lattice nodes across; it must be a "
            f"whole number within 1 %: set numerics.dx to {channel.gap / nodes:.6g} m"
        )
    size = channel.length / numerics.dx * channel.height / numerics.dx
    if size > MAX_NODES:
        coarser = math.sqrt(channel.length * channel.height / MAX_NODES)
        raise ConfigError(
            f"the channel of {channel.length:g} m × {channel.height:g} m takes {size:.2g} lattice nodes "
            f"at numerics.dx = {numerics.dx:g} m (at most {MAX_NODES:.0e}): "
            f"set numerics.dx to {coarser:.2g} m or more, or shorten it"
        )
    if cell.diameter < MIN_CELL * numerics.dx:
        raise ConfigError(
            f"cell.diameter = {cell.diameter:g} m is {cell.diameter / numerics.dx:.1f} lattice spacings; at least "
            f"{MIN_CELL} are needed: raise it, or set numerics.dx to {cell.diameter / MIN_CELL:.3g} m or less"
        )
    if numerics.wall_range < numerics.dx * (1 - 1e-9):
        raise ConfigError(
            f"numerics.wall_range = {numerics.wall_range:g} m is less than one lattice spacing "
            f"(numerics.dx = {numerics.dx:g} m): raise it to {numerics.dx:g} m, or refine dx"
        )
    radius = cell.diameter / 2
    phi = np.linspace(0, 2 * np.pi, 181)
    rim = np.stack([cell.start_x + radius * np.cos(phi), cell.start_y + radius * np.sin(phi)])
    clearance = float(wall_distance(channel, rim[0], rim[1]).min())
    widest = channel.height
    if cell.diameter >= widest - 2 * numerics.dx:
        raise ConfigError(
            f"cell.diameter = {cell.diameter:g} m does not fit into the channel, {widest:g} m wide: "
            f"it must be less than {widest - 2 * numerics.dx:.3g} m"
        )
    if clearance < numerics.dx:
        raise ConfigError(
            f"the cell at cell.start_x = {cell.start_x:g} m, start_y = {cell.start_y:g} m with diameter "
            f"{cell.diameter:g} m comes within {clearance:.2g} m of a wall (at least one dx = {numerics.dx:g} m is "
            "needed): start it further upstream or on the centre line"
        )
    margin = 4 * numerics.dx
    if cell.start_x - radius < channel.x_start + margin or cell.start_x + radius > channel.x_end - margin:
        raise ConfigError(
            f"the cell at cell.start_x = {cell.start_x:g} m does not lie within the channel "
            f"({channel.x_start:g} to {channel.x_end:g} m): lengthen channel.inlet_length or move the cell"
        )


def _with_file_digest(config: SimulationConfig) -> SimulationConfig:
    """Return the configuration with the digest of the outline's file, if it has one."""
    channel = config.channel
    if channel.file is None:
        return config
    try:
        digest = hashlib.sha256(Path(channel.file).read_bytes()).hexdigest()
    except OSError as error:
        raise ConfigError(
            f"channel.file = {channel.file!r}: cannot be read ({error.strerror}); check the path"
        ) from error
    if channel.file_digest not in (None, digest):
        raise ConfigError(
            f"channel.file = {channel.file!r} is not the file of this configuration any more; "
            "remove channel.file_digest to use it as it is now"
        )
    return config.model_copy(update={"channel": channel.model_copy(update={"file_digest": digest})})


def _check_channel(config: SimulationConfig, channel: Channel) -> None:
    """Refuse a drawn channel whose gap is not what the configuration says, or which is closed somewhere."""
    smallest = float(channel.heights().min())
    gap = config.channel.gap
    if smallest <= 0:
        raise ConfigError("the channel is closed somewhere between inlet and outlet: check the outline and its unit")
    if abs(smallest - gap) > max(0.05 * gap, 1.01 * channel.dx):
        raise ConfigError(
            f"channel.gap = {gap:g} m, but the smallest height of the outline is {smallest:.4g} m: "
            f"set channel.gap to {smallest:.4g} m, or channel.unit or pixel_size to what they are"
        )


def _resolve(config: SimulationConfig, lattice: Channel, drop: float, gap_velocity: float) -> SimulationConfig:
    numerics, output, channel = config.numerics, config.output, config.channel
    scale = numerics.inertia_scale
    if scale is None:
        trial = config.numerics.model_copy(update={"inertia_scale": 1.0})
        scale = _largest_inertia_scale(config.model_copy(update={"numerics": trial}), gap_velocity)
    friction = numerics.friction
    if numerics.coupling == "friction" and friction is None:
        load = (drop + 0.6 * config.cell.ks * 2 / channel.gap) * numerics.dx
        friction = _round(load / (TARGET_SLIP * gap_velocity))
    max_time = numerics.max_time
    if max_time is None and config.fluid.shear_rate is not None:
        max_time = _round(10 / config.fluid.shear_rate)
    if max_time is None:
        path = np.linspace(config.cell.start_x, channel.x_end, 1001)
        max_time = _round(8 * float(transit_time(config, lattice, gap_velocity, path)[-1]))
    every = output.every or _round(0.5 * numerics.dx / gap_velocity)
    return config.model_copy(
        update={
            "numerics": numerics.model_copy(
                update={"inertia_scale": scale, "friction": friction, "max_time": max_time}
            ),
            "output": output.model_copy(update={"every": every}),
        }
    )


def _round(value: float) -> float:
    return float(f"{value:.3g}")


def _floor(value: float) -> float:
    """Return the largest number of three digits that is not above `value`."""
    unit = 10.0 ** (math.floor(math.log10(value)) - 2)
    return float(f"{math.floor(value / unit) * unit:.3g}")


def _largest_inertia_scale(config: SimulationConfig, gap_velocity: float) -> float:
    """Return the largest scale that keeps Re, lattice speed, density drop, ks and kv within their bounds."""
    units = make_units(config.fluid, config.numerics)
    reynolds, speed, density_drop, ks_lu, kv_lu = _proportional(config, units, gap_velocity)
    largest = min(
        MAX_REYNOLDS / reynolds,
        MAX_SPEED_LU / speed,
        0.95 * MAX_DENSITY_DROP / density_drop,
        0.95 * MAX_KS_LU[config.numerics.kernel] / ks_lu,
        0.95 * _max_kv_lu(config) / max(kv_lu, 1e-12),
    )
    return _floor(largest)


def _proportional(config: SimulationConfig, units: Units, gap_velocity: float) -> tuple[float, ...]:
    """Return Re, lattice speed, density drop, ks and kv in lattice units: all proportional to the inertia scale."""
    channel, fluid = config.channel, config.fluid
    reynolds = units.density * gap_velocity * channel.gap / fluid.viscosity
    length = channel.gap if fluid.shear_rate else channel.constriction_length
    constriction_drop = 12 * fluid.viscosity * gap_velocity * length / channel.gap**2
    density_drop = constriction_drop / (CS2 * units.pressure)
    stiffness = config.cell.ks / units.tension
    bending = 4 * config.cell.kb / units.energy  # acts like ks = 4 kb/l0² on the shortest wave, l0 = dx
    kv_lu = config.cell.kv / units.pressure
    return reynolds, gap_velocity / units.velocity, density_drop, stiffness + bending, kv_lu


def _max_kv_lu(config: SimulationConfig) -> float:
    numerics = config.numerics
    return KV_STABILITY * ((config.channel.gap - numerics.wall_range) / numerics.dx) ** 2


def _checks(
    config: SimulationConfig, lattice: Channel, units: Units, drop: float, gap_velocity: float
) -> tuple[list[Check], dict[str, float]]:
    numerics, channel, cell, fluid = config.numerics, config.channel, config.cell, config.fluid
    reynolds, speed, density_drop, ks_lu, kv_lu = _proportional(config, units, gap_velocity)
    scale = float(numerics.inertia_scale or 1.0)
    mach = 1.5 * speed / math.sqrt(CS2)
    nodes = round(float(lattice.heights().min()) / numerics.dx)
    capillary = fluid.viscosity * gap_velocity / cell.ks
    if fluid.shear_rate is None:
        path = np.linspace(cell.start_x, exit_position(config), 1001)
        steps = 1.5 * float(transit_time(config, lattice, gap_velocity, path)[-1]) / units.dt
    else:
        steps = float(numerics.max_time or 0.0) / units.dt

    def limit(name: str, value: float, bound: float, text: str, *, dx_power: int = 0, drive: bool = False) -> Check:
        """Make a check of a number that grows with the inertia scale, with dx^`dx_power` and, if so said, the drive."""
        if value <= bound:
            return Check(name, text, True)
        factor = value / (0.95 * bound)
        remedies = {"numerics.inertia_scale": _floor(scale / factor)}
        if dx_power:
            remedies["numerics.dx"] = channel.gap / math.ceil(channel.gap / numerics.dx * factor ** (1 / dx_power))
        if drive and fluid.pressure_drop is not None:
            remedies["fluid.pressure_drop"] = _floor(drop / factor)
        return Check(name, text, False, remedies)

    checks = [
        Check("nodes across the gap", f"{nodes} (≥ {MIN_NODES}), dx = {1e6 * numerics.dx:.4g} µm", nodes >= MIN_NODES),
        Check(
            "relaxation time",
            f"tau = {numerics.tau:g} (0.55 to 2), one step = {1e9 * units.dt:.3g} ns",
            numerics.tau >= 0.55,
        ),
        limit(
            "Mach number",
            mach,
            0.1,
            f"{mach:.3g} (≤ 0.1) at the gap's centre, lattice speed {speed:.3g}",
            dx_power=1,
            drive=True,
        ),
        limit(
            "Reynolds number",
            reynolds,
            10.0,
            f"{reynolds:.3g} in the gap (≤ 10; the real one is {reynolds / scale:.3g})",
            drive=True,
        ),
        limit(
            "density drop",
            density_drop,
            MAX_DENSITY_DROP,
            f"{density_drop:.3g} along the constriction (≤ {MAX_DENSITY_DROP})",
            dx_power=2,
            drive=True,
        ),
        limit(
            "membrane stability",
            ks_lu,
            MAX_KS_LU[numerics.kernel],
            f"ks = {cell.ks:g} N/m is {ks_lu:.3g} in lattice units "
            f"(≤ {MAX_KS_LU[numerics.kernel]:g}, kernel {numerics.kernel})",
            dx_power=1,
        ),
        limit(
            "area constraint",
            kv_lu,
            _max_kv_lu(config),
            f"kv = {cell.kv:g} N/m² is {kv_lu:.3g} in lattice units (≤ {_max_kv_lu(config):.3g})",
            dx_power=4,
        ),
        Check(
            "inertia scale",
            f"{scale:.3g} × density: a step lasts {scale:.3g} × as long, Re in the gap is {reynolds:.2g} instead of "
            f"{reynolds / scale:.2g}; viscous and elastic forces are unchanged",
            True,
        ),
    ]
    numbers = {
        "pressure_drop_pa": drop,
        "predicted_gap_velocity_m_per_s": gap_velocity,
        "capillary_number": capillary,
        "shear_modulus_n_per_m": math.sqrt(3) / 4 * cell.ks,
        "reynolds_number": reynolds,
        "mach_number": mach,
        "density_drop": density_drop,
        "ks_lu": ks_lu,
        "channel_area_m2": float(lattice.heights().sum()) * lattice.dx,
        "wall_area_m2": _wall_area(config, lattice),
        "confinement": cell.diameter / channel.gap,
        "dt_s": units.dt,
        "predicted_steps": steps,
        "wall_film_velocity_ratio": 1 / (1 - numerics.wall_range / channel.gap),
    }
    return checks, numbers


def _wall_area(config: SimulationConfig, lattice: Channel) -> float:
    """Return the area (m²) of side walls, floor and ceiling; of a mask's side walls as seen at its two ends."""
    channel = config.channel
    lines = walls(channel) if channel.kind != "mask" else [np.array([[channel.x_start, 0.0], [channel.x_end, 0.0]])] * 2
    sides = sum(float(np.linalg.norm(np.diff(line, axis=0), axis=1).sum()) for line in lines)
    return sides * channel.depth + 2 * float(lattice.heights().sum()) * lattice.dx


def memory_bytes(flight: Flight) -> int:
    """Return about how much memory the flow takes: populations, force and velocity fields, and the wall distance."""
    grid = flight.channel.grid
    words = 9 * grid.block + 4 * grid.nodes
    return words * (4 if flight.config.numerics.precision == "float32" else 8) + 9 * grid.nodes


def _describe_drive(flight: Flight) -> str:
    fluid, channel = flight.config.fluid, flight.config.channel
    capillary = f"Ca = μU/Ks = {flight.numbers['capillary_number']:.3g}"
    if fluid.shear_rate is not None:
        speed = 1e3 * flight.gap_velocity
        return f"drive: walls at ± {speed:.4g} mm/s, shear rate {fluid.shear_rate:.4g} 1/s; {capillary}"
    held = "flow rate held" if fluid.mean_velocity or fluid.flow_rate else "pressure held"
    return (
        f"drive: {flight.pressure_drop / 1e3:.3g} kPa over {1e6 * channel.length:.4g} µm ↔ "
        f"{1e3 * flight.gap_velocity:.4g} mm/s mean in the empty gap (lubrication), {held}; {capillary}"
    )


def describe(flight: Flight) -> str:
    """Return the checks and the operating point as lines of text."""
    config, n = flight.config, flight.numbers
    cell, channel, numerics = config.cell, config.channel, config.numerics
    memory = memory_bytes(flight) / 2**20
    lines = [
        f"{config.name}: D = {1e6 * cell.diameter:.3g} µm, Ks = {1e3 * cell.ks:.3g} mN/m (Gs = √3/4 Ks = "
        f"{1e3 * n['shear_modulus_n_per_m']:.3g} mN/m), Kb = {cell.kb:.3g} J; D/gap = {n['confinement']:.2f}",
        _describe_drive(flight),
        f"channel ({channel.kind}): {1e15 * n['channel_area_m2'] * channel.depth:.4g} pl "
        f"at {1e6 * channel.depth:.3g} µm depth, walls {1e12 * n['wall_area_m2']:.4g} µm², "
        f"{int(flight.channel.grid.fluid.sum()):,} fluid nodes, {memory:.1f} MiB",
    ]
    for check in flight.checks:
        lines.append(f"  {'ok ' if check.passed else 'NO '} {check.name}: {check.text}")
    slip = (
        "none (no-slip)" if numerics.coupling == "no-slip" else f"γ = {numerics.friction:.3g} Pa s per node and metre"
    )
    lines.append(f"  coupling: {slip}; wall repulsion within {1e6 * numerics.wall_range:.3g} µm")
    lines.append(
        f"  about {n['predicted_steps']:,.0f} steps until the cell is out, "
        f"limit {1e3 * float(numerics.max_time or 0):.3g} ms"
    )
    return "\n".join(lines)
