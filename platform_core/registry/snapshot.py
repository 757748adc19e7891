"""What a set of plugins is in truth: the report of a process that boots it (``python -m`` this module).

The set comes from the environment, the report goes to standard output as one JSON document, and nothing is changed. To
the descriptor that the first argument names it tells each step before it takes it.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from platform_core.registry.faults import boot_problem
from platform_core.registry.holding import Standings
from platform_core.registry.problems import PluginErrors
from platform_core.registry.steps import limit_steps, telling
from platform_core.registry.trial import (
    BOOT_TIMEOUT_S,
    HELD_BACK,
    WITH_CONTENTS,
    WITH_PLACEHOLDERS,
    WITHOUT_DATABASE,
)


def main() -> None:
    """Boot, report, and keep whatever plugins print away from the document; ends the process."""
    stream = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    document: dict[str, Any] = {"ok": True, "problems": [], "settings": {}}
    try:
        with telling(int(sys.argv[1]), rest_s=BOOT_TIMEOUT_S):
            if HELD_BACK in sys.argv:
                document["problems"] = _problems(json.loads(sys.argv[-1]))
            else:
                document["settings"] = _settings()
                document |= _facts(with_database=WITHOUT_DATABASE not in sys.argv)
    except PluginErrors as errors:
        document["problems"] = [problem.as_dict() for problem in errors.problems]
    except BaseException as error:  # whatever a stranger's code raises at boot is told
        document["problems"] = [boot_problem(error).as_dict()]
    document["ok"] = not document["problems"]
    with stream:
        stream.write(json.dumps(document, default=str))  # dump() would take twice as long
    sys.stderr.flush()
    os._exit(0)  # taking thousands of classes apart would take a tenth of the whole time


def _settings() -> dict[str, Any]:
    """Return the settings of every listed plugin; they are told even when a missing one stops the boot."""
    from platform_core.conf.deployment import find_deployment
    from platform_core.registry.discovery import discover
    from platform_core.registry.placeholders import placeholders_for
    from platform_core.registry.resolution import resolve
    from platform_core.registry.settings_report import describe_settings

    deployment = find_deployment(Path(os.environ["PLATFORM_DIR"]))
    core = deployment.core
    limit_steps(core.plugin_step_timeout)
    resolution = resolve(core.plugins, core.dormant_plugins, discover())
    found = {
        plugin.slug: describe_settings(
            plugin.config.settings_class,
            plugin.slug,
            deployment.plugin_sections.get(plugin.slug, {}),
            os.environ,
        )
        for plugin in resolution.plugins
    }
    if WITH_PLACEHOLDERS in sys.argv:
        for plugin in resolution.with_state("enabled"):
            section = deployment.plugin_sections.get(plugin.slug, {})
            os.environ.update(placeholders_for(plugin.config.settings_class, plugin.slug, section))
    return found


def _problems(held: Standings) -> list[dict[str, str]]:
    """Boot with ``held`` held back and return what is wrong with the others."""
    from platform_core.registry.quarantine import impose

    impose(held)
    facts = _facts(with_database=False)
    from platform_core.registry.faults import unimportable

    return [*facts["problems"], *(problem.as_dict() for problem in unimportable())]


def _facts(*, with_database: bool) -> dict[str, Any]:
    from platform_core.cli.boot import boot

    boot()
    from django.conf import settings
    from django.utils.translation import override

    from platform_core.cli.deployments import system_problems
    from platform_core.registry.facts import (
        contributed_facts,
        database_facts,
        recorded_facts,
        settings_facts,
    )
    from platform_core.registry.faults import import_migrations
    from platform_core.registry.orders import unserved_orders

    import_migrations()
    with override("en"):
        problems = system_problems(deploy=False)
        facts = contributed_facts()
        if WITH_CONTENTS in sys.argv:
            facts |= recorded_facts() | settings_facts(with_database=False)
        if with_database and not problems:
            facts |= database_facts(problems)
            if WITH_CONTENTS in sys.argv and not problems:
                facts["unserved_orders"] = unserved_orders(facts["standing_tables"])
                facts |= settings_facts(with_database=True)
    held = settings.PLATFORM.resolution.held_back
    return facts | {
        "held_back": [one.as_dict() for one in held],
        "problems": [problem.as_dict() for problem in problems],
    }


if __name__ == "__main__":
    main()
