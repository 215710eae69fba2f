"""Seeds 001 and 003, the streams, groups, figures and views of the running cluster, as redis-cli sees them."""

from __future__ import annotations

import json
import urllib.request
from collections import Counter
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from tests.support.lab import J7, Lab, said, texts
from tests.support.rows import row
from tests.support.waiting import PATIENCE, until_sync

if TYPE_CHECKING:
    from pathlib import Path


def test_s4_the_audit_trail_is_whole_and_an_edited_entry_is_named(lab: Lab, tmp_path: Path) -> None:
    claim = lab.paid()
    lab.rest()
    assert lab.cs("audit", "verify").code == 0
    export = tmp_path / "log.jsonl"
    lab.ok("audit", "export", str(export))
    assert said("audit", "verify", str(export)).code == 0

    edited = lab.facts(claim)[3]["entry"]
    lines = export.read_text().splitlines()
    place = next(number for number, line in enumerate(lines) if json.loads(line).get("id") == edited)
    entry = json.loads(lines[place])
    entry["fields"][7] = "MjAyMC0wMS0wMVQwMDowMDowMC4wMDBa"  # 2020-01-01T00:00:00.000Z
    lines[place] = json.dumps(entry)
    export.write_text("\n".join(lines) + "\n")
    found = said("audit", "verify", str(export))
    assert found.code == 1
    assert edited in found.out


def test_s4_an_entry_that_was_edited_in_the_store_is_noticed(lab: Lab) -> None:
    """The log is put back as it was afterwards; groups and positions are untouched."""
    claim = lab.paid()
    lab.rest()
    copy = lab.client.dump("claims:events")
    entries = lab.client.xrange("claims:events")
    edited = lab.facts(claim)[0]["entry"].encode()
    try:
        for entry_id, fields in entries:
            changed = fields | {b"data": fields[b"data"].replace(b"2500", b"9500")} if entry_id == edited else fields
            lab.client.xadd("edited", changed, id=entry_id)
        lab.client.rename("edited", "claims:events")
        found = lab.cs("audit", "verify")
    finally:
        lab.client.restore("claims:events", 0, copy, replace=True)
    assert found.code == 1
    assert claim in found.out
    assert "audit:chain" in found.out
    until_sync(lambda: lab.cs("audit", "verify").code == 0, what="the log is as it was")


def test_s6_every_group_processes_all_events(lab: Lab) -> None:
    lab.submit()
    lab.rest()
    groups = lab.client.xinfo_groups("claims:events")
    assert len(groups) >= 5
    assert {group["name"].decode() for group in groups} >= {
        "processors", "analytics", "notifications", "auditors", "cache-invalidators"
    }  # fmt: skip
    last = lab.client.xinfo_stream("claims:events")["last-generated-id"]
    assert {group["last-delivered-id"] for group in groups} == {last}


def test_s17_raw_entry_adopted_on_either_stream_or_parked_with_the_reason(lab: Lab) -> None:
    on_the_log, on_requests, bad = "CLM-0000RAW1", "CLM-0000RAW2", "CLM-0000RAW3"
    body = {**J7, "policyId": "POL-214", "customerId": "CUST-214"}
    lab.raw("claim.submitted", on_the_log, {**body, "id": on_the_log})
    lab.client.xadd("claims:requests", raw_fields("claim.submitted", on_requests, {**body, "id": on_requests}))
    origin = lab.raw("claim.submitted", bad, {**body, "id": bad, "amount": "12abc"})
    for claim in (on_the_log, on_requests):
        until_sync(partial(is_assigned, lab, claim), what=f"{claim} is adopted")
    lab.rest()
    assert not lab.client.exists(f"claim:{bad}")
    (letter,) = [one for one in lab.ok("parked", "list")["parked"] if one["origin_id"] == origin]
    assert letter["reason"] == "Validation failed: Valid claim amount is required"
    lab.ok("parked", "drop", letter["id"], "--reason", "the row is shown")


def raw_fields(event_type: str, claim: str, body: object) -> dict[str, str]:
    return {
        "eventId": f"raw-{claim}", "eventType": event_type, "claimId": claim, "timestamp": "2026-01-20T10:00:00.000Z",
        "data": json.dumps(body), "version": "1.0",
    }  # fmt: skip


def is_assigned(lab: Lab, claim: str) -> bool:
    """Also of a claim that may not be there yet."""
    return bool(lab.client.exists(f"claim:{claim}")) and "claim.assigned" in lab.types(claim)


def test_counts_equal_log(lab: Lab) -> None:
    lab.paid()
    lab.rest()
    facts = facts_of_today(lab)
    day = today()
    by_type = Counter(fact["eventType"] for fact in facts)
    assert figures(lab, f"analytics:hourly:{day}") == dict(by_type)
    by_hour = Counter((fact["timestamp"][11:13], fact["eventType"]) for fact in facts)
    for (hour, kind), count in by_hour.items():
        assert figures(lab, f"analytics:hourly:{day}:{int(hour)}")[kind] == count


def today() -> str:
    return datetime.now(UTC).date().isoformat()


def facts_of_today(lab: Lab) -> list[dict[str, str]]:
    return [entry for entry in lab.log() if entry.get("sequence") and entry["timestamp"].startswith(today())]


def figures(lab: Lab, key: str) -> dict[str, int]:
    return {name: int(count) for name, count in texts(lab.client.hgetall(key)).items()}


def test_s28_the_dashboard_shows_what_the_log_says(lab: Lab) -> None:
    lab.paid()
    lab.rest()
    facts = facts_of_today(lab)
    seen = lab.ok("lab", "analytics-dashboard")
    assert seen["events"] == dict(Counter(fact["eventType"] for fact in facts))
    submitted = Counter(str(int(fact["timestamp"][11:13])) for fact in facts if fact["eventType"] == "claim.submitted")
    assert seen["claims_per_hour"] == dict(submitted)
    decided = [json.loads(fact["data"]) for fact in facts if fact["eventType"] in ("claim.approved", "claim.rejected")]
    assert seen["processed"] == len(decided)
    seconds = sum(body.get("processingSeconds", 0) for body in decided)
    assert seen["average_processing_seconds"] == round(seconds / len(decided), 1)
    assert "claim.submitted" in lab.cs("dashboard", "--once").out
    page = json.loads(page_of(lab, "/status"))
    assert page, "the status page tells programs the same cluster"


def test_s31_workload_released_when_the_claim_is_closed(lab: Lab) -> None:
    """Row S31: folded from facts, and let go with the claim."""
    claim = lab.assigned()
    lab.rest()
    adjuster = lab.snapshot(claim)["assignedTo"]
    assert claim.encode() in lab.client.lrange(f"adjuster:{adjuster}:workload", 0, -1)
    load = int(lab.client.hget("adjusters:load", adjuster))
    lab.ok("claim", "reject", claim, "--reason", "INSUFFICIENT_PROOF")
    lab.until_state(claim, "CLOSED")
    lab.rest()
    assert claim.encode() not in lab.client.lrange(f"adjuster:{adjuster}:workload", 0, -1)
    assert int(lab.client.hget("adjusters:load", adjuster)) < load


@row("C12")
def test_s44_snapshots_and_views_can_be_rebuilt_from_the_log(lab: Lab) -> None:
    claim = lab.paid()
    lab.rest()
    assert lab.ok("rebuild", "--check")["differences"] == 0
    before = lab.snapshot(claim)["status"]
    lab.client.hset(f"claim:{claim}", "status", "banana")
    try:
        found = lab.cs("rebuild", "--check", "--json")
        assert found.code == 1
        assert found.json["differences"] == 1
        assert claim in found.json["invariants"]["snapshot"]["first"][0]
    finally:
        lab.client.hset(f"claim:{claim}", "status", before)


@row("S88")
def test_projection_equals_fold(lab: Lab) -> None:
    """What actors fold as they go is what the pure rules fold from the whole log (rows S45, S88)."""
    lab.paid()
    lab.rest()
    told = lab.verified()
    assert told["differences"] == 0
    assert told["invariants"]["snapshot"]["checked"] > 0
    assert told["invariants"]["analytics"]["checked"] > 0
    lab.client.hincrby(f"analytics:hourly:{today()}", "claim.submitted", 1)
    try:
        assert not lab.verified()["ok"]
        assert lab.cs("verify").code == 1
    finally:
        lab.client.hincrby(f"analytics:hourly:{today()}", "claim.submitted", -1)


def test_queries_never_write(lab: Lab) -> None:
    """Every query works for a user who may not write anything."""
    claim = lab.paid()
    reading = ["+@read", "+@connection", "+info", "+role", "+time", "+fcall"]  # a function may what its user may
    user = ["reset", "on", ">secret", "~*", "&*", *reading]
    lab.client.execute_command("ACL", "SETUSER", "asker", *user)
    address = f"unix://asker:secret@{lab.client.connection_pool.connection_kwargs['path']}"
    queries = (
        ["claim", "show", claim], ["claim", "show", claim, "--at", "2099-01-01"], ["claim", "history", claim],
        ["claim", "explain", claim], ["status"], ["groups"], ["partitions"], ["dashboard", "--once"],
        ["monitor", "--once"], ["parked", "list"], ["ping"],
    )  # fmt: skip
    try:
        for query in queries:
            answer = said(*query, "--redis-url", address)
            assert answer.code == 0, (query, answer)
        refused = said("claim", "document", claim, "invoice", "--redis-url", address)
        assert refused.code != 0
    finally:
        lab.client.execute_command("ACL", "DELUSER", "asker")


def page_of(lab: Lab, path: str) -> str:
    """GET :RT/path."""
    assert lab.cluster is not None
    with urllib.request.urlopen(f"{lab.cluster.told['status']}{path}", timeout=PATIENCE) as reply:
        text: str = reply.read().decode()
    return text


def metric(lab: Lab, name: str) -> dict[str, float]:
    """The samples of a metric by their labels."""
    lines = [line for line in page_of(lab, "/metrics").splitlines() if line.startswith(name + "{")]
    return {line[len(name) : line.rindex(" ")]: float(line.rpartition(" ")[2]) for line in lines}


def test_s49_metrics_show_backlog_rates_and_latencies(lab: Lab) -> None:
    lab.submit()
    lab.rest()
    until_sync(lambda: metric(lab, "claimstream_backlog_entries"), what="the backlog was sampled")
    backlog = metric(lab, "claimstream_backlog_entries")
    assert any('group="processors"' in labels for labels in backlog)
    text = page_of(lab, "/metrics")
    for name in ("claimstream_events_total", "_seconds_bucket"):
        assert name in text


def test_s76_gauges_show_length_and_memory_of_the_streams(lab: Lab) -> None:
    lab.submit()
    lab.rest()

    def entries() -> bool:
        seen = metric(lab, "claimstream_stream_entries")
        return lab.client.xlen("claims:events") in [
            value for labels, value in seen.items() if '"claims:events"' in labels
        ]

    until_sync(entries, what="the length of the stream was sampled")
    sizes = metric(lab, "claimstream_stream_bytes")
    assert all(value > 0 for labels, value in sizes.items() if '"claims:events"' in labels)
    assert any('"claims:events"' in labels for labels in sizes)


def test_s51_nothing_is_pending_at_rest(lab: Lab) -> None:
    lab.submit()
    lab.rest()
    assert lab.client.xpending("claims:events", "processors")["pending"] == 0
    assert lab.client.xlen("claims:events") > 0
    assert lab.client.memory_usage("claims:events") > 0


def test_s67_the_daily_counts_are_those_of_the_log(lab: Lab) -> None:
    lab.submit()
    lab.rest()
    facts = facts_of_today(lab)
    kinds = {fact["claimId"]: lab.client.hget(f"claim:{fact['claimId']}", "type").decode() for fact in facts}
    assert figures(lab, f"analytics:daily:{today()}") == dict(
        Counter(f"{kinds[fact['claimId']]}:{fact['eventType']}" for fact in facts)
    )


@row("C11")
def test_s69_processing_times_and_boards_are_filled(lab: Lab) -> None:
    claim = lab.paid()
    lab.rest()
    hours = dict(lab.client.zrange(f"analytics:processing_times:{today()}", 0, -1, withscores=True))
    assert hours[claim.encode()] == float(lab.snapshot(claim)["processingTimeHours"])
    board = dict(lab.client.zrevrange("leaderboard:adjusters:resolved", 0, 4, withscores=True))
    assert lab.snapshot(claim)["assignedTo"].encode() in board
