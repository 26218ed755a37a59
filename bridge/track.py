"""Cells followed from frame to frame: they move one way down a channel and do not overtake each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from bridge.segment import Spot

_LOST = 8  # frames for which a cell may be missing
_BACK = 0.3  # of its length that a cell may seem to move backwards
_SIZE = 1.0  # lengths of the cell that a doubling of its area costs


@dataclass
class Track:
    """One cell through the frames."""

    frames: list[int] = field(default_factory=list)
    """Numbers of the frames it is in."""
    spots: list[Spot] = field(default_factory=list)
    """What is seen of it there."""
    x: list[float] = field(default_factory=list)
    """Middle of its bounding box (px)."""

    def add(self, frame: int, spot: Spot) -> None:
        """Append what is seen of the cell in one frame."""
        self.frames.append(frame)
        self.spots.append(spot)
        self.x.append(_middle(spot))

    def expected(self, frame: int) -> float:
        """Return where the cell should be in a frame if it goes on as before (px)."""
        if len(self.x) < 2:
            return self.x[-1]
        speed = (self.x[-1] - self.x[-2]) / (self.frames[-1] - self.frames[-2])
        return self.x[-1] + max(speed, 0.0) * (frame - self.frames[-1])


def link(seen: Sequence[Sequence[Spot]], width: int) -> list[Track]:
    """Return the cells of a recording in which they move to the right.

    Parameters
    ----------
    seen
        What is seen in each frame; objects that the frame cuts are left out.
    width
        Columns of the frame.

    Notes
    -----
    Between frames the sum over all cells of the distance to the expected place, with a price on a change of
    area, is least (Jonker and Volgenant, `scipy.optimize.linear_sum_assignment`). A cell may be lost for some frames.
    """
    active: list[Track] = []
    done: list[Track] = []
    for frame, spots in enumerate(seen):
        whole = [spot for spot in spots if spot.whole]
        done += [track for track in active if frame - track.frames[-1] > _LOST]
        active = [track for track in active if frame - track.frames[-1] <= _LOST]
        new = set(range(len(whole)))
        for row, column in _pairs(active, whole, frame, width):
            active[row].add(frame, whole[column])
            new.discard(column)
        for column in sorted(new):
            track = Track()
            track.add(frame, whole[column])
            active.append(track)
    return sorted(done + active, key=lambda track: (track.frames[0], -track.x[0]))


def _pairs(active: list[Track], spots: list[Spot], frame: int, width: int) -> list[tuple[int, int]]:
    from scipy.optimize import linear_sum_assignment

    if not active or not spots:
        return []
    cost = np.full((len(active), len(spots) + len(active)), 0.5 * width)
    for i, track in enumerate(active):
        last = track.spots[-1]
        length = np.ptp(last.outline[:, 0])
        for j, spot in enumerate(spots):
            x = _middle(spot)
            price = abs(x - track.expected(frame)) + _SIZE * length * abs(np.log2(_area(spot) / _area(last)))
            back = track.x[-1] - x > _BACK * max(length, np.ptp(spot.outline[:, 0]))
            cost[i, j] = 1e6 if back else price
    rows, columns = linear_sum_assignment(cost)
    return [(int(i), int(j)) for i, j in zip(rows, columns, strict=True) if j < len(spots)]


def _middle(spot: Spot) -> float:
    return float(spot.outline[:, 0].min() + spot.outline[:, 0].max()) / 2


def _area(spot: Spot) -> float:
    x, y = spot.outline.T
    return max(1.0, abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))) / 2)


def flows_right(seen: Sequence[Sequence[Spot]], width: int) -> bool:
    """Return whether cells move to the right; arguments as for `link`."""
    turned = [[mirrored(spot, width) for spot in spots] for spots in seen]
    right, left = (_travelled(link(one, width)) for one in (seen, turned))
    return right >= left


def mirrored(spot: Spot, width: int) -> Spot:
    """Return what is seen in a frame of so many columns turned left to right."""
    return spot._replace(outline=(spot.outline * (-1, 1) + (width, 0))[::-1])


def _travelled(tracks: Sequence[Track]) -> float:
    """Return how far the cells have moved, long tracks counting more than several short ones."""
    return sum(max(track.x[-1] - track.x[0], 0.0) ** 2 for track in tracks)
