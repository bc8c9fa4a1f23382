"""What is read of the digits that a detector found, and how sure that is."""

from typing import Any

import numpy as np
import pytest
from detected import Detected, Found, digit, looked, text

from mnist_cnn.reading import looking
from mnist_cnn.reading.looking import ENOUGH, FINER, SIDES, TURNED, look
from mnist_cnn.reading.results import LAYOUTS, Layout


@pytest.fixture
def sees(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Replaces the detector by what is found in each of the four turns; gives what was asked of it."""

    def replace(*turns: Detected) -> list[tuple[Any, ...]]:
        asked: list[tuple[Any, ...]] = []

        def detect(network: None, picture: np.ndarray, side: int, finer: int, enough: Any = None) -> Detected:
            asked.append((picture.shape, side, finer, enough))
            turn = (len(asked) - 1) % 4
            return turns[turn] if turn < len(turns) else Detected()

        monkeypatch.setattr(looking, "detect", detect)
        return asked

    return replace


def test_each_layout_begins_with_its_scale_and_other_turns_are_looked_at_in_less_detail(sees: Any) -> None:
    for layout in LAYOUTS:
        asked = sees(Detected())
        found = looked(layout)
        shapes = [(300, 500, 3), (500, 300, 3), (300, 500, 3), (500, 300, 3)]
        assert asked == [
            (shape, SIDES[layout], 0 if turn else FINER[layout], ENOUGH[layout]) for turn, shape in enumerate(shapes)
        ]
        assert (len(found.digits), found.lengths, found.sureness, found.turns) == (0, [], [], 0)
    assert set(LAYOUTS) == {"digit", "row", "page"}
    assert SIDES["digit"] < SIDES["row"] < SIDES["page"]


def test_a_row_has_likely_digits_beside_sure_ones(sees: Any) -> None:
    row = Detected(digit(0, label=1), digit(2, 0.3, label=7), digit(1, label=2), digit(3, 0.15), digit(9, 0.04))
    sees(row)
    found = looked()
    assert (text(found), found.lengths) == ("127", [3])
    assert found.images[:, 0, 0].tolist() == [0, 2, 1]
    assert row.asked == [([0, 2, 1], [0, 1, 2])]
    sees(Detected(*(digit(k, 0.4) for k in range(3))))
    assert looked().lengths == []
    sees(Detected(digit(0, 0.6), digit(1, 0.3), digit(2, 0.3)))
    assert looked().lengths == [3]


@pytest.mark.parametrize("layout", ["row", "digit"])
def test_what_is_meant_is_surely_a_digit_rather_than_large(sees: Any, layout: Layout) -> None:
    size = 40 if layout == "row" else 50
    fingers = [(0.9, 1, (220.0 + 30 * k, 180, 240 + 30 * k, 180 + size)) for k in range(3 if layout == "row" else 1)]
    digits = [digit(k, label=2) for k in range(3)] if layout == "row" else [(0.9, 2, (220.0, 80, 240, 120))]
    seen = Detected(*fingers, *digits)
    sees(seen)
    assert set(text(looked(layout))) == {"1"}
    seen.digits.probabilities[: len(fingers)] = 0.05
    seen.digits.probabilities[: len(fingers), 1] = 0.55  # which digit a finger is, nobody knows
    sees(seen)
    assert set(text(looked(layout))) == {"2"}


def test_a_digit_is_read_however_doubtful(sees: Any) -> None:
    sees(Detected(digit(0, 0.05, label=5)))
    assert (text(looked("digit")), looked("digit").lengths) == ("5", [1])
    sees(Detected(digit(5, 0.01, label=5)))
    assert looked("digit").lengths == []
    sees(Detected(digit(0, label=5), digit(1, label=6)))
    assert looked("digit").lengths == [1]


def test_a_page_has_the_rows_that_are_likely_on_the_whole(sees: Any) -> None:
    first = [digit(k, score, label=4) for k, score in enumerate((0.9, 0.3, 0.6))]
    letters = [digit(k, 0.5, top=200, label=8) for k in range(3)]
    last = [digit(k, 0.95, top=300, label=2) for k in range(2)]
    sees(Detected(*last, *letters, *first))
    found = looked("page")
    assert (text(found), found.lengths) == ("44422", [3, 2])


@pytest.mark.parametrize(
    ("beside", "counts"),
    [
        (digit(3, 0.2), True),
        (digit(-1, 0.2), True),
        (digit(1.5, 0.2), True),
        (digit(3.9, 0.2), True),
        (digit(4.8, 0.2), False),  # too far away
        (digit(-2.8, 0.2), False),
        (digit(3, 0.2, top=112), True),
        (digit(3, 0.2, top=119), False),  # not in the row
        (digit(3, 0.2, top=81), False),
        (digit(3, 0.2, top=78, height=74), True),
        (digit(3, 0.2, top=60, height=110), False),  # of another size
        (digit(3, 0.2, top=109, height=12), True),
        (digit(3, 0.2, top=111, height=7), False),
        ((0.2, 3, (300, 100, 320, 130)), False),
        ((0.2, 3, (130, 400, 150, 430)), False),
    ],
)
def test_what_may_have_been_left_out_of_a_row_makes_it_less_sure(sees: Any, beside: Found, counts: bool) -> None:
    sees(Detected(*(digit(k) for k in range(3)), beside))
    found = looked()
    assert found.lengths == [3]
    assert found.sureness == pytest.approx([0.8 if counts else 1.0])


def test_whatever_is_left_out_counts_together_and_where_a_row_rises_beside_its_nearest_digit(sees: Any) -> None:
    rising = [digit(k, top=100 - 8 * k) for k in range(6)]
    sees(
        Detected(
            *rising, digit(6, 0.2, top=52), digit(-1, 0.1, top=108), digit(-1, 0.2, top=60), digit(2.5, 0.15, top=80)
        )
    )
    found = looked()
    assert found.lengths == [6]
    assert found.sureness == pytest.approx([0.8 * 0.9 * 0.85])


def sure_row(count: int, sureness: float) -> Detected:
    """A row of so many sixes, each that sure."""
    return Detected(*(digit(k, sureness, label=6) for k in range(count)), sure=1.0)


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_picture_is_turned_where_that_is_clearly_better(sees: Any, turns: int) -> None:
    poor = Detected(digit(0, 0.5), digit(1, 0.5))
    sees(*([poor] * turns), sure_row(3, 0.99))
    found = looked()
    assert (text(found), found.turns) == ("666", turns)
    assert found.sureness == pytest.approx([1 - TURNED**3])
    sees(poor, *([sure_row(1, 0.99)] * 3))
    assert looked().turns == 0


@pytest.mark.parametrize(("labels", "turns"), [((0, 1), 0), ((8, 0, 8), 0), ((0, 1, 7), 2), ((6, 9), 2)])
def test_digits_that_look_the_same_upside_down_turn_no_picture(sees: Any, labels: tuple[int, ...], turns: int) -> None:
    sees(sure_row(2, 0.4), Detected(), Detected(*(digit(k, 0.99, label) for k, label in enumerate(labels)), sure=1.0))
    assert looked().turns == turns


def test_the_best_of_the_other_turns_is_taken(sees: Any) -> None:
    sees(sure_row(2, 0.7), sure_row(5, 0.95), sure_row(5, 0.85), sure_row(5, 0.99))
    assert looked().turns == 3


def test_a_picture_stays_as_it_is_where_turning_it_is_hardly_better(sees: Any) -> None:
    sees(sure_row(4, 0.85), sure_row(4, 0.99), sure_row(4, 0.99))  # 0.56 more
    assert looked().turns == 2
    sees(sure_row(4, 0.9), sure_row(4, 0.99), sure_row(4, 0.99))  # 0.36 more
    assert looked().turns == 0
    sees(sure_row(6, 0.55), sure_row(1, 0.99))  # clearly more, but little by itself
    assert looked().turns == 0
    sees(sure_row(2, 0.6), sure_row(40, 0.69))  # much of it, but none of it sure
    assert looked().turns == 0


def test_sure_digits_of_which_some_may_be_left_out_are_turned_too(sees: Any) -> None:
    for missed, turns in ((0.01, 0), (0.2, 2)):
        sees(Detected(*(digit(k, 0.97) for k in range(3)), digit(3, missed), sure=0.99), sure_row(8, 0.99))
        assert looked().turns == turns


def test_a_row_of_digits_side_by_side_may_only_be_upside_down(sees: Any) -> None:
    asked = sees(sure_row(3, 0.7), sure_row(9, 0.99))
    assert (looked().turns, len(asked)) == (2, 2)
    asked = sees(sure_row(3, 0.7), sure_row(9, 0.99))
    assert (looked("page").turns, len(asked)) == (1, 4)


def test_a_row_of_one_sure_digit_may_lie_on_its_side(sees: Any) -> None:
    asked = sees(sure_row(1, 0.95), sure_row(3, 0.99))
    assert (looked().turns, len(asked)) == (1, 4)
    for layout, count in (("digit", 1), ("page", 1), ("row", 2)):
        asked = sees(sure_row(count, 0.95), sure_row(9, 0.99))
        assert (looked(layout).turns, len(asked)) == (0, 1)


def test_a_digit_is_turned_where_it_is_doubtful_and_another_turn_is_sure(sees: Any) -> None:
    for sureness, other, turns in ((0.3, 0.99, 1), (0.59, 0.99, 0), (0.65, 0.99, 0)):
        sees(sure_row(1, sureness), sure_row(1, other))
        assert looked("digit").turns == turns


def test_a_digit_that_is_there_but_has_no_name_is_turned_too(sees: Any) -> None:
    sees(Detected(digit(0, 0.95), sure=0.4), Detected(digit(0, 0.99), sure=0.99))
    found = looked("digit")
    assert found.turns == 1
    assert 0.5 < found.sureness[0] < 1


def test_a_digit_of_mnist_is_not_searched_for(sees: Any) -> None:
    asked = sees()
    picture = np.zeros((28, 28, 3), np.uint8)
    picture[4:24, 10:19] = 200
    for layout in LAYOUTS:
        found = look(None, 255 - picture, layout)  # type: ignore[arg-type]
        assert found.digits.boxes.tolist() == [[10, 4, 19, 24]]
        assert (found.images[0] == picture[..., 0]).all()
        assert (found.lengths, found.sureness, found.digits.scores.tolist()) == ([1], [1.0], [1.0])
        assert found.digits.probabilities.tolist() == pytest.approx(np.full((1, 10), 0.1))
    assert asked == []
