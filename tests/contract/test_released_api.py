"""What first-party plugins served in the last release they serve still; or it was declared, and its sunset is past."""

from __future__ import annotations

import pytest
from django.utils.translation import override

from platform_core.compatibility.documents import compare
from platform_core.resource.openapi.generator import PlatformSchemaGenerator
from tools.released_api import essence, latest, read


@pytest.mark.django_db
def test_no_change_since_the_last_release_breaks_a_client() -> None:
    with override("en"):
        now = PlatformSchemaGenerator().get_schema(public=True)  # type: ignore[no-untyped-call]
    breaking = [one for one in compare(read(latest()), now) if one.breaking]
    assert not breaking, (
        "These changes break clients of the last release. Serve the new form as another version beside the old one, or "
        "declare the old one deprecated and let its sunset pass; before 1.0 say it in CHANGELOG.md and run make release:\n"
        + "\n".join(f"{one.where}: {one.what}" for one in breaking)
    )


def test_what_is_kept_has_all_that_programs_rely_on() -> None:
    released = read(latest())
    assert len(released["paths"]) > 100
    assert essence(released) == released
    where = "/api/v1/education/schools/"
    planted = {
        **released,
        "paths": {path: item for path, item in released["paths"].items() if path != where},
    }
    codes = {one.code for one in compare(released, planted)}
    assert codes == {"operation_removed"}
    assert compare(released, released) == []
