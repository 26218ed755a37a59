"""Learn from a sweep what any cell within its design does: predict, look up, infer stiffness, calibrate populations."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sim.command import Exit, InputError, print_json, run_command
from sim.config import fields
from sim.features import FEATURES

if TYPE_CHECKING:
    from sim.emulation.inverse import Value

EPILOG = """\
Parameters and measured values are SI: --cell.ks 7.3e-3, with a standard error --cell.diameter 14.2e-6+-0.2e-6.
exit codes: 0 done, 2 bad input or outside of the design, 130 interrupted
examples:
  python -m sim.emulate fit cells --out emulator.h5
  python -m sim.emulate predict emulator.h5 --cell.diameter 14e-6 --cell.ks 7e-3 --cell.kb 1e-16
  python -m sim.emulate lookup emulator.h5 --out lookup.csv
  python -m sim.emulate inverse emulator.h5 --cell.diameter 14.2e-6 --transition_time 3.6e-4+-1e-5
  python -m sim.emulate calibrate emulator.h5 examples/calibration.toml --out calibration
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> Any:
        raise InputError(f"{message}; see python -m sim.emulate --help")


def make_parser() -> argparse.ArgumentParser:
    """Return the parser, without the options for parameters and features."""
    parser = _Parser(
        prog="python -m sim.emulate",
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB", parser_class=_Parser)
    fit = _verb(verbs, "fit", "fit Gaussian processes to a sweep; says their cross-validated errors")
    fit.add_argument("sweep", type=Path, help="folder of a sweep, or its sweep.csv or sweep.h5")
    fit.add_argument("--out", type=Path, default=Path("emulator.h5"), help="where to write (default emulator.h5)")
    fit.add_argument(
        "--over",
        nargs="+",
        default=[],
        metavar="FIELD",
        help="parameters to take, others that vary count as noise (default all that vary)",
    )
    _verb(verbs, "predict", "what one cell does: features with 95 %% intervals, probability of coming through", True)
    lookup = _verb(verbs, "lookup", "table (diameter, transition time, pressure) to Ks, with iso-stiffness lines", True)
    lookup.add_argument(
        "--out", type=Path, default=Path("lookup.csv"), help="table; figure beside it (default lookup.csv)"
    )
    inverse = _verb(
        verbs, "inverse", "posterior of what is not given, such as Ks and Kb, from one cell's passage", True
    )
    inverse.add_argument("--trace", type=Path, metavar="FILE", help="trace.csv of the cell instead of features")
    inverse.add_argument("--di-error", type=float, default=0.01, help="error of each DI of the trace (default 0.01)")
    inverse.add_argument(
        "--velocity-error", type=float, default=0.02, help="relative error of each velocity of the trace (default 0.02)"
    )
    inverse.add_argument("--out", type=Path, default=Path("posterior.png"), help="figure (default posterior.png)")
    calibrate = _verb(verbs, "calibrate", "populations with given statistics, and what gives way", True)
    calibrate.add_argument("targets", type=Path, help="TOML with a table of targets for each class of cells")
    calibrate.add_argument("--out", type=Path, default=Path("calibration"), help="folder (default calibration)")
    return parser


def _verb(verbs: Any, name: str, about: str, reads: bool = False) -> argparse.ArgumentParser:
    parser = verbs.add_parser(name, help=about, description=about[0].upper() + about[1:] + ".", allow_abbrev=False)
    if reads:
        parser.add_argument("emulator", type=Path, help="file that fit wrote")
    parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")
    parser.add_argument("--quiet", action="store_true", help="print nothing but errors")
    return parser


def split_values(argv: list[str]) -> tuple[list[str], dict[str, Value]]:
    """Return the arguments that are no values of parameters or features, and those values by name.

    Raises
    ------
    InputError
        If a name is unknown, or a value is no number, with or without an error.
    """
    known = [name for name, _ in fields()] + list(FEATURES)
    rest, values = [], {}
    words = iter(argv)
    for word in words:
        name, equals, text = word.removeprefix("--").partition("=")
        if not word.startswith("--") or ("." not in name and name not in FEATURES):
            rest.append(word)
            continue
        if name not in known:
            close = difflib.get_close_matches(name, known, 1)
            raise InputError(f"unknown argument --{name}; {f'did you mean --{close[0]}?' if close else 'see --help'}")
        values[name] = _value(name, text if equals else next(words, ""))
    return rest, values


def _value(name: str, text: str) -> Value:
    from sim.emulation.inverse import Value

    middle, _, error = text.replace("±", "+-").partition("+-")
    try:
        found = Value(float(middle), float(error or 0.0))
    except ValueError:
        raise InputError(f"--{name} {text!r}: a number is expected, or value+-error, in SI") from None
    if not (abs(found.value) < float("inf") and 0 <= found.error < float("inf")):
        raise InputError(f"--{name} {text}: value and error must be finite, the error not negative")
    return found


def main(argv: list[str]) -> int:
    """Run the command; return its exit code."""
    rest, values = split_values(argv) if "--help" not in argv and "-h" not in argv else (argv, {})
    options = make_parser().parse_args(rest)
    if values and options.verb in ("fit", "calibrate"):
        raise InputError(f"--{next(iter(values))}: {options.verb} takes no values of parameters")
    from sim.emulation import verbs

    result = getattr(verbs, options.verb)(options, values)
    if options.json:
        print_json(result)
    return Exit.DONE


def bare(values: dict[str, Value], names: Collection[str]) -> dict[str, float]:
    """Return values without errors.

    Raises
    ------
    InputError
        If a value is of a feature, or has an error.
    """
    for name, value in values.items():
        if name in FEATURES:
            raise InputError(f"--{name} is a feature; {', '.join(names)} can be given here")
        if value.error:
            raise InputError(f"--{name}: an error has no use here; give the value alone")
    return {name: value.value for name, value in values.items()}


if __name__ == "__main__":
    run_command(main)
