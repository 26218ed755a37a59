"""How the scores of cells that were set aside differ from those of held-out cells of the same class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from learn.metrics import wilson


def score_shift(
    classes: Sequence[str], held: tuple[np.ndarray, np.ndarray], aside: tuple[np.ndarray, np.ndarray]
) -> list[dict[str, Any]]:
    """Return recall and scores of each class on either side.

    Parameters
    ----------
    classes
        Names of the classes.
    held, aside
        True classes (N,) and probabilities (N, classes) of the cells held out in turn, and of those set aside: of one
        model for each cell on both sides, since a mean of models has another spread.

    Returns
    -------
    list
        For each class with cells on both sides: ``class``; of either side ``cells``, ``recall`` with its 95 %
        interval, ``median`` probability of the class; ``ks`` and ``p``, the largest distance between the cumulative
        distributions of that probability and how likely one so large is where both are the same.

    Notes
    -----
    Two-sample test of Kolmogorov and Smirnov, for independent cells: a shift found by it is one of the recording or of
    the cells, which the scores alone cannot tell apart.
    """
    from scipy.stats import ks_2samp

    rows = []
    for k, name in enumerate(classes):
        sides = [chances[labels == k] for labels, chances in (held, aside)]
        if min(map(len, sides)) == 0:
            continue
        test: Any = ks_2samp(sides[0][:, k], sides[1][:, k])
        row: dict[str, Any] = {"class": name}
        for which, chances in zip(("held_out", "aside"), sides, strict=True):
            recall = wilson(int((chances.argmax(axis=1) == k).sum()), len(chances))
            row[which] = {
                "cells": len(chances),
                "recall": {"value": recall.value, "low": recall.low, "high": recall.high},
                "median": float(np.median(chances[:, k])),
            }
        rows.append(row | {"ks": float(test.statistic), "p": float(test.pvalue)})
    return rows


def describe_shift(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Return the same as lines of text."""
    lines = []
    for row in rows:
        one, other = (row[which] for which in ("held_out", "aside"))
        recalls = ", ".join(
            f"{side['recall']['value']:.4f} ({side['recall']['low']:.4f} to {side['recall']['high']:.4f}) of "
            f"{side['cells']} cells {what}"
            for side, what in ((one, "held out"), (other, "set aside"))
        )
        medians = f"median probability {one['median']:.3f} and {other['median']:.3f}"
        lines.append(f"  {row['class']}: recall {recalls}; {medians}, KS distance {row['ks']:.3f}, p = {row['p']:.2g}")
    return lines
