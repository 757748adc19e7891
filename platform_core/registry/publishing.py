"""The hooks that plugins publish for other plugins: found, judged, and named ``<slug>.<hook>``."""

from __future__ import annotations

import importlib
import inspect
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import pluggy
from pluggy import HookimplOpts

from platform_core import hookspecs
from platform_core.registry.problems import PluginProblem, import_problem
from platform_core.registry.resolution import Plugin
from platform_core.registry.steps import loading

CORE_HOOKS = frozenset(
    name
    for name, value in vars(hookspecs).items()
    if inspect.isfunction(value) and hasattr(value, f"{hookspecs.PROJECT}_spec")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedHook:
    """A hook of a plugin: who publishes it, what its items are, and where it is written.

    With ``of_classes`` the items are subclasses of ``item_type``, else instances of it.
    """

    owner: str
    plain_name: str
    summary: str
    place: str
    item_type: type[Any]
    of_classes: bool
    function: Any

    @property
    def name(self) -> str:
        """The name in the registry, ``<slug>.<hook>``."""
        return f"{self.owner}.{self.plain_name}"

    def fault(self, result: object) -> str:
        """Return what is wrong with the result of an implementation, or nothing."""
        if not isinstance(result, list | tuple):
            return f"The hook {self.name} returned {type(result).__name__}, not a list or tuple."
        for item in result:
            fits = (
                isinstance(item, type) and issubclass(item, self.item_type)
                if self.of_classes
                else isinstance(item, self.item_type)
            )
            if not fits:
                kind = "a class of" if self.of_classes else "a"
                told = item.__name__ if isinstance(item, type) else f"a {type(item).__name__}"
                return (
                    f"The hook {self.name} returned {told}, not {kind} {self.item_type.__name__}."
                )
            if not isinstance(getattr(item, "name", None), str):
                return f"The hook {self.name} returned an item without a name."
        return ""


def published_hooks(
    plugins: Sequence[Plugin], problems: list[PluginProblem]
) -> dict[str, PublishedHook]:
    """Import the hook specifications of the enabled plugins and return them by full name."""
    return {
        hook.name: hook
        for plugin in plugins
        if plugin.enabled and plugin.config.hookspecs
        for hook in _published_by(plugin, problems)
    }


def _published_by(plugin: Plugin, problems: list[PluginProblem]) -> Iterator[PublishedHook]:
    path = plugin.config.hookspecs
    try:
        if not path.startswith(f"{plugin.config.name}."):
            raise ImportError(f"{path} is no module of {plugin.config.name}")
        with loading(plugin.slug, "hookspecs"):
            module = importlib.import_module(path)
    except Exception as error:  # whatever a stranger's module raises, the report has to go on
        problems.append(
            import_problem(
                plugin.slug,
                "hookspecs_import_failed",
                error,
                package=plugin.config.name,
                module=path,
            )
        )
        return
    for name, function in vars(module).items():
        if not hasattr(function, f"{hookspecs.PROJECT}_spec"):
            continue
        place = place_of(function, plugin.config.name)
        item_type, of_classes, fault = _items_of(function)
        if name in CORE_HOOKS:
            fault = "The core has a hook of this name."
        if item_type is None or fault:
            problems.append(
                PluginProblem(
                    plugin=plugin.slug,
                    code="hookspec_invalid",
                    place=place,
                    message=f"The hook {plugin.slug}.{name} cannot be published. {fault}",
                    way_out="Write def name() -> Sequence[Item], and import Item in the module.",
                )
            )
            continue
        yield PublishedHook(
            owner=plugin.slug,
            plain_name=name,
            summary=(inspect.getdoc(function) or "").partition("\n")[0],
            place=place,
            item_type=item_type,
            of_classes=of_classes,
            function=function,
        )


def _items_of(function: Any) -> tuple[type[Any] | None, bool, str]:
    """Return the type of the items by the annotation, whether they are classes, and what is wrong with it."""
    if inspect.signature(function).parameters:
        return None, False, "It takes parameters, and is called once, at the start."
    try:
        answer = typing.get_type_hints(function).get("return")
    except Exception as error:  # an annotation may be any expression
        return None, False, f"Its annotation cannot be read: {type(error).__name__}: {error}."
    (item,) = typing.get_args(answer)[:1] or (None,)
    of_classes = typing.get_origin(item) is type
    if of_classes:
        (item,) = typing.get_args(item)
    if typing.get_origin(answer) is None or not isinstance(item, type):
        return None, False, "Its annotation does not say Sequence of a class."
    return item, of_classes, ""


class HookManager(pluggy.PluginManager):
    """Register plugins with the core's hooks and the published ones, which are implemented by their plain name."""

    def __init__(self, published: Mapping[str, PublishedHook]) -> None:
        super().__init__(hookspecs.PROJECT)
        self.published = published
        self.plain_names: Mapping[str, str] = {}
        self.add_hookspecs(hookspecs)
        if published:
            named = ModuleType("published")
            for name, hook in published.items():
                setattr(named, name, hook.function)
            self.add_hookspecs(named)

    def register_plugin(self, plugin: Plugin, module: Any) -> None:
        """Register the hooks module of ``plugin``; raises PluginValidationError for a hook that does not exist.

        Plain names mean the core's hooks, then those of the plugin itself and of what it requires.
        """
        visible = [
            one for one in self.published.values() if one.owner in {plugin.slug, *plugin.requires}
        ]
        self.plain_names = {one.plain_name: one.name for one in visible}
        self._refuse_unknown(plugin, module, [one.plain_name for one in visible])
        self.register(module, name=plugin.slug)
        self.check_pending()

    def parse_hookimpl_opts(self, plugin: Any, name: str) -> HookimplOpts | None:
        """Return the options of an implementation, with the full name of the hook that its plain name means."""
        found = super().parse_hookimpl_opts(plugin, name)
        if found is None or found.get("specname") or name in CORE_HOOKS:
            return found
        full = self.plain_names.get(name)
        return found if full is None else HookimplOpts(**{**found, "specname": full})

    def _refuse_unknown(self, plugin: Plugin, module: Any, plain_names: Sequence[str]) -> None:
        """Refuse what pluggy would pass: two hooks of one plain name, and a neighbour's hook that does not exist."""
        for name in dir(module):
            found = super().parse_hookimpl_opts(module, name)
            if found is None or (found.get("specname") or name) in CORE_HOOKS:
                continue
            optional = bool(found.get("optionalhook"))
            full = found.get("specname")
            fault = (
                self._fault_of_full_name(plugin, full, optional=optional)
                if full
                else _fault_of_plain_name(plain_names.count(name), optional=optional)
            )
            if fault:
                raise pluggy.PluginValidationError(module, f"hook '{name}': {fault}")

    def _fault_of_full_name(self, plugin: Plugin, name: str, *, optional: bool) -> str:
        owner = name.partition(".")[0]
        if name not in self.published and owner in {one.owner for one in self.published.values()}:
            return f'"{owner}" publishes no hook {name}'
        if not optional and owner not in {plugin.slug, *plugin.requires}:
            return f'"{owner}" is not required; say optionalhook=True too'
        return ""


def _fault_of_plain_name(publishers: int, *, optional: bool) -> str:
    if publishers > 1:
        return "more than one required plugin publishes it; say specname='<slug>.<hook>'"
    if optional and not publishers:
        return "say whose hook it is: specname='<slug>.<hook>', optionalhook=True"
    return ""


def place_of(function: Any, package: str) -> str:
    """Return ``file:line`` of ``function``, relative to the parent of ``package``."""
    code = inspect.unwrap(function).__code__
    folder = package.replace(".", "/")
    _, found, after = code.co_filename.replace("\\", "/").rpartition(f"/{folder}/")
    return (
        f"{folder}/{after}:{code.co_firstlineno}"
        if found
        else f"{code.co_filename}:{code.co_firstlineno}"
    )
