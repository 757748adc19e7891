"""``startplugin``: write a distribution of one's own that is a plugin and passes its tests."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from platform_core.cli._startplugin import (
    NameRefused,
    ResourceSpec,
    package_name,
    parse_resource,
    project_files,
)
from platform_core.cli._startplugin.migration import NAME as MIGRATION
from platform_core.cli._startplugin.migration import initial_migration
from platform_core.cli._startplugin.names import check_slug
from platform_core.cli.output import AsJson, console, print_json, refuse, step


def startplugin(
    name: Annotated[str, typer.Argument(help="The plugin's slug, such as library.")],
    resource: Annotated[
        list[str],
        typer.Option(
            "--resource",
            help="A model with its fields: Course:title,starts_on:date,seats:int. May be repeated.",
        ),
    ],
    into: Annotated[
        Path, typer.Option("--into", help="The folder in which to make the project.")
    ] = Path(),
    as_json: AsJson = False,
) -> None:
    """Write a new plugin: a distribution with models, rules, an API, a migration and tests."""
    try:
        check_slug(name)
        package = package_name(name)
        resources = _resources(resource)
    except NameRefused as problem:
        refuse(problem.message, problem.way_out, code=problem.code, as_json=as_json)
    folder = into.absolute() / name
    _refuse_taken(folder, as_json=as_json)
    with step(f"Writing {name} …", quiet=as_json):
        try:
            written = write_project(folder, name, package, resources)
        except OSError as error:
            refuse(
                f"{folder} cannot be written: {error.strerror or error}.",
                "Choose a folder that you may write to with --into.",
                code="folder_not_writable",
                as_json=as_json,
            )
        except RuntimeError as error:
            refuse(
                f"The models cannot be loaded: {str(error).splitlines()[-1]}.",
                "Choose other names for the resource or its fields; nothing was written.",
                code="models_not_loaded",
                as_json=as_json,
            )
    if as_json:
        print_json(
            {
                "ok": True,
                "folder": str(folder),
                "slug": name,
                "package": package,
                "distribution": package.replace("_", "-"),
                "files": written,
            }
        )
        return
    console.print(
        f"Made the plugin [bold]{name}[/] in [bold]{escape(str(folder))}[/]:", highlight=False
    )
    for path in written:
        console.print(f"  {path}", highlight=False, markup=False)
    if package != name:
        console.print(f'Its package is {package}, because "{name}" is a module already.')
    console.print("Next, in that folder:", highlight=False)
    console.print('  pip install -e ".[test]" && python -m pytest', highlight=False, markup=False)


def write_project(
    folder: Path, slug: str, package: str, resources: Sequence[ResourceSpec]
) -> list[str]:
    """Write the project to ``folder``, which must not exist or be empty, and return the paths of its files.

    It is made beside and moved there when complete. Raises OSError, and RuntimeError when the first migration
    cannot be made.
    """
    made_parents = [parent for parent in folder.parents if not parent.exists()]
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{slug}-", dir=folder.parent))
    try:
        found = project_files(slug, package, resources)
        _write(draft, found)
        migration = f"{package}/migrations/{MIGRATION}.py"
        _write(draft, {migration: initial_migration(draft, package, slug)})
        for cache in draft.rglob("__pycache__"):
            shutil.rmtree(cache)
        draft.chmod(0o755)
        draft.replace(folder)
    except BaseException:  # Ctrl-C too: no half-written project stays
        shutil.rmtree(draft, ignore_errors=True)
        for parent in made_parents:
            parent.rmdir()
        raise
    return sorted((*found, migration))


def _write(folder: Path, texts: dict[str, str]) -> None:
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def _resources(texts: Sequence[str]) -> list[ResourceSpec]:
    """Parse every ``--resource``; raises NameRefused, also for two of one name or one path."""
    found = [parse_resource(text) for text in texts]
    for names in ([spec.model.lower() for spec in found], [spec.path for spec in found]):
        repeated = next((name for name in names if names.count(name) > 1), None)
        if repeated:
            raise NameRefused(
                "resource_repeated",
                f'Two resources would be called "{repeated}".',
                "Name each resource once.",
            )
    return found


def _refuse_taken(folder: Path, *, as_json: bool) -> None:
    if folder.is_dir() and not any(folder.iterdir()):
        return
    if folder.exists() or folder.is_symlink():
        refuse(
            f"{folder} exists already and is not empty.",
            "Choose another name, or another folder with --into; nothing was written.",
            code="folder_taken",
            as_json=as_json,
        )
