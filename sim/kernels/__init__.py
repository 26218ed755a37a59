"""Jitted functions on plain arrays, in lattice units; the modules above own memory and meaning.

Compiled code is cached in the user's cache directory, never beside the source.
"""

import os

from sim.files import cache_dir

os.environ.setdefault("NUMBA_CACHE_DIR", str(cache_dir("numba")))
