from __future__ import annotations

from bestchat_kernel.failure import ChatFailed, ChatInterrupted
from bestchat_server_ext.core.errors import MissingKey, ProviderError


def test_one_line_in_both_places() -> None:
    failed = ChatFailed(MissingKey("There is no key.", hint="Set OPENAI_API_KEY."))
    assert str(failed) == "There is no key. Set OPENAI_API_KEY."
    assert failed._render_traceback_() == ["missing_key: There is no key. Set OPENAI_API_KEY."]
    assert failed.error.info.code == "missing_key"


def test_a_provider_that_says_more_than_a_line() -> None:
    failed = ChatFailed(ProviderError("It said:\n  {\r\n  'no'\n}"))
    assert str(failed) == "It said: { 'no' }"
    assert failed._render_traceback_() == ["provider_error: It said: { 'no' }"]


def test_an_interrupt_is_one_and_shows_no_stack() -> None:
    interrupted = ChatInterrupted("Stopped.")
    assert isinstance(interrupted, KeyboardInterrupt)
    assert interrupted._render_traceback_() == ["Stopped."]
