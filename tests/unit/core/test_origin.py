from __future__ import annotations

import re

from bestchat_server_ext.core.origin import origin


def caught(work: object) -> Exception:
    try:
        work()  # type: ignore[operator]
    except Exception as error:  # noqa: BLE001  whatever it is
        return error
    raise AssertionError("nothing was raised")


def refuse() -> None:
    raise ValueError("the secret canary")


def wrap() -> None:
    try:
        refuse()
    except ValueError as error:
        raise RuntimeError("canary again") from error


def dive(depth: int) -> None:
    if depth:
        dive(depth - 1)
    refuse()


def test_it_names_the_type_and_the_lines_and_never_what_was_said() -> None:
    said = origin(caught(refuse))
    place = r"test_origin\.py:\d+ "
    assert re.fullmatch(rf"ValueError at {place}caught > {place}refuse", said)


def test_it_names_the_cause() -> None:
    said = origin(caught(wrap))
    assert said.startswith("RuntimeError at ")
    assert ", after ValueError at " in said
    assert "canary" not in said


def test_a_deep_recursion_is_cut_to_its_end() -> None:
    said = origin(caught(lambda: dive(100)))
    assert said.count(" > ") == 7
    assert said.endswith("refuse")


def test_an_error_that_was_never_raised_comes_from_nowhere() -> None:
    assert origin(KeyError("canary")) == "KeyError at nowhere"
