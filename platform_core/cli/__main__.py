"""``python -m platform_core.cli``: the same as ``platformctl``."""

from platform_core.cli import main

main()
