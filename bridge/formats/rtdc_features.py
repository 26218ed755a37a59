"""What the features of a ``.rtdc`` file are called in a Dataset, with their SI units."""

from __future__ import annotations

from typing import NamedTuple


class Meaning(NamedTuple):
    """A feature of an event."""

    name: str
    """As a Dataset calls it."""
    unit: str
    factor: float
    """Brings the file's value to the unit."""
    description: str


_SHAPE = {
    "deform": Meaning("deform", "1", 1, "1 - circularity of the convex contour; not (a - b)/(a + b)"),
    "deform_raw": Meaning("deform_raw", "1", 1, "1 - circularity of the contour"),
    "area_um": Meaning("area_convex", "m²", 1e-12, "area of the convex contour"),
    "area_um_raw": Meaning("area_contour", "m²", 1e-12, "area of the contour"),
    "area_ratio": Meaning("area_ratio", "1", 1, "area of the convex contour over that of the contour"),
    "aspect": Meaning("aspect_ratio", "1", 1, "length over height of the bounding box"),
    "size_x": Meaning("size_x", "m", 1e-6, "length of the bounding box along the channel"),
    "size_y": Meaning("size_y", "m", 1e-6, "height of the bounding box across the channel"),
    "per_um_raw": Meaning("perimeter_contour", "m", 1e-6, "perimeter of the contour"),
    "per_ratio": Meaning("perimeter_ratio", "1", 1, "perimeter of the contour over that of the convex contour"),
    "inert_ratio_cvx": Meaning(
        "inertia_ratio_convex", "1", 1, "root of the ratio of the second moments, convex contour"
    ),
    "inert_ratio_raw": Meaning("inertia_ratio", "1", 1, "root of the ratio of the second moments along x and y"),
    "inert_ratio_prnc": Meaning("inertia_ratio_principal", "1", 1, "the same along the principal axes"),
    "eccentr_prnc": Meaning("eccentricity", "1", 1, "eccentricity of the ellipse of equal second moments"),
    "tilt": Meaning("tilt", "rad", 1, "angle between the long axis and the channel"),
    "volume": Meaning("volume", "m³", 1e-18, "volume of the body of rotation of the contour"),
    "emodulus": Meaning("youngs_modulus", "Pa", 1e3, "from deformation and area by the cytometer's table"),
}
_GREY = {
    "bright_avg": "mean grey value within the contour",
    "bright_sd": "standard deviation of the grey values within the contour",
    "bright_bc_avg": "mean grey value within the contour, less the background",
    "bright_bc_sd": "standard deviation within the contour of the grey values less the background",
    "bright_perc_10": "10th percentile within the contour of the grey values less the background",
    "bright_perc_90": "90th percentile within the contour of the grey values less the background",
}
_TEXTURES = ("asm", "con", "cor", "den", "ent", "f12", "f13", "idm", "sen", "sva", "var")

MEANINGS = _SHAPE | {name: Meaning(name.replace("bright", "grey"), "a.u.", 1, what) for name, what in _GREY.items()}
MEANINGS |= {
    f"tex_{kind}_{way}": Meaning(f"texture_{kind}_{way}", "1", 1, f"Haralick texture {kind}, {what} over directions")
    for kind in _TEXTURES
    for way, what in (("avg", "mean"), ("ptp", "range"))
}
MEANINGS |= {
    f"fl{k}_{kind}": Meaning(f"fluorescence{k}_{kind}", "a.u.", 1, f"{kind} of the peak in fluorescence channel {k}")
    for k in (1, 2, 3)
    for kind in ("max", "area")
}
"""Feature of a ``.rtdc`` file: what it is in a Dataset."""

SETTINGS = {
    "setup:channel width": ("condition_channel_width", "m", 1e-6, "width of the channel"),
    "setup:flow rate": ("condition_flow_rate", "m³/s", 1e-9, "flow rate in the channel"),
    "setup:temperature": ("condition_temperature", "K", 1.0, "mean temperature of the chip"),
    "imaging:frame rate": ("condition_frame_rate", "1/s", 1.0, "frame rate of the camera"),
    "imaging:flash duration": ("condition_flash_duration", "s", 1e-6, "duration of a flash"),
}
"""Setting of a measurement: column, unit, factor and meaning."""

OUTLINE = {
    "deformation_index_event": (
        "1",
        "(a - b)/(a + b) of the bounding box of the mask's outline in the one frame, signed",
    ),
    "deformation_index_event_ellipse": ("1", "the same of the ellipse of equal second moments"),
    "area_outline": ("m²", "area within the mask's outline, along the outer edges of its pixels"),
    "perimeter_outline": ("m", "perimeter of the same outline"),
}
"""What is measured here of an event's mask: unit and meaning."""
