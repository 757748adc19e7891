"""Templates and static files of dormant plugins cannot be reached, nor can those of what only they bring along."""

from __future__ import annotations

from pathlib import Path

from tests.deployments import TestDeployment, write_distribution

LOOK = """
import django
django.setup()
from django.contrib.staticfiles import finders
from django.template import TemplateDoesNotExist
from django.template.loader import get_template
for name in ("toy", "toylib", "shared"):
    try:
        template = get_template(f"{name}/page.html")
    except TemplateDoesNotExist:
        template = None
    print(name, bool(finders.find(f"{name}/a.css")), template is not None)
"""


def write_library(folder: Path, name: str) -> None:
    for kind, file in (("static", "a.css"), ("templates", "page.html")):
        path = folder / name / kind / name.removesuffix("_plugin") / file
        path.parent.mkdir(parents=True)
        path.write_text("x", encoding="utf-8")
    (folder / name / "__init__.py").touch()


def seen(deployment: TestDeployment) -> dict[str, str]:
    answer = deployment.run_python(LOOK)
    assert answer.code == 0, answer.err
    return dict(line.split(" ", 1) for line in answer.out.splitlines())


def test_what_a_dormant_plugin_brings_is_out_of_reach(tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    for slug, brought in (("toy", '"toylib", "shared"'), ("other", '"shared",')):
        write_distribution(wheels, slug, apps_extra=f"django_apps = ({brought})")
    for name in ("toy_plugin", "toylib", "shared"):
        write_library(wheels, name)
    site = TestDeployment(tmp_path / "site", "postgresql://nobody@127.0.0.1:1/none", [wheels])
    site.folder.mkdir()

    site.write(plugins=["identity", "toy", "other"])
    assert seen(site) == dict.fromkeys(("toy", "toylib", "shared"), "True True")

    site.write(plugins=["identity", "other"], dormant=["toy"])
    assert seen(site) == {"toy": "False False", "toylib": "False False", "shared": "True True"}
