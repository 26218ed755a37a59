"""Figures of the cells as a model sees them: latent space, features by class, picture against mechanics."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from sklearn.manifold import TSNE

from learn.attribution import shares
from learn.evidence import Evidence
from learn.feature_figures import write_densities, write_violins
from learn.figures import colour, new_figure, save_figure
from learn.outputs import save_table

MOST = 2000
"""Cells in the map of the latent space, at most."""

PATCHES, SHOWN = 6, 4
"""Places of the latent space from which pictures are shown, and how many of each."""


def write_latent(folder: Path, evidence: Evidence, seed: int, **_: Any) -> dict[str, Any]:
    """Draw a t-SNE map of what the last layer sees, and pictures from some places of it (paper, Fig. 7b and c).

    Notes
    -----
    t-SNE (van der Maaten and Hinton 2008) keeps neighbours together; distances between far groups mean nothing.
    """
    rng = np.random.default_rng(seed)
    cells, network, fold = evidence.cells, evidence.network, evidence.folds[0]
    rows = np.sort(rng.permutation(len(cells))[:MOST])
    data = tuple(jnp.asarray(array) for array in evidence.inputs())
    latent = network.trainer.predict(network.parameters, network.statistics, data, rows, latent=True)
    perplexity = min(30.0, (len(rows) - 1) / 3)
    places = TSNE(perplexity=perplexity, init="pca", random_state=seed).fit_transform(latent)
    held = np.isin(rows, fold.test)
    pictures = evidence.config.uses_images
    figure = new_figure(11.5 if pictures else 5.6, 5.2)
    axes, *others = figure.subplots(1, 2, squeeze=False, width_ratios=(1, 1))[0] if pictures else [figure.subplots()]
    for k, name in enumerate(cells.classes):
        for test, size, label in ((False, 8, f"{name}, training"), (True, 22, f"{name}, test")):
            chosen = (cells.labels[rows] == k) & (held == test)
            edge = "black" if test else "none"
            axes.scatter(*places[chosen].T, s=size, color=colour(k), ec=edge, lw=0.5, alpha=0.8, label=label)
    axes.set(xlabel="t-SNE 1", ylabel="t-SNE 2", xticks=[], yticks=[], title="what the last layer sees")
    axes.legend(fontsize=8, loc="best")
    patch = _patches(places)
    if pictures:
        _draw_patches(axes, others[0], evidence, rows, places, patch)
    save_figure(folder / "latent.png", figure)
    table = {"cell_id": cells.ids[rows], "label": np.array(cells.classes)[cells.labels[rows]], "test": held}
    table |= {"tsne_1": places[:, 0], "tsne_2": places[:, 1]}
    table |= {f"latent_{k}": column for k, column in enumerate(latent.T)}
    save_table(folder / "latent.csv", table)
    return {"cells": len(rows), "dimensions": latent.shape[1], "perplexity": perplexity}


def write_features(folder: Path, evidence: Evidence, **_: Any) -> dict[str, Any]:
    """Draw the density and the violins of each feature by class (paper, Figs. 8e and S2b)."""
    write_densities(folder, evidence.cells)
    write_violins(folder, evidence.cells)
    return {"features": list(evidence.cells.names)}


def write_attribution(folder: Path, evidence: Evidence, seed: int, **_: Any) -> dict[str, Any]:
    """Draw how much picture and mechanics add to each decision on a test cell."""
    cells, fold = evidence.cells, evidence.folds[0]
    features, images = evidence.inputs()
    found = shares(evidence.network, features, images, fold.train, np.random.default_rng(seed))
    rows = fold.test
    picture, mechanics = found["picture"][rows], found["mechanics"][rows]
    right = evidence.probabilities[0][rows].argmax(axis=1) == cells.labels[rows]
    figure = new_figure(5.2, 4.6)
    axes = figure.subplots()
    for k, name in enumerate(cells.classes):
        for good, marker in ((True, "o"), (False, "X")):
            chosen = (cells.labels[rows] == k) & (right == good)
            label = name if good else None
            axes.scatter(
                picture[chosen], mechanics[chosen], s=24, marker=marker, color=colour(k), alpha=0.7, label=label
            )
    axes.axhline(0, color="0.7", lw=0.8)
    axes.axvline(0, color="0.7", lw=0.8)
    axes.scatter([], [], marker="X", color="0.4", label="taken for another")
    axes.set(xlabel="picture adds (nats of log-odds)", ylabel="mechanics adds (nats of log-odds)")
    axes.set_title("for the class decided on, test cells", fontsize=10)
    axes.legend(fontsize=8)
    save_figure(folder / "attribution.png", figure)
    names = np.array(cells.classes)
    table = {"cell_id": cells.ids[rows], "label": names[cells.labels[rows]], "right": right}
    table |= {"picture": picture, "mechanics": mechanics, "base": found["base"][rows]}
    save_table(folder / "attribution.csv", table)
    sizes = np.abs(picture).mean(), np.abs(mechanics).mean()
    total = sum(sizes) or 1.0
    return {"picture_share": float(sizes[0] / total), "mechanics_share": float(sizes[1] / total)}


def _patches(places: np.ndarray) -> np.ndarray:
    """Return rows far from each other: the first nearest the middle, each next farthest from those before."""
    chosen = [int(np.argmin(np.linalg.norm(places - np.median(places, axis=0), axis=1)))]
    while len(chosen) < min(PATCHES, len(places)):
        gaps = np.linalg.norm(places[:, None] - places[chosen], axis=2).min(axis=1)
        chosen.append(int(gaps.argmax()))
    return np.array(chosen)


def _draw_patches(
    axes: Any, beside: Any, evidence: Evidence, rows: np.ndarray, places: np.ndarray, patch: np.ndarray
) -> None:
    images, size = evidence.cells.images, evidence.cells.images.shape[-1]
    canvas = np.ones((len(patch) * (size + 4), SHOWN * (size + 4)))
    for number, centre in enumerate(patch):
        order = np.argsort(np.linalg.norm(places - places[centre], axis=1), kind="stable")[:SHOWN]
        axes.annotate(
            str(number + 1), places[centre], ha="center", va="center", bbox={"boxstyle": "circle", "fc": "white"}
        )
        for place, row in enumerate(order):
            picture = np.nan_to_num(images[rows[row], 0])
            top, left = number * (size + 4), place * (size + 4)
            canvas[top : top + size, left : left + size] = picture
            name = evidence.cells.classes[evidence.cells.labels[rows[row]]]
            fill = colour(int(evidence.cells.labels[rows[row]]))
            beside.text(
                left + 2, top + 2, name, va="top", fontsize=6, color="white", bbox={"fc": fill, "ec": "none", "pad": 1}
            )
    beside.imshow(canvas, cmap="gray", vmin=0, vmax=1)
    beside.set_yticks([number * (size + 4) + size / 2 for number in range(len(patch))], range(1, len(patch) + 1))
    beside.set(xticks=[], title="nearest cells of each place")
    for spine in beside.spines.values():
        spine.set_visible(False)
