"""Files that are whole or not there, whatever fails."""

import errno
import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from sim.files import check_writable, new_hdf5, read_arrays, replacing


def test_an_error_names_the_file_that_was_meant(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "x").write_text("x")
    with pytest.raises(OSError, match="there") as caught, replacing(tmp_path / "there") as part:
        part.write_text("new")
    assert caught.value.filename == str(tmp_path / "there")
    with pytest.raises(OSError, match="ull") as caught, replacing(tmp_path / "a" / "b.csv") as part:
        raise OSError(errno.ENOSPC, "full")
    assert caught.value.filename == str(tmp_path / "a" / "b.csv")
    assert [p.name for p in (tmp_path / "there").iterdir()] == ["x"]
    assert not list((tmp_path / "a").iterdir())


def test_what_cannot_be_written_is_known_before(tmp_path):
    (tmp_path / "file").write_text("x")
    check_writable(tmp_path / "new" / "sub" / "cells.h5")
    check_writable(tmp_path / "file")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
    with pytest.raises(IsADirectoryError):
        check_writable(tmp_path)
    with pytest.raises(NotADirectoryError):
        check_writable(tmp_path / "file" / "cells.h5")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_known_before(tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    with pytest.raises(PermissionError):
        check_writable(tmp_path / "locked" / "cells.h5")


def test_hdf5_on_a_full_disk_is_an_ordinary_error(tmp_path):
    code = """
        import numpy as np
        from sim.files import new_hdf5, replacing
        try:
            with replacing("cells.h5") as part, new_hdf5(part) as file:
                file["a"] = np.random.default_rng(0).random(10_000)
        except OSError as error:
            print(error.filename)
    """

    # the shell sets the limit: a fork of a process with JAX's threads in it may hang
    call = ["sh", "-c", 'ulimit -f 8; exec "$@"', "sh", sys.executable, "-c", textwrap.dedent(code)]
    done = subprocess.run(call, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, "cells.h5"), done.stderr
    assert not list(tmp_path.iterdir())


def test_hdf5_of_a_failed_block_is_not_written(tmp_path):
    with pytest.raises(TypeError), new_hdf5(tmp_path / "cells.h5") as file:
        file["a"] = object()
    assert not list(tmp_path.iterdir())


def test_a_damaged_archive_is_none_at_all(tmp_path):
    path, rng = tmp_path / "kept.npz", np.random.default_rng(0)
    assert read_arrays(path) is None
    np.savez(path, x=rng.random((20, 3)), name="sphere")
    whole = path.read_bytes()
    stored = read_arrays(path)
    assert stored is not None
    assert stored["x"].shape == (20, 3)
    lost = 0
    for number in range(400):
        damaged = bytearray(whole)
        damaged[rng.integers(len(whole))] ^= 1 << rng.integers(8)
        path.write_bytes(bytes(damaged if number % 2 else damaged[: rng.integers(len(whole))]))
        found = read_arrays(path)  # must not raise, and never gives another number for the positions
        lost += found is None
        if found is not None and "x" in found:
            assert (found["x"] == stored["x"]).all()
    assert lost > 300
