"""Checkpoints and a key of its own for each test that seals."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from django.conf import settings


@pytest.fixture
def own_checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the deployment's data folder be one that nobody else writes to."""
    state = settings.PLATFORM
    core = state.deployment.core.model_copy(update={"data_dir": tmp_path})
    deployment = dataclasses.replace(state.deployment, core=core)
    monkeypatch.setattr(settings, "PLATFORM", dataclasses.replace(state, deployment=deployment))
