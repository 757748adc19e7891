"""Editing platform.toml: what a person wrote stays, and a failure leaves the file as it was."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import pytest

from platform_core.registry.configuration import edited, with_sections, write_lists
from platform_core.registry.lists import Lists
from platform_core.registry.problems import PluginErrors

COMMENTED = """\
# Our school.
[platform]
settings = "settings"   # made by init
plugins = [
    "identity",  # everybody
    "education",  # the timetable people
]
time_zone = "Europe/Paris"

[plugins.identity]
issuer = "https://example.org" # do not touch
"""


def lists_in(text: str) -> dict[str, list[str]]:
    section = tomllib.loads(text)["platform"]
    return {key: section.get(key) for key in ("plugins", "dormant_plugins")}


def test_comments_order_and_other_settings_stay() -> None:
    text = edited(COMMENTED, Lists(plugins=("identity", "library"), dormant=("education",)))

    assert lists_in(text) == {"plugins": ["identity", "library"], "dormant_plugins": ["education"]}
    for kept in (
        "# Our school.",
        'settings = "settings"   # made by init',
        '"identity",  # everybody',
        'issuer = "https://example.org" # do not touch',
    ):
        assert kept in text


def test_the_lists_as_they_are_change_no_byte() -> None:
    text = COMMENTED.replace("time_zone =", 'dormant_plugins = ["toy"]\ntime_zone =')

    assert edited(text, Lists(plugins=("identity", "education"), dormant=("toy",))) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        '[platform]\nsettings = "settings"\n',
        "[platform]\nplugins = []\ndormant_plugins = []\n",
        '[platform]\nplugins = ["b", "a"]\r\ndormant_plugins = [ "x" ]\r\n',
        'platform = { plugins = ["b"] }\n',
        "[plugins.toy]\nseats = 3\n",
    ],
)
def test_every_form_of_the_file_ends_with_the_wanted_lists(text: str) -> None:
    result = edited(text, Lists(plugins=("a", "b"), dormant=("c",)))

    assert lists_in(result) == {"plugins": ["a", "b"], "dormant_plugins": ["c"]}
    if "toy" in text:
        assert tomllib.loads(result)["plugins"]["toy"] == {"seats": 3}


def test_the_file_is_replaced_with_its_mode_and_its_link(tmp_path: Path) -> None:
    real = tmp_path / "real.toml"
    real.write_text(COMMENTED)
    real.chmod(0o640)
    link = tmp_path / "platform.toml"
    link.symlink_to(real)

    before = write_lists(link, Lists(plugins=("identity",)))

    assert before.decode() == COMMENTED
    assert link.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o640
    assert lists_in(real.read_text())["plugins"] == ["identity"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["platform.toml", "real.toml"]


def test_a_failed_replacement_leaves_the_file_and_no_draft(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "platform.toml"
    file.write_text(COMMENTED)

    def full_disk(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)

    with pytest.raises(PluginErrors) as found:
        write_lists(file, Lists(plugins=("identity",)))

    assert "No space left on device" in str(found.value)
    assert file.read_text() == COMMENTED
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("content", [None, b"\xff", b"[platform\n"])
def test_an_unreadable_file_is_told(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "platform.toml"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(PluginErrors) as found:
        write_lists(file, Lists(plugins=("identity",)))

    assert found.value.problems[0].code == "configuration_not_writable"
    assert file.exists() == (content is not None)


SECTIONS = """\
[plugins.billing]
rate = 3  # per cent

[platform]
plugins = []

# The school's own.
[plugins.school]
name = "North"
"""


def test_a_plugins_settings_leave_and_return_and_the_rest_stays() -> None:
    without = with_sections(SECTIONS, {"billing": None, "unknown": None})
    assert tomllib.loads(without)["plugins"] == {"school": {"name": "North"}}
    assert "# The school's own." in without

    back = with_sections(without, {"billing": {"rate": 3, "names": ["a", "b"]}})
    assert tomllib.loads(back)["plugins"] == {
        "school": {"name": "North"},
        "billing": {"rate": 3, "names": ["a", "b"]},
    }


def test_the_last_plugins_settings_leave_and_return() -> None:
    without = with_sections("[platform]\nplugins = []\n\n[plugins.a]\nb = 1\n", {"a": None})
    assert tomllib.loads(without) == {"platform": {"plugins": []}}

    back = with_sections(without, {"a": {"b": 1}})
    assert tomllib.loads(back)["plugins"] == {"a": {"b": 1}}
