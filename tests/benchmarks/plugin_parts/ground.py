"""What the parts of the plugins' benchmark stand on: deployments of synthetic plugins, and goals."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.measuring import UNLIMITED
from tests.benchmarks.synthetic import slugs
from tests.deployments import ROOT, TestDeployment, new_database

_LIMITS = f'rate_limit_signed_in = "{UNLIMITED}"\nrate_limit_anonymous = "{UNLIMITED}"\n'


@dataclass(frozen=True, slots=True)
class Goal:
    """One measured ratio and the most it may be."""

    name: str
    value: float
    bound: float

    @property
    def met(self) -> bool:
        """Whether the goal is reached."""
        return self.value <= self.bound


@dataclass(frozen=True, slots=True)
class Ground:
    """Where deployments of synthetic plugins are made, on one throw-away server."""

    folder: Path
    plugins: Path

    @contextmanager
    def deployment(self, count: int, *, installed: bool = True) -> Iterator[TestDeployment]:
        """Yield a deployment of identity and ``count`` plugins on an empty database."""
        with new_database() as url:
            folder = Path(tempfile.mkdtemp(dir=self.folder))
            path = [self.plugins, ROOT] if installed else [ROOT]
            made = TestDeployment(folder=folder, database_url=url, path=path)
            made.write(plugins=["identity", *slugs(count)], sections=_LIMITS)
            yield made
