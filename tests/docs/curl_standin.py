"""A small curl for machines that have none: the options that the documents use, spoken with urllib."""

from __future__ import annotations

import argparse
import sys
import urllib.error
import urllib.request
from email.message import Message
from pathlib import Path
from typing import IO, Any

FAILED_TO_CONNECT = 7
HTTP_ERROR = 22


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Show a redirect instead of following it, as curl does without ``-L``."""

    def redirect_request(
        self, req: Any, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> None:
        return None


def main(words: list[str]) -> int:
    """Send one request; an option that no document uses is refused."""
    parser = argparse.ArgumentParser("curl", allow_abbrev=False)
    parser.add_argument("-s", action="store_true", help="accepted: there is no progress bar")
    parser.add_argument("-S", action="store_true", help="accepted: errors are shown")
    parser.add_argument("-f", action="store_true", dest="fail")
    parser.add_argument("-X", dest="method")
    parser.add_argument("-H", dest="headers", action="append", default=[])
    parser.add_argument("-d", dest="data")
    parser.add_argument("--data-binary", dest="file", help="@ and the name of a file")
    parser.add_argument("-o", dest="output", type=Path)
    parser.add_argument("-w", dest="written", default="")
    parser.add_argument("url")
    asked = parser.parse_args(words)
    headers = dict(line.split(": ", 1) for line in asked.headers)
    body = None if asked.data is None else asked.data.encode()
    if asked.file is not None:
        body = Path(asked.file.removeprefix("@")).read_bytes()
    request = urllib.request.Request(asked.url, body, headers, method=asked.method)
    try:
        answer: Any = urllib.request.build_opener(_NoRedirect).open(request, timeout=60)
    except urllib.error.HTTPError as error:
        answer = error
    except urllib.error.URLError as error:
        if not asked.s or asked.S:
            print(f"curl: ({FAILED_TO_CONNECT}) {error.reason}", file=sys.stderr)
        return FAILED_TO_CONNECT
    with answer:
        content = answer.read()
    if asked.fail and answer.status >= 400:
        return HTTP_ERROR
    if asked.output:
        asked.output.write_bytes(content)
    else:
        sys.stdout.buffer.write(content)
    told = {"%{http_code}": str(answer.status), "%{redirect_url}": answer.headers["Location"] or ""}
    for name, value in {**told, "\\n": "\n"}.items():
        asked.written = asked.written.replace(name, value)
    sys.stdout.buffer.write(asked.written.encode())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
