"""One cell at a time, as a sorter needs it: compiled ahead, the same program for every cell.

::

    from learn.stream import Classifier

    classifier = Classifier("runs/learn-miml-…", risk=0.05)
    answer = classifier({"max_velocity": 0.12, …}, {"first": crop, "squeezed": later_crop})
    answer.label            # the class, or None where the model is not sure enough
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from bridge.command import InputError
from learn.data import resize
from learn.model import Model, open_model
from learn.runtime import compiler_options, prepare


@dataclass(frozen=True)
class Answer:
    """What a model says of one cell.

    Attributes
    ----------
    label
        The class, or None where not exactly one is left open.
    probabilities
        Calibrated, by class.
    left_open
        Classes among which the true one is, up to the risk.
    """

    label: str | None
    probabilities: dict[str, float]
    left_open: tuple[str, ...]


class Classifier:
    """A trained model, compiled for single cells.

    It runs on ONNX Runtime where the extra ``mimlab[onnx]`` is installed, else on XLA, which takes longer; their
    probabilities agree to 1e-5.

    Parameters
    ----------
    model
        Folder of the model, or the opened model.
    risk
        Rate at which the true class may be missing from those left open.

    Raises
    ------
    InputError
        If there is no such model, it is damaged, or its features are aligned between datasets.
    """

    def __init__(self, model: Path | str | Model, risk: float = 0.1) -> None:
        prepare()
        self.model = model if isinstance(model, Model) else open_model(Path(model))
        self._threshold = self.model.calibration.threshold(risk)
        self._program = _compiled(self.model)

    def __call__(self, features: Mapping[str, float], pictures: Mapping[str, np.ndarray] | None = None) -> Answer:
        """Return what the model says of a cell.

        Parameters
        ----------
        features
            By name, in the units of the model's card.
        pictures
            Grey pictures (H, W) by view, uint8, uint16, or floats of black 0 to white 1; brought to the model's size.

        Raises
        ------
        InputError
            If something is missing that the model needs.
        """
        chances = self._program(self._features(features), self._images(pictures or {}))[0]
        names = self.model.config.classes
        left_open = tuple(name for name, p in zip(names, chances, strict=True) if 1 - p <= self._threshold)
        label = left_open[0] if len(left_open) == 1 else None
        return Answer(label, dict(zip(names, map(float, chances), strict=True)), left_open)

    def _features(self, features: Mapping[str, float]) -> np.ndarray:
        config = self.model.config
        names = config.features if config.uses_features else ()
        values = np.array([[features.get(name, np.nan) for name in names]], np.float32).reshape(1, len(names))
        if not config.masks and not np.isfinite(values).all():
            missing = [name for name, value in zip(names, values[0], strict=True) if not np.isfinite(value)]
            raise InputError(f"{', '.join(missing)}: not given; the model was trained without --masks and needs all")
        return values

    def _images(self, pictures: Mapping[str, np.ndarray]) -> np.ndarray:
        config = self.model.config
        images = np.full(self.model.shapes(1)[1], np.nan, np.float32)
        if not config.uses_images:
            return images
        given = [view for view in config.views if view in pictures]
        if not given:
            if config.masks:
                return images
            raise InputError(f"no picture given; the model reads {', '.join(config.views)}")
        for place, view in enumerate(config.views):
            # As in training, a missing view is filled with the cell's other one.
            images[0, place] = self._picture(pictures[view if view in pictures else given[0]])
        return images

    def _picture(self, picture: np.ndarray) -> np.ndarray:
        picture = np.asarray(picture)
        if picture.ndim != 2 or not picture.size:
            raise InputError(f"a picture of shape {picture.shape}: it must be grey, (rows, columns)")
        whole = np.issubdtype(picture.dtype, np.integer)
        scale = np.float32(np.iinfo(picture.dtype).max) if whole else np.float32(1)
        return resize(picture / scale, self.model.config.image_size)


def _compiled(model: Model) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Return `Model.forward` of a single cell, ready to run."""
    forward = model.forward()
    try:
        from learn.onnx_graph import make_onnx
        from learn.onnx_program import open_onnx
    except ImportError:
        shapes = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in model.shapes(1)]
        program = jax.jit(forward, compiler_options=compiler_options()).lower(*shapes).compile()
        return lambda features, images: np.asarray(program(features, images))
    return open_onnx(make_onnx(model))
