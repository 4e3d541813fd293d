"""Settings: which source wins, where a value came from, and how a wrong one is named."""

import pytest
from pydantic import Field, SecretStr

from muniment.kernel.settings import Configuration, ProcessSettings, RoomSettings, SettingsUnfit, reference


class ShelfSettings(RoomSettings):
    size: int = Field(default=3, ge=1, description="How many.")
    key: SecretStr | None = Field(default=None, description="A secret.")


@pytest.fixture
def load(tmp_path):
    def made(toml="", environment=None, **flags):
        file = tmp_path / "muniment.toml"
        file.write_text(toml)
        return Configuration.load(
            environment=environment or {}, flags=flags, file=file, aliases={"shelf_key": "shelf.key"}
        )

    return made


def test_default_then_file_then_environment_then_flag(load):
    assert load().section("", ProcessSettings).port == 8765
    toml = "port = 1\n[shelf]\nsize = 7\n"
    environment = {"MUNIMENT_PORT": "2", "MUNIMENT_SHELF__SIZE": "8", "OTHER": "9"}
    assert load(toml).section("", ProcessSettings).port == 1
    assert load(toml).section("shelf", ShelfSettings).size == 7
    both = load(toml, environment)
    assert (both.section("", ProcessSettings).port, both.section("shelf", ShelfSettings).size) == (2, 8)
    assert load(toml, environment, port=3).section("", ProcessSettings).port == 3
    assert load(toml, environment, port=None).section("", ProcessSettings).port == 2


def test_each_value_says_where_it_came_from_and_secrets_stay_secret(load, tmp_path):
    configuration = load("[shelf]\nsize = 7\n", {"MUNIMENT_SHELF_KEY": "hush"}, port=3)
    shelf = configuration.explain("shelf", ShelfSettings)
    assert shelf["shelf.size"] == (7, str(tmp_path / "muniment.toml"))
    assert shelf["shelf.key"].source == "MUNIMENT_SHELF_KEY"
    assert "hush" not in str(shelf["shelf.key"])
    process = configuration.explain("", ProcessSettings)
    assert process["port"] == (3, "flag")
    assert process["host"].source == "default"


def test_a_value_may_stand_in_a_file_of_its_own(load, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("hush\n")
    key = load("", {"MUNIMENT_SHELF__KEY_FILE": str(secret)}).section("shelf", ShelfSettings).key
    assert key is not None
    assert key.get_secret_value() == "hush"
    with pytest.raises(SettingsUnfit, match="MUNIMENT_SHELF__KEY_FILE"):
        load("", {"MUNIMENT_SHELF__KEY_FILE": str(tmp_path / "absent")})


def test_addresses_of_rooms_come_from_both_sources(load):
    configuration = load('[at]\na = "http://a"\nb = "http://b"\n', {"MUNIMENT_AT__B": "http://c"})
    assert configuration.section("", ProcessSettings).at == {"a": "http://a", "b": "http://c"}


def test_what_does_not_fit_names_itself_and_its_source(load):
    with pytest.raises(SettingsUnfit, match=r"port \(from MUNIMENT_PORT\)"):
        load("", {"MUNIMENT_PORT": "many"}).section("", ProcessSettings)
    with pytest.raises(SettingsUnfit, match=r"shelf\.size"):
        load("[shelf]\nsize = 0\n").section("shelf", ShelfSettings)
    with pytest.raises(SettingsUnfit, match="cannot be read"):
        load("port = ")


def test_slips_of_the_pen_are_found(load):
    configuration = load("prot = 1\n[shelf]\nsise = 2\n", {"MUNIMENT_SHELF__SIZE": "3"})
    sections = {"": ProcessSettings, "shelf": ShelfSettings}
    assert [slip.split(" ")[0] for slip in configuration.unknown(sections)] == ["prot", "shelf.sise"]


def test_the_reference_lists_every_setting():
    rows = reference("shelf", ShelfSettings)
    assert rows[0] == ("shelf.size", "MUNIMENT_SHELF__SIZE", "3", "How many.")
    assert len(rows) == 2
