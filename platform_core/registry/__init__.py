"""Discovery, order, states, loading and conflicts of plugins, frozen into one registry at boot."""

from platform_core.registry.contents import Registry, contributed, installed
from platform_core.registry.problems import PluginErrors, PluginProblem

__all__ = ["PluginErrors", "PluginProblem", "Registry", "contributed", "installed"]
