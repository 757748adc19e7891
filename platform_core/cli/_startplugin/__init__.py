"""What ``platformctl startplugin`` writes: names that are judged, fields, files, and the first migration."""

from platform_core.cli._startplugin.names import NameRefused
from platform_core.cli._startplugin.project import package_name, project_files
from platform_core.cli._startplugin.specification import ResourceSpec, parse_resource

__all__ = ["NameRefused", "ResourceSpec", "package_name", "parse_resource", "project_files"]
