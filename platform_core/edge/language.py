"""In which language somebody is answered: by cookie or ``Accept-Language``, never by the path."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.middleware.locale import LocaleMiddleware
from django.utils import translation
from django.utils.cache import patch_vary_headers

if TYPE_CHECKING:
    from django.http import HttpRequest
    from django.http.response import HttpResponseBase


class LanguageMiddleware(LocaleMiddleware):
    """Does what Django's does where no address begins with a language, without looking for one in each."""

    def process_request(self, request: HttpRequest) -> None:
        """Speak the language that the request asks for."""
        translation.activate(translation.get_language_from_request(request))
        request.LANGUAGE_CODE = translation.get_language()

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        """Say in which language the answer is, and that it depends on the one that was asked for."""
        patch_vary_headers(response, ("Accept-Language",))
        response.headers.setdefault("Content-Language", translation.get_language() or "")
        return response
