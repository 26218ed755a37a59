"""Faults of a dataset's pictures: shared by cells, blank, missing; the pictures are read one after the other."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from bridge.finding import Finding, unique
from bridge.records import Dataset

_BLOCK = 256  # cells read at once


class Shown(NamedTuple):
    """One picture of a dataset, without its grey values."""

    row: int
    view: str
    blank: bool
    exact: bytes
    """Digest of the picture."""
    likeness: bytes
    """Digest of it that its mirror images and quarter turns share."""


def picture_key(image: np.ndarray) -> bytes:
    """Return a digest of a picture (rows, columns) that its mirror images and quarter turns share."""
    turned = [np.rot90(flipped, k) for flipped in (image, image[:, ::-1]) for k in range(4)]
    return min(_digest(picture) for picture in turned)


def shown_pictures(dataset: Dataset) -> list[Shown]:
    """Return all pictures there are.

    Notes
    -----
    Pictures that are alike have the same grey values equally often, so that only those of which two have are turned.
    """
    greys = [_greys(image) for _, _, image in _pictures(dataset)]
    counts = Counter(greys)
    shown = []
    for grey, (row, view, image) in zip(greys, _pictures(dataset), strict=True):
        exact = _digest(image)
        likeness = picture_key(image) if counts[grey] > 1 else exact
        shown.append(Shown(row, view, bool(image.min() == image.max()), exact, likeness))
    return shown


def _pictures(dataset: Dataset) -> Iterator[tuple[int, str, np.ndarray]]:
    if dataset.images is None or dataset.views_present is None:
        return
    for start in range(0, len(dataset), _BLOCK):
        block = dataset.images[start : start + _BLOCK]
        for i, cell in enumerate(block, start=start):
            for j, view in enumerate(dataset.views):
                if dataset.views_present[i, j]:
                    yield i, view, cell[j]


def _greys(image: np.ndarray) -> bytes:
    return hashlib.sha256(repr(sorted(image.shape)).encode() + np.sort(image, axis=None).tobytes()).digest()


def _digest(image: np.ndarray) -> bytes:
    return hashlib.sha256(repr(image.shape).encode() + np.ascontiguousarray(image).tobytes()).digest()


def check_pictures(dataset: Dataset, shown: Sequence[Shown]) -> list[Finding]:
    """Find pictures that are blank, missing, shared by cells, or the mirror image of the cell's other view."""
    if not shown or dataset.views_present is None:
        return []
    ids = dataset.table["cell_id"].astype(str).to_list()
    findings = []
    blank = unique(ids[one.row] for one in shown if one.blank)
    if blank:
        findings.append(
            Finding("error", "picture-blank", "pictures of one grey value", blank, "record or render them again")
        )
    alike = defaultdict(list)
    for one in shown:
        if not one.blank:
            alike[one.likeness].append(one)
    for same in alike.values():
        if len(same) > 1:
            findings += _same_picture(dataset, same)
    missing = tuple(ids[i] for i in np.flatnonzero(~dataset.views_present.all(axis=1)))
    if missing:
        what = f"{len(missing)} cells lack a view"
        findings.append(Finding("info", "view-missing", what, missing, "nothing, if the cell never got there"))
    return findings


def _same_picture(dataset: Dataset, same: Sequence[Shown]) -> list[Finding]:
    """Return findings on pictures that agree up to flips and turns: between cells, and between views of a cell."""
    table = dataset.table
    findings = []
    rows = sorted({one.row for one in same})
    cells = unique(str(table["cell_id"].iloc[i]) for i in rows)
    if len(cells) > 1:
        where = ""
        for column, what in (("split", "in the splits"), ("fold", "in the folds"), ("label", "of the classes")):
            places = unique(str(table[column].iloc[i]) for i in rows)
            where += f", {what} {' and '.join(places)}" if len(places) > 1 else ""
        parts = ", ".join(f"{table['cell_id'].iloc[one.row]} ({one.view})" for one in same)
        what = f"different cells share {_likeness(same)}{where}: {parts}"
        remedy = "find out whose picture it is; remove the other cells"
        findings.append(Finding("error", "picture-shared", what, cells, remedy))
    for i in rows:
        views = [one for one in same if one.row == i]
        if len(views) > 1:
            what = f"views {' and '.join(one.view for one in views)} of one cell are {_likeness(views)}"
            remedy = "one of them is not a recording of its own: restore the lost one, or mark it missing"
            findings.append(Finding("warning", "picture-repeated", what, (str(table["cell_id"].iloc[i]),), remedy))
    return findings


def _likeness(same: Sequence[Shown]) -> str:
    exact = len({one.exact for one in same}) == 1
    return "the same picture" if exact else "the same picture, mirrored or turned"
