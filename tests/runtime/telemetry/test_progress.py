"""Health is progress: what is a stall, and what is not. No clock: the time is an argument."""

from __future__ import annotations

import pytest

from runtime.signals import LeaseChanged, Resynced, StoreRoundTrip
from runtime.telemetry.progress import DECLARED_WAITS, Progress, ProgressOptions, RunnerState
from tests.support.telemetry import sample, settled, wait_over, waits

LIMITS = ProgressOptions(stall_after_seconds=30, sample_stale_seconds=60, loop_blocked_seconds=5)


def serving(now: float = 0.0) -> Progress:
    progress = Progress(LIMITS)
    progress.started()
    progress.serve("actor-g", "g", 0, now)
    return progress


def state(progress: Progress, now: float) -> RunnerState:
    return progress.report(now).runners[0].state


def test_a_runner_with_backlog_that_settles_nothing_is_stalled() -> None:
    progress = serving()
    progress.observe_backlog(sample(10), 1.0)
    assert progress.report(31.0).live
    report = progress.report(31.1)
    assert not report.live
    assert not report.healthy
    assert report.live_reasons == ("g/0: 10 entries of backlog and nothing settled for 30 s",)


def test_entries_that_are_only_pending_are_backlog_too() -> None:
    progress = serving()
    progress.observe_backlog(sample(0, 3), 1.0)
    assert state(progress, 40.0) == RunnerState.STALLED


def test_a_runner_that_settles_is_advancing_however_long_its_backlog_is() -> None:
    progress = serving()
    for second in range(100):
        progress.on_signal(settled(), float(second))
        progress.observe_backlog(sample(1_000_000), second + 0.5)
        assert state(progress, second + 0.9) == RunnerState.ADVANCING


@pytest.mark.parametrize("outcome", ["fenced", "gap", "conflict"])
def test_a_refused_batch_is_no_progress(outcome: str) -> None:
    progress = serving()
    for second in range(40):
        progress.observe_backlog(sample(10), float(second))
        progress.on_signal(settled(outcome), second + 0.5)
    assert state(progress, 40.0) == RunnerState.STALLED


def test_an_idle_night_is_no_stall_and_the_first_entry_after_it_gets_its_time() -> None:
    progress = serving()
    progress.observe_backlog(sample(5), 0.5)
    progress.on_signal(settled(), 1.0)
    progress.observe_backlog(sample(0), 10_000.0)
    assert state(progress, 10_000.0) == RunnerState.IDLE
    progress.observe_backlog(sample(1), 10_001.0)
    assert state(progress, 10_030.0) == RunnerState.ADVANCING
    assert state(progress, 10_032.0) == RunnerState.STALLED


@pytest.mark.parametrize("reason", sorted(DECLARED_WAITS))
def test_a_declared_wait_keeps_livez_green_and_is_not_healthy(reason: str) -> None:
    progress = serving()
    progress.observe_backlog(sample(10), 1.0)
    progress.on_signal(waits(reason, "because"), 2.0)
    report = progress.report(3_600.0)
    assert report.live
    assert not report.healthy
    assert f"g/0: {reason}: because" in report.health_reasons
    assert report.runners[0].state == RunnerState.WAITING
    assert report.runners[0].waits == {reason: "because"}


def test_a_wait_for_a_reason_that_nobody_agreed_on_excuses_nothing() -> None:
    progress = serving()
    progress.observe_backlog(sample(10), 1.0)
    progress.on_signal(waits("lunch"), 2.0)
    assert state(progress, 60.0) == RunnerState.STALLED


def test_a_short_backoff_is_healthy_a_long_one_is_not() -> None:
    progress = serving()
    progress.on_signal(waits("backoff"), 1.0)
    assert progress.report(10.0).healthy
    progress.on_signal(waits("backoff"), 20.0)  # declared again: still the same wait
    assert not progress.report(32.0).healthy


def test_after_a_wait_the_runner_gets_its_time_again() -> None:
    progress = serving()
    progress.observe_backlog(sample(10), 1.0)
    progress.on_signal(waits("store_away"), 2.0)
    progress.on_signal(wait_over("store_away"), 600.0)
    assert state(progress, 629.0) == RunnerState.ADVANCING
    assert state(progress, 631.0) == RunnerState.STALLED


def test_a_runner_in_two_waits_waits_until_both_are_over() -> None:
    progress = serving()
    progress.observe_backlog(sample(10), 1.0)
    progress.on_signal(waits("store_away"), 2.0)
    progress.on_signal(waits("backoff"), 3.0)
    progress.on_signal(wait_over("store_away"), 4.0)
    assert state(progress, 100.0) == RunnerState.WAITING
    progress.on_signal(wait_over("backoff"), 100.0)
    assert state(progress, 140.0) == RunnerState.STALLED


def test_who_settles_does_not_wait_even_if_the_end_of_the_wait_was_never_told() -> None:
    progress = serving()
    progress.on_signal(waits("store_full"), 1.0)
    progress.on_signal(settled(), 2.0)
    progress.observe_backlog(sample(10), 3.0)
    assert state(progress, 40.0) == RunnerState.STALLED


@pytest.mark.parametrize("outcome", ["lost", "torn", "halted"])
def test_a_halted_partition_is_never_healthy_and_never_restarted_for_it(outcome: str) -> None:
    progress = serving()
    progress.observe_backlog(sample(10), 1.0)
    progress.on_signal(settled(outcome), 2.0)
    report = progress.report(100_000.0)
    assert report.live
    assert not report.healthy
    assert f"g/0: halted: settle answered {outcome}" in report.health_reasons


def test_a_process_that_is_halted_before_it_serves_anything_is_not_healthy() -> None:
    progress = Progress(LIMITS)
    progress.started()
    assert progress.report(0.0).healthy
    progress.process_waits("halted", "the store is another one", 1.0)
    report = progress.report(2.0)
    assert (report.live, report.healthy) == (True, False)
    progress.process_wait_ended("halted")
    assert progress.report(3.0).healthy


def test_a_dead_sampler_accuses_no_runner_that_advances_and_is_told() -> None:
    progress = serving()
    progress.observe_backlog(sample(10), 1.0)
    progress.on_signal(settled(), 2.0)
    report = progress.report(500.0)
    assert report.live
    assert "g/0: no backlog figure for 499 s" in report.health_reasons


def test_a_dead_sampler_excuses_no_runner_that_was_seen_with_backlog() -> None:
    progress = serving()
    progress.on_signal(settled(), 1.0)
    progress.observe_backlog(sample(10), 2.0)
    assert state(progress, 500.0) == RunnerState.STALLED


def test_a_runner_that_hangs_before_its_first_word_is_seen() -> None:
    progress = Progress(LIMITS)
    progress.started()
    progress.on_signal(LeaseChanged("g", 0, "taken"), 0.0)
    progress.observe_backlog(sample(10), 1.0)
    assert state(progress, 40.0) == RunnerState.STALLED


def test_a_partition_that_another_process_serves_is_not_our_stall() -> None:
    progress = Progress(LIMITS)
    progress.started()
    progress.observe_backlog(sample(10), 1.0)
    assert progress.report(100.0).live
    assert progress.report(100.0).runners == ()


def test_late_words_of_a_runner_that_was_released_do_not_bring_it_back() -> None:
    progress = serving()
    progress.on_signal(LeaseChanged("g", 0, "lost"), 1.0)
    progress.on_signal(settled("fenced"), 2.0)
    progress.observe_backlog(sample(10), 3.0)
    assert progress.report(100.0).runners == ()
    progress.on_signal(LeaseChanged("g", 0, "taken"), 200.0)
    progress.on_signal(Resynced("actor-g", "g", 0, "takeover", "12-3"), 201.0)
    runner = progress.report(201.0).runners[0]
    assert (runner.actor, runner.position) == ("actor-g", "12-3")


def test_a_process_is_ready_from_started_to_draining() -> None:
    progress = Progress(LIMITS)
    assert progress.report(0.0).ready_reasons == ("starting",)
    progress.started()
    assert progress.report(0.0).ready
    progress.draining()
    report = progress.report(0.0)
    assert report.ready_reasons == ("draining",)
    assert report.live


def test_a_store_that_does_not_answer_turns_readiness_off_and_livez_not() -> None:
    progress = serving()
    progress.store_reachable(False, "connection refused")
    report = progress.report(10.0)
    assert report.ready_reasons == ("store: connection refused",)
    assert (report.live, report.store_connected) == (True, False)
    progress.store_reachable(True)
    assert progress.report(10.0).ready


def test_a_runner_that_waits_for_the_store_is_not_ready() -> None:
    progress = serving()
    progress.on_signal(waits("store_away", "timed out"), 1.0)
    assert progress.report(2.0).ready_reasons == ("store: timed out",)
    progress.on_signal(wait_over("store_away"), 3.0)
    assert progress.report(4.0).ready


def test_without_a_lease_to_be_had_it_is_not_ready() -> None:
    progress = serving()
    progress.leases_available(False, "function missing")
    assert progress.report(1.0).ready_reasons == ("leases: function missing",)


def test_a_blocked_loop_is_not_live() -> None:
    progress = serving()
    progress.beat(10.0)
    assert progress.report(15.0).live
    assert progress.report(17.0).live_reasons == ("the event loop was blocked for 7 s",)


def test_a_report_shows_what_each_runner_did() -> None:
    progress = serving()
    progress.on_signal(settled(entries=5), 1.0)
    progress.on_signal(settled(entries=2), 2.0)
    progress.on_signal(StoreRoundTrip("settle", "ok", 0.0015), 2.0)
    progress.observe_backlog(sample(4, 3), 3.0)
    report = progress.report(4.0)
    runner = report.runners[0]
    assert (runner.undelivered, runner.pending, runner.parked, runner.entries_applied) == (4, 3, 2, 7)
    assert (runner.since_seconds, report.store_latency_ms) == (1.0, 1.5)
