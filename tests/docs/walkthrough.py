"""Read a document as a person would who types it in: its commands, the output it promises, the files it shows.

In ```` ```console ```` blocks, ``$`` begins a command, ``>`` continues it, and everything else is its output, in which
``...`` stands for any text, and alone on a line for any lines. A block whose first line says ``writes=PATH`` is written to that file; one that says
``shows=PATH`` has to be what the file holds. Blocks of other kinds are only read.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

BLOCK = re.compile(
    r"^```(?P<language>\w+)(?: (?P<mode>writes|shows)=(?P<path>\S+))?\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
COMMAND_TIMEOUT_S = 180
END = "--- end of command ---"


@dataclass
class Command:
    """A command with the output that the document shows after it."""

    text: str
    line: int
    output: list[str] = field(default_factory=list)


@dataclass
class File:
    """A file that the document shows, or asks to write."""

    path: str
    text: str
    line: int
    is_written: bool


def steps_of(document: str) -> Iterator[Command | File]:
    """Yield what ``document`` asks its reader to do, in its order."""
    for block in BLOCK.finditer(document):
        line = document.count("\n", 0, block.start()) + 1
        if block["path"]:
            yield File(block["path"], block["text"], line, block["mode"] == "writes")
        elif block["language"] == "console":
            yield from _commands(block["text"], line)


def _commands(text: str, line: int) -> Iterator[Command]:
    found: Command | None = None
    for number, words in enumerate(text.splitlines(), start=line + 1):
        if words.startswith("$ "):
            if found:
                yield found
            found = Command(words.removeprefix("$ "), number)
        elif found is None:
            raise AssertionError(f"line {number}: output before any command")
        elif words.startswith("> ") and not found.output:
            found.text += "\n" + words.removeprefix("> ")
        else:
            found.output.append(words)
    if found:
        yield found


def matches(shown: str, real: str) -> bool:
    """Tell whether ``real`` is what ``shown`` promises: ``...`` is any text, alone on a line any lines, even none."""
    pattern = "".join(
        r"(?:[^\n]*\n)*?" if line.strip() == "..." else _line_pattern(line) + r"\n"
        for line in _lines(shown)
    )
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in _lines(real))) is not None


def _line_pattern(line: str) -> str:
    return r"[^\n]*".join(re.escape(part) for part in line.split("..."))


def _lines(text: str) -> list[str]:
    """Return the lines without what nobody sees: spaces at their ends, empty lines around them."""
    return [line.rstrip() for line in text.strip("\n").splitlines()]


@dataclass
class Shell:
    """One POSIX shell that keeps its variables, functions and folder from command to command."""

    process: subprocess.Popen[str]

    def run(self, text: str) -> tuple[int, str]:
        """Run ``text`` and return its exit code and everything that it printed."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        timer = threading.Timer(COMMAND_TIMEOUT_S, self._kill)
        timer.start()
        try:
            self.process.stdin.write(f"{{ {text}\n}} </dev/null 2>&1; printf '\\n{END}%d\\n' $?\n")
            self.process.stdin.flush()
            printed = ""
            for line in self.process.stdout:
                if line.startswith(END):
                    return int(line.removeprefix(END)), printed.removesuffix("\n")
                printed += line
        finally:
            timer.cancel()
        raise AssertionError(f"The shell ended, or was stopped, while it ran: {text}\n{printed}")

    def folder(self) -> Path:
        """Return the folder that the shell is in."""
        return Path(self.run("pwd")[1].strip())

    def _kill(self) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)


@contextmanager
def shell(folder: Path, environment: Mapping[str, str]) -> Iterator[Shell]:
    """Run ``sh`` in ``folder`` until the block ends; what it left in the background is told to stop."""
    process = subprocess.Popen(
        ["sh"],
        cwd=folder,
        env=dict(environment),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        start_new_session=True,
    )
    opened = Shell(process)
    try:
        yield opened
        opened.run(
            "trap '' TERM; kill -s TERM 0; wait; trap - TERM"
        )  # the shell's group is all its jobs
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(timeout=COMMAND_TIMEOUT_S)
        for stream in (process.stdin, process.stdout):
            if stream:
                stream.close()


def follow(document: Path, opened: Shell, replaced: Mapping[str, str]) -> list[Command | File]:
    """Do what ``document`` says and compare what it shows; ``replaced`` gives real values for those in its text.

    A command has to succeed, unless the next one is ``echo $?``, which then shows its exit code.
    """
    text = document.read_text(encoding="utf-8")
    for old, new in replaced.items():
        text = text.replace(old, new)
    steps = list(steps_of(text))
    code = 0
    for step, following in zip(steps, [*steps[1:], None], strict=True):
        where = f"{document.name}, line {step.line}"
        if isinstance(step, File):
            _follow_file(step, opened, where)
            continue
        may_fail = isinstance(following, Command) and following.text == "echo $?"
        before = f"(exit {code}); " if step.text == "echo $?" else ""
        code, printed = opened.run(before + step.text)
        assert code == 0 or may_fail, f"{where}: {step.text}\nexit code {code}\n{printed}"
        if step.output:
            shown = "\n".join(step.output)
            assert matches(shown, printed), (
                f"{where}: {step.text}\nshown:\n{shown}\nprinted:\n{printed}"
            )
    return steps


def _follow_file(step: File, opened: Shell, where: str) -> None:
    path = opened.folder() / step.path
    if step.is_written:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(step.text, encoding="utf-8")
        return
    real = path.read_text(encoding="utf-8")
    assert matches(step.text, real), f"{where}: {step.path} holds\n{real}"
