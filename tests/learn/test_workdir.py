import pytest

from learn.workdir import CHECKPOINT, WorkdirError, alone, find_workdir, start_workdir

CELLS = {"cells.h5": "0123456789ab"}


def test_new_folder_is_started_and_found_again(tmp_path, configure):
    workdir = find_workdir(tmp_path / "w", configure(), CELLS)
    assert not (tmp_path / "w").exists()
    start_workdir(workdir, configure(), CELLS)
    first = {path.name: path.read_bytes() for path in (tmp_path / "w").iterdir()}
    assert find_workdir(tmp_path / "w", configure(name="other"), CELLS) == workdir
    start_workdir(workdir, configure(), CELLS)
    assert {path.name: path.read_bytes() for path in (tmp_path / "w").iterdir()} == first


def test_another_training_is_refused_and_left_alone(tmp_path, configure):
    start_workdir(find_workdir(tmp_path, configure(), CELLS), configure(), CELLS)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(WorkdirError, match=r"epochs = 3, now 4; seed = 0, now 1.*choose another --workdir"):
        find_workdir(tmp_path, configure(epochs=4, seed=1), CELLS)
    with pytest.raises(WorkdirError, match="other cells in the datasets"):
        find_workdir(tmp_path, configure(), {"cells.h5": "ffffffffffff"})
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_folder_with_something_else_is_refused(tmp_path, configure):
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(WorkdirError, match="holds no training"):
        find_workdir(tmp_path, configure(), CELLS)


def test_result_marks_a_fold_as_finished(tmp_path, configure):
    workdir = find_workdir(tmp_path / "w", configure(folds=2), CELLS)
    start_workdir(workdir, configure(folds=2), CELLS)
    workdir.fold(1).mkdir()
    (workdir.fold(1) / CHECKPOINT).write_bytes(b"x")
    assert workdir.result(1) is None
    workdir.write_result(1, {"accuracy": 0.5})
    assert workdir.result(1) == {"accuracy": 0.5}
    assert not (workdir.fold(1) / CHECKPOINT).exists()
    (workdir.fold(1) / "result.json").write_text("{")
    with pytest.raises(WorkdirError, match="damaged"):
        workdir.result(1)


def test_one_process_at_a_time(tmp_path, configure):
    workdir = find_workdir(tmp_path / "w", configure(), CELLS)
    start_workdir(workdir, configure(), CELLS)
    (tmp_path / "w" / ".model.1.part.json").write_text("{")
    with alone(workdir):
        assert not list((tmp_path / "w").glob(".*"))
        (tmp_path / "w" / ".model.2.part.json").write_text("{")
        with pytest.raises(WorkdirError, match="another process trains there"), alone(workdir):
            pass
        assert len(list((tmp_path / "w").glob(".*"))) == 1
    with alone(workdir):
        pass
