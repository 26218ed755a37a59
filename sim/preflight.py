"""Before anything is computed: predict the flow, choose what was left open, and refuse what cannot work."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from sim.channel import Channel, make_channel
from sim.config import CellConfig, ConfigError, NumericsConfig, SimulationConfig
from sim.lattice import CS2
from sim.outline import walls
from sim.placement import check_gap, check_lattice, check_start, least_nodes, section
from sim.predict import empty_flow, exit_position, transit_time, whole_path
from sim.shape import file_digest, membranes, node_count, node_size, with_digest
from sim.stability import oif_limits, resolve_oif
from sim.stiffness import area_modulus, max_ks_lu, shear_modulus, stretching_constant
from sim.units import Units, make_units

MAX_REAL_REYNOLDS = 20.0
"""Inertia is scaled; a flow in which it matters cannot be had that way."""
MAX_REYNOLDS = 1.0
LEAST_TAU, MOST_TAU = 0.55, 3.0
"""Relaxation time within a cell of another viscosity; measured at 3: as right as at 1 (`tests/sim/test_inside.py`)."""
MAX_SPEED_LU = 0.015
MAX_DENSITY_DROP = 0.05
MAX_DENSITY_DROP_OIF = 0.1
"""Of runs of the law `oif`: those that were published are to be run as they were."""
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


def preflight(config: SimulationConfig) -> Flight:
    """Resolve and check a configuration.

    Raises
    ------
    ConfigError
        If the channel cannot be put on the lattice or the cell cannot be put into the channel.
    """
    config = _with_file_digests(config)
    check_lattice(config)
    check_start(config)
    channel = make_channel(config.channel, config.numerics.dx, config.numerics.dimension)  # pyright: ignore[reportArgumentType] (frozen, so hashable)
    check_gap(config, channel)
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


def _with_file_digests(config: SimulationConfig) -> SimulationConfig:
    """Return the configuration with the digests of the outline's and the cell's file, if there are such."""
    channel = config.channel
    update: dict[str, object] = {}
    if channel.file is not None:
        digest = file_digest(channel.file, channel.file_digest, "channel")
        update["channel"] = channel.model_copy(update={"file_digest": digest})
    return config.with_cells([with_digest(cell) for cell in config.all_cells]).model_copy(update=update)


def _resolve(config: SimulationConfig, lattice: Channel, drop: float, gap_velocity: float) -> SimulationConfig:
    config = resolve_oif(config)
    numerics, output, channel = config.numerics, config.output, config.channel
    scale = numerics.inertia_scale
    if scale is None:
        trial = config.numerics.model_copy(update={"inertia_scale": 1.0})
        scale = _largest_inertia_scale(config.model_copy(update={"numerics": trial}), gap_velocity)
    friction = numerics.friction
    if numerics.coupling == "friction" and friction is None:
        load = max((drop + 0.6 * cell.ks * 2 / channel.gap) * node_size(cell, numerics) for cell in config.all_cells)
        friction = _round(load / (TARGET_SLIP * gap_velocity))
    max_time = numerics.max_time
    if max_time is None and config.fluid.shear_rate is not None:
        max_time = _round(10 / config.fluid.shear_rate)
    if max_time is None:
        path = whole_path(config, channel.x_end, 1001)
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
        0.95 * max_ks_lu(config) / ks_lu,
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
    parts = _all_membranes(config)
    # Bending acts like ks = 4 kb/l0² on the shortest wave, l0 = dx.
    stiffness = stretching_constant(config) / units.tension + 4 * max(part.kb for part in parts) / units.energy
    kv_lu = max(part.kv for part in parts) / units.pressure
    return reynolds, gap_velocity / units.velocity, density_drop, stiffness, kv_lu


def _max_kv_lu(config: SimulationConfig) -> float:
    numerics = config.numerics
    return KV_STABILITY * ((config.channel.gap - numerics.wall_range) / numerics.dx) ** 2


def _checks(
    config: SimulationConfig, lattice: Channel, units: Units, drop: float, gap_velocity: float
) -> tuple[list[Check], dict[str, float]]:
    numerics, channel = config.numerics, config.channel
    reynolds, speed, density_drop, ks_lu, kv_lu = _proportional(config, units, gap_velocity)
    scale = float(numerics.inertia_scale or 1.0)
    mach = 1.5 * speed / math.sqrt(CS2)
    nodes = round(float(lattice.heights().min()) / numerics.dx)
    most_ks, most_kv = max_ks_lu(config), _max_kv_lu(config)

    def limit(name: str, value: float, bound: float, text: str, *, dx_power: int = 0, drive: bool = False) -> Check:
        """Make a check of a number that grows with the inertia scale, with dx^`dx_power` and, if so said, the drive."""
        if value <= bound:
            return Check(name, text, True)
        factor = value / (0.95 * bound)
        remedies = {"numerics.inertia_scale": _floor(scale / factor)}
        if dx_power:
            remedies["numerics.dx"] = channel.gap / math.ceil(channel.gap / numerics.dx * factor ** (1 / dx_power))
        if drive and config.fluid.pressure_drop is not None:
            remedies["fluid.pressure_drop"] = _floor(drop / factor)
        return Check(name, text, False, remedies)

    text = f"tau = {numerics.tau:g} (0.55 to 2), one step = {1e9 * units.dt:.3g} ns"
    least = least_nodes(config)
    checks = [
        Check("nodes across the gap", f"{nodes} (≥ {least}), dx = {1e6 * numerics.dx:.4g} µm", nodes >= least),
        Check("relaxation time", text, numerics.tau >= 0.55),
    ]
    checks += _tau_inside(config)
    text = f"{mach:.3g} (≤ 0.1) at the gap's centre, lattice speed {speed:.3g}"
    checks.append(limit("Mach number", mach, 0.1, text, dx_power=1, drive=True))
    text = f"{reynolds:.3g} in the gap (≤ 10)"
    checks.append(limit("Reynolds number", reynolds, 10.0, text, drive=True))
    checks.append(_real_reynolds(config, reynolds / scale, drop))
    most_drop = MAX_DENSITY_DROP if config.cell.oif is None else MAX_DENSITY_DROP_OIF
    text = f"{density_drop:.3g} along the constriction (≤ {most_drop})"
    checks.append(limit("density drop", density_drop, most_drop, text, dx_power=2, drive=True))
    ks, kv = (max(getattr(part, name) for part in _all_membranes(config)) for name in ("ks", "kv"))
    text = f"ks = {ks:g} N/m is {ks_lu:.3g} in lattice units, with area and bending (≤ {most_ks:.3g})"
    # No dx is proposed: stretching falls with it, but bending grows.
    checks.append(limit("membrane stability", ks_lu, most_ks, text))
    text = f"kv = {kv:g} N/m² is {kv_lu:.3g} in lattice units (≤ {most_kv:.3g})"
    checks.append(limit("volume constraint", kv_lu, most_kv, text, dx_power=4))
    checks += [limit(*row) for row in oif_limits(config, lattice, units, drop)]
    text = (
        f"{scale:.3g} × density: a step lasts {scale:.3g} × as long, Re in the gap is {reynolds:.2g} instead of "
        f"{reynolds / scale:.2g}; viscous and elastic forces are unchanged"
    )
    checks.append(Check("inertia scale", text, True))
    numbers = {
        "pressure_drop_pa": drop,
        "predicted_gap_velocity_m_per_s": gap_velocity,
        "reynolds_number": reynolds,
        "mach_number": mach,
        "density_drop": density_drop,
        "ks_lu": ks_lu,
        "dt_s": units.dt,
        "predicted_steps": _predicted_steps(config, lattice, units, gap_velocity),
    }
    return checks, numbers | _moduli(config, config.cell, gap_velocity) | _geometry(config, lattice)


def _tau_inside(config: SimulationConfig) -> list[Check]:
    """Check the relaxation time within cells that have a viscosity of their own."""
    slow, checks = config.numerics.tau - 0.5, []
    for number, cell in enumerate(config.all_cells):
        ratio = cell.viscosity_ratio or 1.0
        if ratio == 1:
            continue
        inside, name = 0.5 + slow * ratio, section(config, number)
        text = f"{inside:.3g} within, at {name}.viscosity_ratio = {ratio:g} ({LEAST_TAU} to {MOST_TAU:g})"
        remedies = {}
        if inside > MOST_TAU:
            remedies = {"numerics.tau": _floor(0.5 + (MOST_TAU - 0.5) / ratio)}
            remedies[f"{name}.viscosity_ratio"] = _floor((MOST_TAU - 0.5) / slow)
        checks.append(Check("relaxation time", text, LEAST_TAU <= inside <= MOST_TAU, remedies))
    return checks


def _real_reynolds(config: SimulationConfig, value: float, drop: float) -> Check:
    """Check that inertia matters little in the flow as it is, without the inertia scale."""
    text = f"{value:.3g} in the real gap (≤ {MAX_REAL_REYNOLDS:g}: inertia is scaled, and must not matter)"
    remedies = {}
    for name in ("pressure_drop", "mean_velocity", "flow_rate", "body_force"):
        given = getattr(config.fluid, name)
        if given is not None and value > 0:  # Re grows in proportion to each of them
            remedies[f"fluid.{name}"] = _floor(0.95 * given * MAX_REAL_REYNOLDS / value)
    return Check("real Reynolds number", text, value <= MAX_REAL_REYNOLDS, remedies)


def _predicted_steps(config: SimulationConfig, lattice: Channel, units: Units, gap_velocity: float) -> float:
    """Return about how many steps the squeeze takes."""
    if config.fluid.shear_rate is not None:
        return float(config.numerics.max_time or 0.0) / units.dt
    path = whole_path(config, exit_position(config), 1001)
    return 1.5 * float(transit_time(config, lattice, gap_velocity, path)[-1]) / units.dt


def _all_membranes(config: SimulationConfig) -> list[CellConfig]:
    return [part for cell in config.all_cells for part in membranes(cell)]


def cell_numbers(flight: Flight, cell: CellConfig) -> dict[str, float]:
    """Return the numbers of `Flight.numbers` that differ from cell to cell: moduli and mesh."""
    return _moduli(flight.config, cell, flight.gap_velocity) | _mesh(cell, flight.config.numerics)


def _moduli(config: SimulationConfig, cell: CellConfig, gap_velocity: float) -> dict[str, float]:
    """Return the moduli of a cell's membrane and the numbers made of them.

    Notes
    -----
    Of a triangular network of springs κ = √3/2 Kb (Seung & Nelson 1988). Young's modulus of the surface
    4 K Gs/(K + Gs) gives the Föppl–von-Kármán number Y a²/κ; Ca = μ U/Gs.
    """
    shear, area = shear_modulus(cell), area_modulus(cell)
    bending = math.sqrt(3) / 2 * cell.kb
    young = 4 * area * shear / (area + shear)
    numbers = {
        "shear_modulus_n_per_m": shear,
        "area_modulus_n_per_m": area,
        "bending_rigidity_j": bending,
        "capillary_number": config.fluid.viscosity * gap_velocity / shear,
        "confinement": cell.diameter / config.channel.gap,
    }
    if bending > 0:
        numbers["foeppl_von_karman_number"] = young * (cell.diameter / 2) ** 2 / bending
    return numbers


def _geometry(config: SimulationConfig, lattice: Channel) -> dict[str, float]:
    """Return the size of channel and mesh, and how much the film that the wall's repulsion keeps speeds a plug up.

    Notes
    -----
    A plug in a gap h that leaves films of δ in all moves at 1/(1 - δ/h) times the mean velocity; δ is taken for the
    range of the repulsion.
    """
    channel, numerics = config.channel, config.numerics
    return {
        "channel_volume_m3": lattice.volume(channel.depth),
        "wall_area_m2": _wall_area(config, lattice),
        **_mesh(config.cell, numerics),
        "wall_film_velocity_ratio": 1 / (1 - numerics.wall_range / channel.gap),
    }


def _mesh(cell: CellConfig, numerics: NumericsConfig) -> dict[str, float]:
    size = node_size(cell, numerics)
    return {
        "membrane_nodes": node_count(cell, numerics),
        "membrane_spacing_m": math.sqrt(size) if numerics.dimension == 3 else size,
    }


def _wall_area(config: SimulationConfig, lattice: Channel) -> float:
    """Return the area (m²) of side walls, floor and ceiling; of a mask's side walls as seen at its two ends."""
    channel = config.channel
    lines = walls(channel) if channel.kind != "mask" else [np.array([[channel.x_start, 0.0], [channel.x_end, 0.0]])] * 2
    sides = sum(float(np.linalg.norm(np.diff(line, axis=0), axis=1).sum()) for line in lines)
    return sides * channel.depth + 2 * float(lattice.heights().sum()) * lattice.dx
