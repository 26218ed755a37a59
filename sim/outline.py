"""The outline of a channel: parametric, or read from a polygon, a drawing, a solid or a mask image."""

from __future__ import annotations

import io
import itertools
from pathlib import Path

import numpy as np

from sim.config import METRES, ChannelConfig, ConfigError
from sim.solid import read_solid, section_rings


def outline(config: ChannelConfig) -> np.ndarray:
    """Return the upper wall of a parametric channel as corner points (corners, 2) in m; the lower is its mirror."""
    half, gap = config.width / 2, config.gap / 2
    if config.kind != "constriction":
        return np.array([[config.x_start, gap], [config.x_end, gap]])
    corners = [[config.x_start, half]]
    for k in range(config.count):
        start = k * config.period
        end = start + config.constriction_length
        corners += [[start - config.entry_taper, half], [start, gap], [end, gap], [end + config.exit_taper, half]]
    return np.array([*corners, [config.x_end, half]])


def walls(config: ChannelConfig) -> list[np.ndarray]:
    """Return the walls in the x-y plane as polylines, each (points, 2) in m.

    Raises
    ------
    ConfigError
        If a file is missing, is not what it should be, or does not span the channel.
    """
    if config.kind == "polygon":
        return _open_ends(_spanning(_read_polygon(config), config), config)
    if config.kind == "stl":
        return _open_ends(_spanning(_read_section(config), config), config)
    upper = outline(config)
    return [upper, upper * [1, -1]]


def wall_distance(config: ChannelConfig, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the signed distance to the nearest wall in the x-y plane (m), positive in the fluid.

    Parameters
    ----------
    x, y
        Positions of equal shape, m.
    """
    if config.kind == "mask":
        return _mask_distance(config, x, y)
    lines = walls(config)
    best = np.full(np.shape(x), np.inf)
    far = np.array([config.length, 0.0])
    for line in lines:
        # The ends go on beyond the domain, since it is periodic.
        ends = (line[0] - far * np.sign(line[-1, 0] - line[0, 0]), line[-1] + far * np.sign(line[-1, 0] - line[0, 0]))
        best = np.minimum(best, _polyline_distance(np.vstack([ends[0], line, ends[1]]), x, y))
    return np.where(_inside(config, lines, x, y), best, -best)


def _polyline_distance(corners: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    best = np.full(np.shape(x), np.inf)
    for a, b in itertools.pairwise(corners):
        (ex, ey), square = b - a, float((b - a) @ (b - a))
        px, py = x - a[0], y - a[1]
        t = np.clip((px * ex + py * ey) / square, 0, 1) if square > 0 else 0.0
        best = np.minimum(best, np.hypot(px - t * ex, py - t * ey))
    return best


def _inside(config: ChannelConfig, lines: list[np.ndarray], x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return which points lie between the walls; a channel goes on as it ends."""
    if config.kind not in ("polygon", "stl"):
        corners = outline(config)
        return np.abs(y) < np.interp(x, corners[:, 0], corners[:, 1])
    import shapely

    ring = np.vstack([lines[0], lines[1]])
    edge = 1e-9 * config.length
    return shapely.contains_xy(shapely.Polygon(ring), np.clip(x, config.x_start + edge, config.x_end - edge), y)


def _read_bytes(config: ChannelConfig) -> bytes:
    try:
        return Path(str(config.file)).read_bytes()
    except OSError as error:
        raise ConfigError(f"channel.file = {str(config.file)!r}: cannot be read ({error.strerror})") from error


def _read_polygon(config: ChannelConfig) -> np.ndarray:
    """Return the closed outline (points, 2) in m of a text file with two columns or of a DXF drawing."""
    if str(config.file).lower().endswith(".dxf"):
        return _read_drawing(config)
    text = _read_bytes(config).decode("utf-8", errors="replace").replace(",", " ").replace(";", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    try:
        float(lines[0].split()[0])
    except (ValueError, IndexError):
        lines = lines[1:]
    try:
        points = np.loadtxt(io.StringIO("\n".join(lines)), ndmin=2) if lines else np.zeros((0, 2))
    except ValueError as error:
        raise ConfigError(f"{config.file}: not a table of two columns x, y ({error})") from error
    if points.ndim != 2 or points.shape[1] != 2 or len(points) < 4 or not np.isfinite(points).all():
        raise ConfigError(f"{config.file}: a closed outline of at least 4 points x, y is expected, here {points.shape}")
    return points * METRES[_unit(config)]


def _read_drawing(config: ChannelConfig) -> np.ndarray:
    """Return the largest closed polyline of a DXF drawing in m; the drawing's own unit is used if it states one."""
    try:
        import ezdxf
        from ezdxf import units
        from ezdxf.entities.lwpolyline import LWPolyline
    except ImportError as error:
        raise ConfigError(f"{config.file}: reading DXF needs ezdxf: pip install ezdxf") from error
    try:
        drawing = ezdxf.readfile(str(config.file))  # pyright: ignore[reportPrivateImportUsage]
    except (OSError, ezdxf.DXFError) as error:  # pyright: ignore[reportPrivateImportUsage]
        raise ConfigError(f"channel.file = {str(config.file)!r}: not a readable DXF drawing ({error})") from error
    lines = [line for line in drawing.modelspace().query("LWPOLYLINE") if isinstance(line, LWPolyline)]
    rings = [np.array(list(line.get_points("xy"))) for line in lines if len(line) > 3]
    if not rings:
        raise ConfigError(f"{config.file}: no LWPOLYLINE in the drawing; draw the outline as one closed polyline")
    area = [abs((x * np.roll(y, -1) - y * np.roll(x, -1)).sum()) for x, y in (ring.T for ring in rings)]
    known = {units.M: 1.0, units.MM: 1e-3, 13: 1e-6}
    scale = known[drawing.units] if drawing.units in known and config.unit is None else METRES[_unit(config)]
    return rings[int(np.argmax(area))] * scale


def _read_section(config: ChannelConfig) -> np.ndarray:
    """Return the outline (points, 2) in m of a watertight STL's section half-way along z."""
    rings = section_rings(read_solid(config), 0.0)
    if len(rings) != 1:
        raise ConfigError(f"{config.file}: its section at mid-depth has {len(rings)} outlines; one is expected")
    return rings[0]


def _unit(config: ChannelConfig) -> str:
    if config.unit is None:
        raise ConfigError(f"{config.file} states no unit: set channel.unit to one of {', '.join(METRES)}")
    return config.unit


def _spanning(points: np.ndarray, config: ChannelConfig) -> np.ndarray:
    """Return the outline without a repeated last point, checked to reach from inlet to outlet."""
    if np.allclose(points[0], points[-1]):
        points = points[:-1]
    low, high = points[:, 0].min(), points[:, 0].max()
    tolerance = 1e-3 * config.length
    if abs(low - config.x_start) > tolerance or abs(high - config.x_end) > tolerance:
        raise ConfigError(
            f"{config.file} reaches from x = {1e6 * low:.4g} to {1e6 * high:.4g} µm, the channel from "
            f"{1e6 * config.x_start:.4g} to {1e6 * config.x_end:.4g} µm (x = 0 is the constriction's entry plane): "
            "set channel.inlet_length and outlet_length, or channel.unit, to match"
        )
    return points


def _open_ends(points: np.ndarray, config: ChannelConfig) -> list[np.ndarray]:
    """Return a closed outline as its two walls, the edges at inlet and outlet left out."""
    tolerance = 2e-3 * config.length
    at_end = (abs(points[:, 0] - config.x_start) < tolerance) * 1 + (abs(points[:, 0] - config.x_end) < tolerance) * 2
    amid = (at_end > 0) & (at_end == np.roll(at_end, 1)) & (at_end == np.roll(at_end, -1))
    points, at_end = points[~amid], at_end[~amid]
    cuts = [k for k in range(len(points)) if at_end[k] and at_end[k] == at_end[(k + 1) % len(points)]]
    if len(cuts) != 2:
        raise ConfigError(f"{config.file}: the outline needs one straight edge at the inlet and one at the outlet")
    first, second = cuts
    turned = np.roll(points, -(first + 1), axis=0)
    split = second - first
    parts = [turned[:split], turned[split:]]
    heights = [abs(part[0, 1] - part[-1, 1]) for part in parts]
    if max(heights) > 2e-2 * config.gap:
        raise ConfigError(f"{config.file}: inlet and outlet must match, since the flow is periodic along x")
    return parts


def _mask_distance(config: ChannelConfig, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the distance to the walls of a mask image, light where there is fluid, x to the right, y up."""
    from PIL import Image, UnidentifiedImageError
    from scipy import ndimage

    if config.pixel_size is None:
        raise ConfigError(f"{config.file} states no scale: set channel.pixel_size (m)")
    try:
        with Image.open(io.BytesIO(_read_bytes(config))) as image:
            fluid = np.asarray(image.convert("L")).T[:, ::-1] > 127
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as error:
        raise ConfigError(f"channel.file = {str(config.file)!r}: not a readable image ({error})") from error
    length = fluid.shape[0] * config.pixel_size
    if abs(length - config.length) > 2 * config.pixel_size:
        raise ConfigError(
            f"{config.file} is {1e6 * length:.4g} µm long at {1e6 * config.pixel_size:.3g} µm a pixel, the channel "
            f"{1e6 * config.length:.4g} µm: set channel.inlet_length and outlet_length, or pixel_size, to match"
        )
    fluid = np.pad(fluid, ((0, 0), (1, 1)))
    inside, outside = ndimage.distance_transform_edt(fluid), ndimage.distance_transform_edt(~fluid)
    distance = np.where(fluid, np.asarray(inside) - 0.5, 0.5 - np.asarray(outside)) * config.pixel_size
    column = (x - config.x_start) / config.pixel_size - 0.5
    row = y / config.pixel_size + (fluid.shape[1] - 1) / 2
    return ndimage.map_coordinates(distance, [column, row], order=1, mode="nearest")
