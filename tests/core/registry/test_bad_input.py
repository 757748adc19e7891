"""Every way a plugin or a deployment can be wrong: one clear report, exit code 1, nothing half-done."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from platform_core.cli.app import build_app
from platform_core.registry.command_names import CORE_COMMANDS
from tests.deployments import Answer, TestDeployment, new_deployment, write_distribution

HOOKS = "from platform_core.hookspecs import hookimpl\n\n\n"
MODELS = "from django.db import models\n\n\nclass Thing(models.Model):\n    {field}\n"
RULE = (
    "from platform_core.access import Granted\nfrom platform_core.contributions import Permission\n"
)
SECRET = "hunter2-is-not-to-be-seen"


def hook(name: str, body: str) -> str:
    return f"{HOOKS}@hookimpl\ndef {name}():\n    {body}\n"


def permission(name: str) -> str:
    return (
        f"{RULE}{HOOKS}@hookimpl\ndef permissions():\n"
        f'    return [Permission(name="{name}", title="x", rule=Granted("{name}"))]\n'
    )


FLAG = (
    "import datetime\n\nfrom platform_core.contributions import Flag\n"
    f"{HOOKS}@hookimpl\ndef flags():\n"
    '    return [Flag(name="{name}", title="x", owner="me", expires_on=datetime.date(2030, 1, 1))]\n'
)
ROUTE = (
    "from platform_core.contributions import PUBLIC, Route\n"
    f"{HOOKS}def view(request):\n    return None\n\n\n@hookimpl\ndef routes():\n    return [{{routes}}]\n"
)
ONE_ROUTE = 'Route(path="x/", name="x", access=PUBLIC, view=view)'

EVENT = (
    "from uuid import UUID\n\nfrom platform_core.events import Event\n\n\n"
    'class Moved(Event):\n    """A thing has moved."""\n\n    name = "toy.thing.moved"\n    aggregate = "thing"\n\n'
    "    thing: UUID\n    {field}: {type}\n\n\n"
)
SUBSCRIPTION = "from platform_core.contributions import Subscription\n" + hook(
    "subscriptions", 'return [Subscription(name="{name}", event="{event}", run=print)]'
)

RESOURCE = (
    "from platform_core.access import Policy\nfrom platform_core.resource import ModelSerializer, Resource, operation\n"
    "from toy_plugin.models import Thing\n\n\n"
    "class ThingSerializer(ModelSerializer):\n    class Meta:\n        model = Thing\n"
    '        fields = ("id", "{field}")\n\n\n'
    "class ThingResource(Resource):\n    model = Thing\n    serializer_class = ThingSerializer\n"
    '    policy = Policy.standard("toy.thing")\n    ordering = "id"\n\n\n'
) + hook("resources", "return [ThingResource]")

MAIL = (
    'from platform_core.mail import Mail\n\n\nclass Greeting(Mail):\n    """Greets somebody."""\n\n'
    '    name = "toy.greeting"\n    subject = "{subject}"\n\n    who: {type}\n\n'
    "    @classmethod\n    def example(cls):\n        return cls(who='x')\n\n\n"
) + hook("mails", "return [Greeting]").replace("{", "{{").replace("}", "}}")

CASES = {
    "a mail that shows what it does not have": (
        {"hooks.py": MAIL.format(subject="Hello {whom}", type="str")},
        "mail_invalid",
        "hooks.py:20",
    ),
    "a mail without a template": (
        {"hooks.py": MAIL.format(subject="Hello", type="str")},
        "mail_template",
        "hooks.py:20",
    ),
    "an event that holds a secret": (
        {"hooks.py": EVENT.format(field="password", type="str") + hook("events", "return [Moved]")},
        "event_invalid",
        "hooks.py:19",
    ),
    "an event that holds anything": (
        {"hooks.py": EVENT.format(field="what", type="object") + hook("events", "return [Moved]")},
        "event_invalid",
        "hooks.py:19",
    ),
    "an event that is none": (
        {"hooks.py": hook("events", "return [int]")},
        "hook_wrong_type",
        "hooks.py:4",
    ),
    "a subscription to an event that there is not": (
        {"hooks.py": SUBSCRIPTION.format(name="toy.listen", event="identity.user.exploded")},
        "unknown_reference",
        "hooks.py:5",
    ),
    "a subscription without the prefix": (
        {"hooks.py": SUBSCRIPTION.format(name="identity.listen", event="elsewhere.x.happened")},
        "prefix",
        "hooks.py:5",
    ),
    "a misspelt hook": (
        {"hooks.py": hook("permissionz", "return []")},
        "hook_invalid",
        "hooks.py:4",
    ),
    "a hook with a parameter": (
        {"hooks.py": f"{HOOKS}@hookimpl\ndef permissions(plugin):\n    return []\n"},
        "hook_invalid",
        "hooks.py:4",
    ),
    "a hook that returns the wrong type": (
        {"hooks.py": hook("permissions", 'return "all"')},
        "hook_wrong_type",
        "hooks.py:4",
    ),
    "a hook that returns wrong items": (
        {"hooks.py": hook("permissions", "return [1]")},
        "hook_wrong_type",
        "hooks.py:4",
    ),
    "a hook that raises": (
        {"hooks.py": hook("permissions", 'raise KeyError("boom")')},
        "hook_raised",
        "hooks.py:6",
    ),
    "an import error in hooks.py": (
        {"hooks.py": "import nothing_like_this\n"},
        "hooks_import_failed",
        "hooks.py:1",
    ),
    "an import error in models.py": (
        {"models.py": "\nimport nothing_like_this\n"},
        "models_import_failed",
        "models.py:2",
    ),
    "a syntax error in models.py": (
        {"models.py": "def (\n"},
        "models_import_failed",
        "models.py:1",
    ),
    "a permission without the prefix": (
        {"hooks.py": permission("identity.view_all")},
        "prefix",
        "hooks.py",
    ),
    "a rule over a path that leads nowhere": (
        {
            "models.py": MODELS.format(field="name = models.TextField()"),
            "hooks.py": "from platform_core.access import Where, actor\n"
            "from platform_core.contributions import Permission\n"
            + hook(
                "permissions",
                'return [Permission(name="toy.view_thing", title="x", model="toy.Thing", '
                'rule=Where("owner", actor))]',
            ),
        },
        "rule_invalid",
        "toy.view_thing",
    ),
    "a flag without the prefix": ({"hooks.py": FLAG.format(name="other.x")}, "prefix", "hooks.py"),
    "one route twice": (
        {"hooks.py": ROUTE.format(routes=f"{ONE_ROUTE}, {ONE_ROUTE}")},
        "conflict",
        "hooks.py",
    ),
    "a route without access": (
        {"hooks.py": ROUTE.format(routes='Route(path="x/", name="x", access="", view=view)')},
        "unknown_reference",
        "hooks.py",
    ),
    "a route from the root": (
        {"hooks.py": ROUTE.format(routes=ONE_ROUTE.replace("x/", "/x/"))},
        "route_path",
        "hooks.py",
    ),
    "a serializer with a field that the model does not have": (
        {"models.py": MODELS.format(field="pass"), "hooks.py": RESOURCE.format(field="nmae")},
        "resource_invalid",
        "hooks.py",
    ),
    "a resource with an attribute that is nearly one": (
        {
            "models.py": MODELS.format(field="pass"),
            "hooks.py": RESOURCE.format(field="id").replace(
                "ordering =", "field_rule = {}; ordering ="
            ),
        },
        "resource_invalid",
        "hooks.py",
    ),
    "an operation whose condition is a name": (
        {
            "models.py": MODELS.format(field="pass"),
            "hooks.py": RESOURCE.format(field="id").replace(
                "    ordering",
                '    @operation(verb="ring", when="is_open")\n'
                "    def ring(self, obj, data):\n        pass\n\n    ordering",
            ),
        },
        "hooks_import_failed",
        "hooks.py",
    ),
    "a subscriber that takes no event": (
        {
            "hooks.py": SUBSCRIPTION.format(
                name="toy.listen", event="elsewhere.x.happened"
            ).replace("run=print", "run=lambda: None")
        },
        "not_callable",
        "hooks.py",
    ),
    "a command of the core's name": (
        {
            "hooks.py": "from platform_core.contributions import Command\n"
            + hook("commands", 'return [Command(name="migrate", run=print, help="x")]')
        },
        "command_name",
        "hooks.py",
    ),
    "a role that names an unknown permission": (
        {
            "hooks.py": "from platform_core.contributions import Role\n"
            + hook("roles", 'return [Role(name="toy.r", title="x", permissions=("toy.nope",))]')
        },
        "unknown_reference",
        "hooks.py",
    ),
    "a foreign key to an absent plugin": (
        {
            "models.py": MODELS.format(
                field='other = models.ForeignKey("absent.Thing", models.SET_NULL, null=True)'
            )
        },
        "absent_target",
        "Thing.other",
    ),
    "a table without the prefix": (
        {"models.py": MODELS.format(field='class Meta:\n        db_table = "identity_thing"')},
        "prefix",
        "models.Thing",
    ),
}


@pytest.fixture
def deployment(tmp_path: Path):
    with new_deployment(tmp_path / "deployment", plugins=["identity", "toy"]) as made:
        made.path.append(tmp_path / "wheels")
        yield made


def tables(deployment: TestDeployment) -> int:
    with psycopg.connect(deployment.database_url) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        ).fetchone()
    assert row is not None
    return int(row[0])


def assert_refused(answer: Answer, code: str, place: str, plugin: str = "toy") -> None:
    assert answer.code == 1, answer.err
    (problem,) = [found for found in answer.problems if found["code"] == code]
    assert problem["plugin"] == plugin
    assert place in problem["place"]
    assert problem["message"]
    assert problem["way_out"]


@pytest.mark.parametrize("case", CASES)
def test_a_broken_plugin_stops_the_start(deployment: TestDeployment, case: str) -> None:
    files, code, place = CASES[case]
    write_distribution(deployment.path[0], "toy", files=files)

    answer = deployment.call("migrate", "--json")

    assert_refused(answer, code, place)
    assert tables(deployment) == 0


def test_a_misspelt_attribute_of_the_configuration_is_told(deployment: TestDeployment) -> None:
    write_distribution(deployment.path[0], "toy", apps_extra="setting_class = None")

    answer = deployment.call("check", "--json")

    assert_refused(answer, "attribute_unknown", "setting_class")


def test_no_command_of_the_core_can_be_a_plugins() -> None:
    first = {one.name for one in build_app().registered_groups}
    first |= {one.name for one in build_app().registered_commands}
    assert first <= CORE_COMMANDS


@pytest.mark.parametrize("thing", ["permission", "flag", "command", "setting"])
def test_two_plugins_that_claim_one_thing_are_both_named(
    deployment: TestDeployment, thing: str
) -> None:
    command = "from platform_core.contributions import Command\n" + hook(
        "commands", 'return [Command(name="greet", run=print, help="x")]'
    )
    setting = 'django_settings = {"SOME_SETTING": 1}'
    for slug in ("toy", "toy2"):
        files = {
            # A prefix cannot be claimed by another plugin, so a doubled name is one plugin's own.
            "permission": permission("toy.view_all").replace("]\n", "] * 2\n")
            if slug == "toy"
            else HOOKS,
            "flag": FLAG.format(name="toy.x").replace("]\n", "] * 2\n") if slug == "toy" else HOOKS,
            "command": command,
            "setting": HOOKS,
        }[thing]
        write_distribution(
            deployment.path[0],
            slug,
            files={"hooks.py": files},
            apps_extra=setting if thing == "setting" else "",
        )
    deployment.write(plugins=["identity", "toy", "toy2"])

    answer = deployment.call("check", "--json")

    assert answer.code == 1
    (problem,) = answer.problems
    assert problem["code"] in {"conflict", "setting_conflict"}
    assert "toy" in problem["message"]


def test_all_broken_plugins_are_told_at_once(deployment: TestDeployment) -> None:
    write_distribution(deployment.path[0], "toy", files={"models.py": "import nothing_like_this\n"})
    write_distribution(deployment.path[0], "toy2", files={"models.py": "1 / 0\n"})
    deployment.write(plugins=["identity", "toy", "toy2"])

    answer = deployment.call("check", "--json")

    assert {problem["plugin"] for problem in answer.problems} == {"toy", "toy2"}


def test_a_broken_user_model_is_told_by_its_owner(deployment: TestDeployment) -> None:
    write_distribution(
        deployment.path[0],
        "people",
        apps_extra='auth_user_model = "people.User"',
        files={"models.py": "import nothing_like_this\n"},
    )
    deployment.write(plugins=["people"])

    answer = deployment.call("check", "--json")

    assert_refused(answer, "models_import_failed", "people_plugin/models.py:1", plugin="people")


def test_settings_of_all_plugins_are_one_report_without_values(
    deployment: TestDeployment,
) -> None:
    for slug in ("toy", "toy2"):
        write_distribution(
            deployment.path[0],
            slug,
            apps_extra=f"settings_class = __import__('{slug}_plugin.settings').settings.Values",
            files={
                "settings.py": "from platform_core.conf import PluginSettings\n\n\n"
                "class Values(PluginSettings):\n    token: str\n    seats: int = 1\n"
            },
        )
    deployment.write(plugins=["identity", "toy", "toy2"])

    answer = deployment.call("check", "--json", PLUGIN_TOY_SEATS=SECRET, PLUGIN_TOY2_TOKN=SECRET)

    places = {problem["place"] for problem in answer.problems}
    assert places == {
        "PLUGIN_TOY_TOKEN",
        "PLUGIN_TOY_SEATS",
        "PLUGIN_TOY2_TOKEN",
        "PLUGIN_TOY2_TOKN",
    }
    assert SECRET not in answer.out + answer.err


def test_an_unknown_plugin_is_told_to_a_person(deployment: TestDeployment) -> None:
    deployment.write(plugins=["identity", "identiti"])

    answer = deployment.call("check")

    assert answer.code == 1
    assert 'Did you mean "identity"?' in answer.err
    assert "Traceback" not in answer.err


def test_a_plugin_with_tables_in_neither_list_names_both_ways_out(
    deployment: TestDeployment,
) -> None:
    write_distribution(deployment.path[0], "toy", files={"hooks.py": HOOKS})
    assert deployment.call("migrate").code == 0
    deployment.write(plugins=["identity"])

    for command in ("check", "migrate", "run"):
        answer = deployment.call(command, "--json")
        assert_refused(answer, "unlisted_plugin", "toy-plugin 1.0")
        assert "PLATFORM_PLUGINS" in answer.problems[0]["way_out"]
        assert "PLATFORM_DORMANT_PLUGINS" in answer.problems[0]["way_out"]


def test_a_database_newer_than_the_code_is_refused(deployment: TestDeployment) -> None:
    deployment.write(plugins=["identity"])
    assert deployment.call("migrate").code == 0
    with psycopg.connect(deployment.database_url) as connection:
        connection.execute(
            "INSERT INTO django_migrations (app, name, applied) VALUES ('identity', '9999_x', now())"
        )

    for command in ("check", "migrate", "run"):
        answer = deployment.call(command, "--json")
        assert_refused(answer, "database_newer", "9999_x", plugin="identity")


@pytest.mark.parametrize("module", ["nowhere.at_all", "broken"])
def test_settings_that_cannot_be_imported_are_told(deployment: TestDeployment, module: str) -> None:
    (deployment.folder / "platform.toml").write_text(
        f'[platform]\nsettings = "{module}"\n', encoding="utf-8"
    )
    (deployment.folder / "broken.py").write_text("def (\n", encoding="utf-8")

    answer = deployment.call("check", "--json")

    assert_refused(answer, "settings_not_importable", module, plugin="")
    assert "Traceback" not in answer.err


def test_settings_that_raise_are_told_with_their_line(deployment: TestDeployment) -> None:
    (deployment.folder / "platform.toml").write_text(
        '[platform]\nsettings = "broken"\n', encoding="utf-8"
    )
    (deployment.folder / "broken.py").write_text("\nDEBUG = 1 / 0\n", encoding="utf-8")

    answer = deployment.call("check", "--json")

    assert_refused(answer, "settings_not_importable", "broken.py:2", plugin="")
    assert "Traceback" not in answer.err


def test_a_profile_that_does_not_exist_does_not_start_as_another(
    deployment: TestDeployment,
) -> None:
    by_environment = deployment.call("check", "--json", PLATFORM_PROFILE="production")
    settings = deployment.folder / "settings.py"
    text = settings.read_text(encoding="utf-8").replace('"dev"', '"production"')
    settings.write_text(text, encoding="utf-8")
    by_settings = deployment.call("check", "--json")

    assert_refused(by_environment, "setting_invalid", "PLATFORM_PROFILE", plugin="")
    assert_refused(by_settings, "profile_unknown", "PLATFORM_PROFILE", plugin="")
    assert "production is prod" in by_settings.problems[0]["way_out"]


def test_what_was_typed_is_repeated_as_it_was(deployment: TestDeployment) -> None:
    answer = deployment.call("plugin", "enable", "[/bold]x[red]")

    assert answer.code == 1
    assert "Traceback" not in answer.err
    assert "[/bold]x[red]" in answer.err


def test_no_deployment_says_how_to_make_one(tmp_path: Path, deployment: TestDeployment) -> None:
    (deployment.folder / "platform.toml").unlink()

    answer = deployment.call("check", "--json")

    assert answer.code == 1
    assert answer.problems[0]["code"] == "no_deployment"
    assert "platformctl init" in answer.problems[0]["way_out"]


def test_an_unreachable_database_is_told_without_its_password(deployment: TestDeployment) -> None:
    deployment.write(plugins=["identity"])
    address = f"postgresql://u:{SECRET}@127.0.0.1:1/none"

    answer = deployment.call("migrate", "--json", DATABASE_URL=address)

    assert answer.code == 1
    assert answer.problems[0]["code"] == "database_unreachable"
    assert SECRET not in answer.out + answer.err
