"""Write the reference pages that come from the code: hooks, contributions, public names."""

from __future__ import annotations

import dataclasses
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path

from platform_core import contributions, hookspecs

FOLDER = Path(__file__).resolve().parent / "reference"
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
        "only while the plugin is enabled.",
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
            f"| `{field.name}` | `{str(field.type).replace('|', chr(92) + '|')}` | {_default(field)} |"
            for field in dataclasses.fields(cls)
        ]
    return "\n".join(lines) + "\n"


def _default(field: dataclasses.Field[object]) -> str:
    if field.default_factory is not dataclasses.MISSING:
        return "empty"
    return "" if field.default is dataclasses.MISSING else f"`{field.default!r}`"


PAGES = {"hooks.md": hooks_page, "contributions.md": contributions_page}


def main() -> int:
    """Write every page."""
    FOLDER.mkdir(exist_ok=True)
    for name, page in PAGES.items():
        (FOLDER / name).write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
