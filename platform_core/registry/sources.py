"""Where a class or a module is written, as ``package/file.py:line``."""

from __future__ import annotations

import ast
import sys
import tokenize
from functools import lru_cache
from pathlib import Path


def place_of(cls: type) -> str:
    """Return ``file:line`` of a class; the file alone when the class is not written there, empty without a file."""
    file = place_of_module(cls.__module__)
    line = _lines(cls.__module__).get(cls.__qualname__)
    return f"{file}:{line}" if file and line else file


def place_of_module(name: str) -> str:
    """Return the file of a loaded module, relative to the folder that holds its package; empty without one."""
    file = getattr(sys.modules.get(name), "__file__", None)
    if not file:
        return ""
    path = Path(file)
    depth = name.count(".") + 1 + (path.stem == "__init__")
    return "/".join(path.parts[-depth:])


@lru_cache(maxsize=1024)
def _lines(module: str) -> dict[str, int]:
    """Return the first line of each class of a module, by qualified name; one parse serves all its classes."""
    file = getattr(sys.modules.get(module), "__file__", None)
    if not file or not file.endswith(".py"):
        return {}
    try:
        with tokenize.open(file) as stream:
            tree = ast.parse(stream.read())
    except (OSError, SyntaxError, UnicodeDecodeError):  # changed since it was loaded
        return {}
    found: dict[str, int] = {}
    _collect(tree, "", found)
    return found


def _collect(tree: ast.AST, prefix: str, found: dict[str, int]) -> None:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef):
            found[f"{prefix}{node.name}"] = node.lineno
            _collect(node, f"{prefix}{node.name}.", found)
        elif isinstance(node, (ast.If, ast.Try)):
            _collect(node, prefix, found)
