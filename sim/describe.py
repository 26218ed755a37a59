"""The pre-flight check as text."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sim.config import CellConfig
from sim.preflight import Flight, cell_numbers


def memory_bytes(flight: Flight) -> int:
    """Return about how much memory the flow takes: populations, force, velocity and rates, and the wall distance."""
    grid = flight.channel.grid
    dimension = flight.config.numerics.dimension
    varied = flight.config.viscosities_differ
    words = ((9 if dimension == 2 else 19) + 2 * dimension + 2 * varied) * grid.block
    flags = (9 + 16 * varied) * grid.nodes
    return words * (4 if flight.config.numerics.precision == "float32" else 8) + flags


def describe(flight: Flight) -> str:
    """Return the checks and the operating point as lines of text."""
    config, n = flight.config, flight.numbers
    channel, numerics = config.channel, config.numerics
    lines = [line for number in range(len(config.all_cells)) for line in _cell(flight, number)]
    lines += [
        _drive(flight),
        f"channel ({channel.kind}, {numerics.dimension}-D): {1e15 * n['channel_volume_m3']:.4g} pl "
        f"at {1e6 * channel.depth:.3g} µm depth, walls {1e12 * n['wall_area_m2']:.4g} µm², "
        f"{int(flight.channel.grid.fluid.sum()):,} fluid nodes, {memory_bytes(flight) / 2**20:.1f} MiB",
    ]
    for check in flight.checks:
        lines.append(f"  {'ok ' if check.passed else 'NO '} {check.name}: {check.text}")
    unit = "N s/m per node" if numerics.dimension == 3 else "Pa s per node and metre"
    slip = "none (no-slip)" if numerics.coupling == "no-slip" else f"γ = {numerics.friction:.3g} {unit}"
    film = 1e2 * (n["wall_film_velocity_ratio"] - 1)
    lines.append(
        f"  coupling: {slip}; wall repulsion within {1e6 * numerics.wall_range:.3g} µm, "
        f"a film that speeds a plug up by about {film:.2g} %"
    )
    lines.append(
        f"  about {n['predicted_steps']:,.0f} steps until the cell is out, "
        f"limit {1e3 * float(numerics.max_time or 0):.3g} ms"
    )
    return "\n".join(lines)


def _cell(flight: Flight, number: int) -> list[str]:
    """Return what is to be said of one cell."""
    config, cell = flight.config, flight.config.all_cells[number]
    n = cell_numbers(flight, cell)
    which = f" cell {number + 1} of {len(config.all_cells)}" if config.cells else ""
    start = f", starts at x = {1e6 * cell.start_x:.4g} µm" if config.cells else ""
    return [
        f"{cell.name or config.name}{which}: D = {1e6 * cell.diameter:.3g} µm{_shape(cell)}, "
        f"D/gap = {n['confinement']:.2f}, {_membrane(cell, config.numerics.dimension, n)}{start}",
        _moduli(n),
    ]


def _shape(cell: CellConfig) -> str:
    if cell.mesh_file is not None:
        return f" (shape of {Path(cell.mesh_file).name})"
    if cell.axes is not None:
        return f" (ellipsoid {' : '.join(f'{axis:.3g}' for axis in cell.axes)})"
    return "" if cell.rest_shape == "sphere" else f" ({cell.rest_shape})"


def _membrane(cell: CellConfig, dimension: int, n: Mapping[str, float]) -> str:
    law = cell.law if dimension == 3 else "ring of springs"
    return (
        f"{law}, Ks = {1e3 * cell.ks:.3g} mN/m, Kb = {cell.kb:.3g} J, "
        f"{n['membrane_nodes']:.0f} nodes about {1e6 * n['membrane_spacing_m']:.2g} µm apart" + _nucleus(cell)
    )


def _nucleus(cell: CellConfig) -> str:
    if cell.nucleus is None:
        return ""
    return f"; nucleus {1e6 * cell.nucleus.diameter:.3g} µm, Ks = {1e3 * cell.nucleus.ks:.3g} mN/m"


def _moduli(n: Mapping[str, float]) -> str:
    foeppl = n.get("foeppl_von_karman_number")
    return (
        f"moduli: Gs = √3/4 Ks = {1e3 * n['shear_modulus_n_per_m']:.3g} mN/m, "
        f"area {1e3 * n['area_modulus_n_per_m']:.3g} mN/m, κ = √3/2 Kb = {n['bending_rigidity_j']:.3g} J"
        + ("" if foeppl is None else f", Föppl–von Kármán {foeppl:.3g}")
        + f", Ca = μU/Gs = {n['capillary_number']:.3g}"
    )


def _drive(flight: Flight) -> str:
    fluid, channel = flight.config.fluid, flight.config.channel
    if fluid.shear_rate is not None:
        return f"drive: walls at ± {1e3 * flight.gap_velocity:.4g} mm/s, shear rate {fluid.shear_rate:.4g} 1/s"
    held = "flow rate held" if fluid.mean_velocity or fluid.flow_rate else "pressure held"
    return (
        f"drive: {flight.pressure_drop / 1e3:.3g} kPa over {1e6 * channel.length:.4g} µm ↔ "
        f"{1e3 * flight.gap_velocity:.4g} mm/s mean in the empty gap (lubrication), {held}"
    )
