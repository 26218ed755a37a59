"""Cells through one channel: the only place that knows the order of a time step."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sim import preflight
from sim.boundary import Walls
from sim.cell import CellModel, make_cells
from sim.channel import Channel
from sim.checkpoint import read_checkpoint, write_checkpoint
from sim.command import UnstableSimulation
from sim.config import SimulationConfig
from sim.coupling import Cell, LostMembrane, follow, move, place
from sim.drive import Controller, Drive, control, start_drive
from sim.fields import FieldKeeper
from sim.fluid import Fluid, FluidModel, make_fluid_model, step
from sim.health import density_trouble, flow_trouble, mesh_trouble, wall_trouble
from sim.inertial import begin_step, end_step, place_inertial
from sim.lattice import D2Q9, D3Q19
from sim.predict import gap_area
from sim.recorder import Recorder, Sample
from sim.trace import Outcome, Trace
from sim.warmup import warm_up

DENSITY_SAMPLES = 20
"""The density of the whole channel is checked at every so many samples: a thousandth of the run's time."""


@dataclass(frozen=True)
class Model:
    """Everything that stays the same during a run.

    Attributes
    ----------
    flight
        Resolved configuration, units and predictions.
    channel
        Geometry.
    fluid, cells
        Models of the flow and of the membranes.
    controller
        Holds the flow rate, if the drive is one.
    """

    flight: preflight.Flight
    channel: Channel
    fluid: FluidModel
    cells: CellModel
    controller: Controller | None = None

    @property
    def config(self) -> SimulationConfig:
        """The resolved configuration."""
        return self.flight.config


@dataclass
class State:
    """What changes: the flow, its drive, the cell, and the number of steps since the cell was placed."""

    fluid: Fluid
    drive: Drive
    cell: Cell
    steps: int = 0


def build(config: SimulationConfig) -> Model:
    """Resolve a configuration and prepare it.

    Raises
    ------
    ConfigError
        If the pre-flight check refuses it.
    """
    flight = preflight.preflight(config)
    preflight.require(flight)
    config, units = flight.config, flight.units
    channel = flight.channel
    # A uniform force in a periodic channel is the same flow as a pressure drop between its ends.
    force = flight.pressure_drop / channel.length / units.force_density
    numerics = config.numerics
    lattice = D2Q9 if numerics.dimension == 2 else D3Q19
    fluid = make_fluid_model(
        lattice,
        channel.grid,
        numerics.tau,
        (force, *(0.0,) * (lattice.d - 1)),
        numerics.precision,
        numerics.magic if numerics.collision == "trt" else None,
        _walls(flight),
        numerics.threads or (1 if numerics.dimension == 2 else os.cpu_count() or 1),
        config.viscosities_differ,
    )
    controller = None
    if config.fluid.mean_velocity or config.fluid.flow_rate:
        target = flight.gap_velocity * gap_area(config) / units.flow_rate
        controller = Controller(target, force / target, channel.section(config.channel.x_start))
    return Model(flight, channel, fluid, make_cells(config, channel, units, flight.pressure_drop), controller)


def _walls(flight: preflight.Flight) -> Walls:
    """Return the rules of the walls: the upper wall of a Couette channel moves forward, the lower backward."""
    channel = flight.channel
    velocity = fraction = None
    if flight.config.fluid.shear_rate is not None:
        speed = flight.gap_velocity / flight.units.velocity
        axes = len(channel.origin)
        middle = float(channel.to_lattice(np.zeros(axes))[1])
        along = np.eye(axes)[0]
        velocity = lambda x: speed * np.sign(x[:, 1:2] - middle) * along  # noqa: E731
    if flight.config.numerics.walls == "interpolated":
        fraction = channel.wall_fraction
    return Walls(velocity=velocity, fraction=fraction)


def init(model: Model, on_sample: Iterable[Callable[[Sample], None]] = ()) -> State:
    """Return the state at which the cell is placed into the steady flow, or into a fluid at rest if that is asked for.

    The steady flow is read from the cache if it was computed before, and computed and stored otherwise.

    Raises
    ------
    UnstableSimulation
        If the flow does not become steady or leaves the range of validity.
    """

    def tell(fraction: float, detail: str) -> None:
        for callback in on_sample:
            callback(Sample("warm-up", fraction, {}, detail))

    fluid, drive = Fluid(model.fluid), start_drive(model.fluid, model.config.numerics.walls == "interpolated")
    if model.config.numerics.start == "steady":
        warm_up(model.config, model.controller, fluid, drive, tell)
    return _put_in(model, fluid, drive)


def _put_in(model: Model, fluid: Fluid, drive: Drive) -> State:
    cell = Cell(model.cells, model.fluid)
    if model.cells.inertia is None:
        place(model.cells, cell, model.fluid, fluid)
    else:
        place_inertial(model.cells, cell, model.fluid, fluid, _walls(model.flight).velocity)
    return State(fluid, drive, cell)


def at_rest(model: Model) -> State:
    """Return the state with the cell in a fluid at rest."""
    return _put_in(model, Fluid(model.fluid), start_drive(model.fluid))


def advance(model: Model, state: State) -> None:
    """Take one time step in place: the flow with the membranes' forces on it, then the membranes with the flow.

    Nodes with mass move before the flow does: the order of the object-in-fluid model, see `sim.inertial`.
    """
    control(state.drive, state.fluid, model.controller)
    if model.cells.inertia is None:
        step(state.drive.model, state.fluid)
        move(model.cells, state.cell, model.fluid, state.fluid)
    else:
        begin_step(model.cells, state.cell)
        follow(state.cell, model.fluid, state.fluid)
        end_step(model.cells, state.cell, model.fluid, state.fluid)
        step(state.drive.model, state.fluid)
    state.steps += 1


def probe(model: Model, seconds: float = 1.0) -> float:
    """Return how long a step takes on this machine now (s): steps are taken from rest for `seconds` and thrown away."""
    state = at_rest(model)
    for _ in range(2):
        advance(model, state)  # compiles, or loads what was compiled before
    start, count = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        state.cell.x[:] = model.cells.start  # stays where it is, also when the flow has picked up
        for _ in range(20):
            advance(model, state)
        count += 20
    return (time.perf_counter() - start) / count


def simulate(
    config: SimulationConfig,
    on_sample: Iterable[Callable[[Sample], None]] = (),
    checkpoint: Path | None = None,
    fields: Path | None = None,
) -> Trace:
    """Simulate cells from their start until all are out, one is stuck, or the time is over.

    Parameters
    ----------
    config
        What to simulate; open numerics are chosen by the pre-flight check.
    on_sample
        Called with every `Sample`.
    checkpoint
        File to go on from if it is there and of this run, and to write every `output.checkpoint_every` seconds; removed
        at the end.
    fields
        Folder to keep the fields of the flow in if the configuration asks for them; see `sim.fields.write_fields`.

    Raises
    ------
    ConfigError
        If the pre-flight check refuses the configuration.
    InputError
        If the checkpoint is there, but not the fields that go with it.
    UnstableSimulation
        If the simulation breaks down.
    OSError
        If the checkpoint cannot be written.
    """
    callbacks = tuple(on_sample)
    model = build(config)
    state = init(model, callbacks)
    keeper = FieldKeeper(fields, config.output.fluid_fields) if fields and config.output.fluid_fields else None
    recorder = Recorder(model, state, keeper)
    over = False
    if checkpoint is None or not read_checkpoint(checkpoint, model, state, recorder):
        over = recorder.record(state, 0.0, callbacks)
    elif keeper is not None:
        keeper.check(recorder.snapshot_times, model.flight.units.dt)
    written = time.monotonic()
    while not over:
        if checkpoint is not None and time.monotonic() - written > model.config.output.checkpoint_every:
            write_checkpoint(checkpoint, model, state, recorder)
            if keeper is not None:
                keeper.checkpointed(recorder.snapshot_times, model.flight.units.dt)
            written = time.monotonic()
        slip = _advance_to_sample(model, state, recorder.steps_per_sample)
        _check(model, state, recorder.count)
        over = recorder.record(state, slip, callbacks)
    if checkpoint is not None:
        checkpoint.unlink(missing_ok=True)
    return recorder.trace()


def _advance_to_sample(model: Model, state: State, steps: int) -> float:
    """Take some steps; return the largest slip of a node in them."""
    slip = 0.0
    for _ in range(steps):
        try:
            advance(model, state)
        except LostMembrane as error:
            raise _unstable(model, state, "a membrane node has no finite position or left the grid") from error
        slip = max(slip, state.cell.slip)
        trouble = wall_trouble(model.channel, state.cell)
        if trouble is not None:
            raise _unstable(model, state, trouble)
    return slip


def _check(model: Model, state: State, sample: int) -> None:
    """Raise where flow or membranes have left the range of validity."""
    trouble = flow_trouble(model.channel, state.fluid) or mesh_trouble(model.cells, state.cell)
    if trouble is None and sample % DENSITY_SAMPLES == 0:
        trouble = density_trouble(model.channel, model.fluid, state.fluid)
    if trouble is not None:
        raise _unstable(model, state, trouble)


def _unstable(model: Model, state: State, what: str) -> UnstableSimulation:
    when = 1e3 * state.steps * model.flight.units.dt
    return UnstableSimulation(f"at t = {when:.4g} ms (step {state.steps}) {what}: {Outcome.UNSTABLE.value}")
