import json
import shutil

import h5py
import numpy as np
import pytest
from rtdc_files import HEIGHT, PIXEL, add_basin, ellipses, write_rtdc, zstd_array

from bridge.formats.hdf5 import read_rows
from bridge.formats.rtdc import add_scores, read_rtdc
from bridge.ingest import read_source
from bridge.records import DatasetError, read_dataset
from bridge.writer import new_dataset
from sim.features import FEATURES


def test_events_become_records_in_si(tmp_path):
    path = write_rtdc(tmp_path / "day1.rtdc")
    data = read_rtdc(path, label="hl60")
    with h5py.File(path) as file:
        np.testing.assert_allclose(data.table["area_convex"], file["events/area_um"][()] * 1e-12)
        np.testing.assert_array_equal(data.table["deform"], file["events/deform"][()])
    row = data.table.iloc[0]
    assert (row["cell_id"], row["label"], row["group"]) == ("day1-000000", "hl60", "day1")
    assert row["condition_channel_width"] == pytest.approx(20e-6)
    assert row["condition_flow_rate"] == pytest.approx(0.04e-9)  # 0.04 µL/s
    assert row["condition_temperature"] == pytest.approx(296.15)
    assert row["pixel_size"] == pytest.approx(0.34e-6)
    assert data.units["area_convex"] == "m²"
    assert not any(name.startswith("condition") for name in data.features)
    assert data.meta["sources"][0]["features_left_out"] == ["userdef3"]


def test_what_one_frame_cannot_tell_is_not_invented(tmp_path):
    data = read_rtdc(write_rtdc(tmp_path / "a.rtdc"))
    assert not set(data.table) & set(FEATURES)
    assert "cannot be measured" in data.meta["sources"][0]["notes"][-1]


def test_deformation_index_is_measured_of_the_mask_and_is_not_deform(tmp_path):
    data = read_rtdc(write_rtdc(tmp_path / "a.rtdc"))
    for i, mask in enumerate(ellipses()):
        a, b = np.flatnonzero(mask.any(axis=0)).size, np.flatnonzero(mask.any(axis=1)).size
        assert data.table["deformation_index_event"][i] == pytest.approx((a - b) / (a + b))
        assert data.table["area_outline"][i] == pytest.approx(mask.sum() * (PIXEL * 1e-6) ** 2, rel=0.02)
    assert not np.allclose(data.table["deformation_index_event"], data.table["deform"], atol=0.01)
    without = read_rtdc(write_rtdc(tmp_path / "b.rtdc", mask=None))
    assert "deformation_index_event" not in without.table
    assert without.masks is None


def test_crops_are_centred_on_the_events(tmp_path):
    data = read_rtdc(write_rtdc(tmp_path / "a.rtdc"), crop=32)
    assert data.images.shape == (6, 1, 32, 32)
    for mask in data.masks[:, 0] != 0:
        rows, columns = np.argwhere(mask).T
        assert abs(rows.min() + rows.max() - 31) <= 1
        assert abs(columns.min() + columns.max() - 31) <= 1
    dark = [picture[mask != 0].mean() for picture, mask in zip(data.images[:, 0], data.masks[:, 0], strict=True)]
    assert max(dark) < 100


def test_whole_frames_where_nothing_says_where_the_events_are(tmp_path):
    path = write_rtdc(tmp_path / "a.rtdc", mask=None, pos_x=None)
    assert read_rtdc(path).images.shape == (6, 1, HEIGHT, 120)
    with pytest.raises(DatasetError, match="neither masks nor positions"):
        read_rtdc(path, crop=20)


def test_an_empty_mask_leaves_its_measures_missing(tmp_path):
    masks = ellipses().astype(np.uint8)
    masks[2] = 0
    table = read_rtdc(write_rtdc(tmp_path / "a.rtdc", mask=masks)).table
    assert np.isnan(table["deformation_index_event"][2])
    assert table["deformation_index_event"].notna().sum() == 5


def test_without_a_pixel_size_lengths_stay_missing(tmp_path):
    path = write_rtdc(tmp_path / "a.rtdc", change=lambda file: file.attrs.pop("imaging:pixel size"))
    table = read_rtdc(path).table
    assert "area_outline" not in table
    assert table["deformation_index_event"].notna().all()
    assert read_rtdc(path, pixel_size=0.34e-6).table["area_outline"].notna().all()


def no_events(file):
    del file["events"]


def short_feature(file):
    file["events/tilt"] = np.zeros(3)


def link(file):
    del file["events/image"]
    file["events/image"] = h5py.ExternalLink("/etc/passwd", "/x")


def loop(file):
    del file["events"]
    file["events"] = h5py.SoftLink("/events")


def elsewhere(file):
    del file["events/image"]
    file.create_dataset("events/image", (6, HEIGHT, 120), np.uint8, external=[("/etc/passwd", 0, 28800)])


def huge(file):
    del file["events/image"]
    file.create_dataset("events/image", (6, 1 << 20, 1 << 20), np.uint8, chunks=(1, 64, 64))


def huge_chunk(file):
    del file["events/deform"]
    file.create_dataset("events/deform", (6,), np.float64, maxshape=(None,), chunks=(1 << 28,))


def floats(file):
    del file["events/image"]
    file["events/image"] = np.zeros((6, HEIGHT, 120))


def other_mask(file):
    del file["events/mask"]
    file["events/mask"] = np.zeros((6, 9, 9), np.uint8)


def no_pictures(file):
    del file["events/image"]


def wrong_pixel(file):
    file.attrs["imaging:pixel size"] = 4e6


def empty(file):
    for name in list(file["events"]):
        del file["events"][name]


BAD = [
    (no_events, "no group /events"),
    (short_feature, "features of different lengths"),
    (link, "image is a link"),
    (loop, "events is a link"),
    (elsewhere, "another file"),
    (huge, "GiB"),
    (huge_chunk, "chunks"),
    (floats, "pictures are float64"),
    (other_mask, r"pictures are \(40, 120\) px, masks \(9, 9\)"),
    (no_pictures, "no pictures of the events; put the file .*--without-pictures"),
    (wrong_pixel, "imaging:pixel size = "),
    (empty, "no events"),
]


@pytest.mark.parametrize(("change", "message"), BAD, ids=[change.__name__ for change, _ in BAD])
def test_bad_file_is_refused_by_name(tmp_path, command, change, message):
    path = write_rtdc(tmp_path / "bad.rtdc", change=change)
    with pytest.raises(DatasetError, match=message) as caught:
        read_rtdc(path)
    assert str(path) in str(caught.value)
    done = command("bridge.ingest", path, "--out", tmp_path / "c.h5")
    assert (done.returncode, done.stdout) == (2, "")
    assert not (tmp_path / "c.h5").exists()


def test_features_alone(tmp_path, command):
    path = write_rtdc(tmp_path / "a.rtdc", image=None, mask=None)
    out = tmp_path / "c.h5"
    done = command(
        "bridge.ingest", path, "--out", out, "--without-pictures", "--label", "a", "--group", "day", "--json"
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["features"] == {"deform": "1", "area_convex": "m²"}
    assert set(read_dataset(out).table["group"]) == {"day"}
    path = write_rtdc(tmp_path / "b.rtdc", deform=None, area_um=None)
    with pytest.raises(DatasetError, match="no feature that is known here, it holds userdef3"):
        read_rtdc(path, pictures=False)


def part(file, *names):
    for name in names:
        del file[f"events/{name}"]


def test_basin_beside_the_file_is_followed(tmp_path):
    whole = read_rtdc(write_rtdc(tmp_path / "raw.rtdc"))

    def refer(file):
        part(file, "image", "mask")
        add_basin(file, paths=["C:\\data\\raw.rtdc", "/elsewhere/raw.rtdc"])

    data = read_rtdc(write_rtdc(tmp_path / "a.rtdc", change=refer))
    np.testing.assert_array_equal(data.images, whole.images)
    np.testing.assert_array_equal(data.masks, whole.masks)


@pytest.mark.parametrize("internal", [False, True])
def test_basin_with_chosen_events(tmp_path, internal):
    raw = write_rtdc(tmp_path / "raw.rtdc", count=9)
    whole = read_rtdc(raw)
    rows = np.array([7, 2, 2])

    def refer(file):
        for name in list(file["events"]):
            del file["events"][name]
        file["events/basinmap0"] = rows
        entries = {"type": "internal", "paths": ["basin_events"]} if internal else {"paths": ["raw.rtdc"]}
        add_basin(file, mapping="basinmap0", features=["image", "mask", "deform"], **entries)
        if internal:
            with h5py.File(raw) as other:
                other.copy("events", file, "basin_events")

    data = read_rtdc(write_rtdc(tmp_path / "a.rtdc", change=refer))
    np.testing.assert_array_equal(data.images, whole.images[rows])
    np.testing.assert_array_equal(data.table["deform"], whole.table["deform"][rows])
    assert "area_convex" not in data.table


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"paths": ["/data/raw.rtdc"]}, "no file raw.rtdc in .*; put it there"),
        ({"paths": []}, "no file named in"),
        ({"paths": ["a.rtdc"]}, "refers back to itself"),
        ({"paths": ["text.rtdc"]}, "not a readable .rtdc file"),
        ({"type": "remote", "format": "dcor", "paths": ["https://dcor.example/1"]}, "of type 'remote'"),
        ({"type": "internal", "paths": ["basin_events"]}, "no group"),
        ({"type": "internal", "paths": ["basin_events"], "mapping": "basinmap1"}, "no group"),
        ({"paths": ["../b/raw.rtdc"]}, "no file raw.rtdc"),
        ({"paths": {"a": 1}}, "no file named"),
        ({"paths": [[1]]}, "no file named"),
    ],
)
def test_broken_basin_is_refused_where_its_events_are_needed(tmp_path, entries, message):
    (tmp_path / "text.rtdc").write_text("no HDF5")
    (tmp_path / "b").mkdir()
    write_rtdc(tmp_path / "b/raw.rtdc")

    def refer(file):
        part(file, "image", "mask")
        add_basin(file, **entries)

    with pytest.raises(DatasetError, match=message):
        read_rtdc(write_rtdc(tmp_path / "a.rtdc", change=refer))
    path = write_rtdc(tmp_path / "a.rtdc", change=lambda file: add_basin(file, **entries))
    assert "not followed" in read_rtdc(path).meta["sources"][0]["notes"][0]


def test_basins_that_contradict_the_file_are_refused(tmp_path):
    write_rtdc(tmp_path / "raw.rtdc", count=4)

    def refer(file, **entries):
        part(file, "image", "mask")
        add_basin(file, paths=["raw.rtdc"], **entries)

    with pytest.raises(DatasetError, match="has 4 events, the file 6"):
        read_rtdc(write_rtdc(tmp_path / "a.rtdc", change=refer))
    with pytest.raises(DatasetError, match="needs the feature 'basinmap3'"):
        read_rtdc(write_rtdc(tmp_path / "a.rtdc", change=lambda file: refer(file, mapping="basinmap3")))
    path = write_rtdc(
        tmp_path / "a.rtdc",
        change=lambda file: refer(file, mapping="basinmap0"),
        basinmap0=np.array([0, 1, 2, 3, 4, 0]),
    )
    with pytest.raises(DatasetError, match="has 4 events, event 4 is asked for"):
        read_rtdc(path)

    def no_json(file):
        file.create_dataset("basins/b", data=np.array([b"{", b"x"]))

    with pytest.raises(DatasetError, match="basin 'b' is damaged"):
        read_rtdc(write_rtdc(tmp_path / "a.rtdc", change=no_json))


def test_basins_that_refer_to_each_other_end(tmp_path):
    for own, other in (("a", "b"), ("b", "a")):
        path = tmp_path / f"{own}.rtdc"
        write_rtdc(
            path, change=lambda file, other=other: (part(file, "image"), add_basin(file, paths=[f"{other}.rtdc"]))
        )
    with pytest.raises(DatasetError, match="refers back to itself"):
        read_rtdc(tmp_path / "a.rtdc")


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize(
    ("shape", "chunk"), [((7,), (7,)), ((7,), (3,)), ((5, 9, 11), (2, 9, 11)), ((5, 9, 11), (2, 4, 5))]
)
def test_zstandard_is_unpacked(tmp_path, shape, chunk, shuffle):
    values = np.random.default_rng(0).integers(0, 9, shape).astype(np.float64 if len(shape) == 1 else np.uint8)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        data = zstd_array(file, "a", values, chunk, shuffle)
        for start, stop in ((0, shape[0]), (1, 2), (2, 5)):
            np.testing.assert_array_equal(read_rows(data, start, stop), values[start:stop])


def test_damaged_zstandard_is_refused(tmp_path):
    def spoil(file):
        values = file["events/deform"][()]
        del file["events/deform"]
        zstd_array(file["events"], "deform", values, (6,), spoil=True)

    with pytest.raises(DatasetError, match=r"a\.rtdc: not a readable \.rtdc file"):
        read_rtdc(write_rtdc(tmp_path / "a.rtdc", change=spoil))


def test_event_files_of_one_size_can_be_merged(tmp_path):
    parts = [read_source(write_rtdc(tmp_path / f"{name}.rtdc"), label=name) for name in "ab"]
    with new_dataset(tmp_path / "c.h5") as writer:
        for one in parts:
            writer.append(one)
    both = read_dataset(tmp_path / "c.h5")
    assert both.masks.shape == (12, 1, HEIGHT, HEIGHT)
    assert both.descriptions["deform"] == parts[0].descriptions["deform"]
    assert both.views == ("event",)


def test_scores_are_added_to_a_copy(tmp_path):
    source, target = write_rtdc(tmp_path / "a.rtdc"), tmp_path / "b.rtdc"
    before = source.read_bytes()
    score = np.linspace(0, 1, 6)
    add_scores(source, target, {"hct": score, "ml_score_wbc": 1 - score})
    assert source.read_bytes() == before
    with h5py.File(target) as file:
        np.testing.assert_array_equal(file["events/ml_score_hct"], score)
        np.testing.assert_array_equal(file["events/ml_score_wbc"], 1 - score)
    add_scores(target, tmp_path / "c.rtdc", {"hct": score**2})
    with h5py.File(tmp_path / "c.rtdc") as file:
        np.testing.assert_array_equal(file["events/ml_score_hct"], score**2)


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ({"hct116": np.zeros(6)}, "three of 0-9 and a-z"),
        ({"HCT": np.zeros(6)}, "three of 0-9 and a-z"),
        ({"hct": np.zeros(5)}, "has 6 events"),
        ({"hct": np.full(6, 1.5)}, "0 to 1 are expected"),
        ({"hct": np.full(6, np.nan)}, "0 to 1 are expected"),
        ({"hct": np.zeros(6), "ml_score_hct": np.zeros(6)}, "given twice"),
    ],
)
def test_bad_scores_are_refused_and_nothing_is_written(tmp_path, scores, message):
    source = write_rtdc(tmp_path / "a.rtdc")
    with pytest.raises(DatasetError, match=message):
        add_scores(source, tmp_path / "b.rtdc", scores)
    with pytest.raises(DatasetError, match="is the measurement itself"):
        add_scores(source, source, {})
    assert [path.name for path in tmp_path.iterdir()] == ["a.rtdc"]


@pytest.mark.filterwarnings("ignore")
def test_dclab_shows_the_scores_and_agrees_with_what_is_read(tmp_path):
    import dclab

    source = write_rtdc(tmp_path / "a.rtdc")
    add_scores(source, tmp_path / "b.rtdc", {"hct": np.linspace(0, 1, 6), "wbc": np.linspace(1, 0, 6)})
    read = read_rtdc(tmp_path / "b.rtdc")
    with dclab.new_dataset(tmp_path / "b.rtdc") as events:
        assert events["ml_class"].tolist() == [1, 1, 1, 0, 0, 0]
        np.testing.assert_allclose(read.table["deform"], events["deform"])


SHARED = {"cytoshot-test-data": (40, 42), "dcnum_thresh_example": (13, 48), "file_with_variable_length_logs": (20, 0)}


@pytest.mark.shared
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "counts"), SHARED.items(), ids=list(SHARED))
def test_measurements_of_others_are_read_as_dclab_reads_them(shared, tmp_path, name, counts):
    import dclab

    path = shared / f"rtdc_dcnum_mit/{name}.rtdc"
    data = read_rtdc(path, crop=None)
    assert (len(data), len(data.features)) == counts
    with dclab.new_dataset(path) as events:
        if "deform" in data.table:
            np.testing.assert_array_equal(data.table["deform"], events["deform"])
            long, high = events["size_x"], events["size_y"]
            np.testing.assert_allclose(data.table["deformation_index_event"], (long - high) / (long + high), atol=0.005)
        else:
            np.testing.assert_array_equal(data.images[:, 0], events["image"][:])
    target = tmp_path / "scored.rtdc"
    add_scores(path, target, {"abc": np.zeros(len(data))})
    shutil.copy(path, tmp_path / path.name)
    assert len(read_rtdc(target)) == counts[0]


def test_without_masks_events_are_cut_out_at_their_positions(tmp_path):
    masks = ellipses()
    middle = np.array([np.argwhere(mask).mean(axis=0) for mask in masks])  # of pixels' indices, as files have them
    places = {"pos_y": middle[:, 0] * PIXEL, "pos_x": middle[:, 1] * PIXEL}
    path = write_rtdc(tmp_path / "a.rtdc", mask=None, **places)
    for change in ({}, {"pixel_size": PIXEL * 1e-6}):
        if change:
            with h5py.File(path, "r+") as file:
                del file.attrs["imaging:pixel size"]
        for picture in read_rtdc(path, crop=32, **change).images[:, 0]:
            assert abs(np.argwhere(picture < 120).mean(axis=0) - 15.5).max() < 0.8
