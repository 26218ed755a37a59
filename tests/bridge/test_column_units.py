import pytest

from bridge.formats.units import parse_unit, same_kind
from bridge.records import DatasetError
from sim.features import FEATURES


@pytest.mark.parametrize(
    ("text", "name", "factor"),
    [
        ("1", "1", 1),
        ("%", "1", 0.01),
        ("um", "m", 1e-6),
        ("µm²", "m²", 1e-12),
        ("um^3", "m³", 1e-18),
        ("um3", "m³", 1e-18),
        ("fL", "m³", 1e-18),
        ("mm/s", "m/s", 1e-3),
        ("um/ms", "m/s", 1e-3),
        ("1/ms", "1/s", 1e3),
        ("kHz", "1/s", 1e3),
        ("ms^-1", "1/s", 1e3),
        ("mN/m", "N/m", 1e-3),
        ("kPa", "Pa", 1e3),
        ("mPa s", "Pa s", 1e-3),
        ("mPa·s", "Pa s", 1e-3),
        ("ul/min", "m³/s", 1e-9 / 60),
        ("ug/mL", "kg/m³", 1e-3),
        ("min", "s", 60),
        ("mOsm", "Osm", 1e-3),
        ("px/frame", "px/frame", 1),
        ("a.u.", "a.u.", 1),
        ("kg m/s^2", "N", 1),
    ],
)
def test_unit_is_brought_to_si(text, name, factor):
    unit = parse_unit(text)
    assert unit.name == name
    assert unit.factor == pytest.approx(factor)


@pytest.mark.parametrize("text", ["furlong", "", "um^99", "m//s", "kpx", "mum", "°C", "m^^2", "10 um"])
def test_unknown_unit_is_refused_by_name(text):
    with pytest.raises(DatasetError, match="unit"):
        parse_unit(text)


def test_units_of_all_features_are_their_own_names():
    for feature in FEATURES.values():
        assert parse_unit(feature.unit) == (feature.unit, 1.0)


def test_pixels_and_frames_stand_for_lengths_and_times():
    assert same_kind("px/frame", "m/s")
    assert same_kind("frame", "s")
    assert not same_kind("s", "m/s")
