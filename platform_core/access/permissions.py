"""The permissions of a deployment: checked together, frozen, and installed once per process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from django.apps import apps
from django.utils.functional import lazy
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from platform_core.access.grants import GrantSource, set_grant_source
from platform_core.access.leaves import SELF, Granted
from platform_core.access.paths import PathError, resolve_path
from platform_core.access.rules import Rule
from platform_core.contributions import Permission

if TYPE_CHECKING:
    from django.db.models import Model
    from django_stubs_ext import StrOrPromise

STANDARD_VERBS: Final = ("view", "add", "change", "delete", "restore")

_TITLES: Final[Mapping[str, StrOrPromise]] = {
    "view": _("View {model}"),
    "add": _("Add {model}"),
    "change": _("Change {model}"),
    "delete": _("Delete {model}"),
    "restore": _("Restore {model}"),
    "export": _("Export {model}"),
    "import": _("Import {model}"),
    "approve": _("Approve {model}"),
    "publish": _("Publish {model}"),
}


class PermissionRegistryError(Exception):
    """Permissions cannot be used; ``problems`` pairs permission names with what is wrong."""

    def __init__(self, problems: Sequence[tuple[str, str]]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(f"{name}: {message}" for name, message in problems))


class PermissionRegistry:
    """All permissions of the enabled plugins, and the source of grants; frozen.

    Build it when models are loaded. Raises ``PermissionRegistryError`` with every problem found: a
    name taken twice, a model that does not exist, a rule that is none, a path that leads nowhere, a
    row asked about where there is none.
    """

    __slots__ = ("_by_name", "_models", "grant_source")

    def __init__(
        self, permissions: Sequence[Permission] = (), grant_source: GrantSource | None = None
    ) -> None:
        self.grant_source = grant_source
        self._by_name: Mapping[str, Permission] = MappingProxyType(
            {one.name: one for one in permissions}
        )
        self._models: dict[str, type[Model] | None] = {}
        problems = [*_repeated(permissions)]
        for permission in self._by_name.values():
            problems += [(permission.name, message) for message in self._problems_of(permission)]
        if problems:
            raise PermissionRegistryError(problems)

    def get(self, name: str) -> Permission | None:
        """Return the permission, or ``None`` when no enabled plugin defines it."""
        return self._by_name.get(name)

    def model_of(self, name: str) -> type[Model] | None:
        """Return the model that a registered permission is about; ``KeyError`` for others."""
        return self._models[name]

    def __iter__(self) -> Iterator[Permission]:
        return iter(self._by_name.values())

    def __len__(self) -> int:
        return len(self._by_name)

    def _problems_of(self, permission: Permission) -> Iterator[str]:
        rule: object = permission.rule
        if not isinstance(rule, Rule):
            yield f"its rule is a {type(rule).__name__}, not a Rule."
            return
        try:
            model = apps.get_model(permission.model) if permission.model else None
        except (LookupError, ValueError):
            yield f"there is no model {permission.model!r}."
            return
        self._models[permission.name] = model
        yield from rule.problems(model)
        for leaf in rule.leaves():
            if isinstance(leaf, Granted) and leaf.permission not in self._by_name:
                yield f"{leaf} names a permission that no enabled plugin defines."
        if model is not None and self.grant_source is not None:
            yield from _unit_problems(model, self.grant_source.unit_model)


def _repeated(permissions: Sequence[Permission]) -> Iterator[tuple[str, str]]:
    seen: set[str] = set()
    for permission in permissions:
        if permission.name in seen:
            yield permission.name, "the name is taken twice."
        seen.add(permission.name)


def _unit_problems(model: type[Model], unit_model: str) -> Iterator[str]:
    unit_path = getattr(model, "unit_path", "")
    if not unit_path:
        return
    try:
        found = model if unit_path == SELF else resolve_path(model, unit_path).target
    except PathError:
        return  # the rule has reported it
    if found is not None and found._meta.label_lower != unit_model.lower():
        yield f"unit_path of {model._meta.label} leads to {found._meta.label}, not to {unit_model}."


_installed = PermissionRegistry()


def install_permissions(registry: PermissionRegistry) -> None:
    """Make ``registry`` and its grant source those of this process; all else is denied."""
    global _installed
    _installed = registry
    set_grant_source(registry.grant_source)


def installed_permissions() -> PermissionRegistry:
    """Return the registry of this process; before the boot an empty one, which denies all."""
    return _installed


@contextmanager
def using_permissions(registry: PermissionRegistry) -> Iterator[PermissionRegistry]:
    """Install ``registry`` inside a ``with`` block, for all threads; meant for tests."""
    before = installed_permissions()
    install_permissions(registry)
    try:
        yield registry
    finally:
        install_permissions(before)


def model_permissions(
    model: str,
    verbs: Sequence[str] = STANDARD_VERBS,
    rule: Callable[[str], Rule] = Granted,
) -> tuple[Permission, ...]:
    """Return a permission ``education.<verb>_student`` per verb for ``education.Student``.

    ``rule`` makes the rule from the permission's name. Raises ``ValueError`` for a verb outside the
    standard nine: such a permission is written out with a title of its own.
    """
    unknown = [verb for verb in verbs if verb not in _TITLES]
    if unknown:
        raise ValueError(
            f"No standard verbs: {', '.join(unknown)}. Write a Permission with its own title."
        )
    app_label, model_name = model.split(".")
    names = {verb: f"{app_label}.{verb}_{model_name.lower()}" for verb in verbs}
    return tuple(
        Permission(
            name=name,
            title=format_lazy(_TITLES[verb], model=_verbose_name(model)),
            rule=rule(name),
            model=model,
        )
        for verb, name in names.items()
    )


def _read_verbose_name(model: str) -> str:
    return str(apps.get_model(model)._meta.verbose_name)


_verbose_name = lazy(_read_verbose_name, str)
