"""Resolving lists of plugins: order, states, versions and every way to be wrong."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from platform_core.registry.discovery import Candidate, discover
from platform_core.registry.resolution import Resolution, resolve
from tests.deployments import write_distribution


class Plugins:
    """Makes importable plugin packages and the candidates that discovery would return for them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.candidates: dict[str, tuple[Candidate, ...]] = {}

    def add(
        self,
        slug: str,
        *requires: str,
        extra: str = "",
        version: str = "1.0",
        apps: str | None = None,
    ) -> None:
        write_distribution(self.folder, slug, version=version, apps_extra=extra, apps=apps)
        candidate = Candidate(
            slug=slug,
            value=f"{slug}_plugin.apps:Config",
            distribution=f"{slug}-plugin",
            version=version,
            summary="",
            requirements=tuple(Requirement(line) for line in requires),
        )
        self.candidates[slug] = (*self.candidates.get(slug, ()), candidate)

    def resolve(self, enabled: Sequence[str], dormant: Sequence[str] = ()) -> Resolution:
        return resolve(enabled, dormant, self.candidates)


USERS = 'auth_user_model = "people.User"'


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Plugins]:
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)
    made = Plugins(tmp_path)
    made.add("people", extra=USERS)
    yield made
    for name in set(sys.modules) - before:
        if "_plugin" in name:
            del sys.modules[name]


def codes(resolution: Resolution) -> list[str]:
    return [problem.code for problem in resolution.problems]


def test_plugins_load_after_what_they_require(plugins: Plugins) -> None:
    plugins.add("alpha", "zulu-plugin>=1", "people-plugin")
    plugins.add("zulu", "people-plugin")

    resolution = plugins.resolve(["alpha", "zulu", "people"])

    assert [plugin.slug for plugin in resolution.plugins] == ["people", "zulu", "alpha"]
    assert resolution.problems == ()


def test_after_orders_without_requiring(plugins: Plugins) -> None:
    plugins.add("alpha", extra='after = ("zulu", "absent")')
    plugins.add("zulu")

    resolution = plugins.resolve(["alpha", "zulu", "people"])

    assert [plugin.slug for plugin in resolution.plugins] == ["people", "zulu", "alpha"]


def test_the_user_model_comes_first_among_those_that_may(plugins: Plugins) -> None:
    plugins.add("alpha")
    plugins.add("base")
    plugins.add("members", "base-plugin", extra='auth_user_model = "members.User"')

    resolution = plugins.resolve(["alpha", "base", "members"])

    assert [plugin.slug for plugin in resolution.plugins] == ["base", "members", "alpha"]


@pytest.mark.parametrize("sayer", ["alpha", "beta"])
def test_plugins_that_exclude_one_another_are_both_named_with_the_way_out(
    plugins: Plugins, sayer: str
) -> None:
    for slug, other in (("alpha", "beta"), ("beta", "alpha")):
        plugins.add(slug, extra=f'conflicts = ("{other}",)' if slug == sayer else "")

    (problem,) = plugins.resolve(["people", "alpha", "beta"]).problems

    assert (problem.plugin, problem.code) == ("beta", "plugins_conflict")
    assert problem.place == f"{sayer}_plugin.apps, conflicts"
    assert '"beta" must not be enabled together with "alpha"' in problem.message
    assert "platformctl plugin disable alpha" in problem.way_out
    assert codes(plugins.resolve(["people", "alpha"], ["beta"])) == []


@pytest.mark.parametrize(
    ("enabled", "dormant", "state", "waits_for"),
    [
        (["alpha", "beta", "glue"], [], "enabled", ()),
        (["alpha", "glue"], ["beta"], "dormant", ("beta",)),
        (["alpha", "glue"], [], "absent", ("beta",)),
        (["glue"], ["alpha"], "absent", ("alpha", "beta")),
        (["alpha"], ["beta", "glue"], "dormant", ("beta",)),
    ],
)
def test_glue_is_as_awake_as_what_it_joins(
    plugins: Plugins, enabled: list[str], dormant: list[str], state: str, waits_for: tuple[str, ...]
) -> None:
    plugins.add("alpha")
    plugins.add("beta")
    plugins.add("glue", "alpha-plugin", "beta-plugin", extra='enabled_with = ("alpha", "beta")')

    resolution = plugins.resolve(["people", *enabled], dormant)

    assert codes(resolution) == []
    states = {plugin.slug: plugin.state for plugin in resolution.plugins}
    assert states.get("glue", "absent") == state
    assert resolution.waiting.get("glue", ()) == waits_for
    assert "glue" in resolution.listed
    if state == "enabled":
        assert [one.slug for one in resolution.plugins][-1] == "glue"


def test_glue_may_join_glue(plugins: Plugins) -> None:
    for slug, joined in (("alpha", ""), ("glue", '"alpha", "beta"'), ("more", '"glue", "alpha"')):
        plugins.add(slug, extra=f"enabled_with = ({joined})")

    resolution = plugins.resolve(["people", "alpha", "glue", "more"])

    assert [one.slug for one in resolution.plugins] == ["people", "alpha"]
    assert resolution.waiting == {"glue": ("beta",), "more": ("glue",)}


def test_a_wrong_version_of_what_glue_joins_is_told(plugins: Plugins) -> None:
    plugins.add("alpha")
    plugins.add("glue", "alpha-plugin>=9", extra='enabled_with = ("alpha",)')

    assert codes(plugins.resolve(["people", "glue"], ["alpha"])) == ["wrong_version"]


def test_a_plugin_that_is_held_back_is_loaded_dormant_or_left_out_and_not_told_again(
    plugins: Plugins,
) -> None:
    plugins.add("alpha", "platform-core>=99")
    plugins.add("beta", apps="import nothing_like_this\n")
    plugins.add("gamma", "beta-plugin")

    resolution = resolve(
        ["people", "alpha", "beta", "gamma"],
        [],
        plugins.candidates,
        held={"alpha": "quarantined", "beta": "broken"},
    )

    states = {plugin.slug: plugin.state for plugin in resolution.plugins}
    assert states == {"people": "enabled", "alpha": "quarantined", "gamma": "enabled"}
    (problem,) = resolution.problems
    assert (problem.plugin, problem.code) == ("gamma", "requirement_not_enabled")
    assert '"beta", which is not loaded' in problem.message


def test_safe_mode_leaves_the_user_model_and_what_it_requires_awake(plugins: Plugins) -> None:
    plugins.add("base")
    plugins.add("members", "base-plugin", extra='auth_user_model = "members.User"')
    plugins.add("alpha", "members-plugin")

    resolution = resolve(["members", "base", "alpha"], [], plugins.candidates, safe_mode=True)

    states = {plugin.slug: plugin.state for plugin in resolution.plugins}
    assert states == {"base": "enabled", "members": "enabled", "alpha": "dormant"}
    assert [str(one) for one in resolution.held_back] == ["alpha is dormant: safe mode."]
    assert resolution.problems == ()


def test_an_unknown_plugin_is_named_with_the_nearest_one(plugins: Plugins) -> None:
    (problem,) = plugins.resolve(["people", "peopel"]).problems

    assert problem.code == "unknown_plugin"
    assert 'Did you mean "people"?' in problem.way_out


@pytest.mark.parametrize("slug", ["system", "Bad-Slug", "1x", "manage", ""])
def test_a_reserved_or_malformed_slug_is_refused(plugins: Plugins, slug: str) -> None:
    assert "slug_not_allowed" in codes(plugins.resolve(["people", slug]))


def test_two_distributions_with_one_slug_are_both_named(plugins: Plugins) -> None:
    plugins.add("alpha")
    other = plugins.candidates["alpha"][0]
    plugins.candidates["alpha"] += (
        Candidate(
            slug="alpha",
            value=other.value,
            distribution="rival",
            version="3",
            summary="",
            requirements=(),
        ),
    )

    (problem,) = plugins.resolve(["people", "alpha"]).problems

    assert problem.code == "duplicate_slug"
    assert "alpha-plugin 1.0" in problem.place
    assert "rival 3" in problem.place


def test_a_dependency_cycle_is_spelt_out(plugins: Plugins) -> None:
    plugins.add("alpha", "beta-plugin")
    plugins.add("beta", "gamma-plugin")
    plugins.add("gamma", "alpha-plugin")

    (problem,) = plugins.resolve(["people", "alpha", "beta", "gamma"]).problems

    assert problem.code == "dependency_cycle"
    assert problem.place == "alpha → beta → gamma → alpha"


@pytest.mark.parametrize("requirement", ["platform-core>=99", "people-plugin>=2"])
def test_a_wrong_version_names_what_is_installed(plugins: Plugins, requirement: str) -> None:
    plugins.add("alpha", requirement)

    (problem,) = plugins.resolve(["people", "alpha"]).problems

    assert problem.code == "wrong_version"
    assert requirement in problem.place


@pytest.mark.parametrize(
    ("enabled", "dormant", "expected"),
    [
        (["people", "alpha"], [], ["requirement_not_enabled"]),
        (["people", "alpha"], ["beta"], ["requirement_not_enabled"]),
        (["people", "alpha", "beta"], [], []),
        (["people"], ["alpha", "beta"], []),
        (["people", "beta"], ["alpha"], []),
        (["people"], ["alpha"], ["requirement_not_enabled"]),
    ],
)
def test_a_requirement_has_to_be_at_least_as_awake(
    plugins: Plugins, enabled: list[str], dormant: list[str], expected: list[str]
) -> None:
    plugins.add("alpha", "beta-plugin")
    plugins.add("beta")

    assert codes(plugins.resolve(enabled, dormant)) == expected


def test_a_plugin_in_both_lists_is_refused(plugins: Plugins) -> None:
    plugins.add("alpha")

    assert "listed_twice" in codes(plugins.resolve(["people", "alpha"], ["alpha"]))


def test_no_user_model_is_refused(plugins: Plugins) -> None:
    plugins.add("alpha")

    assert codes(plugins.resolve(["alpha"])) == ["no_user_model"]
    assert codes(plugins.resolve([])) == ["no_user_model"]


def test_two_user_models_are_refused(plugins: Plugins) -> None:
    plugins.add("alpha", extra='auth_user_model = "alpha.User"')

    (problem,) = plugins.resolve(["people", "alpha"]).problems

    assert problem.code == "two_user_models"
    assert "people.User" in problem.place


def test_the_user_model_cannot_be_dormant(plugins: Plugins) -> None:
    assert codes(plugins.resolve([], ["people"])) == ["user_model_dormant"]


def test_an_import_error_in_apps_is_placed_at_its_line(plugins: Plugins) -> None:
    plugins.add("alpha", apps="import this_does_not_exist\n")

    (problem,) = plugins.resolve(["people", "alpha"]).problems

    assert problem.code == "apps_import_failed"
    assert problem.place == "alpha_plugin/apps.py:1"


def test_a_syntax_error_in_apps_is_placed_where_it_is(plugins: Plugins) -> None:
    plugins.add("alpha", apps="x = 1\nclass (\n")

    (problem,) = plugins.resolve(["people", "alpha"]).problems

    assert problem.place == "alpha_plugin/apps.py:2"


@pytest.mark.parametrize(
    ("apps", "message"),
    [
        ("Config = object\n", "does not name a PluginConfig"),
        (
            "from platform_core.plugin import PluginConfig\n\n\nclass Config(PluginConfig):\n"
            '    name = "alpha_plugin"\n    slug = "other"\n    title = "x"\n',
            "is called",
        ),
        (
            "from platform_core.plugin import PluginConfig\n\n\nclass Config(PluginConfig):\n"
            '    name = "alpha_plugin"\n    slug = "alpha"\n    title = "x"\n'
            "\n    def ready(self):\n        pass\n",
            "ready() is final",
        ),
        (
            "from platform_core.plugin import PluginConfig\n\n\nclass Config(PluginConfig):\n"
            '    name = "alpha_plugin"\n    slug = "alpha"\n    title = ""\n',
            "no title",
        ),
        (
            "from platform_core.plugin import PluginConfig\n\n\nclass Config(PluginConfig):\n"
            '    name = "plugins.alpha_plugin"\n    slug = "alpha"\n    title = "x"\n',
            "imported as plugins",
        ),
    ],
)
def test_a_wrong_config_says_what_is_wrong(plugins: Plugins, apps: str, message: str) -> None:
    plugins.add("alpha", apps=apps)

    (problem,) = plugins.resolve(["people", "alpha"]).problems

    assert message.replace("ready() is final", "ready(), which is final") in problem.message


def test_all_problems_of_all_plugins_come_at_once(plugins: Plugins) -> None:
    plugins.add("alpha", "platform-core>=99")
    plugins.add("beta", apps="raise RuntimeError('no')\n")

    resolution = plugins.resolve(["people", "alpha", "beta", "nowhere"])

    assert sorted(codes(resolution)) == ["apps_import_failed", "unknown_plugin", "wrong_version"]


def test_discovery_reads_metadata_of_installed_distributions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_distribution(
        tmp_path,
        "alpha",
        version="2.5",
        requires=["platform-core>=0.1", 'nothing ; extra == "x"', "not a requirement !!"],
    )
    monkeypatch.syspath_prepend(str(tmp_path))

    (candidate,) = discover()["alpha"]

    assert (candidate.distribution, candidate.version) == ("alpha-plugin", "2.5")
    assert [str(line) for line in candidate.requirements] == ["platform-core>=0.1"]
    assert candidate.package == "alpha_plugin"


def test_discovery_sees_two_distributions_of_one_slug(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_distribution(tmp_path / "one", "alpha", distribution="first")
    write_distribution(tmp_path / "two", "alpha", distribution="second")
    monkeypatch.syspath_prepend(str(tmp_path / "one"))
    monkeypatch.syspath_prepend(str(tmp_path / "two"))

    assert {item.distribution for item in discover()["alpha"]} == {"first", "second"}
