"""Find a request or error id in the JSON logs of the data folder: what was asked, what went wrong, and where."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from platform_core.registry.answers import CORE, Answer

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}\Z")
SHOWN = ("timestamp", "level", "event", "plugin", "code", "method", "path", "status")
_FRAME = re.compile(r'File "([^"]+)", line (\d+)')


def explain_request(data_dir: Path, request_id: str) -> Answer | None:
    """Return what the logs tell of ``request_id``, which may be the error id of a job or event; None when nothing."""
    if not REQUEST_ID.match(request_id):
        return None
    lines = sorted(_lines(data_dir / "logs", request_id), key=lambda one: str(one.get("timestamp")))
    if not lines:
        return None
    owners = [str(line["plugin"]) for line in lines if line.get("plugin")]
    request = next((line for line in lines if line.get("path")), {})
    why = []
    place = ""
    for line in lines:
        if line.get("exception"):
            text = str(line["exception"]).strip()
            why.append(text.splitlines()[-1])
            place = _place(text, owners) or place
    return Answer(
        kind="requests",
        name=request_id,
        owner=owners[0] if owners else CORE,
        place=place,
        why=tuple(why),
        facts={
            "method": request.get("method", ""),
            "path": request.get("path", ""),
            "status": request.get("status"),
            "lines": [{name: line[name] for name in SHOWN if name in line} for line in lines],
        },
    )


def _lines(folder: Path, request_id: str) -> Iterator[dict[str, Any]]:
    for file in sorted(folder.glob("*.log*")) if folder.is_dir() else ():
        try:
            with file.open(encoding="utf-8", errors="replace") as stream:
                for text in stream:
                    if request_id in text:
                        yield from _parsed(text, request_id, file)
        except OSError:  # rotated away, or another user's
            continue


def _parsed(text: str, request_id: str, file: Path) -> Iterator[dict[str, Any]]:
    try:
        line = json.loads(text)
    except json.JSONDecodeError:
        return
    if isinstance(line, dict) and request_id in (line.get("request_id"), line.get("error_id")):
        yield {**line, "log": file.name}


def _place(exception: str, owners: list[str]) -> str:
    """Return the innermost frame in a package of the owning plugin, else the innermost of all."""
    frames = [
        f"{'/'.join(Path(file).parts[-3:])}:{line}" for file, line in _FRAME.findall(exception)
    ]
    own = [frame for frame in frames if any(owner in frame for owner in owners)]
    return (own or frames or [""])[-1]
