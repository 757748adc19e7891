"""Keep the description of the first-party API as a release has it: what later ones are compared with."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[1] / "tests" / "released"
_FOR_PEOPLE = frozenset({"description", "summary", "title", "tags", "externalDocs", "example"})


def essence(node: Any, *, named: bool = False) -> Any:
    """Return what programs rely on: the document without words for people; ``named`` keys are names, not keywords."""
    if isinstance(node, list):
        return [essence(inner) for inner in node]
    if not isinstance(node, dict):
        return node
    return {
        key: essence(inner, named=not named and key in ("properties", "headers", "schemas"))
        for key, inner in node.items()
        if named or key not in _FOR_PEOPLE
    }


def written(document: Any) -> str:
    """Return the text of the file: one line for each operation and component, so that a change is a line."""
    kept = essence(document)
    lines: list[str] = []
    for part, things in (("paths", kept["paths"]), ("schemas", kept["components"]["schemas"])):
        lines.append(f'"{part}": {{')
        each = [
            f"{json.dumps(name)}: {json.dumps(thing, sort_keys=True)}"
            for name, thing in sorted(things.items())
        ]
        lines += [*(f"{one}," for one in each[:-1]), each[-1], "},"]
    rest = {key: value for key, value in kept["components"].items() if key != "schemas"}
    lines.append(f'"rest": {json.dumps(rest, sort_keys=True)}')
    return "{\n" + "\n".join(lines) + "\n}\n"


def read(file: Path) -> Any:
    """Return the document that ``written`` made."""
    found = json.loads(file.read_text(encoding="utf-8"))
    return {
        "paths": found["paths"],
        "components": {**found["rest"], "schemas": found["schemas"]},
    }


def latest() -> Path:
    """Return the file of the last release."""
    return max(FOLDER.glob("api-*.json"), key=lambda file: [*map(int, file.stem[4:].split("."))])


def main() -> int:
    """Write the file of the version that this is."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.dev")
    import django

    django.setup()
    from platform_core import __version__
    from platform_core.api_docs import described

    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"api-{__version__}.json").write_text(written(described("en")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
