"""REST framework's own permission seam: closed, because access is decided by ``Resource`` and ``guard``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rest_framework.permissions import BasePermission

if TYPE_CHECKING:
    from rest_framework.request import Request


class Denied(BasePermission):
    """The default of every REST framework view: it has to say who may use it, or be guarded."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """Return true only behind ``guard``, which has decided already."""
        return getattr(request._request, "access_decided", False) is True
