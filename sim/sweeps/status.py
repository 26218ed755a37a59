"""How the runs of a sweep stand."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sim.command import InputError
from sim.runfolder import existing
from sim.sweeps.claims import claimed
from sim.sweeps.ledger import entries, forget, make_entry, record
from sim.sweeps.plan import Planned

STATES = ("done", "running", "pending", "failed", "refused")


@dataclass(frozen=True)
class Status:
    """How a run stands.

    Attributes
    ----------
    run
        What is asked about.
    state
        One of `STATES`. Failed are runs without an outcome that are not tried again of themselves; a run that has
        become unstable is done.
    outcome
        As in the table; empty if there is none yet.
    reason
        Why there is no result.
    """

    run: Planned
    state: str
    outcome: str = ""
    reason: str = ""


def statuses(folder: Path, runs: Sequence[Planned]) -> list[Status]:
    """Return how each of some runs stands."""
    ledger, at_work = entries(folder), claimed(folder)
    found = []
    for one in runs:
        if one.refused:
            found.append(Status(one, "refused", "REFUSED", one.refused))
            continue
        try:
            result = existing(folder / one.run)
        except InputError as error:
            found.append(Status(one, "failed", "FAILED", str(error)))
            continue
        entry = ledger.get(one.run)
        if result is not None:
            found.append(Status(one, "done", result["outcome"]))
        elif one.run in at_work:
            found.append(Status(one, "running"))
        elif entry is not None:
            state = "done" if entry.outcome == "UNSTABLE" else "failed"
            found.append(Status(one, state, entry.outcome, entry.reason))
        else:
            found.append(Status(one, "pending"))
    return found


def record_refusals(folder: Path, runs: Sequence[Planned]) -> None:
    """Write refused runs into the ledger, so that they are in the table."""
    known = entries(folder)
    for one in runs:
        if one.refused and one.run not in known:
            record(folder, make_entry(one.run, "REFUSED", one.refused, one.config, {}))


def retry(folder: Path, found: Sequence[Status]) -> int:
    """Make failed and unstable runs pending again, and return how many; damaged folders are put aside, not removed."""
    count = 0
    for status in found:
        if status.state == "failed" or status.outcome == "UNSTABLE":
            run = folder / status.run.run
            if run.exists():
                run.rename(folder / f".damaged-{run.name}-{secrets.token_hex(3)}")
            forget(folder, run.name)
            count += 1
    return count


def counted(found: Sequence[Status]) -> dict[str, int]:
    """Return how many runs are in each state."""
    count = Counter(status.state for status in found)
    return {state: count[state] for state in STATES}
