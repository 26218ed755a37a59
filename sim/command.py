"""The contract of every command line: exit codes, messages, progress.

Human text goes to standard error, machine text (``--json``) to standard output.
"""

from __future__ import annotations

import contextlib
import errno
import json
import sys
import time
from collections.abc import Callable, Iterator
from enum import IntEnum
from typing import Any


class Exit(IntEnum):
    """Exit codes shared by all commands."""

    DONE = 0
    FAILED_CHECK = 1
    BAD_INPUT = 2
    UNSTABLE = 3
    INCOMPLETE = 4
    INTERRUPTED = 130


class InputError(ValueError):
    """What the user gave is wrong: the text holds the rule, the value with its unit and the remedy."""


class Unstable(ArithmeticError):
    """The numbers left the range in which the method holds; the text says where, when and what to change."""


class UnstableSimulation(Unstable):
    """A simulation that is `Unstable`."""


_OS_REMEDIES = {
    errno.ENOSPC: "the disk is full: free some space or choose another folder",
    errno.EDQUOT: "the disk quota is used up: free some space or choose another folder",
    errno.EACCES: "no permission: choose a folder you may write to, or change its mode",
    errno.EPERM: "no permission: choose a folder you may write to, or change its mode",
    errno.EROFS: "the file system is read-only: choose another folder",
    errno.ENOENT: "no such file or folder: check the path",
    errno.EISDIR: "this is a folder, a file was expected",
    errno.ENOTDIR: "a part of this path is a file, a folder was expected",
    errno.EEXIST: "something of this name is in the way: choose another name",
    errno.ENOTEMPTY: "a folder of this name is in the way: choose another name",
    errno.EFBIG: "larger than a file may be here: raise the limit (ulimit -f) or choose another folder",
}


def say(text: str, quiet: bool = False) -> None:
    """Print human text on standard error unless `quiet`."""
    if not quiet:
        print(text, file=sys.stderr, flush=True)


def print_json(value: Any) -> None:
    """Print one JSON object on standard output (NaN is written as null)."""
    print(json.dumps(value, allow_nan=False, default=str), flush=True)


def run_command(main: Callable[[list[str]], int], argv: list[str] | None = None) -> None:
    """Run `main` with the command line, turn known failures into one message and leave.

    Parameters
    ----------
    main
        Takes the arguments, returns an `Exit` code.
    argv
        Arguments without the program's name; ``sys.argv[1:]`` when omitted.
    """
    try:
        code = main(sys.argv[1:] if argv is None else argv)
    except InputError as error:
        say(f"error: {error}")
        code = Exit.BAD_INPUT
    except Unstable as error:
        say(f"unstable: {error}")
        code = Exit.UNSTABLE
    except OSError as error:
        if error.errno == errno.EPIPE:
            code = Exit.DONE
        else:
            remedy = _OS_REMEDIES.get(error.errno or 0, error.strerror or str(error))
            say(f"error: {error.filename or 'file system'}: {remedy}")
            code = Exit.BAD_INPUT
    except KeyboardInterrupt:
        say("interrupted: what was finished is kept; run the same command again to go on")
        code = Exit.INTERRUPTED
    sys.exit(int(code))


class Progress:
    """A bar with an ETA on a terminal, a plain line every few seconds elsewhere.

    `update` may be called as often as one likes; it draws at most every 0.2 s on a
    terminal and every 5 s in a log.
    """

    def __init__(self, label: str, quiet: bool = False) -> None:
        self._label = label
        self._quiet = quiet
        self._tty = sys.stderr.isatty()
        self._start = self._last = time.monotonic()
        self._drawn = False

    def update(self, fraction: float, detail: str = "") -> None:
        """Show `fraction` (0 to 1) of the work as done, with a short `detail`."""
        now = time.monotonic()
        if self._quiet or now - self._last < (0.2 if self._tty else 5.0):
            return
        self._last = now
        self._drawn = True
        elapsed = now - self._start
        eta = f"{elapsed * (1 - fraction) / fraction:.0f} s left" if fraction > 0.01 else "…"
        text = f"{self._label} {100 * fraction:3.0f} %  {elapsed:.0f} s, {eta}  {detail}"
        if self._tty:
            filled = int(30 * fraction)
            bar = "█" * filled + "·" * (30 - filled)
            print(f"\r\033[K{bar} {text}", end="", file=sys.stderr, flush=True)
        else:
            print(text, file=sys.stderr, flush=True)

    def close(self, summary: str = "") -> None:
        """End the bar, leaving `summary` in its place."""
        if self._tty and self._drawn:
            print("\r\033[K", end="", file=sys.stderr)
        if summary:
            say(summary, self._quiet)


@contextlib.contextmanager
def progress(label: str, quiet: bool = False) -> Iterator[Progress]:
    """Yield a `Progress`; the bar is cleared also when the work fails."""
    bar = Progress(label, quiet)
    try:
        yield bar
    finally:
        bar.close()
