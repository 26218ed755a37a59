"""From cases to runs: every configuration resolved and checked before anything is computed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sim.command import InputError
from sim.config import ConfigError, SimulationConfig, load_config
from sim.describe import memory_bytes
from sim.files import write_text
from sim.preflight import preflight, require
from sim.runfolder import run_path
from sim.sweeps.design import Case
from sim.sweeps.ledger import HOUSE
from sim.warmup import flow_digest


@dataclass(frozen=True)
class Planned:
    """A run of the sweep.

    Attributes
    ----------
    run
        Name of its folder.
    config
        Resolved; as it was given where the pre-flight check refuses it.
    flow
        Digest of the empty channel's flow that it starts from; None if it starts from rest.
    work
        Predicted steps × nodes of the lattice, to which the computing time is about proportional.
    memory
        What the flow takes, bytes.
    nodes
        Number of membrane nodes.
    refused
        Why the pre-flight check refuses it; empty if it does not.
    """

    run: str
    config: SimulationConfig
    flow: str | None = None
    work: float = 0.0
    memory: int = 0
    nodes: int = 0
    refused: str = ""


def plan(
    cases: Sequence[Case], quality: str, common: Mapping[str, str], on_progress: Callable[[float], None]
) -> list[Planned]:
    """Return the runs of some cases in their order, each once.

    Parameters
    ----------
    cases
        What is swept.
    quality, common
        Quality and values that hold for all; a case's own value goes before a common one.
    on_progress
        Told the fraction that is done.

    Raises
    ------
    ConfigError
        If a configuration is wrong, not only refused by the pre-flight check.
    """
    runs: dict[str, Planned] = {}
    for number, case in enumerate(cases):
        on_progress(number / len(cases))
        one = plan_one(load_config(case.source, quality, {**common, **case.values}))
        runs.setdefault(one.run, one)
    return list(runs.values())


def plan_one(config: SimulationConfig) -> Planned:
    """Return the run of one configuration."""
    if config.numerics.dimension == 3 and config.numerics.threads is None:
        # Workers have a core each.
        config = config.model_copy(update={"numerics": config.numerics.model_copy(update={"threads": 1})})
    try:
        flight = preflight(config)
        require(flight)
    except ConfigError as error:
        return Planned(run_path(Path(), config).name, config, refused=" ".join(str(error).split()))
    config = flight.config
    flow = flow_digest(config) if config.numerics.start == "steady" else None
    work = float(flight.numbers["predicted_steps"]) * float(flight.channel.grid.fluid.sum())
    nodes = int(flight.numbers["membrane_nodes"])
    return Planned(run_path(Path(), config).name, config, flow, work, memory_bytes(flight), nodes)


def remember(folder: Path, cases: Sequence[Case], quality: str, common: Mapping[str, str]) -> None:
    """Keep the design of a sweep in its folder, so that it can be gone on with without being stated again."""
    content = [[case.source, dict(case.values)] for case in cases]
    text = json.dumps({"quality": quality, "common": dict(common), "cases": content}) + "\n"
    name = hashlib.sha256(text.encode()).hexdigest()[:12]
    path = folder / HOUSE / "designs" / f"{name}.json"
    if not path.is_file():
        write_text(path, text)


def remembered(folder: Path) -> Iterable[tuple[list[Case], str, dict[str, str]]]:
    """Yield the designs that are kept in the folder of a sweep: cases, quality and common values.

    Raises
    ------
    InputError
        If one is damaged.
    """
    for path in sorted((folder / HOUSE / "designs").glob("*.json")):
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            cases = [Case(source, values) for source, values in content["cases"]]
            yield cases, content["quality"], content["common"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path}: damaged ({error}); remove it and state the design again") from error
