"""Edit the lists of plugins in ``platform.toml``: comments kept, all or nothing, also when the power fails."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import Array

from platform_core.durable import replace_file
from platform_core.registry.lists import Lists
from platform_core.registry.problems import PluginErrors, PluginProblem


def write_lists(
    file: Path, lists: Lists, *, sections: Mapping[str, Mapping[str, Any] | None] | None = None
) -> bytes:
    """Write ``lists`` to the ``platform.toml`` and return what it held before.

    ``sections`` are settings of plugins to write in the same step, None for those to take out. Raises PluginErrors when the file cannot be read or written; it is then as it was.
    """
    try:
        before = file.read_bytes()
        after = with_sections(edited(before.decode(), lists), sections or {}).encode()
        if after != before:
            replace_file(file, after)
    except (OSError, UnicodeDecodeError, TOMLKitError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise PluginErrors(
            [
                PluginProblem(
                    plugin="",
                    code="configuration_not_writable",
                    place=file.name,
                    message=f"The lists of plugins cannot be written: {reason}.",
                    way_out="Correct the file or its permissions, or edit the lists by hand.",
                )
            ]
        ) from error
    return before


def edited(text: str, lists: Lists) -> str:
    """Return the ``platform.toml`` in ``text`` with ``lists`` in it and everything else as it was."""
    document = tomlkit.parse(text)
    if "platform" not in document:
        document["platform"] = tomlkit.table()
    section: Any = document["platform"]
    for key, wanted in lists.as_dict().items():
        present = section.get(key)
        if not isinstance(present, Array):
            section[key] = wanted
            continue
        _change(present, wanted)
    result = tomlkit.dumps(document)
    written = tomllib.loads(result)["platform"]
    if any(written.get(key) != wanted for key, wanted in lists.as_dict().items()):
        for key, wanted in lists.as_dict().items():  # its form could not be kept
            section[key] = wanted
        result = tomlkit.dumps(document)
    return result


def with_sections(text: str, sections: Mapping[str, Mapping[str, Any] | None]) -> str:
    """Return the ``platform.toml`` in ``text`` with the given ``[plugins.<slug>]`` tables, or without those that are None."""
    document = tomlkit.parse(text)
    for slug, values in sections.items():
        plugins: Any = document.get("plugins")
        if values is None:
            if plugins is not None and slug in plugins:
                del plugins[slug]
                if not plugins:
                    del document["plugins"]
            continue
        if plugins is None:
            plugins = document["plugins"] = tomlkit.table(is_super_table=True)
        document["plugins"][slug] = dict(values)
    return tomlkit.dumps(document)


def _change(array: Array, wanted: Sequence[str]) -> None:
    """Take out what is not wanted and add what is missing, one by one, so that comments stay beside the others."""
    for place in reversed(range(len(array))):
        if array[place] not in wanted:
            del array[place]
    for slug in wanted:
        if slug not in array:
            array.append(slug)
