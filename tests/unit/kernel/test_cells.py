from __future__ import annotations

from bestchat_kernel.cells import NEWEST, CellCounter, Cells, Place


def ran(cells: Cells, cell: str, parent: str | None, run: int = 1) -> None:
    """A cell asks behind `parent`, and is answered."""
    cells.asked(cell, f"{cell}?{run}", parent)
    cells.answered(cell, f"{cell}!{run}")


def test_a_cell_that_never_ran_follows_what_was_said_last() -> None:
    cells = Cells()
    assert cells.place("a") == NEWEST == Place(None, root=False)
    ran(cells, "a", None)
    assert cells.place("b") == NEWEST


def test_the_first_cell_runs_again_at_the_root() -> None:
    cells = Cells()
    ran(cells, "a", None)
    assert cells.place("a") == Place(root=True)


def test_a_cell_runs_again_behind_the_one_it_followed() -> None:
    cells = Cells()
    ran(cells, "a", None)
    ran(cells, "b", "a!1")
    ran(cells, "c", "b!1")
    assert cells.place("b") == Place("a!1")
    assert cells.place("c") == Place("b!1")


def test_a_chain_runs_again_as_a_new_branch() -> None:
    cells = Cells()
    for run in (1, 2, 3):
        for cell, before in [("a", None), ("b", "a"), ("c", "b")]:
            parent = None if before is None else f"{before}!{run}"
            place = cells.place(cell)
            assert place == (
                NEWEST if run == 1 else Place(root=True) if before is None else Place(parent)
            )
            ran(cells, cell, parent, run)


def test_running_one_of_a_chain_again_moves_those_behind_it() -> None:
    cells = Cells()
    ran(cells, "a", None)
    ran(cells, "b", "a!1")
    ran(cells, "c", "b!1")
    ran(cells, "b", "a!1", run=2)
    assert cells.place("c") == Place("b!2")
    assert cells.place("b") == Place("a!1")


def test_what_other_faces_said_in_between_stays_in_between() -> None:
    cells = Cells()
    ran(cells, "a", None)
    ran(cells, "b", "panel!")
    assert cells.place("b") == Place("panel!")
    ran(cells, "a", None, run=2)
    assert cells.place("b") == Place("panel!")


def test_a_cell_keeps_the_place_of_its_first_run() -> None:
    cells = Cells()
    ran(cells, "a", None)
    ran(cells, "b", "a!1")
    cells.asked("b", "b?2", "a!2")
    ran(cells, "a", None, run=3)
    assert cells.place("b") == Place("a!3")


def test_behind_a_cell_that_failed_and_was_then_answered() -> None:
    cells = Cells()
    cells.asked("a", "a?1", None)
    ran(cells, "b", "a?1")
    assert cells.place("b") == Place("a?1")
    ran(cells, "a", None, run=2)
    assert cells.place("b") == Place("a!2")


def test_a_cell_that_failed_when_it_ran_again_is_followed_behind_its_answer() -> None:
    cells = Cells()
    ran(cells, "a", None)
    ran(cells, "b", "a!1")
    cells.asked("a", "a?2", None)
    assert cells.place("b") == Place("a!1")


def test_behind_a_cell_that_failed_twice() -> None:
    cells = Cells()
    cells.asked("a", "a?1", None)
    ran(cells, "b", "a?1")
    cells.asked("a", "a?2", None)
    assert cells.place("b") == Place("a?2")


def test_all_messages_of_a_turn_lead_to_its_last() -> None:
    cells = Cells()
    cells.asked("a", "a?", None)
    for message in ("call", "result", "answer"):
        cells.answered("a", message)
    ran(cells, "b", "result")
    assert cells.place("b") == Place("answer")


# Front ends that name no cells.


def keys(counter: CellCounter, *sources: str) -> list[object]:
    return [counter.key(source) for source in sources]


def test_sources_are_keys_and_equal_ones_are_counted() -> None:
    counter = CellCounter()
    assert keys(counter, "x", "y", "y", "z") == [("x", 1), ("y", 1), ("y", 2), ("z", 1)]


def test_when_the_first_source_comes_again_everything_runs_again() -> None:
    counter = CellCounter()
    first = keys(counter, "x", "y", "y")
    assert keys(counter, "x", "y", "y") == first
    assert keys(counter, "x", "x") == [("x", 1), ("x", 1)]
