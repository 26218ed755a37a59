"""Train a small network on picture and mechanics, and see what it learned.

Makes its data set with the third example unless --dataset names one. Ten cells show the path, not an accuracy.

    python examples/04_train_and_explain.py [--dataset cells.h5] [--quality draft] [--out cells]
"""

import argparse
import subprocess
import sys
from pathlib import Path

SMALL = ("--image-size", "32", "--width", "4", "--epochs", "8", "--batch", "4")
SPLIT = ("--test-fraction", "0.34", "--validation-fraction", "0.34")


def call(*words):
    subprocess.run([sys.executable, *map(str, words)], check=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", type=Path)
    parser.add_argument("--quality", default="draft")
    parser.add_argument("--out", type=Path, default=Path("cells"))
    options = parser.parse_args()
    dataset = options.dataset or options.out / "cells.h5"
    if options.dataset is None:
        call(Path(__file__).with_name("03_dataset.py"), "--quality", options.quality, "--out", options.out)
    training = options.out / "learn-example"
    call("-m", "learn.run", "miml_small", "--dataset", dataset, "--workdir", training, *SMALL, *SPLIT)
    if not (training / "explain").exists():
        call("-m", "learn.explain", training)
    call("-m", "learn.report", training)
    print(f"\n{training}/report.html: scores, figures and provenance on one page")
    return 0


if __name__ == "__main__":
    sys.exit(main())
