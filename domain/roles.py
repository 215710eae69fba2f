"""Who may ask for what: the column "by" of the state table.

Roles with authority over money are those of `authority.Role`; the others are people and machines with a task. A command
from a role that is not in its row is answered NOT_ALLOWED, whatever the state.
"""

from __future__ import annotations

from domain import commands as c

_MACHINE = ("system",)
_SENIORS = ("senior_adjuster", "claims_manager", "committee")
_ADJUSTERS = ("adjuster_i", "adjuster_ii", *_SENIORS)
_MANAGERS = ("claims_manager", "committee")
_CLAIMANTS = ("claimant", "representative")
_REPORTERS = (*_CLAIMANTS, "insured", "broker", "provider", "fnol")
_BANK = ("payments", "bank")

ROLES: dict[type[c.Command], frozenset[str]] = {
    c.SubmitClaim: frozenset((*_REPORTERS, *_ADJUSTERS, *_MACHINE)),
    c.AcknowledgeClaim: frozenset((*_MACHINE, *_ADJUSTERS)),
    c.ValidateClaim: frozenset(_MACHINE),
    c.MarkDuplicate: frozenset(_SENIORS),
    c.ClearDuplicate: frozenset(_ADJUSTERS),
    c.AssignClaim: frozenset((*_MACHINE, "supervisor", *_MANAGERS)),
    c.ReassignClaim: frozenset((*_MACHINE, "supervisor", *_MANAGERS)),
    c.UploadDocument: frozenset((*_REPORTERS, *_ADJUSTERS, *_MACHINE)),
    c.WaiveDocument: frozenset(_ADJUSTERS),
    c.RequestInformation: frozenset((*_ADJUSTERS, "appeal_reviewer", "siu")),
    c.CompleteInformation: frozenset((*_MACHINE, *_ADJUSTERS)),
    c.StartInvestigation: frozenset(_ADJUSTERS),
    c.CompleteInvestigation: frozenset(_ADJUSTERS),
    c.ReferToSIU: frozenset(("adjuster_ii", *_SENIORS, *_MACHINE)),
    c.CloseSIU: frozenset(("siu",)),
    c.SetReserve: frozenset((*_ADJUSTERS, *_MACHINE)),
    c.ProposeDecision: frozenset(_ADJUSTERS),
    c.ReturnProposal: frozenset(_ADJUSTERS),
    c.ApproveClaim: frozenset((*_ADJUSTERS, *_MACHINE)),
    c.RejectClaim: frozenset((*_ADJUSTERS, *_MACHINE)),
    c.FileAppeal: frozenset((*_CLAIMANTS, "insured", "provider", "broker", *_ADJUSTERS)),
    c.DecideAppeal: frozenset(("appeal_reviewer", *_SENIORS)),
    c.InitiatePayment: frozenset((*_MACHINE, *_BANK, *_ADJUSTERS)),
    c.RetryPayment: frozenset((*_MACHINE, *_BANK, *_ADJUSTERS)),
    c.ConfirmPayment: frozenset((*_MACHINE, *_BANK)),
    c.FailPayment: frozenset((*_MACHINE, *_BANK)),
    c.ReversePayment: frozenset((*_MACHINE, *_BANK, *_MANAGERS)),
    c.RescindDecision: frozenset(_MANAGERS),
    c.RecordRecovery: frozenset(("recovery", *_SENIORS)),
    c.WithdrawClaim: frozenset((*_CLAIMANTS, "insured", *_SENIORS)),
    c.CloseClaim: frozenset((*_MACHINE, *_ADJUSTERS)),
    c.ReopenClaim: frozenset(("supervisor", *_MANAGERS)),
    c.SendStatusLetter: frozenset(("notifier", *_MACHINE, *_ADJUSTERS)),
    c.GiveMandate: frozenset(("claimant", "insured", *_ADJUSTERS)),
    c.EndMandate: frozenset(("claimant", "insured", *_ADJUSTERS)),
    c.RecordAccess: frozenset((*_ADJUSTERS, "supervisor", "siu", "appeal_reviewer", "recovery", "legal", "compliance")),
    c.AddNote: frozenset((*_ADJUSTERS, "supervisor", "siu", "appeal_reviewer", "recovery", *_MACHINE)),
    c.RecordOverride: frozenset((*_MANAGERS, "supervisor")),
    c.PlaceLegalHold: frozenset(("legal", "compliance", *_MANAGERS)),
    c.ReleaseLegalHold: frozenset(("legal", "compliance", *_MANAGERS)),
    c.FireTimer: frozenset(("timekeeper", *_MACHINE)),
}
"""Who may ask for what (the column "by" of the state table). FileAppeal by others than the claimant is
allowed here and judged by G14; that a representative was named by the claimant is asked before (`deciding`)."""
