"""Whatever the rules let people do, a verb of the command line does; what people may not see, no view shows them."""

from __future__ import annotations

import ast
import json
from typing import TYPE_CHECKING, Any

import pytest

from domain.authority import in_qa_sample
from domain.commands import COMMANDS
from tests.support.lab import running_lab
from tests.support.source_tree import ROOT
from workers.cli.people import BANKS, MACHINES, OUTSIDERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.lab import Lab

OF_MACHINES = {"ValidateClaim", "FireTimer"}
"""Commands that no person may give: validation is the processor's, timers are the timekeeper's."""

SECRETS = ("siu", "special", "suspect", "fraud", "flag", "reserve", "authority", "odd invoice", "SIU-001", "J-17")
"""What no view of the claimant's side may hold, whatever the case."""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with running_lab(tmp_path_factory.mktemp("verbs")) as running:
        yield running


def test_every_command_of_people_has_a_verb() -> None:
    named: set[str] = set()
    for path in (ROOT / "workers" / "cli").glob("*.py"):
        tree = ast.parse(path.read_text())
        named |= {
            alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.module == "domain.commands"
            for alias in node.names
        }
    assert set(COMMANDS) - named == OF_MACHINES | {"SubmitClaim"}, "submissions go through workers.lab_submission"


def test_every_role_that_may_ask_for_something_is_somebodys() -> None:
    from domain.roles import ROLES
    from workers.adapters.roster_file import load_roster

    known = {role for roles in load_roster().people.values() for role in roles}
    assert set().union(*ROLES.values()) <= known | OUTSIDERS | BANKS | MACHINES


def ok(lab: Lab, *words: str) -> Any:
    return lab.ok("claim", *words)


def refused(lab: Lab, *words: str) -> str:
    said = lab.cs("claim", *words)
    assert said.code == 2, said
    return said.one_line()


@pytest.mark.timeout(600)
def test_a_claim_goes_through_everything_that_people_do_and_verify_stays_green(lab: Lab) -> None:
    claim = lab.assigned(amount=3000)
    ok(lab, "note", claim, "spoke to the garage", "--kind", "contact")
    ok(lab, "reserve", claim, "--indemnity", "3000", "--expense", "100", "--reason", "an expert comes")
    ok(lab, "request", claim, "invoice", "--message", "the one of the garage")
    ok(lab, "document", claim, "invoice", "--wait")
    lab.until_state(claim, "ASSIGNED")
    ok(lab, "refer", claim, "--reason", "odd invoice J-17")
    assert "an SIU file is open" in refused(lab, "investigate", claim, "--finding", "consistent")
    ok(lab, "conclude", claim, "cleared", "--finding", "J-17 is real", "--as", "siu:SIU-001")
    ok(lab, "investigate", claim, "--finding", "consistent")
    ok(lab, "reassign", claim, "--reason", "goes on leave")
    ok(lab, "override", claim, "tier", "--reason", "a friend of the house")
    ok(lab, "hold", claim, "H-1", "--reason", "a suit")
    ok(lab, "release", claim, "H-1", "--reason", "settled")
    ok(lab, "letter", claim, "status", "--reason", "we are looking at your documents")
    ok(lab, "reject", claim, "--reason", "INSUFFICIENT_PROOF", "--propose", "--as", "adjuster_i:JUN-001")
    assert "G11" in refused(lab, "return", claim, "--reason", "no", "--as", "adjuster_i:JUN-001")
    ok(lab, "return", claim, "--reason", "there is enough", "--as", "senior_adjuster:SEN-001")
    ok(lab, "reject", claim, "--reason", "INSUFFICIENT_PROOF", "--as", "senior_adjuster:SEN-001", "--wait")
    assert lab.snapshot(claim)["state"] == "CLOSED"
    ok(lab, "appeal", claim, "--grounds", "there is an invoice")
    assert "SEN-001" in refused(lab, "decide-appeal", claim, "overturned", "--as", "senior_adjuster:SEN-001")
    ok(lab, "decide-appeal", claim, "overturned", "--as", "appeal_reviewer:REV-001")
    approved = ("approve", claim, "--disallow", "vehicle=250:INSUFFICIENT_PROOF", "--depreciate", "vehicle=50")
    ok(lab, *approved, "--as", "claims_manager:MGR-001", "--wait")
    ok(lab, "payment", claim, "--failed", "ACCOUNT_CLOSED", "--final", "--wait")
    ok(lab, "rescind", claim, "--reason", "the wrong account", "--as", "claims_manager:MGR-002")
    ok(lab, "approve", claim, "--as", "claims_manager:MGR-001", "--wait")
    ok(lab, "payment", claim, "--wait")
    lab.until_state(claim, "CLOSED")
    ok(
        lab,
        "recovery",
        claim,
        "subrogation",
        "demanded",
        "500",
        "--from",
        "the other driver",
        "--as",
        "recovery:REC-001",
    )
    ok(lab, "reverse", claim, "--reason", "RETURNED", "--as", "claims_manager:MGR-001")
    assert ok(lab, "payments", claim)["payments"][-1]["status"].startswith("reversed")
    other = lab.assigned()
    ok(lab, "withdraw", other, "--reason", "paid by the other driver")
    ok(lab, "reopen", other, "--reason", "the other driver did not pay", "--as", "supervisor:SUP-001", "--wait")
    ok(lab, "duplicate", other, "--of", claim, "--reason", "the same accident", "--as", "senior_adjuster:SEN-001")
    lab.rest()
    assert (told := lab.verified())["ok"], told


@pytest.mark.timeout(600)
def test_a_machines_decision_that_is_rescinded_gives_the_claim_an_owner_whose_load_counts(lab: Lab) -> None:
    small = (lab.submit(amount=1200) for _ in range(50))
    claim = next(one for one in small if not in_qa_sample(one))  # one in twenty is drawn: a person decides
    lab.until_state(claim, "PAYMENT_PENDING")
    ok(lab, "payment", claim, "--failed", "ACCOUNT_CLOSED", "--final")
    rescinded = ok(lab, "rescind", claim, "--reason", "the wrong account", "--as", "claims_manager:MGR-001")
    assert rescinded["events"] == ["claim.decision.rescinded", "claim.reassigned"]
    adjuster = lab.snapshot(claim)["assignedTo"]
    lab.rest()
    assert claim in [row["claim"] for row in lab.ok("work", adjuster)["claims"]]
    assert (told := lab.verified())["ok"], told


def test_no_view_of_the_claimants_side_tells_of_suspicion_reserve_or_authority(lab: Lab) -> None:
    claim = lab.assigned()
    customer = lab.snapshot(claim)["customerId"]
    ok(lab, "reserve", claim, "--indemnity", "2700", "--reason", "odd invoice J-17")
    ok(lab, "refer", claim, "--reason", "odd invoice J-17")
    ok(lab, "conclude", claim, "confirmed", "--finding", "J-17 is forged", "--as", "siu:SIU-001")
    assert "confirmed" in lab.cs("claim", "show", claim).out, "people of the house see it"
    ok(lab, "mandate", claim, customer + "-B")
    for verb in ("show", "history", "explain"):
        for role in ("claimant", "broker"):
            for form in ((), ("--json",)):
                name = customer if role == "claimant" else customer + "-B"
                said = lab.cs("claim", verb, claim, "--as", f"{role}:{name}", *form)
                assert said.code == 0, said
                found = [word for word in SECRETS if word.lower() in said.out.lower()]
                assert not found, f"{verb} --as {role} tells {found}: {said.out}"
    assert "not found" in refused(lab, "show", claim, "--as", "claimant:CUST-SOMEBODY")


@pytest.mark.parametrize("role", ["representative", "broker", "provider", "fnol"])
def test_who_was_not_named_by_the_claimant_sees_nothing_of_the_claim(lab: Lab, role: str) -> None:
    claim, name = lab.assigned(), f"{role}:P-{role}"
    for verb in ("show", "history", "explain"):
        assert refused(lab, verb, claim, "--as", name).endswith(f"claim {claim} not found")
    ok(lab, "mandate", claim, f"P-{role}")
    assert lab.ok("claim", "show", claim, "--as", name)["claimId"] == claim
    ok(lab, "mandate", claim, f"P-{role}", "--end")
    assert "not found" in refused(lab, "show", claim, "--as", name)


def trail(lab: Lab, claim: str) -> list[tuple[str, str, str]]:
    """Who read the claim, in what, why, as the log has it."""
    rows = [row for row in lab.log() if (row["claimId"], row["eventType"]) == (claim, "record.accessed")]
    bodies = [json.loads(row["data"]) for row in rows]
    return [(row["actor"], body["record"], body["purpose"]) for row, body in zip(rows, bodies, strict=True)]


def test_each_look_of_the_house_at_an_siu_claim_leaves_a_trail_and_no_other_look_does(lab: Lab) -> None:
    claim = lab.assigned()
    customer = lab.snapshot(claim)["customerId"]
    for verb in ("show", "history", "explain"):
        assert lab.cs("claim", verb, claim).code == 0
    assert trail(lab, claim) == []
    ok(lab, "refer", claim, "--reason", "odd invoice J-17")
    assert "--purpose" in refused(lab, "show", claim, "--purpose", "curious")
    assert lab.cs("claim", "show", claim, "--as", "siu:SIU-001", "--purpose", "investigation").code == 0
    assert lab.cs("claim", "history", claim, "--as", "legal:LEG-001", "--purpose", "litigation").code == 0
    assert lab.cs("claim", "explain", claim).code == 0
    assert lab.cs("customer", "show", customer).code == 0
    assert lab.cs("claim", "show", claim, "--as", f"claimant:{customer}").code == 0
    assert trail(lab, claim) == [
        ("siu:SIU-001", "claim show: siu", "investigation"),
        ("legal:LEG-001", "claim history: siu", "litigation"),
        ("claims_manager:CLI", "claim explain: siu", "handling"),
        ("claims_manager:CLI", "customer show: siu", "handling"),
    ]
    told = lab.ok("claim", "history", claim, "--as", f"claimant:{customer}")
    assert "access" not in str(told)


def test_the_explanation_adds_up_and_the_claimants_copy_names_no_decider(lab: Lab) -> None:
    claim = lab.assigned(amount=3000)
    customer = lab.snapshot(claim)["customerId"]
    ok(lab, "approve", claim, "--disallow", "vehicle=300:INSUFFICIENT_PROOF", "--as", "claims_manager:MGR-001")
    told = lab.ok("claim", "explain", claim)
    (line,) = told["items"]
    off = sum(line[name]["minor"] for name in ("disallowed", "depreciation", "deductible", "overLimit"))
    assert line["claimed"]["minor"] - off == line["net"]["minor"] == told["approved"]["minor"]
    assert told["appeal"]["by"] > told["decidedOn"]
    assert (told["decided"]["by"], told["decided"]["authority"]["role"]) == ("MGR-001", "claims_manager")
    page = lab.cs("claim", "explain", claim).out
    assert "- not payable                   -300.00" in page
    assert "What was sent in does not prove this part of the loss." in page
    assert f"may appeal until {told['appeal']['by']}" in page
    copy = lab.cs("claim", "explain", claim, "--as", f"claimant:{customer}")
    assert "MGR-001" not in copy.out
    assert copy.out.strip() in page, "the claimant's copy is the same page without the part for the file"


@pytest.mark.parametrize(
    ("who", "sentence"),
    [
        ("adjuster_ii:ADJ-999", "has nobody 'ADJ-999'; did you mean ADJ-0"),
        ("claims_manager:ADJ-001", "ADJ-001 is adjuster_ii in"),
        ("system:me", "system is a machine's role"),
        ("siu:ADJ-001", "not siu"),
    ],
)
def test_who_acts_has_to_be_in_the_roster_in_that_role(lab: Lab, who: str, sentence: str) -> None:
    assert sentence in refused(lab, "note", "CLM-00000000", "x", "--as", who)


def test_the_work_lists_show_whose_desk_a_claim_is_on(lab: Lab) -> None:
    claim = lab.assigned(priority="urgent")
    lab.rest()  # the lists follow the fact
    adjuster = lab.snapshot(claim)["assignedTo"]
    assert lab.ok("work")["lists"][adjuster] >= 1
    rows = lab.ok("work", adjuster)["claims"]
    assert rows[0]["claim"] == claim, "the urgent one first"
    assert "no claim is on overflow" in lab.cs("work", "overflow").out
    clocks = {row["clock"]: row["status"] for row in lab.ok("claim", "clocks", claim)["clocks"]}
    assert clocks["INTERNAL.decide"] == "running"
