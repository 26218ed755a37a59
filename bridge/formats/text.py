"""Text files of other people: packed or not, in any encoding that is stated, with any separator."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from pathlib import Path
from typing import NamedTuple

from bridge.records import DatasetError

MAX_TEXT = 512 * 2**20
"""Largest table that is read, unpacked (bytes)."""

SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t", "bar": "|", "space": " "}
"""Separators by name."""


class Rows(NamedTuple):
    """A table as text."""

    header: list[str]
    rows: list[tuple[int, list[str]]]
    """Number of each row in the file, the header being 1, and its fields; all have the header's length."""


def stem(path: Path) -> str:
    """Return a file's name without its ending, nor the one of the packing."""
    name = path.name.removesuffix(".gz")
    return Path(name).stem if name else path.stem


def read_bytes(path: Path) -> bytes:
    """Return a file's content, unpacked where the name ends in .gz.

    Raises
    ------
    DatasetError
        If it is damaged, or unpacks to more than `MAX_TEXT`.
    """
    if path.suffix.lower() != ".gz":
        size = path.stat().st_size
        content = path.read_bytes() if size <= MAX_TEXT else b""
    else:
        try:
            with gzip.open(path, "rb") as stream:
                content = stream.read(MAX_TEXT + 1)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise DatasetError(f"{path}: damaged ({error}); fetch it again") from error
        size = len(content)
    if size > MAX_TEXT:
        raise DatasetError(f"{path}: a table of more than {MAX_TEXT >> 20} MiB; divide it")
    return content


def read_text(path: Path, encoding: str = "") -> str:
    """Return a file's text.

    Parameters
    ----------
    path
        The file, packed or not.
    encoding
        As stated for it; empty for UTF-8.

    Raises
    ------
    DatasetError
        If the text is in another encoding, or is none.
    """
    raw = read_bytes(path)
    try:
        text = raw.decode(encoding or "utf-8-sig")
    except UnicodeDecodeError as error:
        kind = (
            "it looks like UTF-16"
            if raw[:2] in (b"\xff\xfe", b"\xfe\xff")
            else f"byte {raw[error.start]:#04x} at {error.start}"
        )
        name = encoding.upper() or "UTF-8"
        remedy = "save it as CSV UTF-8, or state its encoding in a column map (--columns)"
        raise DatasetError(f"{path}: not {name} text ({kind}); {remedy}") from error
    if "\0" in text:
        raise DatasetError(f"{path}: not text (it holds zero bytes); save it as CSV UTF-8")
    return text.removeprefix("\ufeff")


def split_rows(path: Path, text: str, separator: str = "") -> Rows:
    """Return the rows of a table; blank rows, and comments after the header, are passed over.

    Parameters
    ----------
    path
        Opens the message of a failure.
    text
        The table: a header, then one row a cell. Where a sign # stands before the header, it begins comments below.
    separator
        One of `SEPARATORS` by name; empty: the one of comma, semicolon, tab and bar that the header holds most of, or
        else blanks.

    Raises
    ------
    DatasetError
        If it is no table, or a row has another number of fields than the header.
    """
    sign = SEPARATORS[separator] if separator else _separator(text)
    try:
        if sign == " ":
            split = ((i, line.split()) for i, line in enumerate(text.splitlines(), start=1))
        else:
            split = enumerate(csv.reader(io.StringIO(text, newline=""), delimiter=sign), start=1)
        rows = [(i, row) for i, row in split if any(row)]
    except csv.Error as error:
        raise DatasetError(f"{path}: not a table ({error}); export it again") from error
    if not rows:
        raise DatasetError(f"{path}: empty; a header and at least one cell are needed")
    header = [name.strip() for name in rows[0][1]]
    commented = header[0].startswith("#")
    header[0] = header[0].removeprefix("#").strip()
    header = [name for name in header if name] if sign == " " else _without_end(header)
    rows = [(i, _without_end(row, len(header))) for i, row in rows[1:] if not (commented and row[0].startswith("#"))]
    if not rows:
        raise DatasetError(f"{path}: a header but no cell; add rows or leave the file out")
    for number, row in rows:
        if len(row) != len(header):
            named = next((name for name, one in SEPARATORS.items() if one == sign), sign)
            raise DatasetError(
                f"{path}: row {number}: {len(row)} fields where the header has {len(header)}, separated by {named} "
                f"({sign.join(row)[:60]!r}); mend the row, or state another separator"
            )
    return Rows(header, rows)


def _separator(text: str) -> str:
    first = next((line for line in text.splitlines() if line.strip()), "")
    counts = {sign: first.count(sign) for sign in (",", ";", "\t", "|")}
    best = max(counts, key=lambda sign: counts[sign])
    return best if counts[best] else " "


def _without_end(row: list[str], length: int = 0) -> list[str]:
    """Return a row without the empty fields at its end that make it longer than `length`."""
    while len(row) > length and not row[-1].strip():
        row = row[:-1]
    return row
