"""How JAX runs here: compiled programs are kept between runs, and compile in half the time."""

from __future__ import annotations

import warnings
from functools import cache

import jax

from bridge.command import cache_dir

_QUICK = {"xla_cpu_use_fusion_emitters": False}


def prepare() -> None:
    """Let JAX keep compiled programs in the user's cache; call it before the first program is compiled."""
    jax.config.update("jax_compilation_cache_dir", str(cache_dir("xla")))
    # The small network's programs compile in half a second each: worth keeping, and small.
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    # A cache on a full disk, or damaged, costs time and nothing else.
    warnings.filterwarnings("ignore", message="Error (reading|writing) persistent compilation cache")


@cache
def compiler_options() -> dict[str, bool]:
    """Return options for ``jax.jit`` on this machine.

    Notes
    -----
    XLA's newer way to write fused loops on a CPU takes 38 s to compile a training step of ResNet-18, the older
    one 20 s; the programs are equally fast. A version of XLA without the older way gets no option.
    """
    if jax.default_backend() != "cpu":
        return {}
    try:
        jax.jit(lambda: 0, compiler_options=_QUICK).lower().compile()
    except jax.errors.JaxRuntimeError:
        return {}
    return _QUICK
