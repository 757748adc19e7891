"""One run of the contract suite over one plugin, in a process, a folder and a database of its own."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from platform_core.registry.discovery import Candidates, discover
from platform_core.registry.problems import PluginErrors, PluginProblem
from platform_core.registry.requirements import required_slugs
from platform_core.registry.resolution import resolve
from platform_core.testing.source_project import write_source_metadata

VARIABLE = "CONTRACT_REPORT"
"""Names the file for ``platform_core.testing.reporting``, which cannot be imported where pytest is not installed."""

NEEDED = ("babel", "hypothesis", "pytest", "pytest_django", "schemathesis")
SUITE = '"""The contract suite."""\n\nfrom platform_core.testing.contract import *\n'
PATTERNS = ("test_*.py", "*_test.py")

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """The plugin to judge: its slug, what is put on the import path for it, and the folder of its own tests."""

    slug: str
    path: tuple[Path, ...] = ()
    project: Path | None = None

    @property
    def own_tests(self) -> Path | None:
        """The folder ``tests`` of the project, when there are tests in it."""
        folder = None if self.project is None else self.project / "tests"
        if folder is None or not any(any(folder.rglob(one)) for one in PATTERNS):
            return None
        return folder


@dataclass(slots=True)
class Outcome:
    """What became of the tests; ``trouble`` is what the run itself said when it did not get to its end."""

    results: list[dict[str, str]] = field(default_factory=list)
    trouble: str = ""

    @property
    def failed(self) -> list[dict[str, str]]:
        """The results of the tests that failed."""
        return [one for one in self.results if one["outcome"] == "failed"]

    @property
    def ok(self) -> bool:
        """Whether there were tests and none failed."""
        return bool(self.results) and not self.failed and not self.trouble


def missing_packages() -> list[str]:
    """Return the packages of the ``testing`` extra that are not installed."""
    return [name for name in NEEDED if importlib.util.find_spec(name) is None]


def find_subject(name: str, scratch: Path) -> Subject:
    """Return the plugin that ``name`` means: a source folder, a wheel, or the slug of an installed one.

    A wheel is unpacked and a folder's metadata written below ``scratch``. Raises PluginErrors when there is no plugin.
    """
    path = Path(name)
    if path.is_dir():
        metadata = scratch / "metadata"
        slug = write_source_metadata(path.resolve(), metadata)
        if slug is None:
            raise _no_plugin(
                name, "The folder has no pyproject.toml with an entry point of a plugin."
            )
        return Subject(slug=slug, path=(metadata, path.resolve()), project=path.resolve())
    if path.is_file():
        return _from_wheel(path, scratch / "wheel")
    if name not in discover():
        raise _no_plugin(
            name, "It is neither a folder, a wheel, nor the slug of an installed plugin."
        )
    return Subject(slug=name)


def _from_wheel(path: Path, folder: Path) -> Subject:
    try:
        with zipfile.ZipFile(path) as wheel:
            wheel.extractall(folder)
    except zipfile.BadZipFile as error:
        raise _no_plugin(str(path), "The file is no wheel.") from error
    if not any(folder.glob("*.dist-info/METADATA")):
        raise _no_plugin(str(path), "The file is an archive, and no wheel.")
    slugs = list(discover(importlib.metadata.distributions(path=[str(folder)])))
    if not slugs:
        raise _no_plugin(str(path), "The wheel has no entry point of a plugin.")
    return Subject(slug=slugs[0], path=(folder,))


def _no_plugin(name: str, message: str) -> PluginErrors:
    return PluginErrors(
        [
            PluginProblem(
                plugin="",
                code="no_plugin",
                place=name,
                message=message,
                way_out="Name a project's folder, a wheel, or one of platformctl plugin list.",
            )
        ]
    )


def set_of(subject: Subject) -> list[str]:
    """Return the slugs to enable: what the plugin requires, itself, and what brings the user model if none does.

    Raises PluginErrors when several installed plugins could bring it and the plugin requires none of them.
    """
    candidates = _candidates(subject)
    found = _closure(subject.slug, candidates)
    bringing = {
        plugin.slug
        for plugin in resolve(list(candidates), (), candidates).plugins
        if plugin.config.auth_user_model
    }
    if bringing & set(found) or not bringing:
        return found
    if len(bringing) > 1:
        problem = PluginProblem(
            plugin=subject.slug,
            code="several_user_models",
            message=f"These bring a user model: {', '.join(sorted(bringing))}.",
            way_out="Let the plugin require one of them, or install one only.",
        )
        raise PluginErrors([problem])
    return [*_closure(bringing.pop(), candidates), *found]


def _candidates(subject: Subject) -> Candidates:
    before = list(sys.path)
    sys.path[:0] = [str(one) for one in subject.path]
    try:
        importlib.invalidate_caches()
        return discover()
    finally:
        if not subject.path:
            sys.path[:] = before


def _closure(slug: str, candidates: Candidates) -> list[str]:
    found: list[str] = []
    for one in required_slugs(candidates[slug][0], candidates):
        found += [name for name in _closure(one, candidates) if name not in found]
    return [*found, slug]


def run(subject: Subject, slugs: list[str], scratch: Path, progress: Progress) -> Outcome:
    """Run the suite, and the plugin's own tests when it has some; ``progress`` gets tests done of tests in all."""
    report = scratch / "report.jsonl"
    (scratch / "test_contract_suite.py").write_text(SUITE, encoding="utf-8")
    output = scratch / "output.txt"
    with output.open("w", encoding="utf-8") as stream:
        process = subprocess.Popen(  # noqa: S603  (our own command)
            _command(subject, scratch),
            cwd=scratch,
            env=environment(subject, slugs, scratch) | {VARIABLE: str(report)},
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
        try:
            while process.poll() is None:
                progress(*_progress(report))
                _wait(process)
        except BaseException:  # Ctrl-C too: nothing goes on in the background
            process.terminate()
            process.wait()
            raise
    outcome = Outcome(results=[one for one in _lines(report) if "test" in one])
    if process.returncode not in (0, 1) or not outcome.results:
        outcome.trouble = output.read_text(encoding="utf-8").strip()
    return outcome


def _wait(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(timeout=0.5)
    except subprocess.TimeoutExpired:
        return


def _command(subject: Subject, scratch: Path) -> list[str]:
    settings = scratch / "pytest.ini"
    settings.write_text("[pytest]\naddopts = --import-mode=importlib\n", encoding="utf-8")
    own = subject.own_tests
    if own is not None and subject.project is not None:
        settings = _own_configuration(subject.project) or settings
    targets = [str(scratch / "test_contract_suite.py"), *([] if own is None else [str(own)])]
    return [
        *(sys.executable, "-m", "pytest", "-q", "-p", "platform_core.testing.reporting"),
        *("-p", "no:cacheprovider", "-c", str(settings), "--rootdir", str(settings.parent)),
        *("-o", f"platform_contract={subject.slug}", "-o", "platform_plugins="),
        *targets,
    ]


def _own_configuration(project: Path) -> Path | None:
    """Return the project's file with pytest's settings, when it has one."""
    path = project / "pyproject.toml"
    return path if "[tool.pytest" in path.read_text(encoding="utf-8") else None


def environment(subject: Subject, slugs: list[str], scratch: Path) -> dict[str, str]:
    """Return an environment in which ``slugs`` are enabled, without the deployment's own settings; those of plugins stay."""
    strange = ("PLATFORM_", "DJANGO_", "DATABASE_", "PYTEST_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(strange)}
    path = [str(one) for one in subject.path] + [one for one in sys.path if one]
    return kept | {
        "DJANGO_SETTINGS_MODULE": "platform_core.testing.settings",
        "PLATFORM_PLUGINS": ",".join(slugs),
        "PLATFORM_DATA_DIR": str(scratch / "data"),
        "PYTHONPATH": os.pathsep.join(dict.fromkeys(path)),
    }


def _lines(report: Path) -> list[dict[str, Any]]:
    if not report.is_file():
        return []
    lines = report.read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines if line.endswith("}")]


def _progress(report: Path) -> tuple[int, int]:
    lines = _lines(report)
    total = next((one["tests"] for one in lines if "tests" in one), 0)
    return sum("test" in one for one in lines), total
