import tomllib
from importlib import resources

import pytest

from sim.config import (
    QUALITIES,
    ConfigError,
    SimulationConfig,
    fields,
    load_config,
    parse_config,
    preset_names,
)

MINIMAL = {"fluid": {"pressure_drop": 3e3}, "cell": {"diameter": 14e-6, "ks": 7e-3, "kb": 1e-16}}


def changed(section, **values):
    return MINIMAL | {section: MINIMAL.get(section, {}) | values}


@pytest.mark.parametrize("preset", preset_names())
@pytest.mark.parametrize("quality", QUALITIES)
def test_every_preset_loads_at_every_quality(preset, quality):
    assert load_config(preset, quality).name == preset


@pytest.mark.parametrize("preset", preset_names())
def test_every_number_of_a_preset_states_its_source(preset):
    text = (resources.files("sim") / "configs" / f"{preset}.toml").read_text(encoding="utf-8")
    numbers = [line for line in text.splitlines() if "=" in line and not line.startswith(("#", "name"))]
    assert numbers
    assert all("#" in line and len(line.split("#")[1]) > 10 for line in numbers)


def test_toml_round_trip():
    config = load_config("wbc", "fine")
    assert parse_config(tomllib.loads(config.to_toml()), "round trip") == config


def test_digest_names_the_physics_only():
    config = parse_config(MINIMAL, "x")
    assert config.digest() == parse_config(MINIMAL | {"name": "other"}, "x").digest()
    assert config.digest() != parse_config(changed("cell", ks=7.1e-3), "x").digest()
    assert config.digest() != parse_config(MINIMAL | {"seed": 1}, "x").digest()


def test_the_file_wins_over_the_quality_and_the_command_line_over_the_file(tmp_path):
    path = tmp_path / "cell.toml"
    path.write_text(
        "[fluid]\npressure_drop = 1e3\n[cell]\ndiameter = 12e-6\nks = 1e-3\nkb = 0\n[numerics]\ndx = 0.26e-6\n"
    )
    assert load_config(path, "draft").numerics.dx == 0.26e-6
    assert load_config(path, "draft").numerics.wall_range == 0.65e-6
    config = load_config(path, "draft", {"cell.ks": "2e-3", "numerics.dx": "0.52e-6", "seed": "4"})
    assert (config.cell.ks, config.numerics.dx, config.seed) == (2e-3, 0.52e-6, 4)


def test_a_drive_on_the_command_line_replaces_the_presets():
    config = load_config("hct116", overrides={"fluid.body_force": "2e7"})
    assert config.fluid.pressure_drop is None


def test_configuration_is_frozen():
    config = parse_config(MINIMAL, "x")
    with pytest.raises(ValueError, match="frozen"):
        config.cell.ks = 1.0  # type: ignore[misc]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (changed("cell", kss=1.0), ["cell.kss", "did you mean 'ks'"]),
        (changed("cell", ks=-1e-3), ["cell.ks", "-0.001", "N/m", "greater than 0"]),
        (changed("cell", diameter="big"), ["cell.diameter", "big", " m", "number"]),
        (changed("channel", gap=30e-6), ["width", "gap", "straight"]),
        (changed("fluid", body_force=1e6), ["exactly one drive", "pressure_drop and body_force"]),
        (changed("numerics", dimension=4), ["numerics.dimension", "4"]),
        (changed("cell", ks=float("nan")), ["cell.ks", "finite"]),
        ({"fluid": {"pressure_drop": 1.0}}, ["cell is missing"]),
        (MINIMAL | {"fluidd": {}}, ["fluidd", "did you mean 'fluid'"]),
        (MINIMAL | {"cell": 3}, ["cell"]),
        (changed("numerics", start="warm"), ["numerics.start", "warm", "steady", "rest"]),
        (changed("output", stop_x=1e-3), ["output.stop_x", "0.001 m", "outlet"]),
        (changed("output", stop_x=-3e-5), ["output.stop_x", "trailing edge"]),
        (
            {"fluid": {"shear_rate": 1e3}, "channel": {"kind": "couette"}, "output": {"stop_x": 0.0}}
            | {"cell": MINIMAL["cell"]},
            ["output.stop_x", "couette", "numerics.max_time"],
        ),
        (MINIMAL | {"name": "../x"}, ["name", "../x"]),
    ],
)
def test_a_wrong_value_names_field_value_unit_and_remedy(values, words):
    with pytest.raises(ConfigError) as error:
        parse_config(values, "file.toml")
    assert all(word in str(error.value) for word in ["file.toml", *words]), str(error.value)


@pytest.mark.parametrize(("name", "words"), [("wbk", "did you mean 'wbc'"), ("nothing", "hct116")])
def test_an_unknown_preset_lists_the_known(name, words):
    with pytest.raises(ConfigError, match=words):
        load_config(name)


@pytest.mark.parametrize("content", [b"[cell\n", b"\xff\xfe\x00", b"cell = 1\ncell = 2\n"])
def test_a_broken_file_is_named(tmp_path, content):
    path = tmp_path / "broken.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"broken\.toml"):
        load_config(path)


def test_a_section_that_is_a_number_is_named_and_a_byte_order_mark_is_ignored(tmp_path):
    path = tmp_path / "cell.toml"
    path.write_text("fluid = 3\n")
    with pytest.raises(ConfigError, match=r"fluid = 3: a section is expected; write it as \[fluid\]"):
        load_config(path, overrides={"fluid.pressure_drop": "1e3"})
    text = "[fluid]\npressure_drop = 1e3\n[cell]\ndiameter = 12e-6\nks = 1e-3\nkb = 0\n"
    path.write_text(text, encoding="utf-8-sig")
    assert load_config(path).cell.diameter == 12e-6


def test_every_field_has_help_with_a_unit():
    assert all(text.rstrip(".").endswith(")") for name, text in fields() if name != "name")
    assert len(list(fields())) > 35
    assert SimulationConfig.model_fields
