"""Whether a channel can be put on the lattice, and a cell into the channel."""

from __future__ import annotations

import numpy as np

from sim.apart import check_apart
from sim.cell import contact_range
from sim.channel import Channel, nodes_across_gap
from sim.config import CellConfig, ChannelConfig, ConfigError, SimulationConfig
from sim.outline import wall_distance
from sim.shape import Body, bodies

MIN_NODES, MIN_NODES_OIF = 8, 5
"""Across the gap; of the law `oif` as few as in the runs that were published with it."""
MIN_CELL, MIN_CELL_OIF = 8, 7
"""Lattice spacings across the cell, and those of the law `oif`."""
MAX_NODES = 5e7
"""Of the lattice: some 3 GB in 2-D, 5 GB in 3-D."""


def least_nodes(config: SimulationConfig) -> int:
    """Return the number of nodes that the gap must have."""
    return MIN_NODES if config.cell.oif is None else MIN_NODES_OIF


def check_lattice(config: SimulationConfig) -> None:
    """Refuse a lattice that is too coarse for gap and cell, too large, or does not fit the gap.

    Raises
    ------
    ConfigError
        With the number that breaks the rule, and the value that would not.
    """
    channel, numerics = config.channel, config.numerics
    if channel.kind == "cylinder" and numerics.dimension == 2:
        raise ConfigError(
            'channel.kind = "cylinder" is a tube: set numerics.dimension to 3, or channel.kind to straight'
        )
    nodes, least = nodes_across_gap(channel, numerics.dx), least_nodes(config)
    if nodes < least:
        raise ConfigError(
            f"channel.gap = {channel.gap:g} m is {channel.gap / numerics.dx:.1f} lattice nodes across at "
            f"numerics.dx = {numerics.dx:g} m; at least {least} are needed: "
            f"set numerics.dx to {channel.gap / least:.4g} m or less"
        )
    error = abs(nodes * numerics.dx / channel.gap - 1)
    if error > 0.01:
        raise ConfigError(
            f"channel.gap = {channel.gap:g} m is {channel.gap / numerics.dx:.2f} lattice nodes across; it must be a "
            f"whole number within 1 %: set numerics.dx to {channel.gap / nodes:.6g} m"
        )
    extent = [channel.length, channel.height, channel.depth][: numerics.dimension]
    size = float(np.prod(extent)) / numerics.dx**numerics.dimension
    if size > MAX_NODES:
        coarser = (float(np.prod(extent)) / MAX_NODES) ** (1 / numerics.dimension)
        raise ConfigError(
            f"the channel of {' × '.join(f'{length:g} m' for length in extent)} takes {size:.2g} lattice nodes "
            f"at numerics.dx = {numerics.dx:g} m (at most {MAX_NODES:.0e}): "
            f"set numerics.dx to {coarser:.2g} m or more, or shorten it"
        )
    for number, cell in enumerate(config.all_cells):
        least = MIN_CELL if cell.oif is None else MIN_CELL_OIF
        if cell.diameter < least * numerics.dx:
            raise ConfigError(
                f"{section(config, number)}.diameter = {cell.diameter:g} m is {cell.diameter / numerics.dx:.1f} "
                f"lattice spacings; at least {least} are needed: raise it, or set numerics.dx to "
                f"{cell.diameter / least:.3g} m or less"
            )
    if config.cell.oif is None and numerics.wall_range < numerics.dx * (1 - 1e-9):
        raise ConfigError(
            f"numerics.wall_range = {numerics.wall_range:g} m is less than one lattice spacing "
            f"(numerics.dx = {numerics.dx:g} m): raise it to {numerics.dx:g} m, or refine dx"
        )
    if numerics.wall_range >= config.channel.gap / 2:
        raise ConfigError(
            f"numerics.wall_range = {numerics.wall_range:g} m reaches across the gap of {config.channel.gap:g} m: "
            f"lower it, to {numerics.dx:g} m at least"
        )


def section(config: SimulationConfig, number: int) -> str:
    """Return how the section of a cell (from 0) is called in messages: ``cell``, or ``cells.2`` of several."""
    return "cell" if config.cells is None else f"cells.{number + 1}"


def check_start(config: SimulationConfig) -> None:
    """Refuse cells that do not fit into the channel, start in a wall or outside of the channel, or overlap.

    Raises
    ------
    ConfigError
        With the number that breaks the rule, and what to change.
    """
    cells = bodies(config)
    for number, parts in enumerate(cells):
        _check_cell(config, parts, section(config, number))
    check_apart(config, [parts[0] for parts in cells])
    _check_outlet(config)


def _check_outlet(config: SimulationConfig) -> None:
    """Refuse an outlet that the first of several cells leaves before the last is out of the exit taper."""
    channel, dx = config.channel, config.numerics.dx
    if config.cells is None or channel.kind == "couette" or config.output.stop_x is not None:
        return
    train = float(np.ptp([cell.start_x for cell in config.cells]))
    needed = train + max(cell.diameter for cell in config.cells) + 3 * dx
    if channel.outlet_length < needed:
        raise ConfigError(
            f"channel.outlet_length = {channel.outlet_length:g} m is too short for {len(config.cells)} cells that "
            f"start {train:.3g} m apart: the first would reach the outlet before the last is out of the constriction; "
            f"set it to {needed:.3g} m or more, or start the cells closer"
        )


def _check_cell(config: SimulationConfig, parts: list[Body], name: str) -> None:
    channel, numerics = config.channel, config.numerics
    outer, *inner = parts
    cell, nodes = outer.cell, outer.nodes + outer.centre
    solid = numerics.dimension == 3 and channel.kind != "couette"
    widest = min(channel.height, channel.depth) if solid and channel.kind != "cylinder" else channel.height
    if cell.diameter >= widest - 2 * numerics.dx and _is_round(cell):
        raise ConfigError(
            f"{name}.diameter = {cell.diameter:g} m does not fit into the channel, {widest:g} m wide: "
            f"it must be less than {widest - 2 * numerics.dx:.3g} m"
        )
    clearance = _clearance(channel, nodes, solid)
    if clearance < numerics.dx:
        where = f"start_y = {cell.start_y:g} m" + (f", start_z = {cell.start_z:g} m" if solid else "")
        raise ConfigError(
            f"the cell at {name}.start_x = {cell.start_x:g} m, {where} with diameter {cell.diameter:g} m comes within "
            f"{clearance:.2g} m of a wall (at least one dx = {numerics.dx:g} m is needed): "
            "start it further upstream or on the centre line"
            + ("" if _is_round(cell) else f", or turn it ({name}.orientation)")
        )
    if inner:
        _check_nucleus(config, outer, name)
    margin = 4 * numerics.dx if cell.oif is None else 0.0  # nodes with mass may cross the periodic ends
    if nodes[:, 0].min() < channel.x_start + margin or nodes[:, 0].max() > channel.x_end - margin:
        raise ConfigError(
            f"the cell at {name}.start_x = {cell.start_x:g} m does not lie within the channel "
            f"({channel.x_start:g} to {channel.x_end:g} m): lengthen channel.inlet_length or move the cell"
        )


def _is_round(cell: CellConfig) -> bool:
    return cell.rest_shape == "sphere" and cell.mesh_file is None


def _check_nucleus(config: SimulationConfig, outer: Body, name: str) -> None:
    cell, dx = outer.cell, config.numerics.dx
    assert cell.nucleus is not None
    room = cell.diameter if _is_round(cell) else 2 * float(np.linalg.norm(outer.nodes, axis=1).min())
    largest = room - 2 * contact_range(config)
    if not MIN_CELL * dx <= cell.nucleus.diameter <= largest:
        raise ConfigError(
            f"{name}.nucleus.diameter = {cell.nucleus.diameter:g} m must lie between {MIN_CELL} lattice spacings, "
            f"{MIN_CELL * dx:.3g} m, and what keeps clear of the cell's membrane, {largest:.3g} m: "
            "change it, or refine numerics.dx"
        )


def _clearance(channel: ChannelConfig, nodes: np.ndarray, solid: bool) -> float:
    """Return the smallest distance (m) of nodes (V, d) from the walls; `solid`: from floor and ceiling, too."""
    if channel.kind == "cylinder":
        return float((channel.gap / 2 - np.hypot(nodes[:, 1], nodes[:, 2])).min())
    sides = float(wall_distance(channel, nodes[:, 0], nodes[:, 1]).min())
    return min(sides, channel.depth / 2 - float(np.abs(nodes[:, 2]).max())) if solid else sides


def check_gap(config: SimulationConfig, channel: Channel) -> None:
    """Refuse a drawn channel whose gap is not what the configuration says, or which is closed somewhere.

    Raises
    ------
    ConfigError
        With the gap that was found.
    """
    smallest = float(channel.heights().min())
    gap = config.channel.gap
    if smallest <= 0:
        raise ConfigError("the channel is closed somewhere between inlet and outlet: check the outline and its unit")
    if abs(smallest - gap) > max(0.05 * gap, 1.01 * channel.dx):
        raise ConfigError(
            f"channel.gap = {gap:g} m, but the smallest height of the outline is {smallest:.4g} m: "
            f"set channel.gap to {smallest:.4g} m, or channel.unit or pixel_size to what they are"
        )
