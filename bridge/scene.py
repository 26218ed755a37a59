"""One cell under the microscope: what is drawn once per cell and stays the same in all its pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from bridge.path import Pose

if TYPE_CHECKING:
    from bridge.body import CellBody
    from bridge.camera import Lamp
    from bridge.microscope import Microscope
    from sim.trace import Trace

MOMENTS = ("first", "middle", "squeezed")
"""Moments of a run that are pictured one by one; each has noise of its own."""


@dataclass(frozen=True)
class Scene:
    """One cell's look: what is drawn once per cell and stays the same in all its pictures."""

    body: CellBody
    lamp: Lamp
    defocus: float
    """Distance of the focal plane from the cell's middle plane (m)."""
    noise: tuple[np.random.SeedSequence, ...]
    """Seeds of the camera's noise, one for each of `MOMENTS`."""


def draw_scene(trace: Trace, microscope: Microscope, seed: int, optics: Mapping[str, Any] | None = None) -> Scene:
    """Draw a cell's inner structure, lamp and focus.

    Parameters
    ----------
    trace
        The run; its class chooses the optics, its digest and `seed` all that is random.
    microscope
        The microscope.
    seed
        Same seed, same pictures.
    optics
        Values of `bridge.looks.CellOptics` that take the place of the class's.
    """
    from bridge.body import draw_body
    from bridge.camera import Lamp
    from bridge.looks import optics_of
    from bridge.path import radius_of

    root = np.random.SeedSequence([seed, int(trace.config.digest(), 16), *([trace.number] if trace.number else [])])
    look, *noise = root.spawn(1 + len(MOMENTS))
    rng = np.random.default_rng(look)
    radius = radius_of(trace.snapshots[0], trace.faces)
    body = draw_body(optics_of(trace.label, optics), radius, rng, _nucleus_at_rest(trace, radius))
    lamp = Lamp.draw(microscope, rng)
    defocus = float(rng.normal(microscope.defocus, microscope.defocus_spread)) * microscope.has("defocus")
    return Scene(_left_out(body, microscope), lamp, defocus, tuple(noise))


def _nucleus_at_rest(trace: Trace, radius: float) -> tuple[complex, float] | None:
    """Return centre and radius, over the cell's radius, of a nucleus that the run knows."""
    from bridge.path import radius_of

    if trace.nucleus is None or trace.nucleus_faces is None:
        return None
    apart = (trace.nucleus[0].mean(axis=0) - trace.snapshots[0].mean(axis=0)) / radius
    return complex(apart[0], apart[1]), radius_of(trace.nucleus[0], trace.nucleus_faces) / radius


def _left_out(body: CellBody, microscope: Microscope) -> CellBody:
    """Return a body without what the microscope is told to leave out; the rest stays as drawn."""
    if not microscope.has("nucleus"):
        body = replace(body, nucleus=body.cytoplasm)
    if not microscope.has("texture"):
        none = np.zeros(0)
        body = replace(body, fluctuation_path=0.0, granules=np.zeros((0, 3)), granule_sigma=none, granule_index=none)
    return body


def pose(trace: Trace, index: int) -> Pose:
    """Return a run's membranes in one of its snapshots."""
    nucleus = None if trace.nucleus is None else trace.nucleus[index]
    return Pose(trace.snapshots[index], trace.snapshots[0], trace.faces, nucleus, trace.nucleus_faces)
