"""What changes something about the deployment does so once for each ``Idempotency-Key``, or only tries."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from django.db import transaction

from platform_core.resource.dry_run import DRY_RUN, DRY_RUN_HEADER, undo, wants_dry_run
from platform_core.resource.filters import check_parameters
from platform_core.resource.idempotency import claim, key_of

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse


def perform_once(request: HttpRequest, work: Callable[[], HttpResponse]) -> HttpResponse:
    """Do ``work`` in one transaction and return its answer, or what was answered to the same key before.

    A dry run is answered alike, and undone.
    """
    check_parameters(request.GET, frozenset({DRY_RUN}), {})
    tries = wants_dry_run(request.GET)
    key_of(request)  # one that cannot be a key is refused when nothing is kept under it, too
    with transaction.atomic():
        held = None if tries else claim(request, request.actor)  # type: ignore[attr-defined]  # set by the gate
        earlier = None if held is None else held.earlier_answer()
        if earlier is not None:
            return earlier
        response = work()
        if tries:
            response[DRY_RUN_HEADER] = "true"
            undo()
        elif held is not None:
            held.keep(response)
    return response
