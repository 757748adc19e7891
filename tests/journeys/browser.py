"""Find the Chromium that the journeys drive, or install Debian's when this is root with apt."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome")


def find_browser() -> str | None:
    """Return the path of a Chromium, or None."""
    for name in NAMES:
        path = shutil.which(name)
        if path:
            return path
    return None


def install_browser() -> bool:
    """Install Debian's package; False when that is not possible here."""
    apt = shutil.which("apt-get")
    if apt is None or os.geteuid() != 0:
        return False
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for words in (
        ["update", "-qq"],
        ["install", "-qq", "-y", "--no-install-recommends", "chromium"],
    ):
        done = subprocess.run(
            [apt, *words], env=environment, stdout=subprocess.DEVNULL, check=False
        )
        if done.returncode:
            return False
    return find_browser() is not None


def main() -> int:
    """Make sure that there is a browser; without one, say so loudly, and fail where CI asked for the journeys."""
    if find_browser() or install_browser():
        return 0
    print(
        "!!! NO CHROMIUM: the browser journeys are LEFT OUT. Install it (apt-get install chromium) and run make test again.",
        file=sys.stderr,
    )
    return 1 if os.environ.get("CI") else 0


if __name__ == "__main__":
    sys.exit(main())
