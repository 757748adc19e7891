"""Take secrets and what somebody has sent out of texts that operators read: logs, health, errors of commands.

Three things are known about a text that somebody else has written, such as that of an exception: the deployment's own
secrets, the values that the request, job or event at hand carries, and how credentials look. What is none of them stays,
for an operator needs it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import lru_cache
from typing import Any, Final
from urllib.parse import parse_qsl, quote

from platform_core.observability.known_secrets import known_secrets
from platform_core.observability.secret_names import NAMES_OF_SECRETS, may_hold_one, says_nothing

HIDDEN: Final = "[hidden]"
_SHORTEST: Final = 4
"""A shorter value says nothing by itself, and stands in every other word."""
_ANYWHERE_FROM: Final = 12
"""So long a value is hidden within other words, too."""
_MOST_VALUES: Final = 5000
_MOST_READ: Final = 10_000
"""So many characters of the text of an exception are looked through for values; the rest is left out."""

Carried = Callable[[], Iterable[object]]
_carried: ContextVar[tuple[Carried, ...]] = ContextVar("platform_core_carried", default=())

_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z")
_WORDS = re.compile(r"[^\s,;&=:\"'{}\[\]<>|]{4,}")
# No pattern may begin anew within a word, nor give back what it has taken: clients choose texts that are long.
_SHAPES: Final = (
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*-----|\Z)", re.DOTALL),
    re.compile(r"(?<=://)[^\s/@:]*+:[^\s@]{1,500}+(?=@)"),  # the user and password of an address
    re.compile(r"(?i)\b(?<=basic )[\w+/=.~-]{6,}+|(?<=bearer )[\w+/=.~-]{6,}+"),
    re.compile(r"(?<=\?)[^\s\"'#?=]*+=[^\s\"'#]*+"),  # the query of an address
    re.compile(r"(?<![\w.+-])[\w.+-]++@[\w-]++(?:\.[\w-]++)++"),  # an e-mail address
    re.compile(r"(?<=datetime\.date\()[^)]*|(?<=datetime\.datetime\()[^)]*|(?<=Decimal\()[^)]*"),
)
_ASSIGNED = re.compile(
    rf"""(?ix)((?<![\w-])(?=[\w-]*?(?:{NAMES_OF_SECRETS}))[\w-]++["']?\s*+[=:]\s*+)("[^"]*"|'[^']*'|[^\s,;&)}}\]]+)"""
)
_TOKEN = re.compile(r"(?<![\w-])[\w-]{20,}(?![\w-])", re.ASCII)
_HEXADECIMAL = re.compile(r"[0-9a-fA-F]+\Z")
_SECRET_NAME = re.compile(NAMES_OF_SECRETS, re.IGNORECASE)
_IDS: Final = ("_id", "_at")
"""How the names of facts about a secret end that are none themselves."""
_KEY_ID: Final = "kid"
"""The id of a public key (RFC 7517): it looks like a token, and everybody is told."""


@contextmanager
def carrying(values: Carried) -> Iterator[None]:
    """Hide what ``values`` returns, and all strings and numbers within, from texts of the block; asked only for one.

    An exception that leaves the block takes them along, to whoever logs it.
    """
    token = _carried.set((*_carried.get(), values))
    try:
        yield
    except Exception as error:
        with suppress(AttributeError):  # of a class with slots
            error.__dict__.setdefault(_TAKEN_ALONG, []).append(values)
        raise
    finally:
        _carried.reset(token)


@contextmanager
def carrying_what_came_with(error: BaseException) -> Iterator[None]:
    """Hide what ``error`` and those behind it have taken along from the blocks that they left."""
    found: list[Carried] = []
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        found += one.__dict__.get(_TAKEN_ALONG, ())
        one = one.__cause__ or one.__context__
    token = _carried.set((*_carried.get(), *found))
    try:
        yield
    finally:
        _carried.reset(token)


_TAKEN_ALONG: Final = "_platform_carried"


def redacted(text: str) -> str:
    """Return the text of an exception without values that are carried, and as ``without_credentials`` does."""
    text = _beginning(text)
    pattern = _pattern_of(_values())
    return without_credentials(text if pattern is None else pattern.sub(HIDDEN, text))


def _beginning(text: str) -> str:
    """Return ``text``, of a very long one the first words: half a value would not be recognised."""
    if len(text) <= _MOST_READ:
        return text
    words = text[:_MOST_READ].rsplit(maxsplit=1)
    return f"{words[0]} …" if len(words) > 1 else HIDDEN


def without_credentials(text: str) -> str:
    """Return ``text`` without secrets of the deployment and what looks like a credential or an e-mail address.

    Facts of a log line go through this only: nobody hides an event by sending its name.
    """
    pattern = _known_pattern(known_secrets())
    text = text if pattern is None else pattern.sub(HIDDEN, text)
    for shape in _SHAPES:
        text = shape.sub(HIDDEN, text)
    text = _ASSIGNED.sub(_assigned, text)
    return _TOKEN.sub(lambda found: HIDDEN if looks_random(found[0]) else found[0], text)


def _assigned(found: re.Match[str]) -> str:
    name, value = found[1].rstrip("\"' =:\t"), found[2].strip("\"'")
    return found[1] + HIDDEN if may_hold_one(name, value) else found[0]


def fact_without_credentials(name: str, value: Any) -> Any:
    """Return a fact of a log line with every text in it cleaned; what is called like a secret is hidden whole."""
    if value is None or isinstance(value, (bool, int, float)) or name == _KEY_ID:
        return value
    if isinstance(value, bytes) or (_SECRET_NAME.search(name) and not name.endswith(_IDS)):
        return HIDDEN
    if isinstance(value, Mapping):
        return {key: fact_without_credentials(str(key), one) for key, one in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [fact_without_credentials("", one) for one in value]
    return without_credentials(str(value))


def redacted_path(path: str) -> str:
    """Return the path of an address for a log: without what looks like a token or an e-mail address."""
    if len(path) < _LONGEST_PLAIN and "@" not in path:
        return path
    parts = path[:_LONGEST_PATH].split("/")
    return "/".join(HIDDEN if "@" in one or looks_random(one) else one for one in parts)


_LONGEST_PLAIN = 20
"""A path that is shorter has no room for a token."""
_LONGEST_PATH = 500


def looks_random(word: str) -> bool:
    """Tell whether ``word`` looks like a token: long, of letters and digits mixed, and no UUID.

    Names in code are long, too, but seldom have all of capitals, small letters and digits.
    """
    if len(word) < _LONGEST_PLAIN or _UUID.match(word) or not any(map(str.isdigit, word)):
        return False
    if _HEXADECIMAL.match(word):
        return not word.isdigit()
    return any(map(str.isupper, word)) and any(map(str.islower, word))


def values_in_text(text: str | bytes) -> Iterator[object]:
    """Yield what ``text`` says: the values of JSON, else every word of it."""
    import orjson

    try:
        yield orjson.loads(text)
    except ValueError:
        whole = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
        yield from _WORDS.findall(whole)


def values_in_query(query: str) -> Iterator[object]:
    """Yield the values of the query of an address, or of a form."""
    for _name, value in parse_qsl(query):
        yield value


def _values() -> frozenset[str]:
    """Return the texts that are carried just now."""
    found: set[str] = set()
    for carried in _carried.get():
        try:
            for one in carried():
                _collect(one, found)
        except Exception:  # noqa: S112  # nosec B112  (a body that cannot be read: the log goes on without it)
            continue
    return frozenset(found)


def _collect(value: object, found: set[str]) -> None:
    if len(found) > _MOST_VALUES:
        return
    if isinstance(value, Mapping):
        for one in value.values():
            _collect(one, found)
    elif isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        for one in value:
            _collect(one, found)
    elif value is not None and not isinstance(value, bool):
        text = str(value)
        if len(text) >= _SHORTEST and not _UUID.match(text) and not says_nothing(text):
            found.add(text)


@lru_cache(maxsize=2)
def _known_pattern(values: frozenset[str]) -> re.Pattern[str] | None:
    return _pattern_of(values)


def _pattern_of(values: frozenset[str]) -> re.Pattern[str] | None:
    """Return what finds ``values`` as they are, in quotes and in addresses; the longest first."""
    forms = {form for one in values for form in (one, repr(one)[1:-1], quote(one, safe=""))}
    parts = [
        re.escape(one) if len(one) >= _ANYWHERE_FROM else rf"(?<!\w){re.escape(one)}(?!\w)"
        for one in sorted(forms, key=len, reverse=True)
    ]
    return re.compile("|".join(parts)) if parts else None
