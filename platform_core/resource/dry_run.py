"""Calls that only try: the same answer, and everything undone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import connection, transaction
from django.utils.translation import gettext_lazy as _

from platform_core.resource.problems import QueryRefused

if TYPE_CHECKING:
    from django.http import QueryDict

DRY_RUN = "dry_run"
DRY_RUN_HEADER = "Dry-Run"


def wants_dry_run(query: QueryDict) -> bool:
    """Tell whether the call is only to be tried; raises ``QueryRefused`` for a value that is neither true nor false."""
    text = query.get(DRY_RUN, "false")
    if text not in ("true", "false"):
        raise QueryRefused(DRY_RUN, _("Write true or false."))
    return text == "true"


def undo() -> None:
    """Roll the running transaction back at its end, once what it checks at the end has been checked.

    Raises IntegrityError as the commit would have.
    """
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    transaction.set_rollback(True)
