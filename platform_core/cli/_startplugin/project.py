"""The files of a new plugin's distribution, as text."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping, Sequence
from importlib.resources import files
from string import Template

from platform_core import __version__
from platform_core.cli._startplugin.names import NameRefused, config_name
from platform_core.cli._startplugin.specification import FieldSpec, ResourceSpec
from platform_core.personal_data import is_suspected

LINE_LENGTH = 100
_TEMPLATES = files("platform_core.cli._startplugin") / "templates"


def package_name(slug: str) -> str:
    """Return the importable name of the plugin: the slug, or ``<slug>_plugin`` when a module has that name already.

    Raises NameRefused when both are taken.
    """
    for name in (slug, f"{slug}_plugin"):
        if not _is_taken(name):
            return name
    raise NameRefused(
        "package_taken",
        f'There are modules called "{slug}" and "{slug}_plugin" in this environment already.',
        "Choose another name.",
    )


def _is_taken(name: str) -> bool:
    if name in sys.stdlib_module_names or name in ("tests", "test"):
        return True
    found = importlib.util.find_spec(name)
    # A folder without __init__.py on the path is no module that a package could be confused with.
    return found is not None and found.origin is not None


def project_files(slug: str, package: str, resources: Sequence[ResourceSpec]) -> dict[str, str]:
    """Return every file of the project but the first migration, by its path within the project's folder."""
    common = {
        "slug": slug,
        "package": package,
        "distribution": package.replace("_", "-"),
        "title": slug.replace("_", " ").capitalize(),
        "config": config_name(slug),
        "core_version": __version__,
        "resource_list": _listed([spec.plural for spec in resources]),
        "resource_classes": _tuple([f"served.{spec.model}Resource" for spec in resources], 4),
        "import_models": _imports(f"{package}.models", [spec.model for spec in resources]),
        "permissions": "\n".join(
            f'    *model_permissions("{slug}.{spec.model}"),' for spec in resources
        ),
    }
    found = {
        "pyproject.toml": _render("pyproject.toml", common),
        "README.md": _render("README.md", common),
        ".gitignore": _render("gitignore", common),
        f"{package}/__init__.py": _render("init.py", common),
        f"{package}/apps.py": _render("apps.py", common),
        f"{package}/hooks.py": _render("hooks.py", common),
        f"{package}/models.py": _render(
            "models.py",
            common | {"models": "".join(_model(spec) for spec in resources).rstrip("\n")},
        ),
        f"{package}/rules.py": _render("rules.py", common),
        f"{package}/resources.py": _render(
            "resources.py",
            common
            | {"resources": "".join(_resource(slug, spec) for spec in resources).rstrip("\n")},
        ),
        f"{package}/migrations/__init__.py": "",
        f"{package}/py.typed": "",
        "tests/test_contract.py": _render("test_contract.py", common),
    }
    for spec in resources:
        found[f"tests/test_{spec.plural.replace(' ', '_')}.py"] = _test(slug, package, spec)
    return found


def _render(template: str, values: Mapping[str, str]) -> str:
    text = (_TEMPLATES / f"{template}.tmpl").read_text(encoding="utf-8")
    return Template(text).substitute(values)


def _names(slug: str, spec: ResourceSpec) -> dict[str, str]:
    return {
        "slug": slug,
        "model": spec.model,
        "model_lower": spec.model.lower(),
        "snake": spec.snake,
        "words": spec.words,
        "plural": spec.plural,
        "path": spec.path,
    }


def _model(spec: ResourceSpec) -> str:
    texts = [field.name for field in spec.fields if field.kind.model_field == "CharField"]
    return _render(
        "model.py",
        _names("", spec)
        | {
            "fields": "\n".join(_model_field(field) for field in spec.fields),
            "personal": _personal(spec),
            "str": f"self.{texts[0]}" if texts else f"str(self.{spec.fields[0].name})",
        },
    )


def _personal(spec: ResourceSpec) -> str:
    """Return the declaration of the columns that may say something about a person, nothing when there are none."""
    names = [one.name for one in spec.fields if is_suspected(one.name, one.kind.model_field)]
    if not names:
        return ""
    comment = "    # Addresses, names and free text; what never is about a person goes to not_personal_fields."
    return f"\n{comment}\n    personal_fields = {_strings(names, 4, len('personal_fields = '))}\n"


def _model_field(field: FieldSpec) -> str:
    arguments = [f'_("{field.words}")', *field.kind.arguments]
    return _call(f"{field.name} = models.{field.kind.model_field}(", arguments, ")", 4)


def _resource(slug: str, spec: ResourceSpec) -> str:
    shown = ["id", *(field.name for field in spec.fields), "created_at", "updated_at", "version"]
    return _render(
        "resource.py",
        _names(slug, spec)
        | {
            "serializer_fields": _strings(shown, 8, len("fields = ")),
            "declarations": "\n".join(_declarations(spec)),
        },
    )


def _declarations(spec: ResourceSpec) -> list[str]:
    lookups = {field.name: field.kind.lookups for field in spec.fields if field.kind.lookups}
    searched = [field.name for field in spec.fields if field.kind.searched]
    ordered = [
        field.name for field in spec.fields if field.kind.ordered and field.name != spec.ordering
    ]
    entries = [
        f'"{name}": [' + ", ".join(f'"{one}"' for one in found) + "]"
        for name, found in lookups.items()
    ]
    lines = [_call("filterset_fields = {", entries, "}", 4)] if entries else []
    if searched:
        lines.append(f"    search_fields = {_strings(searched, 4, len('search_fields = '))}")
    lines.append(f'    ordering = "{spec.ordering}"')
    if ordered:
        lines.append(f"    ordering_fields = {_strings(ordered, 4, len('ordering_fields = '))}")
    return lines


def _test(slug: str, package: str, spec: ResourceSpec) -> str:
    first = spec.fields[0]
    entries = [f'"{field.name}": {field.kind.first}' for field in spec.fields]
    return _render(
        "test_resource.py",
        _names(slug, spec)
        | {
            "package": package,
            "body": _call("BODY = {", entries, "}", 0).removeprefix("BODY = "),
            "change": f'{{"{first.name}": {first.kind.second}}}',
        },
    )


# Laying out code as ruff does: on one line, else on the next, else one item a line.


def _call(opening: str, items: Sequence[str], closing: str, indent: int) -> str:
    pad, inner = " " * indent, " " * (indent + 4)
    line = f"{pad}{opening}{', '.join(items)}{closing}"
    if len(line) <= LINE_LENGTH:
        return line
    joined = f"{inner}{', '.join(items)}"
    if len(joined) <= LINE_LENGTH and opening.endswith("("):
        return f"{pad}{opening}\n{joined}\n{pad}{closing}"
    return "\n".join([f"{pad}{opening}", *(f"{inner}{item}," for item in items), f"{pad}{closing}"])


def _strings(names: Sequence[str], indent: int, used: int) -> str:
    return _tuple([f'"{name}"' for name in names], indent, used)


def _tuple(items: Sequence[str], indent: int, used: int = len("return ")) -> str:
    """Return a tuple that begins ``used`` characters after ``indent``."""
    if len(items) == 1:
        return f"({items[0]},)"
    line = f"({', '.join(items)})"
    if indent + used + len(line) <= LINE_LENGTH:
        return line
    inner, pad = " " * (indent + 4), " " * indent
    return "\n".join(["(", *(f"{inner}{item}," for item in items), f"{pad})"])


def _imports(module: str, names: Sequence[str]) -> str:
    ordered = sorted(names)
    line = f"from {module} import {', '.join(ordered)}"
    if len(line) <= LINE_LENGTH:
        return line
    return "\n".join([f"from {module} import (", *(f"    {name}," for name in ordered), ")"])


def _listed(words: Sequence[str]) -> str:
    if len(words) == 1:
        return words[0]
    return f"{', '.join(words[:-1])} and {words[-1]}"
