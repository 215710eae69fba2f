"""Guards on people, papers and endings: G08, G09, G11, G13, G14, G17, G18, G19."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from domain.bodies import deciding, handling
from domain.coverage import clerical_codes

if TYPE_CHECKING:
    from domain.situation import Situation


def g08(situation: Situation) -> str | None:
    """The mandatory checklist (and everything that was asked for) is there, or waived with a reason."""
    claim = situation.claim
    if isinstance(situation.body, handling.InformationCompleted) and claim.request is not None:
        owed = [name for name in claim.request.outstanding if _owed(situation, name)]
        return f"still owed: {', '.join(owed)}" if owed else None
    missing = claim.missing_documents
    return f"documents are missing: {', '.join(missing)}" if missing else None


def _owed(situation: Situation, name: str) -> bool:
    item = situation.claim.documents.get(name)
    return item is None or item.status == "required"


def g09(situation: Situation) -> str | None:
    """No open SIU referral."""
    return "an SIU file is open" if situation.claim.siu.status == "referred" else None


def g11(situation: Situation) -> str | None:
    """Four eyes: who approves, denies, returns or rescinds is not who proposed or decided."""
    claim, actor, body = situation.claim, situation.context.actor, situation.body
    if isinstance(body, deciding.DecisionRescinded):
        if actor.id in (claim.decision.proposer_id, claim.decision.decider_id):
            return f"{actor.id} made the decision and cannot rescind it alone"
        return None
    if claim.proposal is not None and claim.proposal.proposer_id == actor.id:
        return f"{actor.id} proposed this decision: somebody else must confirm it"
    return None


def g13(situation: Situation) -> str | None:
    """Reason, provision and appeal rights are there; a person decides unless the reason is clerical."""
    body, actor = situation.body, situation.context.actor
    if not isinstance(body, deciding.ClaimRejected | deciding.AppealDecided):
        return None
    if not body.reason_codes:
        return "a denial needs a reason code"
    if not body.provisions or not all(body.provisions):
        return "a denial cites the provision of the policy"
    if not body.appeal_text_id:
        return "a denial tells the claimant about appeal rights"
    if actor.role == "system":
        return _not_clerical(situation, body)
    return None


def _not_clerical(situation: Situation, body: deciding.ClaimRejected | deciding.AppealDecided) -> str | None:
    claim, _context = situation.claim, situation.context
    clerical = clerical_codes(claim.notice.line, situation.cover)
    other = [code for code in body.reason_codes if code not in clerical]
    if other:
        return f"a machine denies only for clerical reasons: {', '.join(other)} needs a person"
    if isinstance(body, deciding.ClaimRejected) and not body.second_lookup:
        return "a machine denies only after a second look-up of the policy"
    return None


def g14(situation: Situation) -> str | None:
    """An appeal comes from the claimant inside the window; the reviewer is independent of the decider."""
    body = situation.body
    if isinstance(body, deciding.AppealFiled):
        return _may_appeal(situation)
    if isinstance(body, deciding.AppealDecided):
        return _may_review(situation)
    return None


def _may_appeal(situation: Situation) -> str | None:
    claim, context = situation.claim, situation.context
    if context.actor.role not in ("claimant", "representative"):
        return "only the claimant or a representative appeals"
    if claim.state == "PAID" and claim.decision.kind != "partial":
        return "a claim that was paid in full has nothing to appeal"
    if claim.state == "CLOSED" and claim.closed_outcome not in ("denied", "paid_partial"):
        return f"a claim that was closed as {claim.closed_outcome or 'undecided'} cannot be appealed"
    decided = claim.decision.decided_at
    if decided is None:
        return "nothing was decided that could be appealed"
    last = decided + timedelta(days=context.rules.appeal_window_days)
    return f"the window for an appeal ended on {last.date()}" if context.now > last else None


def _may_review(situation: Situation) -> str | None:
    claim, context = situation.claim, situation.context
    deciders = {claim.decision.decider_id, claim.decision.proposer_id} - {""}
    if context.actor.id in deciders:
        return f"{context.actor.id} made the decision that is appealed"
    upheld_by = claim.appeal.upheld_by if claim.appeal is not None else ()
    if context.actor.id in upheld_by:
        return f"{context.actor.id} upheld the decision on an earlier appeal"
    if deciders.union(upheld_by).intersection(context.superiors):
        return f"{context.actor.id} reports to who made the decision that is appealed, or upheld it"
    return None


def g17(situation: Situation) -> str | None:
    """No payment pending; once something was paid, the outcome says so."""
    claim = situation.claim
    if claim.pending is not None:
        return f"payment {claim.pending.id} is pending"
    outcome = str(getattr(situation.body, "outcome", ""))
    if claim.paid_out and outcome not in ("paid", "paid_partial"):
        return f"{claim.money(claim.paid_out)} was paid: the outcome is paid or paid_partial, never {outcome}"
    return None


def g18(situation: Situation) -> str | None:
    """Closable: nothing is open, pending, reserved, appealed or under special investigation."""
    claim = situation.claim
    if claim.request is not None or claim.proposal is not None:
        return "work is still open on the claim"
    if claim.pending is not None:
        return f"payment {claim.pending.id} is pending"
    if claim.state == "PAID" and claim.balance:
        return f"{claim.money(claim.balance)} is still owed"
    if claim.reserve.total:
        return f"a reserve of {claim.money(claim.reserve.total)} is outstanding"
    if claim.appeal is not None and claim.appeal.status == "filed":
        return "an appeal is open"
    return "an SIU file is open" if claim.siu.status == "referred" else None


def g19(situation: Situation) -> str | None:
    """A reason code, inside the limitation period, and the claimant's key is not destroyed."""
    claim, context, body = situation.claim, situation.context, situation.body
    if not getattr(body, "reason_code", ""):
        return "reopening needs a reason code"
    last = claim.notice.loss_date + timedelta(days=context.rules.limitation_days)
    if context.today > last:
        return f"the limitation period ended on {last}"
    if claim.notice.claimant_id in claim.destroyed_keys:
        return "the claimant was erased: the file cannot be read any more"
    if context.actor.role not in ("supervisor", "claims_manager", "committee"):
        return f"{context.actor.role} has no authority to reopen"
    return None
