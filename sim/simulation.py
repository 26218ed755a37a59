"""One cell through one channel: the only place that knows the order of a time step."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import time
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sim import preflight
from sim.boundary import Walls
from sim.cell import Cell, LostMembrane, Membrane, begin_step, end_step, make_membrane
from sim.channel import Channel
from sim.command import UnstableSimulation
from sim.config import PHYSICS_VERSION, SimulationConfig
from sim.drive import Controller, Drive, control, start_drive
from sim.files import cache_dir, replacing
from sim.fluid import Fluid, FluidModel, flow_rate, make_fluid_model, moments, step
from sim.lattice import CS2, D2Q9
from sim.observe import outline_measures
from sim.trace import COLUMNS, Outcome, Trace

RESIDUAL_STEPS = 500
MAX_WARM_UP = 400_000
MAX_MACH = 0.3
MAX_DENSITY_CHANGE = 0.3
DENSITY_SAMPLES = 20
"""The density of the whole channel is checked at every so many samples: a thousandth of the run's time."""
ROUND_AGAIN = 0.02
"""The cell is round again when its deformation index is this close to the one it started with."""
STUCK_TRANSITS = 5.0
"""A cell is stuck when it moves less than a tenth of dx in this many transit times of the empty constriction."""


@dataclass(frozen=True)
class Model:
    """Everything that stays the same during a run.

    Attributes
    ----------
    flight
        Resolved configuration, units and predictions.
    channel
        Geometry.
    fluid, membrane
        Models of the flow and of the cell.
    controller
        Holds the flow rate, if the drive is one.
    """

    flight: preflight.Flight
    channel: Channel
    fluid: FluidModel
    membrane: Membrane
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


@dataclass(frozen=True)
class Sample:
    """What a caller sees while the simulation runs.

    Attributes
    ----------
    phase
        ``warm-up`` or ``squeeze``.
    fraction
        Done of the phase, estimated (0 to 1).
    values
        The newest row of the trace, SI; empty during the warm-up.
    detail
        One short line for people.
    """

    phase: str
    fraction: float
    values: dict[str, float]
    detail: str


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
    magic = numerics.magic if numerics.collision == "trt" else None
    fluid = make_fluid_model(
        D2Q9,
        channel.grid,
        numerics.tau,
        (force, 0.0),
        numerics.precision,
        magic,
        _moving_walls(flight),
        numerics.threads,
    )
    controller = None
    if config.fluid.mean_velocity or config.fluid.flow_rate:
        target = flight.gap_velocity * config.channel.gap / (units.velocity * units.dx)
        controller = Controller(target, force / target, channel.section(config.channel.x_start))
    return Model(flight, channel, fluid, make_membrane(config, channel, units, flight.pressure_drop), controller)


def _moving_walls(flight: preflight.Flight) -> Walls | None:
    """Return the walls of a Couette channel: the upper moves forward, the lower backward."""
    if flight.config.fluid.shear_rate is None:
        return None
    speed = flight.gap_velocity / flight.units.velocity
    middle = float(flight.channel.to_lattice(np.zeros(2))[1])
    return Walls(velocity=lambda x: np.stack([speed * np.sign(x[:, 1] - middle), np.zeros(len(x))], axis=1))


def init(model: Model, on_sample: Iterable[Callable[[Sample], None]] = ()) -> State:
    """Return the state at which the cell is placed into the steady flow.

    The flow is read from the cache if it was computed before, and computed and stored otherwise.

    Raises
    ------
    UnstableSimulation
        If the flow does not become steady or leaves the range of validity.
    """
    fluid, drive = Fluid(model.fluid), start_drive(model.fluid)
    path = cache_dir("warmup") / f"{_flow_digest(model)}.npz"
    if not _read_flow(path, fluid, drive):
        _warm_up(model, fluid, drive, on_sample)
        with replacing(path) as part:
            np.savez(part, f=fluid.f, force=drive.force)
    return State(fluid, drive, Cell(model.membrane))


def advance(model: Model, state: State) -> None:
    """Take one time step in place: membrane forces to the fluid, flow, membrane with the flow."""
    control(state.drive, state.fluid, model.controller)
    begin_step(model.membrane, state.cell, model.fluid, state.fluid)
    step(state.drive.model, state.fluid)
    end_step(model.membrane, state.cell, model.fluid, state.fluid)
    state.steps += 1


def probe(model: Model, seconds: float = 1.0) -> float:
    """Return how long a step takes on this machine now (s): steps are taken from rest for `seconds` and thrown away."""
    state = State(Fluid(model.fluid), start_drive(model.fluid), Cell(model.membrane))
    for _ in range(2):
        advance(model, state)  # compiles, or loads what was compiled before
    start, count = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        state.cell.x[:] = model.membrane.start  # stays where it is, also when the flow has picked up
        for _ in range(20):
            advance(model, state)
        count += 20
    return (time.perf_counter() - start) / count


def simulate(config: SimulationConfig, on_sample: Iterable[Callable[[Sample], None]] = ()) -> Trace:
    """Simulate one cell from its start until it is out, stuck, or the time is over.

    Parameters
    ----------
    config
        What to simulate; open numerics are chosen by the pre-flight check.
    on_sample
        Called with every `Sample`.

    Raises
    ------
    ConfigError
        If the pre-flight check refuses the configuration.
    UnstableSimulation
        If the simulation breaks down.
    """
    callbacks = tuple(on_sample)
    model = build(config)
    state = init(model, callbacks)
    recorder = _Recorder(model, state)
    per_sample = recorder.steps_per_sample
    outcome = recorder.record(state, 0.0, callbacks)
    while outcome is None:
        slip = 0.0
        for _ in range(per_sample):
            try:
                advance(model, state)
            except LostMembrane as error:
                raise _unstable(model, state, "a membrane node has no finite position or left the grid") from error
            slip = max(slip, state.cell.slip)
            if not state.cell.wall_distance > 0:
                raise _unstable(model, state, f"a membrane node is in the wall {_place_in_wall(model, state)}")
        outcome = recorder.record(state, slip, callbacks)
    return recorder.trace(outcome)


class _Recorder:
    """Collects samples and outlines, watches the health, and decides when the run ends."""

    def __init__(self, model: Model, state: State) -> None:
        config, units = model.config, model.flight.units
        self.model = model
        every = float(config.output.every or 0.0)
        self.steps_per_sample = max(2, 2 * round(every / units.dt / 2))  # moments need an even number of steps
        channel = model.channel
        gap = channel.section(config.channel.constriction_length / 2)
        rate = flow_rate(state.drive.model, state.fluid, gap)
        self.through = config.fluid.shear_rate is None
        self.gap_velocity = rate / len(gap) * units.velocity if self.through else model.flight.gap_velocity
        self.inlet = channel.section(config.channel.x_start)
        self.rows: list[dict[str, float]] = []
        self.snapshots: list[tuple[float, np.ndarray]] = []
        path = np.linspace(config.cell.start_x, preflight.exit_position(config), 501)
        self.path, self.path_time = path, preflight.transit_time(config, channel, self.gap_velocity, path)
        expected = model.flight.numbers["predicted_steps"] / self.steps_per_sample
        self.snapshot_stride = max(1, round(expected / config.output.snapshots))
        self.stuck_samples = int(
            STUCK_TRANSITS * config.channel.constriction_length / self.gap_velocity / (self.steps_per_sample * units.dt)
        )

    def record(self, state: State, slip: float, callbacks: tuple[Callable[[Sample], None], ...]) -> Outcome | None:
        """Take a sample; return the outcome if the run is over."""
        model, units = self.model, self.model.flight.units
        x = model.channel.to_si(state.cell.x)
        _check_flow(model, state)
        if len(self.rows) % DENSITY_SAMPLES == 0:
            _check_density(model, state)
        row = outline_measures(x)
        _, inlet = moments(state.drive.model, state.fluid, self.inlet)
        row["time"] = state.steps * units.dt
        row["flow_rate"] = float(inlet[:, 0].sum()) * units.velocity * units.dx
        row["pressure_drop"] = state.drive.force * units.force_density * model.channel.length
        row["slip"] = slip * units.velocity / self.gap_velocity
        row["wall_distance"] = self._wall_distance(state)
        if len(self.rows) % self.snapshot_stride == 0:
            self._keep_snapshot(row["time"], x)
        self.rows.append(row)
        outcome = self._outcome(row)
        if outcome is not None and self.snapshots[-1][0] != row["time"]:
            self.snapshots.append((row["time"], x))
        self._tell(row, callbacks)
        return outcome

    def _wall_distance(self, state: State) -> float:
        """Return the smallest wall distance in m; before the first step there is none, and it is looked up."""
        channel = self.model.channel
        if state.steps:
            return state.cell.wall_distance * channel.dx
        nearest = np.rint(state.cell.x).astype(np.int64)
        return float(channel.distance[nearest @ channel.grid.strides].min()) * channel.dx

    def _keep_snapshot(self, time: float, x: np.ndarray) -> None:
        """Keep an outline; when a slow run has twice as many as wanted, keep every second one from there on."""
        self.snapshots.append((time, x))
        if len(self.snapshots) > 2 * self.model.config.output.snapshots:
            self.snapshots = self.snapshots[::2]
            self.snapshot_stride *= 2

    def _outcome(self, row: dict[str, float]) -> Outcome | None:
        config = self.model.config
        channel, dx = config.channel, config.numerics.dx
        if not self.through:
            return Outcome.SHEARED if row["time"] > float(config.numerics.max_time or np.inf) else None
        left = row["rear_x"] > channel.x_exit
        if left and abs(row["di"] - self.rows[0]["di"]) < ROUND_AGAIN:
            return Outcome.EXITED
        if row["front_x"] > channel.x_end - 3 * dx:
            return Outcome.OUTLET
        if row["time"] > float(config.numerics.max_time or np.inf):
            return Outcome.MAX_STEPS
        past = self.rows[-1 - self.stuck_samples] if len(self.rows) > self.stuck_samples else None
        if past is not None and row["x"] - past["x"] < 0.1 * dx:
            return Outcome.STUCK
        return None

    def _tell(self, row: dict[str, float], callbacks: tuple[Callable[[Sample], None], ...]) -> None:
        if not callbacks:
            return
        done = float(np.interp(row["x"], self.path, self.path_time) / self.path_time[-1])
        if not self.through:
            done = row["time"] / float(self.model.config.numerics.max_time or np.inf)
        detail = f"x = {1e6 * row['x']:.1f} µm, DI = {row['di']:.2f}, t = {1e3 * row['time']:.3f} ms"
        for callback in callbacks:
            callback(Sample("squeeze", done, row, detail))

    def trace(self, outcome: Outcome) -> Trace:
        """Return what was recorded; the velocity is the central difference of the centroid."""
        time = np.array([row["time"] for row in self.rows])
        samples = {name: np.array([row[name] for row in self.rows]) for name in COLUMNS if name not in ("vx", "vy")}
        for axis in ("x", "y"):
            samples["v" + axis] = np.gradient(samples[axis], time) if len(time) > 1 else np.zeros(1)
        count = len(self.snapshots[0][1])
        nodes = np.arange(count)
        return Trace(
            samples={name: samples[name] for name in COLUMNS},
            snapshot_time=np.array([time for time, _ in self.snapshots]),
            snapshots=np.array([x for _, x in self.snapshots]),
            faces=np.stack([nodes, (nodes + 1) % count], axis=1),
            outcome=outcome,
            config=self.model.config,
            flow={**self.model.flight.numbers, "gap_velocity_m_per_s": self.gap_velocity},
        )


def _check_flow(model: Model, state: State) -> None:
    """Raise where the flow around the cell is not finite or too fast for the method."""
    speed = np.sqrt(sum(u.astype(np.float64) ** 2 for u in state.fluid.velocity))
    node = int(np.argmax(np.where(np.isfinite(speed), speed, np.inf)))
    mach = speed[node] / np.sqrt(CS2)
    if not mach < MAX_MACH:
        place = _place(model, model.fluid.grid.coordinates(np.array([node]))[0])
        raise _unstable(model, state, f"the flow reaches Mach {mach:.2g} (at most {MAX_MACH}) at {place}")


def _check_density(model: Model, state: State) -> None:
    """Raise where the density anywhere in the channel has left the range of weak compressibility."""
    inside = np.flatnonzero(model.fluid.grid.fluid)
    density, _ = moments(state.drive.model, state.fluid, inside)
    change = np.where(np.isfinite(density), abs(density - 1), np.inf)
    worst = int(np.argmax(change))
    if not change[worst] < MAX_DENSITY_CHANGE:
        place = _place(model, model.fluid.grid.coordinates(inside[worst : worst + 1])[0])
        what = f"the density departs by {change[worst]:.2g} from 1 (at most {MAX_DENSITY_CHANGE}) at {place}"
        raise _unstable(model, state, what)


def _place(model: Model, position: np.ndarray) -> str:
    x, y = 1e6 * model.channel.to_si(position)
    return f"x = {x:.2f} µm, y = {y:.2f} µm"


def _place_in_wall(model: Model, state: State) -> str:
    channel = model.channel
    nearest = np.rint(state.cell.x).astype(np.int64)
    node = int(np.argmin(channel.distance[nearest @ channel.grid.strides]))
    return f"(node {node} at {_place(model, state.cell.x[node])})"


def _unstable(model: Model, state: State, what: str) -> UnstableSimulation:
    time = 1e3 * state.steps * model.flight.units.dt
    return UnstableSimulation(f"at t = {time:.4g} ms (step {state.steps}) {what}: {Outcome.UNSTABLE.value}")


def _flow_digest(model: Model) -> str:
    """Name the empty channel's flow by all that it depends on."""
    config = model.config
    numerics = config.numerics.model_dump(
        include={"dimension", "dx", "tau", "inertia_scale", "collision", "magic", "precision", "steady_tolerance"}
    )
    content = [PHYSICS_VERSION, config.fluid.model_dump(), config.channel.model_dump(), numerics]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def _read_flow(path: Path, fluid: Fluid, drive: Drive) -> bool:
    """Read a stored flow and its force into place; return whether there was a sound one."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            f, force = stored["f"], float(stored["force"])
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile):
        return False
    if f.shape != fluid.f.shape or f.dtype != fluid.f.dtype:
        return False
    fluid.f[:] = f
    drive.model = dataclasses.replace(drive.model, force=(force, *drive.model.force[1:]))
    drive.integral = force
    return True


def _warm_up(model: Model, fluid: Fluid, drive: Drive, on_sample: Iterable[Callable[[Sample], None]]) -> None:
    """Run the empty channel until the velocity changes by less than the tolerance in `RESIDUAL_STEPS` steps."""
    inside = np.flatnonzero(model.fluid.grid.fluid)
    before = np.zeros((len(inside), model.fluid.lattice.d))
    tolerance = model.config.numerics.steady_tolerance
    first = None
    while fluid.steps < MAX_WARM_UP:
        for _ in range(RESIDUAL_STEPS):
            control(drive, fluid, model.controller)
            step(drive.model, fluid)
        density, velocity = moments(drive.model, fluid, inside)
        largest = np.linalg.norm(velocity, axis=1).max()
        if not (
            np.isfinite(largest) and largest < MAX_MACH * np.sqrt(CS2) and abs(density - 1).max() < MAX_DENSITY_CHANGE
        ):
            raise UnstableSimulation(
                f"the flow of the empty channel broke down at step {fluid.steps}; {Outcome.UNSTABLE.value}"
            )
        residual = float(np.linalg.norm(velocity - before, axis=1).max() / largest)
        if residual < tolerance:
            return
        first = first or residual
        done = float(np.clip(np.log(first / residual) / np.log(first / tolerance), 0, 1)) if first > residual else 0.0
        for callback in on_sample:
            callback(Sample("warm-up", done, {}, f"change {residual:.1e} in {RESIDUAL_STEPS} steps"))
        before = velocity
    raise UnstableSimulation(
        f"the flow of the empty channel is not steady after {MAX_WARM_UP} steps (change {residual:.1e}, "
        f"wanted {tolerance:g}): raise numerics.steady_tolerance or lower numerics.inertia_scale"
    )
