"""Extract what people read from the code, update its French and German catalogues and compile them."""

from __future__ import annotations

import sys
from pathlib import Path

from platform_core.testing.catalogue_files import bring_up_to_date

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = (
    ROOT / "platform_core",
    ROOT / "plugins" / "identity" / "platform_identity",
    ROOT / "plugins" / "education" / "platform_education",
)
LANGUAGES = ("de", "fr")


def main() -> int:
    """Bring every catalogue up to date; the answer counts the strings without a translation."""
    missing = 0
    for package in PACKAGES:
        for language in LANGUAGES:
            for text in bring_up_to_date(package, language):
                missing += 1
                sys.stdout.write(f"{package.name}, {language}: {text!r}\n")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
