"""Read SQL far enough to know what a statement is about: statements, words, names, and nothing guessed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

LINE_LENGTH = 100

_TOKEN = re.compile(
    r"""
    (?P<space>\s+ | --[^\n]* | /\*.*?\*/)
  | (?P<string>[eE]'(?:[^'\\]|\\.|'')*' | (?:[uU]&|[bBxXnN])?'(?:[^']|'')*' | \$(?P<tag>\w*)\$.*?\$(?P=tag)\$)
  | (?P<quoted>"(?:[^"]|"")+")
  | (?P<word>[^\W\d][\w$]*)
  | (?P<number>\d[\w.]*)
  | (?P<sign>.)
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of SQL: ``kind`` is word, quoted, string, number or sign; words are in upper case."""

    kind: str
    text: str
    name: str = ""
    """The identifier that it stands for, as PostgreSQL folds it; empty for what is none."""


def tokens_of(sql: str) -> list[Token]:
    """Return the tokens of ``sql`` without blanks and comments."""
    found = []
    for match in _TOKEN.finditer(sql):
        kind = "string" if match.lastgroup == "tag" else str(match.lastgroup)
        text = match.group()
        if kind == "word":
            found.append(Token(kind, text.upper(), text.lower()))
        elif kind == "quoted":
            found.append(Token(kind, text, text[1:-1].replace('""', '"')))
        elif kind != "space":
            found.append(Token(kind, text))
    return found


def split_statements(sql: str) -> list[str]:
    """Return the statements in ``sql`` as they are written, without the semicolons between them."""
    found, start = [], 0
    for match in _TOKEN.finditer(sql):
        if match.lastgroup == "sign" and match.group() == ";":
            found.append(sql[start : match.start()])
            start = match.end()
    found.append(sql[start:])
    return [text.strip() for text in found if tokens_of(text)]


class Reader:
    """A place in a row of tokens; every question that is answered moves it on."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self.tokens = tokens
        self.place = 0

    @property
    def rest(self) -> Sequence[Token]:
        """The tokens not read yet."""
        return self.tokens[self.place :]

    @property
    def at_end(self) -> bool:
        """Whether everything was read."""
        return self.place >= len(self.tokens)

    def take(self, *words: str) -> bool:
        """Read exactly these words or signs when they come next; otherwise read nothing."""
        following = self.rest[: len(words)]
        if tuple(token.text for token in following) != words or any(
            token.kind not in {"word", "sign"} for token in following
        ):
            return False
        self.place += len(words)
        return True

    def take_any(self, *phrases: str) -> str:
        """Read the first of ``phrases`` (words with blanks between) that comes next and return it, else nothing."""
        return next((phrase for phrase in phrases if self.take(*phrase.split())), "")

    def name(self) -> str:
        """Read a name, with a schema when it has one; empty when none comes next."""
        parts: list[str] = []
        while not self.at_end and self.tokens[self.place].name:
            parts.append(self.tokens[self.place].name)
            self.place += 1
            if not self.take("."):
                break
        return ".".join(parts)

    def names(self) -> list[str]:
        """Read names with commas between them."""
        found = [self.name()]
        while self.take(","):
            self.take("ONLY")
            found.append(self.name())
        return found


def has_words(tokens: Sequence[Token], *words: str) -> bool:
    """Tell whether ``words`` stand next to one another somewhere in ``tokens``."""
    texts = [token.text if token.kind == "word" else "" for token in tokens]
    return any(
        texts[place : place + len(words)] == list(words)
        for place in range(len(texts) - len(words) + 1)
    )


def names_after(tokens: Sequence[Token], *words: str) -> list[str]:
    """Return the names that follow any of ``words``."""
    found = []
    for place, token in enumerate(tokens):
        if token.kind == "word" and token.text in words:
            reader = Reader(tokens[place + 1 :])
            reader.take("ONLY")
            found.append(reader.name())
    return [name for name in found if name]


def split_on_commas(tokens: Sequence[Token]) -> Iterator[Sequence[Token]]:
    """Yield the parts of ``tokens`` between commas that are in no brackets."""
    depth, start = 0, 0
    for place, token in enumerate(tokens):
        if token.kind != "sign":
            continue
        if token.text in "([":
            depth += 1
        elif token.text in ")]":
            depth -= 1
        elif token.text == "," and depth == 0:
            yield tokens[start:place]
            start = place + 1
    yield tokens[start:]


def broken_at_commas(sql: str) -> list[str]:
    """Return ``sql`` in lines for people: the parts inside its outermost brackets each on one of their own."""
    if len(sql) <= LINE_LENGTH or "\n" in sql:
        return sql.splitlines()
    lines, depth, start = [], 0, 0
    for match in _TOKEN.finditer(sql):
        text = match.group() if match.lastgroup == "sign" else ""
        end = -1
        if text == "(":
            depth += 1
            end = match.end() if depth == 1 else -1
        elif text == ")":
            depth -= 1
            end = match.start() if depth == 0 else -1
        elif text == "," and depth == 1:
            end = match.end()
        if end >= 0:
            lines.append(sql[start:end])
            start = end
    first, *inside = [line.strip() for line in (*lines, sql[start:])]
    closing = [place for place, line in enumerate(inside) if line.startswith(")")]
    indented = [line if place in closing else f"    {line}" for place, line in enumerate(inside)]
    return [line for line in (first, *indented) if line.strip()]
