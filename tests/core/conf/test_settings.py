"""Typed settings: sources in order, every problem at once, no value in any message."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr, field_validator

from platform_core.conf import settings_of
from platform_core.conf.database import database_settings
from platform_core.conf.deployment import find_deployment
from platform_core.conf.secrets import kept_secret, required_secret
from platform_core.conf.settings import PluginSettings, SettingsFailure, load_settings
from platform_core.registry.problems import PluginErrors

SECRET = "hunter2-is-not-to-be-seen"


class Example(PluginSettings):
    token: SecretStr
    seats: int = 5
    hosts: list[str] = []
    checked: str = "fine"

    @field_validator("checked")
    @classmethod
    def refuse(cls, value: str) -> str:
        if value != "fine":
            raise ValueError(f"{value} is not fine")
        return value


def load(environ: dict[str, str], **section: object) -> Example:
    return load_settings(Example, "PLUGIN_X_", section=section, environ=environ, owner="x")


def test_a_file_comes_before_the_variable_and_the_variable_before_the_toml(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("from-file\n")

    assert load({"PLUGIN_X_TOKEN": "env"}, token="toml").token.get_secret_value() == "env"
    assert load({}, token="toml").token.get_secret_value() == "toml"
    both = {"PLUGIN_X_TOKEN_FILE": str(file), "PLUGIN_X_TOKEN": "env"}
    assert load(both).token.get_secret_value() == "from-file"


@pytest.mark.parametrize("text", ["a,b", '["a", "b"]', " a , b "])
def test_lists_are_read_from_commas_and_json(text: str) -> None:
    assert load({"PLUGIN_X_TOKEN": "t", "PLUGIN_X_HOSTS": text}).hosts == ["a", "b"]


@pytest.mark.parametrize("text", ["", " ", "[]", ","])
def test_an_empty_list_is_one(text: str) -> None:
    found = load({"PLUGIN_X_TOKEN": "t", "PLUGIN_X_HOSTS": text}, hosts=["from the file"])
    assert found.hosts == []


def test_every_problem_is_told_at_once_and_no_value_is(tmp_path: Path) -> None:
    environ = {
        "PLUGIN_X_SEATS": SECRET,
        "PLUGIN_X_HOSTS": f'["{SECRET}',
        "PLUGIN_X_CHECKED": SECRET,
        "PLUGIN_X_TOKN": SECRET,
        "PLUGIN_X_TOKEN_FILE": str(tmp_path / "absent"),
    }

    with pytest.raises(SettingsFailure) as caught:
        load(environ)

    report = "\n".join(str(problem) for problem in caught.value.problems)
    assert SECRET not in report
    assert SECRET not in str(caught.value)
    for name in environ:
        assert name in report
    assert {problem.plugin for problem in caught.value.problems} == {"x"}


def test_a_missing_setting_says_how_to_give_it() -> None:
    with pytest.raises(SettingsFailure) as caught:
        load({})

    (problem,) = caught.value.problems
    assert problem.place == "PLUGIN_X_TOKEN"
    assert "PLUGIN_X_TOKEN_FILE" in problem.way_out


def test_a_mistyped_name_in_the_toml_is_refused() -> None:
    with pytest.raises(SettingsFailure) as caught:
        load({"PLUGIN_X_TOKEN": "t"}, seatz=SECRET)

    (problem,) = caught.value.problems
    assert "seatz" in problem.place
    assert SECRET not in str(problem)


def test_a_broken_platform_toml_is_placed(tmp_path: Path) -> None:
    (tmp_path / "platform.toml").write_text("[platform\n")

    with pytest.raises(PluginErrors) as caught:
        find_deployment(tmp_path, environ={})

    assert caught.value.problems[0].code == "configuration_unreadable"


def test_no_list_at_all_means_no_plugins(tmp_path: Path) -> None:
    deployment = find_deployment(tmp_path, environ={})

    assert deployment.core.plugins == []
    assert not deployment.lists_from_environment


def test_a_required_secret_is_an_error_without_a_value(tmp_path: Path) -> None:
    with pytest.raises(PluginErrors, match="SECRET_KEY"):
        required_secret("SECRET_KEY", {})
    with pytest.raises(PluginErrors, match="cannot be read"):
        required_secret("SECRET_KEY", {"SECRET_KEY_FILE": str(tmp_path / "absent")})


def test_a_kept_secret_is_made_once_and_private(tmp_path: Path) -> None:
    file = tmp_path / "data" / "secret_key"

    first = kept_secret("SECRET_KEY", {}, file)

    assert len(first) >= 48
    assert kept_secret("SECRET_KEY", {}, file) == first
    assert file.stat().st_mode & 0o777 == 0o600
    assert kept_secret("SECRET_KEY", {"SECRET_KEY": "given"}, file) == "given"


def test_a_database_that_does_not_run_yet_may_lie_below_any_path(tmp_path: Path) -> None:
    data_dir = tmp_path / "un projet é % 100"

    found = database_settings(data_dir, {}, pool_size=None)

    assert found["HOST"] == f"{data_dir}/postgres"


CONFIGURATIONS = {
    "platform = 3\n": ("configuration_unreadable", "platform.toml"),
    "plugins = []\n[platform]\n": ("configuration_unreadable", "platform.toml"),
    "[plugins]\nidentity = 3\n": ("configuration_unreadable", "platform.toml"),
    "[platform]\nsettings = 3\n": ("configuration_unreadable", "platform.toml"),
    '[platform]\nsettings = "../other"\n': ("configuration_unreadable", "platform.toml"),
    "[platform\n": ("configuration_unreadable", "platform.toml"),
    "[platform]\nfoo = 1\n": ("setting_invalid", "platform.toml [platform] foo"),
    '[platform]\ntime_zone = "Nowhere/X"\n': (
        "setting_invalid",
        "platform.toml [platform] time_zone",
    ),
    '[platform]\ntime_zone = "/etc/passwd"\n': (
        "setting_invalid",
        "platform.toml [platform] time_zone",
    ),
}


@pytest.mark.parametrize("text", CONFIGURATIONS)
def test_a_configuration_that_makes_no_sense_is_told(text: str, tmp_path: Path) -> None:
    (tmp_path / "platform.toml").write_text(text, encoding="utf-8")

    with pytest.raises(PluginErrors) as refused:
        find_deployment(tmp_path, environ={})

    (problem,) = refused.value.problems
    assert (problem.code, problem.place) == CONFIGURATIONS[text]
    assert problem.way_out


@pytest.mark.parametrize(
    "address",
    [
        f"smtp://u:{SECRET}@mail.example.org:port",
        f"smtp://u:p@mail.example.org:{SECRET}",
        f"imap://u:{SECRET}@mail.example.org",
        SECRET,
    ],
)
def test_a_mail_address_that_is_none_is_refused_without_being_told(
    address: str, tmp_path: Path
) -> None:
    (tmp_path / "platform.toml").write_text('[platform]\nemail_url = "file"\n', encoding="utf-8")

    with pytest.raises(PluginErrors) as refused:
        find_deployment(tmp_path, environ={"PLATFORM_EMAIL_URL": address})

    (problem,) = refused.value.problems
    assert (problem.code, problem.place) == ("setting_invalid", "PLATFORM_EMAIL_URL")
    assert "smtp://user:password@host:port" in problem.message
    assert SECRET not in str(problem)


def test_settings_are_asked_for_by_their_class() -> None:
    with pytest.raises(TypeError, match="takes the class that the plugin names as settings_class"):
        settings_of("identity")  # type: ignore[type-var]
