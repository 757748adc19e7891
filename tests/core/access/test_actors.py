"""Who acts, and how the context carries it through threads and tasks."""

from __future__ import annotations

import asyncio
import threading
import uuid
from dataclasses import FrozenInstanceError

import pytest

from platform_core.access import (
    ANONYMOUS,
    Actor,
    Grant,
    Grants,
    PermissionRegistry,
    acting_as,
    current_actor,
    current_reason,
    current_request_id,
    system_actor,
    using_permissions,
)
from platform_core.access.actors import actor
from tests.core.access.testapp.grants import MemoryGrantSource

ANN_ID = uuid.uuid4()
ANN = Actor(ANN_ID, "user", "ann")


@pytest.mark.parametrize(
    ("kind", "identifier"),
    [
        ("user", None),
        ("service", None),
        ("anonymous", uuid.uuid4()),
        ("system", uuid.uuid4()),
        ("root", None),
    ],
)
def test_an_id_has_to_fit_the_kind(kind: str, identifier: uuid.UUID | None) -> None:
    with pytest.raises(ValueError, match="kind"):
        Actor(identifier, kind)  # type: ignore[arg-type]


def test_an_id_is_a_uuid_and_no_text() -> None:
    with pytest.raises(TypeError, match=r"uuid\.UUID"):
        Actor(str(uuid.uuid4()), "user")  # type: ignore[arg-type]


def test_an_actor_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        ANN.kind = "system"  # type: ignore[misc]


def test_everybody_but_the_anonymous_actor_is_authenticated() -> None:
    assert [one.is_authenticated for one in (ANN, system_actor(), ANONYMOUS)] == [True, True, False]


def test_the_reference_reads_like_its_name() -> None:
    assert repr(actor) == "actor"


def test_grants_are_read_once_per_instance() -> None:
    held = Grants({"shop.view_order": Grant(everywhere=True)})
    source = MemoryGrantSource({ANN_ID: held})
    with using_permissions(PermissionRegistry([], source)):
        fresh = Actor(ANN.id, "user")
        assert fresh.grants is fresh.grants is held
        assert Actor(ANN.id, "user").grants is held
    assert source.asked == 2


def test_system_and_anonymous_actors_hold_nothing_and_ask_nothing() -> None:
    source = MemoryGrantSource()
    with using_permissions(PermissionRegistry([], source)):
        held = [system_actor("job").grants.permissions, Actor(None, "anonymous").grants.permissions]
    assert held == [frozenset(), frozenset()]
    assert source.asked == 0


def test_without_a_grant_source_nobody_holds_anything() -> None:
    with using_permissions(PermissionRegistry()):
        assert Actor(uuid.uuid4(), "user").grants.permissions == frozenset()


def test_an_empty_grant_is_not_held() -> None:
    grants = Grants(
        {"shop.view_order": Grant(), "shop.add_order": Grant(units=frozenset({ANN_ID}))}
    )
    assert not grants.holds("shop.view_order")
    assert grants.permissions == {"shop.add_order"}
    assert grants.get("shop.nothing") == Grant()


def test_outside_a_request_a_nameless_system_actor_acts() -> None:
    assert (current_actor(), current_request_id(), current_reason()) == (system_actor(), None, "")


def test_blocks_nest_and_inherit_request_and_reason() -> None:
    with acting_as(ANN, request_id="r1", reason="import"):
        with acting_as(system_actor("mail")):
            assert current_actor().label == "mail"
            assert (current_request_id(), current_reason()) == ("r1", "import")
        with acting_as(ANN, request_id="r2", reason="repair"):
            assert (current_request_id(), current_reason()) == ("r2", "repair")
        assert (current_actor(), current_request_id()) == (ANN, "r1")
    assert current_actor() == system_actor()


def test_an_error_ends_the_block() -> None:
    with pytest.raises(LookupError), acting_as(ANN):
        raise LookupError
    assert current_actor() == system_actor()


def test_one_block_can_be_entered_twice() -> None:
    block = acting_as(ANN)
    with block, block:
        assert current_actor() == ANN
    assert current_actor() == system_actor()


def test_another_thread_does_not_act_for_this_one() -> None:
    seen: list[Actor] = []
    with acting_as(ANN):
        thread = threading.Thread(target=lambda: seen.append(current_actor()))
        thread.start()
        thread.join()
    assert seen == [system_actor()]


def test_tasks_of_one_loop_do_not_see_each_others_actor() -> None:
    bob = Actor(uuid.uuid4(), "user", "bob")

    async def act(who: Actor, mine: asyncio.Event, other: asyncio.Event) -> Actor:
        with acting_as(who):
            mine.set()
            await other.wait()
            return current_actor()

    async def both() -> list[Actor]:
        one, two = asyncio.Event(), asyncio.Event()
        return list(await asyncio.gather(act(ANN, one, two), act(bob, two, one)))

    assert asyncio.run(both()) == [ANN, bob]


def test_a_block_is_no_decorator_because_a_coroutine_would_run_after_it() -> None:
    with pytest.raises(TypeError):
        acting_as(ANN)(lambda: None)  # type: ignore[operator]


def test_only_an_actor_can_act() -> None:
    with pytest.raises(TypeError, match="takes an Actor"):
        acting_as("ann")  # type: ignore[arg-type]
