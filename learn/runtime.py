"""How JAX runs here: compiled programs are kept between runs, and compile in half the time."""

from __future__ import annotations

import contextlib
import ctypes
import warnings
from functools import cache
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from bridge.command import InputError, cache_dir

_QUICK = {"xla_cpu_use_fusion_emitters": False}
_REPEATABLE = {"xla_gpu_deterministic_ops": True}


_MALLOC = {"arena_max": (-8, 1), "mmap_max": (-4, 0), "trim_threshold": (-1, 1 << 30), "top_pad": (-2, 1 << 28)}
"""Settings of the GNU allocator, by their number in malloc.h."""


def prepare() -> None:
    """Let JAX keep memory and compiled programs, and count in float32; call it before the first program is compiled.

    Notes
    -----
    GPUs multiply matrices of float32 with 11 binary digits by default. What a trained model says would then differ from
    what it says on another machine, and from what its export says.
    """
    keep_memory()
    if jax.default_backend() != "cpu":
        jax.config.update("jax_default_matmul_precision", "float32")
    jax.config.update("jax_compilation_cache_dir", str(cache_dir("xla")))
    # The small network's programs compile in half a second each: worth keeping, and small.
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    # A cache on a full disk, or damaged, costs time and nothing else.
    warnings.filterwarnings("ignore", message="Error (reading|writing) persistent compilation cache")


@cache
def keep_memory() -> None:
    """Let the process keep the memory of large arrays between steps, where the C library is GNU's.

    Notes
    -----
    Otherwise each step gets its hundreds of megabytes anew from the system, page by page: a third of a training
    step of ResNet-18 on two cores. One arena, because memory of the others always goes back.
    """
    with contextlib.suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        for number, value in _MALLOC.values():
            library.mallopt(number, value)


def shardings(devices: int) -> tuple[Any, Any]:
    """Return how arrays lie on that many devices: whole on each, and divided along the second axis.

    Raises
    ------
    InputError
        If there are fewer.
    """
    found = jax.devices()
    if not 1 <= devices <= len(found):
        raise InputError(
            f"--devices {devices}: this machine has {len(found)} ({found[0].platform}); on a CPU they are made by "
            f"XLA_FLAGS=--xla_force_host_platform_device_count={devices}, which is slower than one"
        )
    mesh = Mesh(np.array(found[:devices]), ("cells",))
    return NamedSharding(mesh, PartitionSpec()), NamedSharding(mesh, PartitionSpec(None, "cells"))


@cache
def compiler_options() -> dict[str, bool]:
    """Return options for ``jax.jit`` on this machine.

    Notes
    -----
    XLA's newer way to write fused loops on a CPU takes 38 s to compile a training step of ResNet-18, the older
    one 20 s; the programs are equally fast. A GPU adds up in an order of its own unless it is told not to. A version of
    XLA that does not know an option does without.
    """
    wanted = _QUICK if jax.default_backend() == "cpu" else _REPEATABLE
    try:
        jax.jit(lambda: 0, compiler_options=wanted).lower().compile()
    except jax.errors.JaxRuntimeError:
        return {}
    return wanted
