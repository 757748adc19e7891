"""Imports that take longer than a client waits: the same work in a worker, as whoever asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from platform_core.api_versions import FIRST
from platform_core.audit.actions import running
from platform_core.errors import Invalid
from platform_core.operations.declaring import background
from platform_core.operations.running import RunningOperation
from platform_core.operations.serving import resource_for
from platform_core.resource.import_rows import (
    MOST_ELEMENTS_IN_BACKGROUND,
    MOST_IN_BACKGROUND,
    run_import,
)
from platform_core.resource.imports import failed_rows
from platform_core.resource.trail import Trail
from platform_core.resource.uploads import Upload


@background()
def import_file(
    operation: RunningOperation,
    *,
    slug: str,
    name: str,
    options: Mapping[str, Any],
    strict: bool,
    version: int = FIRST,
) -> dict[str, int]:
    """Import the operation's file into a resource; the failed rows become its file.

    All is one transaction with the operation's end. With ``strict`` one failure is the failure of all. A dry run does
    the same and is undone; it leaves no event of what it tried.
    """
    view = resource_for(operation.actor, slug, name, "import", version=version)
    view.is_trial = operation.dry_run
    with operation.open_input() as source:
        upload = Upload(content=source.read(), **options)
    view.trail = Trail(view)
    with running(view.trail):
        report = run_import(
            view,
            upload,
            progress=operation.progress,
            most_rows=MOST_IN_BACKGROUND,
            most_elements=MOST_ELEMENTS_IN_BACKGROUND,
        )
    if strict and report.failures:
        raise Invalid(_("Some rows cannot be accepted; nothing was written."), code="import_failed")
    if not operation.dry_run:
        view.trail.write()
    if report.failures:
        filename, media_type, content = failed_rows(type(view), report)
        with operation.result_file(filename, media_type) as target:
            target.write(content)
    return {"rows": len(report.results), **report.counts()}
