"""The microscope model fitted to one real frame: background, contrast, blur, noise, wall line and the cell's index."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from bridge.body import CellBody, Grid, draw_body
from bridge.camera import Lamp, camera
from bridge.field import add_cell, wall_field, wall_shade
from bridge.light import Look, camera_pixels, change, empty_channel
from bridge.looks import CellOptics
from bridge.optics import bright_field
from bridge.path import Pose, optical_path
from bridge.real_frame import RealFrame, across_edge, across_wall, along, cells_of, clear_columns
from bridge.scene import Scene
from sim.config import ChannelConfig

if TYPE_CHECKING:
    from bridge.microscope import Microscope

_MARGIN = 5e-6  # m around what is pictured: keep the seam of the periodic field away from it
_COLUMNS = 24  # of the empty channel that a wall's profile is taken from
_STEPS = 30  # of the fit, at most

_FITTED = {
    "background": (0.1, 1.0, 0.05),
    "flare": (0.0, 0.8, 0.1),
    "blur": (0.0, 1.2e-6, 1e-7),
    "defocus": (-6e-6, 6e-6, 5e-7),
    "objective_na": (0.3, 0.6, 0.03),
    "wall_slope": (0.0, 1e-6, 1e-7),
    "wall_shade": (0.0, 0.9, 0.1),
}
"""Fields of the microscope that are fitted: lowest and highest value, and a typical change."""
_CONDENSER = {"condenser_na": (0.2, 0.99, 0.1), "condenser_x": (-0.4, 0.4, 0.05), "condenser_y": (-0.4, 0.4, 0.05)}
"""The same of the condenser, as shares of the objective's aperture, to which its light is cut."""
_LINES = dict.fromkeys(("upper", "lower"), (-6e-7, 6e-7, 1e-7))
_ENDS = {"cytoplasm": (1.338, 1.45, 0.01)} | dict.fromkeys(("rear", "front"), (-6e-7, 6e-7, 1e-7))
"""How far outside of the places at which they were found walls and a cell's ends lie (m), and the cell's index."""


@dataclass(frozen=True)
class Match:
    """A microscope fitted to a frame."""

    frame: RealFrame
    """The frame, its channel's walls where the fit has them."""
    microscope: Microscope
    cell: dict[str, float]
    """Values of `bridge.looks.CellOptics`; empty where the frame shows no cell in the constriction."""
    place: np.ndarray
    """Of the profiles' points (n,), m outwards from the wall or the edge."""
    real: dict[str, np.ndarray]
    """Profiles of the frame (n,), grey values: ``upper`` and ``lower`` wall, ``rear`` and ``front`` of the cell."""
    model: dict[str, np.ndarray]
    """The same of the model."""
    correlation: dict[str, float]
    """Correlation of each pair."""
    outlines: list[np.ndarray]
    """Of the cells in the frame (points, 2), m."""


def match(frame: RealFrame, start: Microscope, on_progress: Callable[[float, str], None]) -> Match:
    """Return the microscope whose pictures have the profiles of a frame.

    Parameters
    ----------
    frame
        The frame.
    start
        Where to start; what is not fitted stays as it is.
    on_progress
        Is told the fraction done and what is done.

    Raises
    ------
    DatasetError
        If the frame shows no wide channel beside its constriction.

    Notes
    -----
    Least squares over the profiles across both walls and both ends of the cell in the constriction, all together, each
    over its own standard deviation (`scipy.optimize.least_squares`). The walls alone come first, since cells are found
    against the empty channel so pictured. A cell's depth is not seen: its index is that of a body as deep as a
    two-dimensional run's, without nucleus and texture, whose places are the cell's own.
    """
    start = replace(start, pixel_size=frame.grid.pixel_size, without=())
    values = {name: getattr(start, name) for name in _FITTED} | dict.fromkeys(_LINES, 0.0)
    values |= {name: getattr(start, name) / start.objective_na for name in _CONDENSER}
    values["background"] = float(np.median(frame.picture)) / 255
    real = _walls_of(frame, clear_columns(frame, []))
    values = _fit(frame, start, real, values, None, lambda share: on_progress(0.4 * share, "walls"))
    frame, values = _moved(frame, values)
    scope = _with(start, values)
    outlines = cells_of(frame, _grey(_light(frame, scope, [], []), scope))
    cell = next((one for one in outlines if 0 < one[:, 0].mean() < frame.channel.constriction_length), None)
    real = _walls_of(frame, clear_columns(frame, outlines))
    if cell is not None:
        real |= _ends_of(frame.picture, frame.grid, cell, 0.0, 0.0)
        values |= {"cytoplasm": CellOptics().cytoplasm, "rear": 0.0, "front": 0.0}
    values = _fit(frame, start, real, values, cell, lambda share: on_progress(0.4 + 0.6 * share, "walls and cell"))
    model = _profiles(frame, _with(start, values), values, cell)
    correlation = {name: float(np.corrcoef(one, model[name])[0, 1]) for name, one in real.items()}
    optics: dict[str, float] = {}
    if cell is not None:
        apart = CellOptics().nucleus - CellOptics().cytoplasm
        optics = {"cytoplasm": round(values["cytoplasm"], 5), "nucleus": round(values["cytoplasm"] + apart, 5)}
    scope = _as_noisy(_with(start, values), frame)
    return Match(_moved(frame, values)[0], scope, optics, along(), real, model, correlation, outlines)


def _moved(frame: RealFrame, values: dict[str, float]) -> tuple[RealFrame, dict[str, float]]:
    """Return a frame whose walls lie where the fit has them, outside of the dark lines, and values that know it."""
    upper, lower = values["upper"], values["lower"]
    channel, grid = frame.channel, frame.grid
    wider = {name: getattr(channel, name) + upper + lower for name in ("gap", "width")}
    grid = grid._replace(y0=grid.y0 - (lower - upper) / 2)
    return frame._replace(channel=channel.model_copy(update=wider), grid=grid), values | dict.fromkeys(_LINES, 0.0)


def _with(scope: Microscope, values: dict[str, float]) -> Microscope:
    """Return a microscope with some fitted values."""
    na, x, y = (values[name] for name in _CONDENSER)
    shares = {"condenser_na": min(na, 0.99 - np.hypot(x, y)), "condenser_x": x, "condenser_y": y}
    shares = {name: float(share * values["objective_na"]) for name, share in shares.items()}
    return replace(scope, **{name: values[name] for name in _FITTED}, **shares)


def _as_noisy(scope: Microscope, frame: RealFrame) -> Microscope:
    """Return a microscope with a frame's noise: so many electrons that shot and read noise make it up; four digits."""
    variance = (frame.noise / 255) ** 2
    share = scope.background + np.sqrt(scope.background**2 + 4 * scope.read_noise**2 * variance)
    noise = {"full_well": max(1.0, share / (2 * variance)), "noise_blur": min(frame.noise_blur, 10.0)}
    fitted = {name: getattr(scope, name) for name in (*_FITTED, *_CONDENSER)} | noise
    return replace(scope, **{name: float(f"{value:.4g}") for name, value in fitted.items()})


def _fit(
    frame: RealFrame,
    start: Microscope,
    real: dict[str, np.ndarray],
    values: dict[str, float],
    cell: np.ndarray | None,
    on_progress: Callable[[float], None],
) -> dict[str, float]:
    """Return the values with which the model's profiles are nearest to the real ones."""
    from scipy.optimize import least_squares

    names = list(values)
    bounds = _FITTED | _CONDENSER | _LINES | _ENDS
    low, high, scale = np.array([bounds[name] for name in names]).T
    top = (high - low) / scale
    calls = 0

    def missed(p: np.ndarray) -> np.ndarray:
        nonlocal calls
        calls += 1
        on_progress(min(1.0, calls / (0.5 * _STEPS * len(p))))
        now = dict(zip(names, (low + (p - 1) * scale).tolist(), strict=True))
        model = _profiles(frame, _with(start, now), now, cell)
        return np.concatenate([(model[name] - one) / one.std() for name, one in real.items()])

    at = np.clip((np.array([values[name] for name in names]) - low) / scale, 1e-3 * top, 0.999 * top)
    # Counted from 1, so that the steps of the derivatives, relative ones, never vanish in single precision
    fit = least_squares(missed, 1 + at, bounds=(1, 1 + top), diff_step=0.01, max_nfev=_STEPS, ftol=1e-4, xtol=1e-4)
    return dict(zip(names, (low + (fit.x - 1) * scale).tolist(), strict=True))


def _walls_of(frame: RealFrame, columns: np.ndarray) -> dict[str, np.ndarray]:
    half = frame.channel.width / 2
    sides = {"upper": -half, "lower": half}
    return {name: across_wall(frame.picture, frame.grid, columns, wall) for name, wall in sides.items()}


def _ends_of(picture: np.ndarray, grid: Grid, outline: np.ndarray, rear: float, front: float) -> dict[str, np.ndarray]:
    low, high = outline.min(axis=0), outline.max(axis=0)
    y = (low[1] + high[1]) / 2
    return {
        "rear": across_edge(picture, grid, low[0] - rear, y, -1),
        "front": across_edge(picture, grid, high[0] + front, y, 1),
    }


def _profiles(
    frame: RealFrame, scope: Microscope, values: dict[str, float], cell: np.ndarray | None
) -> dict[str, np.ndarray]:
    """Return the model's profiles (n,), grey values."""
    pixel_size, width = frame.grid.pixel_size, frame.channel.width
    plane = ChannelConfig(kind="straight", gap=width, depth=frame.channel.depth)
    rows = 2 * round((width / 2 + _MARGIN) / pixel_size)
    grid = Grid.centred(0.0, 0.0, pixel_size, (rows, _COLUMNS))
    light, shade = empty_channel(plane, scope, grid)
    picture, every = _grey(light * shade, scope), np.arange(_COLUMNS)
    profiles = {
        "upper": across_wall(picture, grid, every, -width / 2 - values["upper"]),
        "lower": across_wall(picture, grid, every, width / 2 + values["lower"]),
    }
    if cell is not None:
        profiles |= _ends_of(*_around(frame, scope, cell, values["cytoplasm"]), cell, values["rear"], values["front"])
    return profiles


def _grey(light: np.ndarray, scope: Microscope) -> np.ndarray:
    return 255 * scope.background * (scope.flare + (1 - scope.flare) * light)


def _around(frame: RealFrame, scope: Microscope, outline: np.ndarray, index: float) -> tuple[np.ndarray, Grid]:
    """Return the model's grey values around a cell of one index, and their pixels."""
    pixel_size, fine = frame.grid.pixel_size, scope.oversampling
    low, high = outline.min(axis=0) - _MARGIN, outline.max(axis=0) + _MARGIN
    columns, rows = (16 * int(np.ceil(n / 16)) for n in (high - low) / pixel_size)
    patch = Grid(low[0], low[1], pixel_size / fine, (rows * fine, columns * fine))
    body = _plain(_body(outline, CellOptics(cytoplasm=index, nucleus=index, index_spread=0)))
    path = optical_path(body, _pose(outline), patch, scope.medium_index)
    field = add_cell(wall_field(frame.channel, patch, scope), path, scope.wavelength)
    light = bright_field(field, patch.pixel_size, scope, scope.defocus) * wall_shade(frame.channel, patch, scope)
    return _grey(camera_pixels(light, (rows, columns), fine), scope), Grid(low[0], low[1], pixel_size, (rows, columns))


def _radius(outline: np.ndarray) -> float:
    from bridge.body import outline_area

    return float(np.sqrt(outline_area(outline) / np.pi))


def _pose(outline: np.ndarray) -> Pose:
    """Return a cell that was a circle at rest, its membrane carried along the outline from its front."""
    nodes = np.roll(outline, -int(np.argmax(outline[:, 0])), axis=0)
    angle = 2 * np.pi * np.arange(len(nodes)) / len(nodes)
    rest = _radius(nodes) * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    edges = np.stack([np.arange(len(nodes)), np.roll(np.arange(len(nodes)), -1)], axis=1)
    return Pose(nodes, rest, edges)


def _body(outline: np.ndarray, optics: CellOptics) -> CellBody:
    return draw_body(optics, _radius(outline), np.random.default_rng(0))


def _plain(body: CellBody) -> CellBody:
    """Return a body without texture."""
    none = np.zeros(0)
    return replace(body, fluctuation_path=0.0, granules=np.zeros((0, 3)), granule_sigma=none, granule_index=none)


def _light(
    frame: RealFrame, scope: Microscope, outlines: Sequence[np.ndarray], bodies: Sequence[CellBody]
) -> np.ndarray:
    """Return the intensity of a whole frame (rows, columns) under an even lamp; 1 = nothing in the way."""
    light, shade = empty_channel(frame.channel, scope, frame.grid)
    light = light.copy()
    for outline, body in zip(outlines, bodies, strict=True):
        scene = Scene(body, Lamp((0.0, 0.0, 0.0), scope.lamp_range), scope.defocus, ())
        added, window = change(_pose(outline), scene, Look(frame.channel, scope, frame.grid))
        light[window] += added
    return light * shade


def pictured(found: Match, seed: int) -> np.ndarray:
    """Return a frame's channel and cells as the microscope fitted to it sees them (rows, columns).

    `seed` draws the cells' texture and the noise.
    """
    rng = np.random.default_rng(seed)
    optics = CellOptics(**(asdict(CellOptics()) | found.cell | {"index_spread": 0.0}))
    bodies = [draw_body(optics, _radius(outline), rng) for outline in found.outlines]
    return camera(_light(found.frame, found.microscope, found.outlines, bodies), found.microscope, rng)
