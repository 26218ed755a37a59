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


OIF = {
    "fluid": {"body_force": 4e7},
    "cell": {
        "diameter": 14e-6,
        "law": "oif",
        "mesh_level": 3,
        "oif": {
            "ks": 1e-4, "kb": 2e-11, "kv": 1e4, "node_mass": 5e-16, "friction": 1.5e-9, "wall_energy": 2e-18,
            "wall_exponent": 1.5, "wall_cutoff": 5e-7,
        },
    },
    "numerics": {"dimension": 3, "kernel": 2},
}  # fmt: skip


def oif(section, **values):
    return OIF | {section: OIF.get(section, {}) | values}


def test_the_constants_of_oif_stand_for_those_of_other_laws():
    config = parse_config(OIF, "x")
    assert (config.cell.ks, config.cell.kv) == (1e-4, 1e4)
    # kb times the height of a triangle of the 1280 that cover π D²
    height = (3**0.5 * 3.14159265 * 14e-6**2 / 1280) ** 0.5
    assert config.cell.kb == pytest.approx(2e-11 * height, rel=1e-6)
    assert parse_config(tomllib.loads(config.to_toml()), "round trip") == config
    changed = load_config("oif_squeeze", overrides={"cell.oif.ks": "8e-4"})
    assert changed.cell.ks == changed.cell.oif.ks == 8e-4


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (oif("cell", law="spring", ks=1e-3, kb=0.0), ["[cell.oif]", 'law = "oif"', "spring"]),
        (oif("cell", oif=None), ["needs its constants", "[cell.oif]"]),
        (oif("cell", mesh_level=None), ["mesh_level", "state its level"]),
        (oif("cell", ks=2e-4), ["ks = 0.0002", "0.0001", "--cell.ks none"]),
        (oif("cell", kb=1e-16), ["kb = 1e-16", "leave cell.kb out"]),
        (oif("cell", ka_local=1e-3), ["cell.ka_local", "[cell.oif]"]),
        (oif("cell", inflation=1.1), ["cell.inflation", "[cell.oif]"]),
        (oif("cell", nucleus={"diameter": 8e-6, "ks": 1e-2, "kb": 0.0}), ["cell.nucleus"]),
        (oif("cell", oif=OIF["cell"]["oif"] | {"node_mass": 0.0}), ["cell.oif.node_mass", "kg", "greater than 0"]),
        (oif("cell", oif=OIF["cell"]["oif"] | {"kal": "x"}), ["cell.oif.kal", "N/m", "number"]),
        (oif("cell", oif={"ks": 1e-4}), ["cell.oif.kb is missing"]),
        (oif("numerics", dimension=2), ["numerics.dimension to 3"]),
        (oif("numerics", kernel=4), ["numerics.kernel to 2 (it is 4)", "8 nodes"]),
        (oif("numerics", coupling="no-slip"), ["numerics.coupling to friction"]),
        (oif("numerics", friction=1e-9), ["numerics.friction = 1e-09", "cell.oif.friction"]),
        (oif("channel", kind="cylinder"), ["cylinder", "constriction, straight, couette"]),
    ],
)
def test_what_does_not_go_with_oif_is_refused(values, words):
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


def test_fields_that_came_later_change_no_digest():
    """Runs that are there are found again: the digest of a preset stays unless PHYSICS_VERSION is raised."""
    assert load_config("hct116").digest() == "3126f710c08a"
    assert load_config("hl60", quality="smoke").digest() == "e645ffafae1b"
