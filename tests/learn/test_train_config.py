import tomllib

import pytest

from learn.config import ConfigError, TrainConfig, load_config, parse_config, preset_names


def test_presets_are_valid_and_round_trip_through_toml():
    assert preset_names() == ["features_only", "image_only", "miml", "miml_small"]
    for name in preset_names():
        config = load_config(name)
        assert config.name == name
        assert parse_config(tomllib.loads(config.to_toml()), "x") == config


def test_every_field_states_its_unit():
    for name, info in TrainConfig.model_fields.items():
        assert (info.description or "").endswith(")."), name


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("epocs = 3", "mine.toml: epocs: unknown key; did you mean 'epochs'?"),
        ("epochs = 0", "mine.toml: epochs = 0 epochs: input should be greater than or equal to 1"),
        ('model = "cnn"', "mine.toml: model = 'cnn': input should be 'miml', 'features_only' or 'image_only'"),
        ('features = ["a", "a"]', "a name stands twice"),
        ("features = []", "needs at least one feature"),
        ('views = ["a", "b", "c"]', "one or two views"),
        ('classes = ["a"]', "name at least two"),
        ("epochs = ", "not valid TOML"),
    ],
)
def test_what_is_wrong_is_said_with_file_field_value_and_remedy(tmp_path, monkeypatch, text, expected):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.toml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_config("mine.toml")
    assert expected in str(caught.value)


def test_unknown_preset_suggests_one():
    with pytest.raises(ConfigError, match="did you mean 'features_only'"):
        load_config("feature_only")


def test_digest_ignores_the_name_and_sees_everything_else():
    config = load_config("miml")
    assert config.digest(["a"]) == config.model_copy(update={"name": "other"}).digest(["a"])
    others = [config.model_copy(update={"seed": 1}).digest(["a"]), config.digest(["b"]), config.digest(["a", "b"])]
    assert config.digest(["a"]) not in others
