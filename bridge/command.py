"""The command-line contract of `sim.command` and whole-file writing, for `bridge` and `learn`."""

from sim.command import Exit, InputError, print_json, progress, run_command, say
from sim.files import cache_dir, replacing, write_text

__all__ = ["Exit", "InputError", "cache_dir", "print_json", "progress", "replacing", "run_command", "say", "write_text"]
