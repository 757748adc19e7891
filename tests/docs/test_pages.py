"""The reference pages say what the code says, and no link leads nowhere."""

from __future__ import annotations

import importlib
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.main import get_command

from platform_core.cli import output
from platform_core.cli._startplugin.specification import KINDS
from platform_core.cli.app import add_contributed, build_app
from platform_core.conf.deployment import CoreSettings
from platform_core.resource.filters import LIST_PARAMETERS, ORDERING, SEARCH
from platform_core.resource.pagination import DEFAULT_LIMIT, MAX_LIMIT
from tests.deployments import ROOT

LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
ROW = re.compile(r"^\| `([^`|]+)`")
OUTSIDE = ("http://", "https://", "mailto:")


def pages() -> list[Path]:
    """Return every Markdown file that is, or is about to be, committed."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [ROOT / name for name in sorted(set(listed.stdout.splitlines()))]


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def without_code(text: str) -> str:
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as hosting services make them."""
    headings = re.findall(
        r"^#+ (.+)$", without_code(page.read_text(encoding="utf-8")), re.MULTILINE
    )
    return {re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in headings}


def broken_links(page: Path) -> Iterator[str]:
    for target in LINK.findall(without_code(page.read_text(encoding="utf-8"))):
        if target.startswith(OUTSIDE):
            continue
        name, _, anchor = target.partition("#")
        found = (page.parent / name).resolve() if name else page
        if not found.exists() or anchor and anchor not in anchors(found):
            yield target


def rows(text: str, heading: str) -> list[str]:
    """Return the code in the first cell of each row of the table below ``heading``."""
    part = text.split(f"{heading}\n", 1)[1].split("\n## ", 1)[0]
    return [found[1] for line in part.splitlines() if (found := ROW.match(line))]


def test_every_relative_link_leads_somewhere() -> None:
    found = {page.name: list(broken_links(page)) for page in pages()}
    assert len(found) > 15
    assert not {name: targets for name, targets in found.items() if targets}


def test_a_link_that_leads_nowhere_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# One thing\n[a](#one-thing) [b](gone.md) [c](#gone) [d](page.md) ![e](x.png)\n"
    )
    assert list(broken_links(page)) == ["gone.md", "#gone", "x.png"]


def test_every_page_of_the_documentation_can_be_reached_from_its_index() -> None:
    index = ROOT / "docs" / "index.md"
    linked = {(index.parent / target).resolve() for target in LINK.findall(read("docs/index.md"))}
    wanted = {
        page for page in pages() if ROOT / "docs" in page.parents or ROOT / "adr" in page.parents
    }
    assert wanted - linked - {index} == set()


def test_the_screenshot_is_a_small_picture() -> None:
    picture = (ROOT / "docs" / "images" / "api-docs.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert len(picture) <= 200_000


def test_the_page_about_configuration_lists_every_setting_with_its_default() -> None:
    text = read("docs/how-to/configure.md")
    lines = {found[1]: line for line in text.splitlines() if (found := ROW.match(line))}
    listed = rows(text, "## The core's settings")
    assert listed == [f"PLATFORM_{name.upper()}" for name in CoreSettings.model_fields]
    for name, field in CoreSettings.model_fields.items():
        default = field.get_default(call_default_factory=True)
        shown = (
            "none"
            if default in (None, [])
            else f"`{str(default).lower() if isinstance(default, bool) else default}`"
        )
        if name != "profile":  # the settings module that ``init`` writes has the default
            assert f"| {shown} |" in lines[f"PLATFORM_{name.upper()}"]


def commands(group: typer.core.TyperGroup, prefix: str = "") -> Iterator[tuple[str, set[str]]]:
    """Yield every command with its long options."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{prefix}{name} ")
            continue
        options = {
            option for one in command.params for option in one.opts if option.startswith("--")
        }
        yield f"{prefix}{name}", options - {"--help"}


def test_the_page_about_commands_lists_every_command_with_its_options() -> None:
    app = build_app()
    add_contributed(app)
    lines = [line for line in read("docs/reference/cli.md").splitlines() if ROW.match(line)]
    group = get_command(app)
    assert isinstance(group, typer.core.TyperGroup)
    real = {name: options - {"--json"} for name, options in commands(group)}
    listed = {}
    for line in lines:
        words = [word for word in line.split("`")[1].split() if not word.isupper()]
        listed[" ".join(words)] = set(re.findall(r"(?<=`)--[a-z-]+", line))
    assert listed == real


def test_every_command_answers_programs_too() -> None:
    group = get_command(build_app())
    assert isinstance(group, typer.core.TyperGroup)
    # ``db shell`` hands the terminal over to psql, which speaks for itself.
    silent = [name for name, options in commands(group) if "--json" not in options]
    assert silent == ["db shell"]


def test_the_page_about_commands_lists_the_exit_codes() -> None:
    codes = re.findall(r"^\| (\d) \|", read("docs/reference/cli.md"), re.MULTILINE)
    assert [int(code) for code in codes] == [
        output.OK,
        output.PROBLEMS,
        output.USAGE,
        output.CHANGES,
        output.HELD_BACK,
    ]


def test_the_page_about_commands_lists_the_field_types() -> None:
    part = read("docs/reference/cli.md").split("## Field types of `startplugin`")[1]
    assert re.findall(r"`([a-z]+)`", part) == list(KINDS)


def public_names() -> list[tuple[str, str]]:
    """Return module and name of everything that the page of public names lists."""
    found: list[tuple[str, str]] = []
    module = ""
    for line in read("docs/reference/public-api.md").splitlines():
        if line.startswith("## "):
            module = line.removeprefix("## ")
        elif module.startswith("platform_core."):
            found += [(module, name) for name in re.findall(r"`(\w+)`(?=[ ;·]|$)", line)]
    return [
        (module, name)
        for module, name in found
        if name not in ("grants", "platform_plugins", "platform_contract", "platform_fuzz_examples")
    ]


@pytest.mark.parametrize(("module", "name"), public_names())
def test_a_public_name_can_be_imported(module: str, name: str) -> None:
    assert hasattr(importlib.import_module(module), name)


def test_what_first_party_plugins_use_of_the_core_is_public() -> None:
    public = set(public_names())
    used = re.compile(r"^from (platform_core[\w.]*) import (?:\(([^)]*)\)|(.+))$", re.MULTILINE)
    private = {
        (str(path.relative_to(ROOT)), module, name)
        for path in (ROOT / "plugins").glob("*/platform_*/**/*.py")
        for module, many, one in used.findall(path.read_text(encoding="utf-8"))
        for name in re.findall(r"\w+", (many or one).split("#")[0])
        if not {(module, name), (".".join(module.split(".")[:2]), name)} & public
    }
    assert private == set(), "list them in docs/reference/public-api.md, or do without them"


def test_the_page_about_the_api_knows_the_parameters_and_limits() -> None:
    text = read("docs/reference/api-conventions.md")
    for name in (*LIST_PARAMETERS, ORDERING, SEARCH):
        assert f"`{name}" in text
    assert f"`limit` is {DEFAULT_LIMIT} unless given, and {MAX_LIMIT} at most" in text
