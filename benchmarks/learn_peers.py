"""What `bench_learn.py` times, one process for each program: ours, ONNX Runtime, PyTorch.

``python benchmarks/learn_peers.py ours|onnx|torch FOLDER`` reads lines of JSON, ``{"row": NAME, "seconds": S}``, and
answers each with the calls made, the seconds of each, and the seconds of CPU they took in all. PyTorch runs in an
environment of its own, so that this file imports nothing of the project at the top.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

THREADS = 2
BATCH, LARGE, SIZE = 64, 512, 64

sys.path.insert(0, str(Path(__file__).parents[1]))


def ours(folder: Path) -> dict[str, Callable[[], Callable[[], object]]]:
    """Return what prepares each row of this project: a step, a batch, a cell, an augmentation."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    from learn.augment import augment
    from learn.config import load_config
    from learn.model import open_model
    from learn.runtime import compiler_options, prepare
    from learn.stream import Classifier
    from learn.trainer import Trainer

    prepare()
    rng = np.random.default_rng(0)

    def train() -> Callable[[], object]:
        trainer = Trainer(load_config("miml").model_copy(update={"views": ("first",)}), 2)
        images = jnp.asarray(rng.normal(size=(4 * BATCH, 1, SIZE, SIZE)), jnp.float32)
        features, labels = (
            jnp.asarray(rng.random((4 * BATCH, 3)), jnp.float32),
            jnp.asarray(rng.integers(0, 2, 4 * BATCH)),
        )
        data = (features, images, labels, jnp.ones(4 * BATCH))
        state, keys = [trainer.start(0)], np.zeros((1, 2), np.uint32)

        def step() -> object:
            order = (rng.integers(0, 4 * BATCH, (1, BATCH)),)
            state[0], loss = trainer.epoch(state[0], data, order, keys, 1.0, lambda part: None)
            return loss

        return step

    def changed() -> Callable[[], object]:
        program = jax.jit(augment, static_argnums=2, compiler_options=compiler_options())
        images, key = jnp.asarray(rng.normal(size=(BATCH, 1, SIZE, SIZE)), jnp.float32), jax.random.key(0)
        return lambda: jax.block_until_ready(program(key, images, (True,)))

    def infer() -> Callable[[], object]:
        model = open_model(folder / "full")
        images = rng.random((LARGE, 1, SIZE, SIZE)).astype(np.float32)
        features = rng.random((LARGE, 3)).astype(np.float32)
        predict = model.predictor()
        return lambda: predict(features, images)

    def one(name: str) -> Callable[[], Callable[[], object]]:
        def prepared() -> Callable[[], object]:
            classifier = Classifier(folder / name)
            views = classifier.model.config.views
            size = classifier.model.config.image_size
            pictures = {view: rng.integers(0, 256, (size, size), np.uint8) for view in views}
            features = {feature: 0.5 for feature in classifier.model.config.features}
            return lambda: classifier(features, pictures)

        return prepared

    return {"train": train, "augment": changed, "infer": infer, "single": one("full"), "small": one("small")}


def onnx(folder: Path) -> dict[str, Callable[[], Callable[[], object]]]:
    """Return what prepares each row of ONNX Runtime, on the files that `learn.export` wrote."""
    import numpy as np
    import onnxruntime

    rng = np.random.default_rng(0)

    def prepared(name: str, count: int) -> Callable[[], Callable[[], object]]:
        def start() -> Callable[[], object]:
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = THREADS
            path = str(folder / f"{name}-export" / "model.onnx")
            session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
            shapes = {part.name: [count, *part.shape[1:]] for part in session.get_inputs()}
            inputs = {key: rng.random(shape).astype(np.float32) for key, shape in shapes.items()}
            return lambda: session.run(None, inputs)

        return start

    return {"infer": prepared("full", LARGE), "single": prepared("full", 1), "small": prepared("small", 1)}


def torch(folder: Path) -> dict[str, Callable[[], Callable[[], object]]]:
    """Return what prepares a training step of the same network in eager PyTorch, in either layout of memory."""
    import torch
    from torch import nn

    torch.set_num_threads(THREADS)

    class Block(nn.Module):
        def __init__(self, inputs: int, outputs: int, stride: int) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
            self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
            self.norm1, self.norm2 = nn.BatchNorm2d(outputs), nn.BatchNorm2d(outputs)
            change = stride != 1 or inputs != outputs
            shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
            self.shortcut = shortcut if change else nn.Identity()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = torch.relu(self.norm1(self.conv1(x)))
            return torch.relu(self.norm2(self.conv2(y)) + self.shortcut(x))

    class Miml(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            layers: list[nn.Module] = [nn.Conv2d(1, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU()]
            layers.append(nn.MaxPool2d(3, 2, 1))
            inputs = 64
            for stage in range(4):
                for block in range(2):
                    layers.append(Block(inputs, 64 * 2**stage, 2 if stage and not block else 1))
                    inputs = 64 * 2**stage
            self.encoder = nn.Sequential(*layers)
            self.branch = nn.Sequential(nn.Linear(3, 32), nn.ReLU(), nn.Linear(32, 16), nn.ReLU())
            head = [nn.Linear(528, 128), nn.BatchNorm1d(128), nn.ReLU()]
            self.head = nn.Sequential(*head, nn.Linear(128, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 2))

        def forward(self, features: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
            return self.head(torch.cat([self.encoder(images).mean((2, 3)), self.branch(features)], 1))

    def prepared(layout: torch.memory_format) -> Callable[[], Callable[[], object]]:
        def start() -> Callable[[], object]:
            model = Miml().to(memory_format=layout)
            assert sum(array.numel() for array in model.parameters()) == 11_240_994
            images = torch.randn(BATCH, 1, SIZE, SIZE).to(memory_format=layout)
            features, labels = torch.rand(BATCH, 3), torch.randint(0, 2, (BATCH,))
            optimiser = torch.optim.AdamW(model.parameters(), 1e-3, weight_decay=1e-4)

            def step() -> object:
                optimiser.zero_grad()
                loss = nn.functional.cross_entropy(model(features, images), labels)
                loss.backward()
                optimiser.step()
                return loss.item()

            return step

        return start

    layouts = {"train": torch.contiguous_format, "train-channels-last": torch.channels_last}
    return {name: prepared(layout) for name, layout in layouts.items()}


def main() -> None:
    which, folder = sys.argv[1], Path(sys.argv[2])
    rows, ready = {"ours": ours, "onnx": onnx, "torch": torch}[which](folder), {}
    for line in sys.stdin:
        order = json.loads(line)
        if order["row"] not in ready:
            ready[order["row"]] = rows[order["row"]]()
            for _ in range(3):
                ready[order["row"]]()
        call, times = ready[order["row"]], []
        busy = time.process_time()
        while sum(times) < order["seconds"] or len(times) < 3:
            start = time.perf_counter()
            call()
            times.append(time.perf_counter() - start)
        print(json.dumps({"times": times, "cpu": time.process_time() - busy}), flush=True)


if __name__ == "__main__":
    main()
