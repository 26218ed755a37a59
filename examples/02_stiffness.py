"""How stiffness shows: one cell size, one pressure, four Ks over a decade; then the three presets.

Prints transition time, maximum velocity and deformation index with the effect of a tenfold Ks, and
checks that time rises and velocity falls: two minutes. With --quality draft it takes half a minute, but
8 nodes across the gap are too few to order the velocities, and a stiff cell does not pass: it takes infinitely long.

    python examples/02_stiffness.py [--quality draft|smoke|quick|standard|fine] [--out runs]
"""

import argparse
import json
import math
import subprocess
import sys

KS = ["2.2e-3", "4.74e-3", "1.02e-2", "2.2e-2"]
STUCK = 4  # exit code
FEATURES = ("transition_time", "max_velocity", "deformation_index")


def run(arguments):
    command = [sys.executable, "-m", "sim.run", "--json", "--quiet", *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode not in (0, STUCK):
        raise SystemExit(done.stderr)
    result = json.loads(done.stdout)
    if done.returncode == STUCK:
        return [math.inf, 0.0, math.nan], result["drift"]
    return [result["features"][name]["value"] for name in FEATURES], result["drift"]


def show(label, values, drift):
    time, velocity, index = values
    print(
        f"{label:>18s}  {1e3 * time:8.4f} ms  {1e3 * velocity:8.2f} mm/s  {index:6.4f}   "
        f"area ±{100 * drift['area']:.3f} %, slip ≤ {100 * drift['slip']:.2f} %"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quality", default="quick")
    parser.add_argument("--out", default="runs")
    options = parser.parse_args()
    common = ["--quality", options.quality, "--out", options.out]
    print(f"{'':>18s}  {'transition':>11s}  {'max velocity':>13s}  {'DI':>6s}")
    rows = []
    for ks in KS:
        values, drift = run(["hct116", "--cell.ks", ks, *common])
        rows.append(values)
        show(f"Ks = {1e3 * float(ks):.2f} mN/m", values, drift)
    times, velocities, _ = zip(*rows, strict=True)
    print(f"tenfold Ks: time × {times[-1] / times[0]:.2f}, maximum velocity × {velocities[-1] / velocities[0]:.2f}")
    rises, falls = list(times) == sorted(times), list(velocities) == sorted(velocities, reverse=True)
    print("transition time rises with Ks:", "yes" if rises else "NO")
    print("maximum velocity falls with Ks:", "yes" if falls else "NO")
    presets = []
    for preset in ("hct116", "wbc", "hct116_stiffened"):
        values, drift = run([preset, *common])
        presets.append(values)
        show(preset, values, drift)
    hct, wbc, stiff = presets
    as_paper = hct[0] < wbc[0] < stiff[0] and hct[1] > wbc[1] > stiff[1] and hct[2] > wbc[2] > stiff[2]
    print("presets ordered as in the paper (HCT116 fastest, most deformed):", "yes" if as_paper else "NO")
    return 0 if rises and falls and as_paper else 1


if __name__ == "__main__":
    sys.exit(main())
