"""Cells squeezing through a constriction: lattice-Boltzmann flow, immersed membrane, traces and features."""
