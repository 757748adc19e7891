"""Hooks that plugins publish: named by their owner, checked like the core's, silent while the publisher sleeps."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from platform_core.registry import contributed
from platform_core.registry.discovery import discover
from platform_core.registry.loading import load
from platform_core.registry.problems import PluginErrors, PluginProblem
from platform_core.registry.resolution import resolve
from tests.deployments import TestDeployment, new_deployment, write_distribution

SPECS = """\
from collections.abc import Sequence
from dataclasses import dataclass

from platform_core.hookspecs import hookspec


@dataclass(frozen=True)
class Shelf:
    name: str


@hookspec
def shelves() -> Sequence[Shelf]:
    \"\"\"Return the shelves of the plugin.\"\"\"


@hookspec
def kinds() -> Sequence[type[Shelf]]:
    \"\"\"Return kinds of shelves.\"\"\"
"""
PUBLISHES = 'hookspecs = "library_plugin.hookspecs"'
HOOKS = (
    "from platform_core.hookspecs import hookimpl\nfrom library_plugin.hookspecs import Shelf\n\n\n"
)
READ = """\
import json
from platform_core.cli.boot import boot
boot()
from platform_core.registry import contributed, installed
try:
    shelves = [one.name for one in contributed("library.shelves")]
except LookupError as error:
    shelves = str(error)
sections = [one.name for one in contributed("identity.profile_sections")]
print(json.dumps([shelves, sections, sorted(installed().published)]))
"""


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "wheels"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    before = set(sys.modules)
    yield folder
    for name in set(sys.modules) - before:
        if "_plugin" in name:
            del sys.modules[name]


def problems(wheels: Path, implementation: str, *, specs: str = SPECS) -> list[PluginProblem]:
    """Load the publisher and an implementer that requires it, and return what is wrong."""
    write_distribution(wheels, "library", apps_extra=PUBLISHES, files={"hookspecs.py": specs})
    write_distribution(
        wheels, "reader", requires=["library-plugin"], files={"hooks.py": HOOKS + implementation}
    )
    found = resolve(["library", "reader"], [], discover())
    with pytest.raises(PluginErrors) as raised:
        load(found.plugins)
    return list(raised.value.problems)


@pytest.mark.parametrize(
    ("implementation", "code", "message"),
    [
        ("@hookimpl\ndef shelvez():\n    return []\n", "hook_invalid", "shelvez"),
        ("@hookimpl\ndef shelves(x):\n    return []\n", "hook_invalid", "shelves"),
        ("@hookimpl\ndef shelves():\n    return 1\n", "hook_wrong_type", "int, not a list"),
        ("@hookimpl\ndef shelves():\n    return [1]\n", "hook_wrong_type", "a int, not a Shelf"),
        (
            "@hookimpl\ndef shelves():\n    return [Shelf(name=1)]\n",
            "hook_wrong_type",
            "without a name",
        ),
        ("@hookimpl\ndef kinds():\n    return [int]\n", "hook_wrong_type", "not a class of Shelf"),
        ("@hookimpl\ndef shelves():\n    return 1 / 0\n", "hook_raised", "ZeroDivisionError"),
        (
            "@hookimpl(specname='library.shelvez', optionalhook=True)\ndef x():\n    return []\n",
            "hook_invalid",
            "publishes no hook library.shelvez",
        ),
        (
            "@hookimpl(specname='museum.rooms')\ndef rooms():\n    return []\n",
            "hook_invalid",
            "say optionalhook=True",
        ),
        (
            "@hookimpl(optionalhook=True)\ndef rooms():\n    return []\n",
            "hook_invalid",
            "say whose hook it is",
        ),
    ],
)
def test_an_implementer_is_told_alone_and_in_its_place(
    wheels: Path, implementation: str, code: str, message: str
) -> None:
    (problem,) = problems(wheels, implementation)

    assert (problem.plugin, problem.code) == ("reader", code)
    assert message in problem.message
    assert problem.place.startswith("reader_plugin/hooks.py:")


@pytest.mark.parametrize(
    ("specs", "code", "message"),
    [
        ("import nothing_like_this\n", "hookspecs_import_failed", "nothing_like_this"),
        (SPECS.replace("shelves()", "shelves(room)"), "hookspec_invalid", "takes parameters"),
        (SPECS.replace("def shelves", "def routes"), "hookspec_invalid", "core has a hook"),
        (SPECS.replace("-> Sequence[Shelf]", ""), "hookspec_invalid", "Sequence of a class"),
        (SPECS.replace("Sequence[Shelf]", '"Sequence[Nobody]"'), "hookspec_invalid", "NameError"),
    ],
)
def test_a_hook_that_cannot_be_published_is_told_to_its_owner(
    wheels: Path, specs: str, code: str, message: str
) -> None:
    found = problems(wheels, "", specs=specs)

    assert [(one.plugin, one.code) for one in found if one.plugin == "library"] == [
        ("library", code)
    ]
    assert message in found[0].message


def test_two_required_publishers_of_one_name_have_to_be_told_apart(wheels: Path) -> None:
    write_distribution(
        wheels,
        "museum",
        apps_extra='hookspecs = "museum_plugin.hookspecs"',
        files={"hookspecs.py": SPECS},
    )
    write_distribution(wheels, "library", apps_extra=PUBLISHES, files={"hookspecs.py": SPECS})
    write_distribution(
        wheels,
        "reader",
        requires=["library-plugin", "museum-plugin"],
        files={"hooks.py": f"{HOOKS}@hookimpl\ndef shelves():\n    return []\n"},
    )

    with pytest.raises(PluginErrors) as raised:
        load(resolve(["museum", "library", "reader"], [], discover()).plugins)

    assert "more than one required plugin publishes it" in str(raised.value)


def test_an_unpublished_hook_cannot_be_read() -> None:
    with pytest.raises(LookupError, match="no_such_hook"):
        contributed("identity.no_such_hook")


def read(deployment: TestDeployment) -> Any:
    done = subprocess.run(
        [sys.executable, "-c", READ],
        cwd=deployment.folder,
        env=deployment.environment(DJANGO_SETTINGS_MODULE="settings"),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_a_neighbour_and_a_dependent_contribute_while_the_publisher_is_awake(
    tmp_path: Path,
) -> None:
    neighbour = (
        "from platform_core.hookspecs import hookimpl\n\n\n"
        "@hookimpl(specname='library.shelves', optionalhook=True)\n"
        "def shelves_for_the_library():\n"
        "    from library_plugin.hookspecs import Shelf\n\n"
        "    return [Shelf(name='neighbour.top')]\n"
    )
    section = (
        "from platform_identity.hookspecs import ProfileSection\n"
        f"{HOOKS}@hookimpl\ndef shelves():\n    return [Shelf(name='reader.low')]\n\n\n"
        "@hookimpl\ndef profile_sections():\n"
        "    return [ProfileSection(name='reader.books', title='Books', data=lambda actor: [])]\n"
    )
    with new_deployment(tmp_path / "site") as made:
        made.path.append(tmp_path / "wheels")
        write_distribution(made.path[0], "neighbour", files={"hooks.py": neighbour})
        write_distribution(
            made.path[0], "library", apps_extra=PUBLISHES, files={"hookspecs.py": SPECS}
        )
        write_distribution(
            made.path[0],
            "reader",
            requires=["library-plugin", "platform-identity"],
            files={"hooks.py": section},
        )
        made.write(plugins=["identity", "neighbour", "library", "reader"])
        awake = read(made)
        shown = made.call("plugin", "show", "library", "--json")
        person = made.call("plugin", "show", "library")
        made.write(plugins=["identity", "neighbour"], dormant=["library", "reader"])
        asleep = read(made)
        made.write(plugins=["identity", "neighbour"])
        absent = read(made)

    published = ["identity.profile_sections", "library.kinds", "library.shelves"]
    assert awake == [["neighbour.top", "reader.low"], ["reader.books"], published]
    silent = "No enabled plugin publishes the hook library.shelves."
    assert asleep == absent == [silent, [], published[:1]]
    assert shown.code == 0, shown.out
    (shelves,) = [one for one in shown.document["publishes"] if one["name"] == "library.shelves"]
    assert shelves["summary"] == "Return the shelves of the plugin."
    assert [(one["owner"], one["name"]) for one in shelves["implemented_by"]] == [
        ("neighbour", "neighbour.top"),
        ("reader", "reader.low"),
    ]
    assert "neighbour_plugin/hooks.py:4" in person.out
