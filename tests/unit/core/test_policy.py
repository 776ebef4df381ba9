from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bestchat_server_ext.core.policy import Rule, Ruling, decide
from bestchat_server_ext.core.tools import ToolCall
from bestchat_server_ext.testing.playbook import spec

rules = st.lists(
    st.builds(
        Rule,
        st.sampled_from(["files.read", "files.*", "*", "shell", "FILES.*"]),
        st.sampled_from(["approve", "ask", "deny"]),
    ),
    max_size=5,
)


def judged(*given_rules: Rule, tool: str = "files.read", attended: bool = True) -> Ruling:
    return decide(given_rules, spec(tool), ToolCall("1", tool, "{}"), attended=attended)


def test_no_rule_asks() -> None:
    assert judged().verdict == "ask"
    assert judged(Rule("shell", "approve")).verdict == "ask"
    assert judged().reason == "no rule covers 'files.read'"


def test_the_first_match_wins() -> None:
    assert judged(Rule("files.*", "deny"), Rule("*", "approve")).verdict == "deny"
    assert judged(Rule("*", "approve"), Rule("files.*", "deny")).verdict == "approve"
    assert judged(Rule("files.*", "ask"), Rule("*", "approve")).verdict == "ask"


def test_a_ruling_names_its_rule() -> None:
    assert judged(Rule("files.*", "deny")).reason == "rule for 'files.*'"
    assert judged(Rule("files.*", "ask")).reason == "rule for 'files.*'"


def test_case_counts() -> None:
    assert judged(Rule("FILES.*", "approve")).verdict == "ask"


def test_unattended_asking_is_denying() -> None:
    for asking in ([], [Rule("*", "ask")]):
        ruling = judged(*asking, attended=False)
        assert ruling == Ruling("deny", "nobody was there to approve the call")


def test_unattended_rules_still_hold() -> None:
    assert judged(Rule("*", "approve"), attended=False).verdict == "approve"
    assert judged(Rule("*", "deny"), attended=False).reason == "rule for '*'"


@given(rules)
def test_being_unattended_never_allows_more(some: list[Rule]) -> None:
    attended, unattended = judged(*some), judged(*some, attended=False)
    assert unattended.verdict != "ask"
    assert (unattended.verdict == "approve") == (attended.verdict == "approve")


@given(rules, rules)
def test_later_rules_never_overrule(first: list[Rule], then: list[Rule]) -> None:
    alone = judged(*first)
    if alone.reason.startswith("rule"):
        assert judged(*first, *then) == alone
