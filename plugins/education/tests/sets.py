"""Changing the files of a set, as tests do."""

from __future__ import annotations

import csv
from pathlib import Path


def edit(folder: Path, file: str, row: int, column: str, value: str) -> None:
    """Put ``value`` into a cell; ``row`` counts from 1 below the header."""
    header, *rows = read(folder, file)
    rows[row - 1][header.index(column)] = value
    write(folder, file, [header, *rows])


def drop_row(folder: Path, file: str, row: int) -> None:
    """Remove a row."""
    lines = read(folder, file)
    del lines[row]
    write(folder, file, lines)


def drop_column(folder: Path, file: str, column: str) -> None:
    """Remove a column."""
    lines = read(folder, file)
    place = lines[0].index(column)
    write(folder, file, [line[:place] + line[place + 1 :] for line in lines])


def rename_column(folder: Path, file: str, column: str, name: str) -> None:
    """Give a column another header."""
    header, *rows = read(folder, file)
    header[header.index(column)] = name
    write(folder, file, [header, *rows])


def append(folder: Path, file: str, line: bytes) -> None:
    """Add raw bytes at the end of a file."""
    path = folder / file
    path.write_bytes(path.read_bytes() + line)


def read(folder: Path, file: str) -> list[list[str]]:
    """Return all lines, the header first."""
    with (folder / file).open(encoding="utf-8", newline="") as stream:
        return list(csv.reader(stream))


def write(folder: Path, file: str, lines: list[list[str]]) -> None:
    """Replace the file."""
    with (folder / file).open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows(lines)
