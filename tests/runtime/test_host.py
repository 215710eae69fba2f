from __future__ import annotations

import asyncio
import os
import signal as os_signals
from typing import TYPE_CHECKING, ClassVar

import aiohttp
import msgspec
import pytest

from runtime.backoff import BackoffOptions, ceiling
from runtime.clock import SystemClock
from runtime.embedded.server import running_server
from runtime.errors import LogMismatch, StoreMisused, StoreUnavailable
from runtime.floor import ServingOptions, StoreRefuses, seats_intensity
from runtime.host import CLUSTER_INTENSITY, HOST_INTENSITY, Host
from runtime.plan import ActorPlan
from runtime.serving.ticker import TimedActor
from runtime.signals import Bus, LeaseChanged, WaitDeclared, WaitEnded
from runtime.store.clients import Secret, StoreAddress
from runtime.supervision import AlreadyRunning, ChildSpec, GaveUp, IntensityOptions
from runtime.supervision.intensity import Intensity, check_reachable
from runtime.supervision.signals import ChildFailed, ChildStarted, ChildStopped, StopTimedOut
from runtime.telemetry.progress import ProgressOptions
from runtime.testing.startstop import stress
from tests.support.hosts import (
    LOG,
    QUICK,
    QUICK_SERVING,
    Lister,
    RunningHost,
    card,
    expected,
    lister,
    opened,
    outside,
    plan_of,
    running_host,
)
from tests.support.store import command
from tests.support.things import facts
from tests.support.waiting import PATIENCE, until
from tests.support.windows import window

if TYPE_CHECKING:
    from collections.abc import Sequence

    from redis.asyncio import Redis

    from runtime.actor import Actor
    from runtime.effects import Append, Effects
    from runtime.entry import Batch, Entry
    from runtime.supervision import Started


async def answer(one: RunningHost, path: str) -> tuple[int, str]:
    """What the status endpoint answers."""
    url = f"{one.host.status_server.address}{path}"
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status, await response.text()


# up and down


async def test_a_host_handles_what_was_there_and_what_comes(store_address: StoreAddress) -> None:
    async with outside(store_address) as client:
        await client.add("T1", 3)
        async with running_host(store_address) as one:
            await one.at_rest()
            await client.add("T1", 2)
            await client.add("T2", 1)
            await client.at_rest()
            await client.nothing_lost_nothing_twice()
            assert await green(one, "/readyz")


async def test_an_event_is_handled_milliseconds_after_its_append_in_a_quiet_cluster(
    store_address: StoreAddress,
) -> None:
    handled: asyncio.Queue[float] = asyncio.Queue()
    now = asyncio.get_running_loop().time

    class Watching(Lister):
        async def before(self, entry: Entry) -> None:
            handled.put_nowait(now())

    async with running_host(store_address, plan=plan_of(lister(lambda _: Watching()))) as one:
        await one.at_rest()
        seconds = []
        for _ in range(21):
            began = now()
            await one.add("T1")
            seconds.append(await handled.get() - began)
            await one.at_rest()
    assert sorted(seconds)[10] < 0.05


async def test_a_drained_host_leaves_nothing_in_the_store(store_address: StoreAddress) -> None:
    async with outside(store_address, partitions=4) as client:
        async with running_host(store_address, partitions=4) as one:
            assert one.held == {0, 1, 2, 3}
            await until(lambda: client.consumers(), what="the runners read")
            assert set(await client.owners()) == {one.host.card.incarnation}
            await one.stop()
            assert one.host.unstopped() == ()
        assert await client.owners() == ["", "", "", ""]
        assert await command(client.commands, "ZCARD", "claimstream:{processes}:living") == 0
        assert [look.started for look in await client.looks()] == ["", "", "", ""]
        assert await client.connections() == []


async def test_a_drain_under_load_finishes_what_is_in_hand_and_loses_nothing(
    store_address: StoreAddress,
) -> None:
    async with outside(store_address, partitions=4) as client:
        for n in range(12):
            await client.add(f"T{n}", 100)
        async with running_host(store_address, partitions=4) as one:
            await until(lambda: one.seen(["T0"]), what="something is handled")
            await one.stop()
            assert one.host.unstopped() == ()
            assert not one.signals.all(StopTimedOut)
        assert [look.started for look in await client.looks()] == ["", "", "", ""]
        async with running_host(store_address, partitions=4):
            await client.at_rest()
        await client.nothing_lost_nothing_twice()


async def test_keepers_outlive_the_cluster_and_services_do_not(store_address: StoreAddress) -> None:
    def child(name: str) -> ChildSpec:
        async def run(started: Started) -> None:
            started()
            await asyncio.Event().wait()

        return ChildSpec(name=name, run=run)

    async with running_host(store_address, keepers=[child("keeper")], services=[child("service")]) as one:
        await one.stop()
    came = [signal.child for signal in one.signals.all(ChildStarted, supervisor="host")]
    left = [signal.child for signal in one.signals.all(ChildStopped, supervisor="host")]
    assert came == ["loop lag", "status", "keeper", "cluster", "sampler", "service"]
    assert left == came[::-1]


async def test_a_host_starts_and_stops_in_any_order_and_leaves_nothing(store_address: StoreAddress) -> None:
    plan = plan_of(lister(), partitions=2)
    async with opened(store_address, plan) as store, outside(store_address, 2) as client:

        def host() -> Host:
            return Host(store, plan, card(), options=QUICK, bus=Bus(), clock=SystemClock())

        assert await stress(host, tasks=4, rounds=12, within=60.0, already_running=(AlreadyRunning,)) > 0
        assert await client.connections() == []
        assert await client.owners() == ["", ""]


# what goes wrong inside


async def test_a_runner_that_fails_is_started_again_with_an_actor_of_its_own(
    store_address: StoreAddress,
) -> None:
    built: list[Actor] = []

    class FailsOnce(Lister):
        def forget(self) -> None:
            if len(built) == 1:
                raise RuntimeError("out of its mind")

    def build(_: int) -> Actor:
        built.append(FailsOnce())
        return built[-1]

    async with running_host(store_address, plan=plan_of(lister(build))) as one:
        await one.add("T1", 2)
        await one.at_rest()
        assert await one.seen(["T1"]) == expected({"T1": 2})
        assert len(built) == 2
        failed = one.signals.all(ChildFailed, supervisor="runners")
        assert [signal.error for signal in failed] == ["RuntimeError: out of its mind"]


async def test_a_runner_that_never_comes_up_ends_the_process(store_address: StoreAddress) -> None:
    def build(_: int) -> Actor:
        raise RuntimeError("cannot be built")

    quick = msgspec.structs.replace(
        QUICK,
        serving=msgspec.structs.replace(QUICK_SERVING, backoff=BackoffOptions(first_seconds=0.001, cap_seconds=0.01)),
    )
    async with running_host(store_address, plan=plan_of(lister(build)), options=quick, wait=False) as one:
        with pytest.raises(GaveUp, match="cannot be built"):
            await asyncio.wait_for(asyncio.shield(one.task), PATIENCE)


def seconds_to_give_up(limits: Sequence[IntensityOptions], backoff: BackoffOptions) -> float:
    """How long until the outermost of nested supervisors gives up on a child that fails at once, at mean delays."""
    inner = seconds_to_give_up(limits[:-1], backoff) if limits[:-1] else 0.0
    own, level, now, failures = limits[-1], Intensity(), 0.0, Intensity()
    while now < 3600:
        now += inner
        level, failures = level.after_failure(own, now), failures.after_failure(own, now)
        if level.exceeds(own):
            return now
        now += ceiling(backoff, max(1, round(failures.level))) / 2
    return now


@pytest.mark.parametrize("seats", [1, 24])
def test_with_the_options_as_they_come_a_hopeless_runner_ends_the_process_within_minutes(seats: int) -> None:
    backoff = ServingOptions().backoff
    limits = [seats_intensity(seats, backoff), CLUSTER_INTENSITY, HOST_INTENSITY]
    assert seconds_to_give_up(limits, backoff) < 300
    assert seconds_to_give_up([limits[0], IntensityOptions(), IntensityOptions()], backoff) >= 3600


@pytest.mark.parametrize("seats", [1, 6, 7, 24, 4096])
@pytest.mark.parametrize("cap", [0.2, 5.0, 10.0])
def test_any_number_of_seats_can_be_served_and_one_hopeless_runner_is_noticed(seats: int, cap: float) -> None:
    check_reachable(seats_intensity(seats, BackoffOptions(cap_seconds=cap)), cap)


async def test_a_runner_that_is_cut_off_leaves_no_connection_and_no_read(store_address: StoreAddress) -> None:
    class Hangs(Lister):
        async def before(self, entry: Entry) -> None:
            await asyncio.Event().wait()

    brief = msgspec.structs.replace(QUICK, serving=msgspec.structs.replace(QUICK_SERVING, stop_seconds=0.1))
    async with outside(store_address) as client:
        await client.add("T1")
        plan = plan_of(lister(lambda _: Hangs()))
        async with running_host(store_address, plan=plan, options=brief) as one:
            await until(lambda: pending(client.commands), what="the entry is in hand")
            before = asyncio.all_tasks()
            await one.stop()
            assert one.host.unstopped() == ("things/listers/0",)
            left = [task.get_name() for task in asyncio.all_tasks() & before if not task.done()]
            assert not [name for name in left if name.startswith(("read", "close"))]
        assert await client.connections() == []
        async with running_host(store_address):
            await client.at_rest()
        await client.nothing_lost_nothing_twice()


async def pending(commands: Redis) -> int:
    """How many entries are pending with the listers."""
    summary = await command(commands, "XPENDING", LOG, "listers")
    count = summary["pending"] if isinstance(summary, dict) else summary[0]
    return int(count)


async def test_a_hanging_handler_with_backlog_turns_livez_red(store_address: StoreAddress) -> None:
    released = asyncio.Event()

    class Hangs(Lister):
        async def before(self, entry: Entry) -> None:
            await released.wait()

    options = msgspec.structs.replace(QUICK, progress=ProgressOptions(stall_after_seconds=0.3))
    async with running_host(store_address, plan=plan_of(lister(lambda _: Hangs())), options=options) as one:
        assert (await answer(one, "/livez"))[0] == 200
        await one.add("T1", 2)

        async def red() -> bool:
            return (await answer(one, "/livez"))[0] == 503

        await until(red, what="/livez is red")
        assert any("nothing settled" in reason for reason in (await one.host.status.health()).live_reasons)
        released.set()
        await one.at_rest()
        await until(lambda: green(one, "/livez"), what="/livez is green again")


async def green(one: RunningHost, path: str) -> bool:
    """Does the endpoint answer 200?"""
    return (await answer(one, path))[0] == 200


# the store


@window("W47")
async def test_a_store_that_is_away_is_waited_for_and_nothing_is_restarted() -> None:
    async with running_server() as server:
        async with running_host(StoreAddress.parse(server.url), partitions=2) as one:
            await one.add("T1", 2)
            await one.at_rest()

            os.kill(server.store.server_pid, os_signals.SIGSTOP)
            await one.signals.wait_for(WaitDeclared, reason="store_away")
            await until(lambda: red(one, "/readyz"), what="/readyz is red")
            assert await green(one, "/livez")
            os.kill(server.store.server_pid, os_signals.SIGKILL)
            await server.wait()
            await asyncio.sleep(0.5)  # not for a condition: the store is away for a while
            assert await green(one, "/livez")
            await server.restart()
            await until(lambda: green(one, "/readyz"), what="/readyz is green again")
            await one.add("T1", 2)
            await one.at_rest()
            assert await one.seen(["T1"]) == expected({"T1": 4})
            assert not one.signals.all(ChildFailed)
            declared, ended = one.signals.all(WaitDeclared), one.signals.all(WaitEnded)
            assert len(declared) == len(ended) > 0
            assert {signal.child: signal.incarnation for signal in one.signals.all(ChildStarted)} == {
                signal.child: 1 for signal in one.signals.all(ChildStarted)
            }


async def red(one: RunningHost, path: str) -> bool:
    """Does the endpoint answer 503?"""
    return (await answer(one, path))[0] == 503


async def test_livez_answers_while_the_cluster_waits_for_its_store_at_the_start() -> None:

    async with running_server() as server:
        address = StoreAddress.parse(server.url)
        async with opened(address, plan_of(lister())):
            pass
        plan = plan_of(lister())
        async with opened(address, plan) as store:
            host = Host(store, plan, card(), options=QUICK, bus=Bus(), clock=SystemClock())
            os.kill(server.store.server_pid, os_signals.SIGSTOP)
            task = asyncio.create_task(host.run())
            try:
                await until(lambda: host.status_server.address, what="the status endpoint is there")
                report = await host.status.health()
                assert report.live
                assert "starting" in report.ready_reasons
            finally:
                os.kill(server.store.server_pid, os_signals.SIGCONT)
                host.stop()
                await task


@pytest.mark.slow
async def test_a_stop_does_not_wait_for_a_store_that_hangs() -> None:

    async with running_server() as server:
        async with running_host(StoreAddress.parse(server.url), partitions=2) as one:
            await one.at_rest()
            os.kill(server.store.server_pid, os_signals.SIGSTOP)
            try:
                await one.signals.wait_for(WaitDeclared, reason="store_away")
                began = asyncio.get_running_loop().time()
                await one.stop()
                assert asyncio.get_running_loop().time() - began < QUICK_SERVING.stop_seconds
                assert one.host.unstopped() == ()
            finally:
                os.kill(server.store.server_pid, os_signals.SIGCONT)


async def test_rights_that_are_taken_away_end_the_host_with_one_clear_line() -> None:
    async with running_server() as server:
        root = StoreAddress.parse(server.url)
        async with outside(root) as client:
            await command(client.commands, "ACL", "SETUSER", "actor", "on", ">secret", "~*", "&*", "+@all")
            address = msgspec.structs.replace(root, username="actor", password=Secret("secret"))
            async with running_host(address) as one:
                await one.at_rest()
                await command(client.commands, "ACL", "SETUSER", "actor", "-fcall")
                with pytest.raises(StoreRefuses, match="permissions to run the 'fcall' command"):
                    await asyncio.wait_for(asyncio.shield(one.task), PATIENCE)


# starts that cannot succeed


async def test_a_store_that_is_not_there_is_named_in_one_line(tmp_path: object) -> None:
    address = StoreAddress.parse(f"unix://{tmp_path}/nobody.sock")
    with pytest.raises(StoreUnavailable, match=r"nobody\.sock") as failure:
        async with opened(address, plan_of(lister())):
            pass
    assert "\n" not in str(failure.value)


async def test_a_wrong_password_is_refused_in_one_line_that_does_not_tell_it() -> None:
    async with running_server() as server:
        root = StoreAddress.parse(server.url)
        async with outside(root) as client:
            await command(client.commands, "ACL", "SETUSER", "actor", "on", ">secret", "~*", "+@all")
        address = msgspec.structs.replace(root, username="actor", password=Secret("hunter2"))
        with pytest.raises(StoreMisused, match="invalid username-password pair") as failure:
            async with opened(address, plan_of(lister())):
                pass
        assert "hunter2" not in str(failure.value)


@pytest.mark.parametrize(("made", "wrong"), [(4, 2), (4, 1), (1, 4)])
async def test_another_number_of_partitions_is_refused_and_says_what_to_set(
    store_address: StoreAddress, made: int, wrong: int
) -> None:
    async with opened(store_address, plan_of(lister(), partitions=made)):
        pass
    with pytest.raises(LogMismatch, match=f"set partitions = {made}"):
        async with opened(store_address, plan_of(lister(), partitions=wrong)):
            pass


async def test_an_actor_that_is_not_in_the_plan_is_refused_before_anything_runs(
    store_address: StoreAddress,
) -> None:
    with pytest.raises(ValueError, match="no actor 'listr' in the plan; there are: lister"):
        async with running_host(store_address, serves=["listr"]):
            pass


def test_a_plan_refuses_two_actors_in_one_place() -> None:
    with pytest.raises(ValueError, match="two actors read as group listers on things"):
        plan_of(lister(), ActorPlan("other", "listers", LOG, lambda _: Lister()))
    with pytest.raises(ValueError, match="the actor lister twice"):
        plan_of(lister(), ActorPlan("lister", "others", LOG, lambda _: Lister()))
    with pytest.raises(ValueError, match="reads the log elsewhere"):
        plan_of(ActorPlan("lister", "listers", "elsewhere", lambda _: Lister()))


# actors by time


class Reminder(TimedActor):
    """Says once for each round that it is due, whoever asks and however often."""

    name = "reminder"
    log = LOG
    rounds: ClassVar[int] = 1

    async def due(self, partition: int) -> Sequence[Append]:
        return [facts("T1", n, 1, command=f"round-{n}") for n in range(type(self).rounds)]


@window("W39")
async def test_two_hosts_that_find_the_same_thing_due_make_one_event_of_it(
    store_address: StoreAddress,
) -> None:
    class Fresh(Reminder):
        rounds = 3

    plan = plan_of(lister(), ActorPlan("reminder", "reminders", LOG, lambda _: Fresh(), timed=True))
    async with outside(store_address) as client, opened(store_address, plan) as store:
        both = [Fresh(), Fresh()]
        for _ in range(3):
            due = [await actor.due(0) for actor in both]
            await asyncio.gather(*(store.appender.append_many(units) for units in due))
        assert await command(client.commands, "XLEN", LOG) == 3
        async with running_host(store_address, plan=plan) as one, running_host(store_address, plan=plan):
            await one.at_rest()
            assert await command(client.commands, "XLEN", LOG) == 3
            assert await one.seen(["T1"]) == expected({"T1": 3})


async def test_a_timed_seat_is_served_by_one_host_and_its_health_is_no_riddle(
    store_address: StoreAddress,
) -> None:
    class Never(TimedActor):
        name = "never"
        log = LOG

        async def due(self, partition: int) -> Sequence[Append]:
            return ()

    plan = plan_of(lister(), ActorPlan("never", "nevers", LOG, lambda _: Never(), timed=True))
    options = msgspec.structs.replace(QUICK, progress=ProgressOptions(sample_stale_seconds=0.3))
    async with running_host(store_address, plan=plan, options=options) as one:
        await asyncio.sleep(0.6)  # not for a condition: a figure that is missing would be stale by now

        async def healthy() -> bool:
            return (await one.host.status.health()).health_reasons == ()

        # The sampler may be late on a busy machine; a figure that is missing would stay so.
        await until(healthy, what="every figure is fresh")
        report = await one.host.status.health()
        assert {runner.group for runner in report.runners} == {"listers", "nevers"}


# which process serves what


async def test_actors_can_be_limited_to_some_processes(store_address: StoreAddress) -> None:
    class Other(Lister):
        name = "other"
        group = "others"

        async def handle(self, batch: Batch) -> Effects:
            return ()

    plan = plan_of(lister(), ActorPlan("other", "others", LOG, lambda _: Other()), partitions=4)
    async with (
        running_host(store_address, plan=plan, serves=["lister"]) as one,
        running_host(store_address, plan=plan, serves=["other"]) as two,
    ):
        await until(lambda: len(one.held) == len(two.held) == 4, what="each has all seats of its actor")
        assert {seat.group for seat in one.host.membership.held} == {"listers"}
        assert {seat.group for seat in two.host.membership.held} == {"others"}


async def test_a_new_actor_is_not_left_to_processes_that_do_not_know_it(store_address: StoreAddress) -> None:
    class Newer(Lister):
        name = "newer"
        group = "newers"

        async def handle(self, batch: Batch) -> Effects:
            return ()

    newer = ActorPlan("newer", "newers", LOG, lambda _: Newer())
    async with (
        running_host(store_address, partitions=4),
        running_host(store_address, plan=plan_of(lister(), newer, partitions=4)) as two,
    ):
        await until(
            lambda: {s.partition for s in two.host.membership.held if s.group == "newers"} == {0, 1, 2, 3},
            what="all seats of the new actor are served by the only process that knows it",
        )


async def test_a_membership_that_fails_gives_all_seats_back_and_begins_anew(
    store_address: StoreAddress,
) -> None:
    running: dict[int, int] = {}

    class Single(Lister):
        def __init__(self, partition: int) -> None:
            self.partition = partition
            running.setdefault(partition, 0)

        async def before(self, entry: Entry) -> None:
            running[self.partition] += 1
            assert running[self.partition] == 1, "two runners serve one seat"
            await asyncio.sleep(0.001)
            running[self.partition] -= 1

    plan = plan_of(lister(Single), partitions=4)
    async with outside(store_address, 4) as client, running_host(store_address, plan=plan) as one:
        for n in range(8):
            await client.add(f"T{n}", 20)
        registry = one.host.membership._registry
        beat = registry.beat

        async def broken() -> object:
            registry.beat = beat  # type: ignore[method-assign]
            raise RuntimeError("a beat that went wrong")

        registry.beat = broken  # type: ignore[method-assign,assignment]
        await one.signals.wait_for(ChildFailed, child="membership")
        await one.signals.wait_for(ChildStarted, child="membership", count=2)
        states = [signal.state for signal in one.signals.all(LeaseChanged)]
        assert states == ["taken"] * 4 + ["released"] * 4 + ["taken"] * 4
        await client.at_rest()
        await client.nothing_lost_nothing_twice()
        assert len(await client.connections()) == 4
