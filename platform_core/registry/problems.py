"""What can be wrong with a plugin or a setting, told with place and way out, all problems in one report."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from django.core.exceptions import ImproperlyConfigured


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginProblem:
    """One problem: which plugin (empty for the deployment), where, what, and what to do.

    ``place`` is a variable, a file with line, a hook or a distribution.
    """

    plugin: str
    code: str
    message: str
    way_out: str
    place: str = ""

    def as_dict(self) -> dict[str, str]:
        """Return the problem as plain JSON data."""
        return asdict(self)

    def __str__(self) -> str:
        where = f" [{self.place}]" if self.place else ""
        return f"{self.plugin or 'deployment'}{where}: {self.message} {self.way_out}".rstrip()


class PluginErrors(ImproperlyConfigured):
    """The deployment cannot start; ``problems`` holds every reason found."""

    def __init__(self, problems: Sequence[PluginProblem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda p: (p.plugin, p.place, p.code)))
        super().__init__("\n".join(str(problem) for problem in self.problems))


def location_of(error: BaseException, package: str, fallback: str) -> str:
    """Return ``file:line`` of the innermost frame of ``error`` inside ``package``, relative to the package's parent.

    A SyntaxError is placed where the source is wrong. ``fallback`` is returned when no frame is in the package.
    """
    folder = package.replace(".", "/")
    if isinstance(error, SyntaxError) and error.filename:
        return f"{_short(error.filename, folder)}:{error.lineno}"
    place = ""
    for frame in traceback.extract_tb(error.__traceback__):
        if f"/{folder}/" in frame.filename.replace("\\", "/"):
            place = f"{_short(frame.filename, folder)}:{frame.lineno}"
    return place or fallback


def import_problem(
    plugin: str,
    code: str,
    error: BaseException,
    *,
    package: str,
    module: str,
    way_out: str = "Repair the plugin, or make it dormant.",
) -> PluginProblem:
    """Return the problem that ``module`` of the plugin's ``package`` cannot be imported, placed where it fails."""
    return PluginProblem(
        plugin=plugin,
        code=code,
        place=location_of(error, package, module),
        message=f"{module} cannot be imported: {type(error).__name__}: {error}.",
        way_out=way_out,
    )


def database_unreachable(error: BaseException) -> PluginProblem:
    """Return the problem of a database that cannot be used; the error's own text may hold its address."""
    return PluginProblem(
        plugin="",
        code="database_unreachable",
        place="DATABASE_URL",
        message=f"The database cannot be used ({type(error).__name__}).",
        way_out="Check that it runs, and its address, user and password.",
    )


def _short(filename: str, folder: str) -> str:
    _, found, after = filename.replace("\\", "/").rpartition(f"/{folder}/")
    return f"{folder}/{after}" if found else filename
