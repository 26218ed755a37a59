"""Arrays in safetensors files: checkpoints of a training, and models with their card."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bridge.command import InputError, replacing, write_text
from learn.config import TrainConfig, parse_config
from learn.data import Cells
from learn.scaling import Scaler

WEIGHTS = "model.safetensors"
CARD = "model.json"
FORMAT = "mimlab-model"
FORMAT_VERSION = 2


class ModelError(InputError):
    """A model or checkpoint file that cannot be used."""


def save_tree(path: Path, tree: Any, notes: Any) -> None:
    """Write the arrays of a pytree, named by their path, and JSON notes in one piece."""
    import jax
    from safetensors.numpy import save

    leaves = jax.tree_util.tree_leaves_with_path(tree)
    arrays = {jax.tree_util.keystr(key): np.asarray(leaf, order="C") for key, leaf in leaves}
    with replacing(path) as part:
        part.write_bytes(save(arrays, metadata={"notes": json.dumps(notes)}))


def load_tree(path: Path, like: Any) -> tuple[Any, Any]:
    """Read what `save_tree` wrote into the structure of the pytree `like`, and the notes.

    Raises
    ------
    ModelError
        If the file is damaged or holds other arrays.
    """
    import jax
    from safetensors import SafetensorError, safe_open

    leaves, structure = jax.tree_util.tree_flatten_with_path(like)
    try:
        with safe_open(path, framework="numpy") as file:
            notes = json.loads((file.metadata() or {})["notes"])
            arrays = [file.get_tensor(jax.tree_util.keystr(key)) for key, _ in leaves]
    except (SafetensorError, KeyError, ValueError) as error:
        raise ModelError(
            f"{path}: damaged or of another program ({error}); delete it to train this part anew"
        ) from error
    for (key, leaf), array in zip(leaves, arrays, strict=True):
        if array.shape != leaf.shape:
            raise ModelError(f"{path}: {jax.tree_util.keystr(key)} is {array.shape}, expected {leaf.shape}")
    return jax.tree_util.tree_unflatten(structure, arrays), notes


def save_model(
    folder: Path, config: TrainConfig, cells: Cells, scaler: Scaler, weights: Mapping[str, np.ndarray], facts: Mapping
) -> None:
    """Write a model: the weights, then the card that says how to feed them.

    Parameters
    ----------
    folder
        Where ``model.safetensors`` and ``model.json`` go.
    config, cells, scaler
        What was trained, on what, at which scale; the card holds features with units, classes and ranges.
    weights
        Parameters and batch statistics by name.
    facts
        More for the card: parameter count, cells trained on, metrics.
    """
    from safetensors.numpy import save

    features = [
        {"name": name, "unit": unit, "low": low, "high": high}
        for name, unit, low, high in zip(cells.names, cells.units, scaler.low, scaler.high, strict=True)
    ]
    picture = {"views": config.views, "size": config.image_size, "mean": scaler.mean, "std": scaler.std}
    card = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "model": config.model,
        "classes": cells.classes,
        "features": features,
        "picture": picture if config.uses_images else None,
        "aligned": dict(zip(cells.datasets, scaler.knots, strict=True)) if scaler.knots else None,
        "aligned_units": dict(zip(cells.datasets, cells.own_units, strict=True)) if scaler.knots else None,
        **facts,
        "config": config.model_dump(mode="json"),
    }
    content = save(dict(weights))
    card["sha256"] = {WEIGHTS: hashlib.sha256(content).hexdigest()}
    with replacing(folder / WEIGHTS) as part:
        part.write_bytes(content)
    write_text(folder / CARD, json.dumps(card, indent=1, ensure_ascii=False) + "\n")


def load_model(folder: Path) -> tuple[TrainConfig, Scaler, dict[str, np.ndarray], dict[str, Any]]:
    """Return configuration, scaler, weights and card of a model.

    Raises
    ------
    ModelError
        If there is no model, or it is damaged or of a later version.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    if not (folder / CARD).is_file():
        raise ModelError(f"{folder}: no {CARD}; give a folder in which `python -m learn.run` finished")
    try:
        card = json.loads((folder / CARD).read_text(encoding="utf-8"))
        if (card["format"], card["format_version"]) != (FORMAT, FORMAT_VERSION):
            raise ModelError(
                f"{folder / CARD}: format {card['format']!r} version {card['format_version']}, not readable"
            )
        config = parse_config(card["config"], str(folder / CARD))
        low = tuple(feature["low"] for feature in card["features"])
        high = tuple(feature["high"] for feature in card["features"])
        picture = card["picture"] or {"mean": 0.0, "std": 1.0}
        knots = tuple(tuple(tuple(map(float, row)) for row in rows) for rows in (card["aligned"] or {}).values())
        content = (folder / WEIGHTS).read_bytes()
        if hashlib.sha256(content).hexdigest() != card["sha256"][WEIGHTS]:
            raise ModelError(
                f"{folder / WEIGHTS}: not the file that {CARD} was written with (its SHA-256 differs); "
                "copy both again from where they were trained"
            )
        weights = load(content)
    except (SafetensorError, KeyError, TypeError, AttributeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise ModelError(f"{folder}: damaged model ({error}); train it again") from error
    return config, Scaler(low, high, picture["mean"], picture["std"], knots), weights, card
