"""Commands as steps: each leaves a file by which it is known to be done, and is not run again while that is there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

from bridge.command import InputError

TAIL = 12
"""Lines of a log that are shown of a command that failed."""


class StepFailed(InputError):
    """A command of the reproduction that failed."""


@dataclass(frozen=True)
class Step:
    """One command.

    Attributes
    ----------
    name
        Names its log.
    words
        Module, then arguments.
    done
        File or folder that the command leaves when it is finished.
    seconds
        About how long it takes on one core.
    """

    name: str
    words: tuple[str, ...]
    done: Path
    seconds: float

    @property
    def finished(self) -> bool:
        """Whether it need not be run."""
        return self.done.exists()

    def command(self) -> str:
        """Return the command as one would type it."""
        import shlex

        return shlex.join(["python", "-m", *self.words])


def run_step(step: Step, logs: Path, threads: int | None = None) -> None:
    """Run a step, its words in `logs`/<name>.txt.

    Raises
    ------
    StepFailed
        If it fails; with the last lines that it said.
    """
    code, log = start(step, logs, threads)
    if code == -signal.SIGINT or code == 130:
        raise KeyboardInterrupt
    if code or not step.done.exists():
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-TAIL:]
        raise StepFailed("\n  ".join([f"{step.command()} ended with {code}:", *lines]))


def start(step: Step, logs: Path, threads: int | None = None) -> tuple[int, Path]:
    """Run a step to its end whatever comes of it; return its exit code and its log."""
    logs.mkdir(parents=True, exist_ok=True)
    log = logs / f"{step.name}.txt"
    environment = os.environ.copy()
    if threads is not None:
        environment |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), str(threads))
    with log.open("w", encoding="utf-8") as stream:
        call = [sys.executable, "-m", *step.words]
        return subprocess.run(call, stdout=stream, stderr=subprocess.STDOUT, env=environment).returncode, log


class Pool:
    """Jobs on several threads, each of which starts processes; the first exception ends all.

    Parameters
    ----------
    workers
        Jobs at a time.
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self.stopped = threading.Event()

    def run(self, jobs: Sequence[Callable[[], None]], tell: Callable[[int], None]) -> None:
        """Run the jobs; `tell` is called with the number that is done."""
        with ThreadPoolExecutor(self.workers) as pool:
            waiting: set[Future] = {pool.submit(self._guarded, job) for job in jobs}
            done = 0
            try:
                while waiting:
                    finished, waiting = wait(waiting, timeout=1.0, return_when=FIRST_COMPLETED)
                    for future in finished:
                        future.result()
                    done += len(finished)
                    tell(done)
            except BaseException:
                self.stopped.set()
                raise

    def _guarded(self, job: Callable[[], None]) -> None:
        if not self.stopped.is_set():
            job()
