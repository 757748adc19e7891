"""Write the reference pages that come from the code: hooks, contributions, classes, settings, commands, the contract suite."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import itertools
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from typer.main import get_command

from platform_core import HOOK_API, contributions, hookspecs
from platform_core.cli.app import build_app
from platform_core.conf.deployment import CoreSettings
from platform_core.conf.meanings import meanings_of
from platform_core.conf.settings import PluginSettings
from platform_core.registry.discovery import discover
from platform_core.registry.resolution import resolve
from platform_core.registry.settings_report import describe_settings

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs" / "reference"
SUITE = ROOT / "platform_core" / "testing" / "contract" / "suite.py"
NOTICE = "<!-- Written by `make docs` from the code; change it there. -->"


def hook_functions() -> Iterator[tuple[str, object]]:
    """Yield every hook specification of the core in the order of its source."""
    for name, function in vars(hookspecs).items():
        if inspect.isfunction(function) and hasattr(function, f"{hookspecs.PROJECT}_spec"):
            yield name, function


def hooks_page() -> str:
    """Return the page about hooks."""
    lines = [
        "# Hooks",
        "",
        NOTICE,
        "",
        "A plugin implements these in its `hooks.py`, each marked `@hookimpl` from `platform_core.hookspecs`. None takes parameters. The module is imported "
        f"only while the plugin is enabled. This is hook API {HOOK_API}; what that number promises is in "
        "[stability](../explanation/stability.md).",
    ]
    for name, function in hook_functions():
        answer = str(inspect.signature(function).return_annotation)  # type: ignore[arg-type]
        lines += [
            "",
            f"## {name}",
            "",
            f"`{name}() -> {answer}`",
            "",
            inspect.getdoc(function) or "",
        ]
    return "\n".join(lines) + "\n"


def contributions_page() -> str:
    """Return the page about what hooks return."""
    lines = [
        "# Contributions",
        "",
        NOTICE,
        "",
        "Frozen dataclasses of `platform_core.contributions`; every field is given by keyword.",
    ]
    for name, cls in vars(contributions).items():
        if not (dataclasses.is_dataclass(cls) and isinstance(cls, type)):
            continue
        lines += ["", f"## {name}", "", inspect.getdoc(cls) or "", "", "| field | type | default |"]
        lines.append("|---|---|---|")
        lines += [
            f"| `{field.name}` | `{_cell(field.type)}` | {_default(field)} |"
            for field in dataclasses.fields(cls)
        ]
    return "\n".join(lines) + "\n"


def _default(field: dataclasses.Field[object]) -> str:
    if field.default_factory is not dataclasses.MISSING:
        return "empty"
    return "" if field.default is dataclasses.MISSING else f"`{field.default!r}`"


def _cell(value: object) -> str:
    """Return ``value`` as it stands in a cell of a table."""
    return " ".join(str(value).replace("|", chr(92) + "|").split())


class Described(NamedTuple):
    """Something that plugins derive from or mark with: where it is written, what its methods find, what they override."""

    name: str
    file: str
    finds: tuple[str, ...] = ()
    overridden: Mapping[str, str] = MappingProxyType({})

    @property
    def node(self) -> ast.ClassDef | ast.FunctionDef:
        """Its definition; read, not imported, because models need a deployment."""
        return definition(self.file, self.name)


INNER = frozenset(
    (
        "import_problem",
        "parent",
        "parent_id",
        "trail",
        "standings",
        "action_map",
        "is_bulk",
        "action",
        "slug",
        "gate",
        "serializer_field_mapping",
        "history",
        "id_converter",
    )
)
"""What the core keeps for itself."""
WRITES = ("create_object", "update_object", "delete_object", "unsaved_object")
DESCRIBED = (
    Described("PluginConfig", "plugin.py"),
    Described("PluginSettings", "conf/settings.py"),
    Described("BaseModel", "models/base.py"),
    Described(
        "Resource",
        "resource/base.py",
        finds=("request", "actor", "is_trial", "running", "audit_details"),
        overridden=dict.fromkeys(WRITES, "resource/writes.py"),
    ),
    Described("ModelSerializer", "resource/serializers.py"),
    Described("operation", "resource/operations.py"),
    Described("FieldAccess", "access/fields.py"),
    Described("Event", "events/declaring.py"),
    Described("Mail", "mail/declaring.py"),
    Described("task", "tasks/declaring.py"),
    Described("Retry", "tasks/declaring.py"),
)


def definition(file: str, name: str) -> Any:
    """Return the class or function ``name`` as it is written in ``file`` of the core, wherever in it."""
    tree = ast.parse((ROOT / "platform_core" / file).read_text(encoding="utf-8"))
    # What a decorator looks like is said by its last overload.
    return [one for one in ast.walk(tree) if getattr(one, "name", "") == name][-1]


def classes_page() -> str:
    """Return the page about what plugins derive from."""
    lines = [
        "# Classes",
        "",
        NOTICE,
        "",
        "What a plugin derives from, with the attributes that it may set, and the decorators that mark its functions. How they are used",
        "is in the how-to guides, where to import them from in [public names](public-api.md).",
    ]
    for one in DESCRIBED:
        lines += ["", f"## {one.name}", ""]
        if isinstance(one.node, ast.FunctionDef):
            lines += [f"`@{one.name}({_keywords(one.node)})`", ""]
        lines.append(ast.get_docstring(one.node) or "")
        if isinstance(one.node, ast.ClassDef):
            lines += _attributes(one)
        if one.overridden:
            lines += ["", "| to override | what |", "|---|---|"]
        for name, file in one.overridden.items():
            method = definition(file, name)
            words = ", ".join(argument.arg for argument in method.args.args[1:])
            lines.append(f"| `{name}({words})` | {_cell(ast.get_docstring(method))} |")
    return "\n".join(lines) + "\n"


def _keywords(node: ast.FunctionDef) -> str:
    """Return the keywords that a decorator takes, with their defaults."""
    given = zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
    return ", ".join(one.arg + (f"={ast.unparse(value)}" if value else "") for one, value in given)


def _attributes(described: Described) -> Iterator[str]:
    """Yield the table of the attributes that subclasses set, and that of those which methods find."""
    rows = list(_annotated(described.node))
    for title, found in (
        ("attribute", [row for row in rows if row[0] not in described.finds]),
        ("methods find", [row for row in rows if row[0] in described.finds]),
    ):
        if found:
            yield from ("", f"| {title} | type | default | what |", "|---|---|---|---|")
        for name, kind, default, what in found:
            yield f"| `{name}` | `{_cell(kind)}` | {default} | {_cell(what)} |"


def _annotated(node: ast.AST) -> Iterator[tuple[str, str, str, str]]:
    """Yield name, type, default and meaning of what a class annotates and does not keep to itself."""
    body: list[ast.stmt] = getattr(node, "body", [])
    for one, following in itertools.zip_longest(body, body[1:]):
        if not isinstance(one, ast.AnnAssign) or not isinstance(one.target, ast.Name):
            continue
        kind = ast.unparse(one.annotation)
        if one.target.id in INNER and (kind, one.target.id) != ("ClassVar[str]", "slug"):
            continue
        if kind.startswith("ClassVar["):
            kind = kind.removeprefix("ClassVar[").removesuffix("]")
        default = "" if one.value is None else f"`{_cell(ast.unparse(one.value))}`"
        said = following.value if isinstance(following, ast.Expr) else None
        what = str(said.value) if isinstance(said, ast.Constant) else ""
        yield one.target.id, kind, default, what


def settings_classes() -> Iterator[tuple[str, str, type[PluginSettings]]]:
    """Yield title, slug (empty for the core) and class of the settings of the core and this repository's plugins."""
    yield "The core", "", CoreSettings
    own = {path.name for path in (ROOT / "plugins").iterdir() if path.is_dir()}
    candidates = discover()
    for plugin in resolve([one for one in candidates if one in own], (), candidates).plugins:
        if plugin.config.settings_class is not None:
            yield plugin.slug.capitalize(), plugin.slug, plugin.config.settings_class


def settings_page() -> str:
    """Return the page about typed settings."""
    lines = [
        "# Settings",
        "",
        NOTICE,
        "",
        "Where a value comes from, and how lists are written, is in [configure a deployment](../how-to/configure.md).",
    ]
    for title, slug, cls in settings_classes():
        meanings = meanings_of(cls)
        lines += ["", f"## {title}", "", inspect.getdoc(cls) or "", ""]
        lines += ["| variable | type | default | what |", "|---|---|---|---|"]
        for one in describe_settings(cls, slug, {}, {}):
            default = "required" if one["required"] else f"`{_cell(one['default'])}`"
            meaning = _cell(meanings[one["name"]])
            meaning += " *May be changed at run time.*" if one["editable"] else ""
            lines.append(
                f"| `{one['variable']}` | `{_cell(one['type'])}` | {default} | {meaning} |"
            )
    return "\n".join(lines) + "\n"


def commands_of(group: Any, path: str = "platformctl") -> Iterator[tuple[str, Any]]:
    """Yield each command below ``group`` with the words that call it."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands_of(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


def core_commands() -> list[tuple[str, Any]]:
    """Return the core's commands; those of plugins are in their own descriptions."""
    return list(commands_of(get_command(build_app())))


def commands_page() -> str:
    """Return the page with what ``--help`` says of each command."""
    lines = [
        "# What every command says about itself",
        "",
        NOTICE,
        "",
        "The core's commands, as `--help` shows them; an overview with exit codes is in [commands](cli.md).",
    ]
    for words, command in core_commands():
        lines += ["", f"## {words}", "", _paragraph(command.help)]
        rows = [one for one in command.params if one.name != "help"]
        if rows:
            lines += ["", "| argument or option | required | what |", "|---|---|---|"]
        for one in rows:
            names = ", ".join((*one.opts, *one.secondary_opts))
            name = names if one.param_type_name == "option" else (one.metavar or one.name.upper())
            lines.append(
                f"| `{_cell(name)}` | {'yes' if one.required else ''} | {_cell(one.help)} |"
            )
    return "\n".join(lines) + "\n"


def _paragraph(text: str | None) -> str:
    return " ".join((text or "").split())


def checks() -> Iterator[tuple[str, str, str]]:
    """Yield each check of the contract suite: its name in words, over what it runs, and its sentence."""
    for node in ast.parse(SUITE.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            names = {argument.arg for argument in node.args.args}
            over = "plugin" if "contract_plugin" in names else "resource"
            over += " and persona" if "contract_persona" in names else ""
            words = node.name.removeprefix("test_").replace("_", " ")
            yield words, over, ast.get_docstring(node) or ""


def contract_page() -> str:
    """Return the page about the contract suite."""
    lines = [
        "# The contract suite",
        "",
        NOTICE,
        "",
        "What the core asks of every plugin. `platformctl plugin test PATH` runs it, and so does a test module of the",
        "plugin's own with `from platform_core.testing.contract import *`. Its ini options:",
        "`platform_contract` names the plugins to judge, `platform_fuzz_examples` says how many requests are made up for",
        "each operation.",
        "",
        "| check | once for each | what it means |",
        "|---|---|---|",
        *(f"| {words} | {over} | {_cell(told)} |" for words, over, told in checks()),
    ]
    return "\n".join(lines) + "\n"


PAGES = {
    "hooks.md": hooks_page,
    "contributions.md": contributions_page,
    "classes.md": classes_page,
    "settings.md": settings_page,
    "commands.md": commands_page,
    "contract-suite.md": contract_page,
}


def main() -> int:
    """Write every page."""
    FOLDER.mkdir(exist_ok=True)
    for name, page in PAGES.items():
        (FOLDER / name).write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
