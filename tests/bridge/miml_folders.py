"""Folders in the reference layout, whole and spoilt."""

from __future__ import annotations

import numpy as np
from PIL import Image

from bridge.formats.miml_csv import HEADER

ROWS = [
    "T4_Day1_Cell1_Firstcrop.png,T4,0.5,1.0,0.2",
    "T4_Day1_Cell1_Lastcrop.png,T4,0.5,1.0,0.2",
    "T8_Day2_Cell2_Firstcrop.png,T8,1.0,0.0,-0.1",
    "T8_Day2_Cell2_Lastcrop.png,T8,1.0,0.0,-0.1",
]


def make_folder(path, rows=ROWS):
    """A folder in the reference layout with random pictures for all rows."""
    (path / "Train").mkdir(parents=True)
    (path / "train_data.csv").write_text("\n".join([",".join(HEADER), *rows]) + "\n", encoding="utf-8")
    rng = np.random.default_rng(0)
    for row in rows:
        grey = rng.integers(0, 256, (10, 12), dtype=np.uint8)
        Image.fromarray(np.repeat(grey[:, :, None], 3, axis=2)).save(path / "Train" / row.split(",")[0])
    return path


def edit(old, new):
    def change(folder):
        path = folder / "train_data.csv"
        path.write_text(path.read_text().replace(old, new, 1))

    return change


def unlink_picture(folder):
    (folder / "Train/T8_Day2_Cell2_Lastcrop.png").unlink()


def truncate_picture(folder):
    path = folder / "Train/T8_Day2_Cell2_Lastcrop.png"
    path.write_bytes(path.read_bytes()[:60])


def enlarge_picture(folder):
    Image.new("L", (20, 20)).save(folder / "Train/T8_Day2_Cell2_Lastcrop.png")


def utf16(folder):
    path = folder / "train_data.csv"
    path.write_bytes(path.read_text().encode("utf-16"))


def latin1(folder):
    path = folder / "train_data.csv"
    path.write_bytes(path.read_text().replace("T8,", "Tµ,").encode("latin-1"))


def semicolons(folder):
    path = folder / "train_data.csv"
    path.write_text(path.read_text().replace(",", ";"))


def no_table(folder):
    (folder / "train_data.csv").unlink()


def empty_table(folder):
    (folder / "train_data.csv").write_text("")


def header_only(folder):
    (folder / "train_data.csv").write_text(",".join(HEADER) + "\n")


def other_split(folder):
    (folder / "Val").mkdir()
    (folder / "val_data.csv").write_text("\n".join([",".join(HEADER), ROWS[0]]))
    (folder / "Train" / ROWS[0].split(",")[0]).rename(folder / "Val" / ROWS[0].split(",")[0])
    edit(ROWS[0] + "\n", "")(folder)


BAD = [
    (unlink_picture, r"row 5: no picture .*Cell2_Lastcrop\.png"),
    (truncate_picture, r"Cell2_Lastcrop\.png: not a readable picture"),
    (enlarge_picture, r"pictures differ: .*20 x 20 px.*12 x 10 px"),
    (edit(",Deformability", ",Size"), r"row 1: no column for deformation_index"),
    (edit("Cell Type", "max velocity"), r"row 1: no column for label"),
    (edit("Transition Time", "Vmax"), r"no column for transition_time"),
    (edit(",0.5,1.0", ",fast,1.0"), r"row 2: Max Velocity = 'fast' is no number"),
    (edit(",0.5,1.0", ",inf,1.0"), r"row 2: Max Velocity = 'inf' is no number"),
    (edit(",0.5,1.0", ",0,5,1.0"), r"row 2: 6 fields where the header has 5"),
    (edit(",0.5,1.0", ",0.6,1.0"), r"row 3: cell 'T4_Day1_Cell1' has Max Velocity = 0\.5, but 0\.6"),
    (edit(",T4,", ",T8,"), r"row 3: cell 'T4_Day1_Cell1' has Cell Type = 'T4', but 'T8'"),
    (edit(",T4,", ",,"), r"row 2: Cell Type is empty"),
    (edit("Cell1_Lastcrop", "Cell1_Firstcrop"), r"row 3: .* is listed twice"),
    (edit("_Firstcrop.png", ".png"), r"row 2: cell ID = 'T4_Day1_Cell1\.png' is no crop's file name"),
    (edit("T4_Day1_Cell1_First", "../T4_Day1_Cell1_First"), r"row 2: cell ID = '\.\./.*is no crop's file name"),
    (utf16, r"not UTF-8 text \(it looks like UTF-16\)"),
    (latin1, r"not UTF-8 text \(byte 0xb5"),
    (semicolons, r"row 1: separated by ';'"),
    (no_table, "no CSV file"),
    (empty_table, "empty"),
    (header_only, "a header but no cell"),
    (other_split, "has split = 'test', but 'train'"),
]
