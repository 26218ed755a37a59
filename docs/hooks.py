"""What mkdocs makes out of the code while it builds the pages: command reference, tables, equations as MathML."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from latex2mathml.converter import convert
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

PACKAGES = ("sim", "bridge", "learn")
_CODE = re.compile(r"(^(?P<fence>```+|~~~+).*?^(?P=fence)\s*$|`[^`\n]+`)", re.MULTILINE | re.DOTALL)
_BLOCK = re.compile(r"\$\$(.+?)\$\$", re.DOTALL)
_INLINE = re.compile(r"(?<![\\$])\$([^$\n]+?)\$")


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that nobody writes by hand."""
    pages = {
        "reference/commands.md": commands_page(),
        "reference/configuration.md": configuration_page(),
        "validation.md": validation_page(ROOT / "docs" / "validation.json"),
        "decisions/index.md": decisions_page(ROOT / "docs" / "decisions"),
    }
    for place, text in pages.items():
        files.append(File.generated(config, place, content=text))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Return a page with its tables filled in and its equations as MathML, which browsers show by themselves."""
    if "<!-- features -->" in markdown:
        markdown = markdown.replace("<!-- features -->", features_table())
    parts = _CODE.split(markdown)
    # The pattern has two groups: text, code, fence, text, …
    return "".join(_with_equations(part) if k % 3 == 0 else part for k, part in enumerate(parts) if k % 3 < 2)


def _with_equations(text: str) -> str:
    text = _BLOCK.sub(lambda found: f"\n<div class='equation'>{_mathml(found[1], 'block')}</div>\n", text)
    return _INLINE.sub(lambda found: _mathml(found[1], "inline"), text)


def _mathml(latex: str, display: str) -> str:
    # In one line, so that Markdown leaves it alone; bold as letters of their own, since browsers know no other way.
    line = re.sub(r"\s+", " ", convert(latex.strip(), display=display))
    return re.sub(r'<mi mathvariant="bold">([A-Za-z])</mi>', lambda found: f"<mi>{_bold(found[1])}</mi>", line)


def _bold(letter: str) -> str:
    return chr(0x1D400 + ord(letter) - ord("A") if letter.isupper() else 0x1D41A + ord(letter) - ord("a"))


def commands() -> list[str]:
    """Return the modules that are commands, in the order of the packages."""
    return [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for package in PACKAGES
        for path in sorted((ROOT / package).glob("*.py"))
        if "run_command(main)" in path.read_text(encoding="utf-8")
    ]


def help_of(module: str) -> str:
    """Return what a command prints with ``--help``."""
    environment = os.environ | {"COLUMNS": "100", "NO_COLOR": "1", "PYTHONPATH": str(ROOT)}
    call = [sys.executable, "-m", module, "--help"]
    return subprocess.run(call, capture_output=True, text=True, check=True, cwd=ROOT, env=environment).stdout.strip()


def commands_page() -> str:
    """Return the command reference, made of the parsers themselves."""
    modules = commands()
    with ThreadPoolExecutor(2) as pool:
        texts = list(pool.map(help_of, modules))
    lines = [
        "# Commands",
        "",
        "What each command prints with `--help`, as of this build. All of them take `--json` (one object on standard",
        "output) and `--quiet`.",
        "",
        "| exit code | meaning |",
        "|---|---|",
        "| 0 | done |",
        "| 1 | a check failed |",
        "| 2 | bad input; one message says what and what to do |",
        "| 3 | unstable |",
        "| 4 | stuck, out of time or incomplete |",
        "| 130 | interrupted; run again to go on |",
    ]
    for package in PACKAGES:
        lines += ["", f"## {package}"]
        for module, text in zip(modules, texts, strict=True):
            if module.startswith(f"{package}."):
                lines += ["", f"### python -m {module}", "", "````text", text, "````"]
    return "\n".join(lines) + "\n"


def configuration_page() -> str:
    """Return tables of every parameter of a simulation and of a training."""
    from learn.config import TrainConfig
    from sim.config import fields

    lines = [
        "# Parameters",
        "",
        "## Simulation",
        "",
        "In a TOML file `[section]` and `key = value`, on the command line `--section.key value`. SI throughout.",
        "",
        "| parameter | meaning (unit) |",
        "|---|---|",
        *(f"| `{name}` | {_cell(text)} |" for name, text in fields()),
        "",
        "## Training",
        "",
        "| parameter | default | meaning (unit) |",
        "|---|---|---|",
    ]
    for name, info in TrainConfig.model_fields.items():
        lines.append(f"| `{name}` | `{info.default}` | {_cell(info.description or '')} |")
    return "\n".join(lines) + "\n"


def features_table() -> str:
    """Return the table of features."""
    from sim.features import FEATURES

    rows = [f"| `{name}` | {f.unit} | {_cell(f.definition)} | {f.source} |" for name, f in FEATURES.items()]
    return "\n".join(["| feature | unit | definition | in the paper |", "|---|---|---|---|", *rows])


def validation_page(path: Path) -> str:
    """Return the page of measured errors, from what ``python -m sim.verify --json`` printed."""
    stored = json.loads(path.read_text(encoding="utf-8"))
    cases = stored["cases"]
    passed = sum(case["pass"] for case in cases)
    names = " ".join(dict.fromkeys(case["name"] for case in cases))
    lines = [
        "# Validation",
        "",
        f"{passed} of {len(cases)} checks against exact solutions, independent computations and published numbers are",
        "within tolerance. The table is what this command printed:",
        "",
        "```",
        f"python -m sim.verify --json --case {names} > docs/validation.json",
        "```",
        "",
        "Each case is described by `python -m sim.verify --help`; for each there is a test that breaks the physics and",
        "sees the case fail. `--full` instead of `--case` computes the long ones of the flow, too.",
        "",
        "| case | value | reference | error | tolerance | | source |",
        "|---|---|---|---|---|---|---|",
    ]
    for case in cases:
        numbers = " | ".join(_short(case[key]) for key in ("value", "reference", "error", "tolerance"))
        lines.append(
            f"| {_cell(case['case'])} | {numbers} | {'✓' if case['pass'] else '**✗**'} | {_cell(case['source'])} |"
        )
    return "\n".join(lines) + "\n"


def decisions_page(folder: Path) -> str:
    """Return the index of the decisions."""
    lines = ["# Decisions", "", "Choices that a reader might question, each with its reason.", ""]
    for path in sorted(folder.glob("0*.md")):
        title = path.read_text(encoding="utf-8").splitlines()[0].lstrip("# ")
        lines.append(f"* [{title}]({path.name})")
    return "\n".join(lines) + "\n"


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
