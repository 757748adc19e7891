"""The system checks find planted faults, and none in the installed models."""

from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps
from django.db import models
from django.test.utils import isolate_apps

from platform_core.models import BaseModel
from platform_core.models.checks import check_model, check_models

APP = "tests.core.models.testapp"


def found(model: type[models.Model]) -> list[str | None]:
    """Return the ids of the problems of ``model``."""
    problems = check_model(model)
    assert all(problem.hint and model._meta.label in problem.msg for problem in problems)
    return [problem.id for problem in problems]


def test_the_installed_test_models_are_clean_but_for_none() -> None:
    assert check_models([apps.get_app_config("models_testapp")]) == []


def test_all_installed_models_are_looked_at() -> None:
    assert all(problem.id and problem.id.startswith("platform_core.") for problem in check_models())


@isolate_apps(APP)
def test_a_sound_model_has_no_problem() -> None:
    class Sound(BaseModel):
        class Meta(BaseModel.Meta):
            app_label = "models_testapp"

    assert found(Sound) == []


@isolate_apps(APP)
def test_a_lost_base_manager_is_found() -> None:
    class Mixin(models.Model):
        class Meta:
            abstract = True

    class Careless(Mixin, BaseModel):
        class Meta:
            app_label = "models_testapp"

    assert found(Careless) == ["platform_core.E001"]
    assert "base manager" in check_model(Careless)[0].msg


@isolate_apps(APP)
def test_a_plain_default_manager_is_found() -> None:
    class Plain(BaseModel):
        objects = models.Manager()  # type: ignore[assignment]

        class Meta(BaseModel.Meta):
            app_label = "models_testapp"

    assert found(Plain) == ["platform_core.E001"]
    assert "default manager" in check_model(Plain)[0].msg


@isolate_apps(APP)
def test_a_row_in_two_tables_is_found() -> None:
    class Parent(BaseModel):
        class Meta(BaseModel.Meta):
            app_label = "models_testapp"

    class Child(Parent):
        class Meta(BaseModel.Meta):
            app_label = "models_testapp"

    assert found(Parent) == []
    assert found(Child) == ["platform_core.E002"]


@isolate_apps(APP)
@pytest.mark.parametrize(
    ("on_delete", "expected"),
    [
        (models.SET_DEFAULT, ["platform_core.E003"]),
        (models.SET(lambda: None), ["platform_core.E003"]),
        (models.SET(None), []),
        (models.SET_NULL, []),
        (models.CASCADE, []),
        (models.PROTECT, []),
    ],
)
def test_a_reference_that_writes_past_history_is_found(on_delete: Any, expected: list[str]) -> None:
    class Pointing(BaseModel):
        to = models.ForeignKey("self", on_delete, null=True, default=None)

        class Meta(BaseModel.Meta):
            app_label = "models_testapp"

    assert found(Pointing) == expected


@isolate_apps(APP, "django.contrib.contenttypes")
@pytest.mark.parametrize(
    ("on_delete", "expected"),
    [
        (models.PROTECT, ["platform_core.E004"]),
        (models.RESTRICT, ["platform_core.E004"]),
        (models.CASCADE, []),
        (models.SET_NULL, []),
    ],
)
def test_protection_towards_another_plugin_is_found(on_delete: Any, expected: list[str]) -> None:
    class Neighbour(models.Model):
        class Meta:
            app_label = "contenttypes"

    class Guard(BaseModel):
        neighbour = models.ForeignKey(Neighbour, on_delete, null=True)

        class Meta(BaseModel.Meta):
            app_label = "models_testapp"

    assert found(Guard) == expected
    if expected:
        message = check_model(Guard)[0].msg
        assert "models_testapp.Guard.neighbour" in message
        assert "contenttypes.Neighbour" in message


def test_a_strangers_app_may_protect_its_own_way() -> None:
    with isolate_apps("django.contrib.contenttypes", "django.contrib.auth"):

        class Target(models.Model):
            class Meta:
                app_label = "contenttypes"

        class Stranger(models.Model):
            target = models.ForeignKey(Target, models.PROTECT)

            class Meta:
                app_label = "auth"

        assert check_model(Stranger) == []
