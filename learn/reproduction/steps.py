"""Commands as steps: each is marked when it is done, and is then not taken again."""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import json
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bridge.command import Exit, InputError, write_text
from bridge.records import DatasetError, read_dataset

TAIL = 12
"""Lines of a log that are shown of a command that failed."""
_PATIENCE = 60.0  # s: for commands that a killed reproduction has left


class StepFailed(InputError):
    """A command of the reproduction that failed."""


@dataclass(frozen=True)
class Place:
    """The folder of a reproduction."""

    out: Path

    @property
    def population(self) -> Path:
        """Run folders and table of the populations."""
        return self.out / "runs"

    @property
    def singles(self) -> Path:
        """The same of single cells, those of Fig. 9."""
        return self.out / "singles"

    def films(self, look: str) -> Path:
        """Return the folder of what was measured from films: ``own`` optics of each class, or the ``same`` for all."""
        return self.out / f"films-{look}"

    def dataset(self, name: str) -> Path:
        """Return a dataset."""
        return self.out / "datasets" / f"{name}.h5"

    def learned(self, name: str) -> Path:
        """Return the folder of a training or comparison."""
        return self.out / "learn" / name

    def note(self, name: str) -> Path:
        """Return the file that says that a step is done."""
        return self.out / "done" / f"{name}.json"

    def log(self, name: str) -> Path:
        """Return the file of what a simulation's command said."""
        return self.out / "logs" / f"{name}.txt"


@dataclass(frozen=True)
class Step:
    """One command."""

    name: str
    words: tuple[str, ...]
    """Module, then arguments."""
    seconds: float
    """About how long it takes."""
    needs: str = ""
    """Another step, whose result it works on."""

    def command(self) -> str:
        """Return the command as one would type it."""
        return shlex.join(["python", "-m", *self.words])

    def done(self, place: Place) -> bool:
        """Return whether it need not be taken."""
        return place.note(self.name).is_file()

    def take(self, place: Place, watch: Callable[[], None] = lambda: None) -> None:
        """Run the command and mark the step as done; `watch` is called every second of a simulation.

        Simulations are processes of their own, since `learn` does not see `sim`; all else runs here, where JAX is kept
        from one training to the next.

        Raises
        ------
        StepFailed
            If the command fails for another reason than that there are too few cells; such a step is done, and says why
            nothing came of it.
        """
        started, why = time.monotonic(), nothing(place, self.needs) if self.needs else ""
        if self.words[0].startswith("sim."):
            self._spawn(place, watch)
        elif not why:
            why = self._call()
        facts = {"command": self.command(), "seconds": round(time.monotonic() - started, 1), "nothing": why}
        write_text(place.note(self.name), json.dumps(facts, indent=1, ensure_ascii=False) + "\n")

    def _call(self) -> str:
        if "--out" in self.words and (Path(self._after("--out")) / "report.json").is_file():
            return ""  # killed before it was marked; such a folder appears when it is complete
        try:
            code = importlib.import_module(self.words[0]).main(list(self.words[1:]))
        except DatasetError as error:
            self._check_datasets()
            return str(error)
        except InputError as error:
            raise StepFailed(f"{self.command()}: {error}") from error
        if code != Exit.DONE:
            raise StepFailed(f"{self.command()} ended with {code}")
        return ""

    def _after(self, option: str) -> str:
        return self.words[self.words.index(option) + 1]

    def _check_datasets(self) -> None:
        """Read its datasets: where that fails, the command failed for want of a file or memory, not of cells."""
        for option in ("--dataset", "--synthetic"):
            if option in self.words:
                try:
                    read_dataset(Path(self._after(option)))
                except DatasetError as error:
                    raise StepFailed(f"{self.command()}: {error}") from error

    def _spawn(self, place: Place, watch: Callable[[], None]) -> None:
        log = place.log(self.name)
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a", encoding="utf-8") as stream:  # a killed one may still write
            call = [sys.executable, "-m", *self.words]
            with subprocess.Popen(
                call, stdout=stream, stderr=subprocess.STDOUT, preexec_fn=_end_with_parent
            ) as process:
                try:
                    while process.poll() is None:
                        time.sleep(1.0)
                        watch()
                except BaseException:
                    process.terminate()
                    process.wait()
                    raise
        if process.returncode in (Exit.INTERRUPTED, -signal.SIGINT, -signal.SIGTERM):
            raise KeyboardInterrupt
        if process.returncode != Exit.DONE:
            lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-TAIL:]
            raise StepFailed("\n  ".join([f"{self.command()} ended with {process.returncode}:", *lines]))


def _end_with_parent() -> None:
    """Let the process end in good order when its parent dies, where the system can do so (Linux).

    By SIGTERM: a process started in the background of a script ignores SIGINT, and so do its children.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


def nothing(place: Place, name: str) -> str:
    """Return why nothing came of a step, empty where something did or it was not taken."""
    note = place.note(name)
    return json.loads(note.read_text(encoding="utf-8"))["nothing"] if note.is_file() else ""


@contextlib.contextmanager
def alone(path: Path) -> Iterator[None]:
    """Keep other reproductions out of a folder, by a lock on a file of it, until the block or the process ends.

    Raises
    ------
    InputError
        If another one is at work there for a minute.
    """
    try:
        import fcntl
    except ImportError:  # not on Windows, where two would only compute the same twice
        yield
        return
    with path.open("rb") as held:
        end = time.monotonic() + _PATIENCE
        while True:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    raise InputError(f"{path.parent}: another reproduction is at work there; wait for it") from None
                time.sleep(0.5)
        yield
