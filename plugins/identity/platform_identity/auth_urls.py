"""The sign-in routes below ``/api/v1/identity/auth/``, without those that this plugin does not offer."""

from __future__ import annotations

from allauth.headless.constants import Client
from django.urls import include, path, re_path

from platform_core.resource import not_found
from platform_identity.adapters.resets import RequestView, ResetView

# Addresses are changed by ``services.users`` only: an address that somebody adds to their own account unverified
# could be somebody else's. Nobody signs in by a code, so that there is none to confirm.
_CLOSED = (
    r"^(?:app|browser)/v1/"
    r"(?:account/(?:email|phone)|auth/(?:email|phone)/verify(?:/resend)?|auth/code/confirm)$"
)

urlpatterns = [
    re_path(_CLOSED, not_found),
    *(
        path(f"{client.value}/v1/auth/password/{name}", view.as_api_view(client=client))
        for client in (Client.APP, Client.BROWSER)
        for name, view in (("request", RequestView), ("reset", ResetView))
    ),
    path("", include("allauth.headless.urls")),
]
