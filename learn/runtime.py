"""How JAX runs here: compiled programs are kept between runs, and large arrays are not given back each step."""

from __future__ import annotations

import ctypes

from bridge.command import cache_dir

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4
_KEEP_BYTES = 2**31 - 1


def prepare() -> None:
    """Set JAX and the allocator up; call it once, before the first JAX array."""
    _keep_freed_memory()
    import jax

    jax.config.update("jax_compilation_cache_dir", str(cache_dir("xla")))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


def _keep_freed_memory() -> None:
    # glibc returns each large array to the system and faults its pages in again at the next step: on a CPU
    # that costs a third of the training speed. Other C libraries have no mallopt; they are left as they are.
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return
    mallopt(_M_MMAP_MAX, 0)
    mallopt(_M_TRIM_THRESHOLD, _KEEP_BYTES)
    mallopt(_M_TOP_PAD, 64 * 2**20)
