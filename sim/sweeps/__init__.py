"""The parts of `python -m sim.sweep`."""
