"""An integrator opens the API's documentation, signs in and tries a call, offline and under the strict policy."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.deployments import TestDeployment
from tests.served import Served, owner_credentials, serve

expect.set_options(timeout=30_000)


def operation(page: Page, name: str) -> Locator:
    """Return the block of one operation; its identifier starts with the plugin's slug."""
    return page.locator(f"#operations-{name.partition('_')[0]}-{name}")


def deep_link(served: Served, name: str) -> str:
    """Return the address that opens the documentation at one operation."""
    return f"{served.url}/api/docs/#/{name.partition('_')[0]}/{name}"


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, Path]]:
    folder = tmp_path_factory.mktemp("docs") / "deployment"
    folder.mkdir()
    TestDeployment(folder, "").write(plugins=["identity", "education"])
    with serve(folder, "--demo", "--workers", "1") as served:
        yield served, folder / "var"


def test_the_documentation_lists_every_plugin_without_a_complaint(
    deployment: tuple[Served, Path], page: Page
) -> None:
    served, _ = deployment
    strangers: list[str] = []
    page.on("request", lambda sent: served.url in sent.url or strangers.append(sent.url))

    for name in (
        "education_students_list",
        "identity_users_list",
        "identity_auth_auth_login_post",
    ):
        page.goto("about:blank")
        page.goto(deep_link(served, name))  # Swagger draws only what is in view
        expect(page.get_by_role("heading", name="Platform Core")).to_be_visible()
        expect(operation(page, name)).to_be_visible()
    own_notice = "Deprecated: escaping deep link whitespace"  # Swagger's about underscores in names
    complaints = [text for text in page.complaints if not text.startswith(own_notice)]  # type: ignore[attr-defined]
    assert complaints == []
    assert [url for url in strangers if not url.startswith("data:")] == []


def test_redoc_lists_every_plugin_without_a_complaint(
    deployment: tuple[Served, Path], page: Page
) -> None:
    served, _ = deployment
    asked: list[str] = []
    page.on("request", lambda sent: asked.append(sent.url))

    page.goto(f"{served.url}/api/redoc/")

    heading = page.get_by_role("heading", name="Platform Core")
    expect(heading).to_be_visible(timeout=120_000)  # it draws every operation before it shows one
    menu = page.locator(".menu-content")
    expect(menu).to_contain_text("education")
    expect(menu).to_contain_text("identity")
    students = page.locator("[id='tag/education/operation/education_students_list']")
    expect(students).to_be_attached()
    expect(students).to_contain_text("family_name")
    styled = "(one) => getComputedStyle(one).position"
    assert (
        menu.evaluate(styled) != "static" or menu.locator("xpath=..").evaluate(styled) == "sticky"
    )
    assert page.complaints == []  # type: ignore[attr-defined]
    assert [url for url in asked if not url.startswith((served.url, "data:"))] == []


def test_an_integrator_authorises_and_tries_a_list(
    deployment: tuple[Served, Path], page: Page
) -> None:
    served, data_dir = deployment
    token = served.sign_in(*owner_credentials(data_dir))
    page.goto(deep_link(served, "education_students_list"))

    students = operation(page, "education_students_list")
    students.get_by_role("button", name="authorization button").click()
    dialog = page.locator(".modal-ux")
    bearer = dialog.locator(".auth-container").filter(has_text=re.compile("bearer", re.I)).first
    bearer.locator("input").fill(token)
    bearer.get_by_role("button", name="Apply credentials").click()
    dialog.get_by_role("button", name="Close").first.click()
    students.get_by_role("button", name="Try it out").click()
    students.get_by_role("button", name="Execute").click()

    live = students.locator(".live-responses-table")
    expect(live.locator("tbody .response-col_status").first).to_contain_text("200")
    expect(live).to_contain_text("family_name")
