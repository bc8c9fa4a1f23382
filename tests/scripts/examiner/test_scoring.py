"""What was read against what stands there: rows of pages, confidences, and answers that cannot be scored."""

from pathlib import Path

import examiner
import pytest
from examiner import Picture, Row, scoring

from mnist_cnn.data.files import DataError

PAGE = (
    Row("12", 1.0, (10, 10, 50, 30)),
    Row("345", 1.0, (10, 40, 70, 60)),
    Row("6", 1.0, (10, 70, 20, 90)),
)


def page(*answers: Row) -> examiner.Marks:
    return examiner.marks(Picture("page/page-form/0000.png", "page, form", PAGE, answers))


def test_a_page_read_without_a_mistake() -> None:
    found = page(Row("12", 0.9, (12, 11, 52, 31)), Row("345", 0.8, (10, 40, 70, 62)), Row("6", 0.7, PAGE[2].box))
    assert found == examiner.Marks((0.9, 0.8, 0.7), (), (), 0, True)
    assert found.perfect


def test_a_page_with_every_mistake() -> None:
    found = page(
        Row("345", 0.9, PAGE[1].box),
        Row("13", 0.8, PAGE[0].box),  # a wrong digit, and out of order
        Row("7", 0.95, (200, 10, 220, 30)),  # where nothing is
        Row("5", 0.6, (50, 40, 70, 60)),  # a part of a row that is answered already
    )
    assert found == examiner.Marks((0.9,), (0.8,), (0.95, 0.6), 1, False)
    assert not found.perfect


def test_a_row_without_a_place_is_not_found_on_a_page() -> None:
    assert page(Row("12", 0.9)) == examiner.Marks((), (), (0.9,), 3, True)
    assert page().missed == 3


def test_an_answer_that_hardly_overlaps_is_false() -> None:
    assert page(Row("12", 0.9, (35, 10, 75, 30))).false == (0.9,)  # three eighths
    assert page(Row("12", 0.9, (30, 10, 70, 30))).right == (0.9,)  # one half


def written(folder: Path) -> Path:
    lines = ["file,digits,left,top,right,bottom,difficulty,split,seed"]
    lines += [f"digit/clean-scan/{i}.png,{i},1,1,9,9,clean scan,train,5" for i in range(4)]
    lines += [f'row/row-spaced/{i}.jpg,123,1,1,9,9,"row, spaced",train,5' for i in range(2)]
    lines += [
        f'page/page-form/0.png,{row.digits},{",".join(map(str, row.box or ()))},"page, form",train,5' for row in PAGE
    ]
    lines += [f"nothing/blank-page/{i}.jpg,,,,,,blank page,train,5" for i in range(2)]
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")
    return folder


def test_a_function_reads_and_the_tables_say_how_well(tmp_path: Path) -> None:
    answers = {
        "clean-scan/0.png": [("0", 0.9, None)],
        "clean-scan/1.png": [("1", 0.4, None)],
        "clean-scan/2.png": [("7", 0.95, None)],
        "clean-scan/3.png": [("", 0.0, None)],
        "row-spaced/0.jpg": [("123", 0.8, (0, 0, 9, 9))],
        "row-spaced/1.jpg": [("12", 0.6, None)],
        "page-form/0.png": [("345", 0.9, PAGE[1].box), ("12", 0.3, PAGE[0].box), ("9", 0.92, (200, 0, 210, 9))],
        "blank-page/1.jpg": [("1", 0.6, None)],
    }
    table = examiner.score(written(tmp_path), lambda path: answers.get("/".join(path.parts[-2:]), []))
    lines = {line.split(" | ")[0].strip("| "): line.strip("| \n").split(" | ")[1:] for line in table.splitlines()}
    #                             rows right share   interval          right    wrong    sure and wrong, unsure, missed
    assert lines["clean scan"] == ["4", "2", "50.0%", "15.0% to 85.0%", "0.650", "0.950", "1", "1", "1"]
    assert lines["**all: one digit**"] == lines["clean scan"]
    assert lines["row, spaced"] == ["2", "1", "50.0%", "9.5% to 90.5%", "0.800", "0.600", "0", "0", "0"]
    assert lines["page, form"] == (
        ["3", "2", "66.7%", "20.8% to 93.9%", "0.600", "0.920", "1", "1", "1", "1", "1", "0", "0"]
    )
    assert lines["blank page"] == ["2", "1", "0.300", "1", "0"]
    assert "**all: pages**" not in examiner.score(tmp_path, lambda path: [], "row")


def test_a_difficulty_of_another_version_has_its_line() -> None:
    table = examiner.report([Picture("digit/ink-of-old/0.png", "ink of old", (Row("1"),), (Row("1", 0.9),))])
    assert "| ink of old | 1 | 1 | 100.0% |" in table


def test_a_line_that_ends_early_has_no_row(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("file,digits,confidence\nclean-scan/0.png\n")
    pictures = [Picture("digit/clean-scan/0.png", "clean scan", (Row("1"),))]
    assert scoring.answered(pictures, tmp_path / "a.csv")[0].answers == ()


def test_the_answers_of_a_page_come_in_lines_of_a_csv_file(tmp_path: Path) -> None:
    pages = [one for one in scoring.labelled(written(tmp_path)) if one.layout == "page"]
    assert pages[0].rows == PAGE
    head = "file,digits,confidence,left,top,right,bottom\n"
    (tmp_path / "a.csv").write_text(
        head + "/else/page-form/0.png,12,0.9,10,10,50,30\npage-form/0.png,6,0.8,10,70,20,90\n"
    )
    assert examiner.marks(scoring.answered(pages, tmp_path / "a.csv")[0]).right == (0.9, 0.8)
    (tmp_path / "b.csv").write_text("file,digits,confidence\npage-form/0.png,12,0.9\n")
    with pytest.raises(DataError, match="lacks left, top, right, bottom"):
        scoring.answered(pages, tmp_path / "b.csv")


def test_answers_that_cannot_be_scored_are_refused(tmp_path: Path) -> None:
    pictures = [one for one in scoring.labelled(written(tmp_path)) if one.layout == "digit"]
    (tmp_path / "a.csv").write_text("file,digits,confidence\nclean-scan/0.png,0,1\ndigit/clean-scan/0.png,1,1\n")
    with pytest.raises(DataError, match="two answers"):
        scoring.answered(pictures, tmp_path / "a.csv")
    with pytest.raises(DataError, match=r"cannot read .*labels\.csv"):
        examiner.score(tmp_path / "nowhere", lambda path: [])
    (tmp_path / "a.csv").write_text("file,digits,confidence\nclean-scan/0.png,0,high\n")
    with pytest.raises(DataError, match=r"cannot read .*a\.csv \(could not convert string to float: 'high'\)"):
        scoring.answered(pictures, tmp_path / "a.csv")
    (tmp_path / "a.csv").write_bytes(b"\x89PNG\xff")
    with pytest.raises(DataError, match=r"cannot read .*a\.csv"):
        scoring.answered(pictures, tmp_path / "a.csv")
    (tmp_path / "labels.csv").write_text("file,digits,left,top,right,bottom,difficulty,split,seed\n")
    with pytest.raises(DataError, match="no pictures of layout page"):
        examiner.score(tmp_path, lambda path: [], "page")
