"""Choose the distribution of a listed slug and import its configuration, never its models."""

from __future__ import annotations

import difflib
import importlib
import re
from collections.abc import Sequence

from platform_core.plugin import PluginConfig
from platform_core.registry.discovery import Candidate, Candidates
from platform_core.registry.problems import PluginProblem, import_problem
from platform_core.registry.steps import loading

SLUG = re.compile(r"[a-z][a-z0-9_]*\Z")
RESERVED_SLUGS = frozenset(
    [
        "system",
        "operations",
        "docs",
        "redoc",
        "openapi",
        "auth",
        "account",
        "manage",
        "platform_core",
    ]
)


def list_problems(enabled: Sequence[str], dormant: Sequence[str]) -> list[PluginProblem]:
    """Return a problem for each slug that is in both lists."""
    return [
        PluginProblem(
            plugin=slug,
            code="listed_twice",
            place="PLATFORM_PLUGINS, PLATFORM_DORMANT_PLUGINS",
            message="It is listed both as enabled and as dormant.",
            way_out="Keep it in one of the two lists.",
        )
        for slug in sorted(set(enabled) & set(dormant))
    ]


def choose(
    slug: str, candidates: Candidates, reserved: frozenset[str]
) -> tuple[Candidate | None, PluginProblem | None]:
    """Return the one installed candidate for ``slug``, or why there is none."""
    if not SLUG.match(slug) or slug in reserved:
        return None, PluginProblem(
            plugin=slug,
            code="slug_not_allowed",
            place="PLATFORM_PLUGINS",
            message="This name is reserved or is not a slug.",
            way_out="A slug starts with a letter and holds a-z, 0-9 and _; "
            f"reserved: {', '.join(sorted(reserved))}.",
        )
    group = candidates.get(slug, ())
    if not group:
        near = difflib.get_close_matches(slug, candidates, n=1)
        hint = f'Did you mean "{near[0]}"? ' if near else ""
        return None, PluginProblem(
            plugin=slug,
            code="unknown_plugin",
            place="PLATFORM_PLUGINS",
            message="No installed distribution provides this plugin.",
            way_out=f"{hint}Install its wheel or remove it from the list. "
            f"Installed: {', '.join(sorted(candidates)) or 'none'}.",
        )
    if len(group) > 1:
        names = ", ".join(f"{item.distribution} {item.version}" for item in group)
        return None, PluginProblem(
            plugin=slug,
            code="duplicate_slug",
            place=names,
            message="More than one distribution provides this plugin.",
            way_out="Uninstall all but one of them.",
        )
    return group[0], None


def import_config(candidate: Candidate, problems: list[PluginProblem]) -> type[PluginConfig] | None:
    """Return the configuration that the entry point names; when there is none, ``problems`` says why."""
    module_name, _, attribute = candidate.value.partition(":")
    try:
        with loading(candidate.slug, "apps"):
            config = getattr(importlib.import_module(module_name), attribute)
    except Exception as error:  # whatever a stranger's module raises, the report has to go on
        problems.append(
            import_problem(
                candidate.slug,
                "apps_import_failed",
                error,
                package=candidate.package,
                module=module_name,
                way_out="Repair the plugin, or remove it from the lists.",
            )
        )
        return None
    wrong = _config_fault(config, candidate)
    if wrong:
        problems.append(
            PluginProblem(
                plugin=candidate.slug,
                code="config_invalid",
                place=candidate.value,
                message=wrong,
                way_out="Correct the plugin's apps.py or its entry point.",
            )
        )
        return None
    return config  # type: ignore[no-any-return]  # _config_fault has judged it


def _config_fault(config: object, candidate: Candidate) -> str:
    if not (isinstance(config, type) and issubclass(config, PluginConfig)):
        return "The entry point does not name a PluginConfig class."
    if getattr(config, "slug", None) != candidate.slug:
        return f'Its slug is {getattr(config, "slug", None)!r}, but the entry point is called "{candidate.slug}".'
    if getattr(config, "label", None) != candidate.slug:
        return f"Its app label is {getattr(config, 'label', None)!r}; the label has to be the slug."
    if config.name.split(".")[0] == "plugins":
        return "Its package is imported as plugins.…; ship a package with a name of its own."
    title = getattr(config, "title", None)
    if title is None or (isinstance(title, str) and not title):  # a lazy one cannot be read yet
        return "It has no title."
    return ""
