"""The engine has no word of insurance in it: not in a name, not in a text, not in a comment, not in Lua."""

from __future__ import annotations

import re

import pytest

from tests.support.source_tree import text_files

INSURANCE = re.compile(
    r"claims?|claimants?|polic(?:y|ies)|policyholders?|adjusters?|(?:re)?insur\w*|premiums?|deductibles?|underwrit\w*"
)

# What contains such a word and means something else.
ALLOWED = re.compile(
    r"claimstream"  # the project's own name
    r"|x(?:auto)?claim"  # commands of the store
    r"|maxmemory[-_]policy|evict(?:ion|ing)[-_ ]policy"  # a setting of the store
    r"|event[-_ ]loop[-_ ]policy",  # a setting of asyncio
    re.IGNORECASE,
)

# claimId, claim_id, ClaimSubmitted and CLAIM-1 are each the word claim and another one.
WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


def insurance_words(text: str) -> list[str]:
    """`line: word` for each word of insurance."""
    return [
        f"{number}: {word}"
        for number, line in enumerate(text.splitlines(), start=1)
        for word in WORD.findall(ALLOWED.sub("", line))
        if INSURANCE.fullmatch(word.lower())
    ]


def test_the_runtime_has_no_word_of_insurance() -> None:
    found = [
        f"{path}:{hit}"
        for path, text in text_files(".py", ".lua", ".toml")
        if path.startswith("runtime/")
        for hit in insurance_words(text)
    ]
    assert not found, f"an engine that knows what it carries carries only that: {found}"


@pytest.mark.parametrize("text", ["claimId", "the_claim_id", "ClaimSubmitted", "CLAIM-1", "# a policy's insurer"])
def test_a_word_of_insurance_is_seen_in_any_spelling(text: str) -> None:
    assert insurance_words(text)


@pytest.mark.parametrize("text", ["claimstream_backlog", "XAUTOCLAIM", "maxmemory-policy", "work was claimed"])
def test_words_that_only_look_like_it_pass(text: str) -> None:
    assert not insurance_words(text)
