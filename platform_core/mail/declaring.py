"""``Mail``: what a plugin declares about a mail that it sends, and what is wrong with a declaration."""

from __future__ import annotations

import inspect
import re
import string
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, ConfigDict

from platform_core.conf.mail import is_one_line
from platform_core.events.declaring import is_plain

if TYPE_CHECKING:
    from typing import Self

    from django_stubs_ext import StrOrPromise

MOST_NAME = 150
_NAME = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*\Z")
_OWN_WORDS = frozenset({"name", "subject", "example", "site", "language"})
"""Class attributes, and what templates are given beside the fields."""


class Mail(BaseModel):
    """Base of a mail: a subclass has a docstring, a name, a subject, and what its templates show as typed fields.

    ``name`` is ``<slug>.<name>``; the templates are ``templates/<slug>/mail/<name>.txt`` and ``.html``. ``subject`` is
    marked for translation and may hold fields, as ``{title}``. ``example`` returns one with invented values, by which
    the mail is previewed and tested. Fields are plain data. They may hold secrets: they are kept encrypted until the
    mail is sent, and no text form of the object shows them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: ClassVar[str]
    subject: ClassVar[StrOrPromise]

    @classmethod
    def example(cls) -> Self:
        """Return a mail with invented values."""
        raise NotImplementedError

    @classmethod
    def template(cls, suffix: str) -> str:
        """Return the name of the template of the text (``txt``) or of the HTML (``html``)."""
        slug, _, own = cls.name.partition(".")
        return f"{slug}/mail/{own}.{suffix}"

    def subject_line(self) -> str:
        """Return the subject in the active language; ValueError when a value would break it into lines."""
        shown = {name: getattr(self, name) for name in type(self).model_fields}
        line = str(type(self).subject).format_map(shown)
        if not is_one_line(line):
            raise ValueError(
                f"A field that the subject of {self.name} shows holds a line break or another control character. "
                "Refuse such values where they are entered."
            )
        return line

    def __repr_args__(self) -> Any:
        """Show no values: what a mail holds must not get into logs."""
        return ()


def faults_of(mail: type[Mail]) -> Iterator[str]:
    """Yield what is wrong with a declaration, each as the end of a sentence about it."""
    name = getattr(mail, "name", "")
    if not _NAME.match(str(name)) or len(name) > MOST_NAME:
        yield "needs a name like billing.invoice_issued"
    if not (inspect.getdoc(mail) or "").strip() or not vars(mail).get("__doc__"):
        yield "has no docstring that says what the mail is for"
    yield from _subject_faults(mail)
    if getattr(mail.example, "__func__", None) is Mail.example.__func__:  # type: ignore[attr-defined]
        yield "has no example()"
    for field, known in mail.model_fields.items():
        if field in _OWN_WORDS:
            yield f"has a field {field}, which is a word of its own"
        if not is_plain(known.annotation):
            yield f"has a field {field} whose type is not plain data"


def _subject_faults(mail: type[Mail]) -> Iterator[str]:
    subject = str(getattr(mail, "subject", "")).strip()
    if not subject:
        yield "has no subject"
        return
    try:
        fields = [name for _, name, _, _ in string.Formatter().parse(subject) if name is not None]
    except ValueError:
        yield "has a subject with a single brace; write {{ or }}"
        return
    for field in fields:
        if field not in mail.model_fields:
            yield f"shows {{{field}}} in its subject, which is no field"
