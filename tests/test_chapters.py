"""Every chapter has the form that a reader has learned from the others."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CHAPTERS = sorted(ROOT.glob("notebooks/[0-9][0-9]_*.ipynb"))
ENDING = ["Summary", "Check yourself", "Exercises", "Further reading"]
ANSWER = re.compile(
    r'<details class="answer"><summary>(.+?)</summary>\n\n\*\*(\w+)\.\*\* (.+?)\n\n</details>', re.DOTALL
)
# Minutes that a newcomer who means to understand takes over a word, a line of code and a figure.
MINUTES = {"words": 1 / 100, "lines": 1 / 30, "figures": 3 / 4}


def read(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [(cell["cell_type"], "".join(cell["source"]), cell["metadata"]) for cell in cells]


def prose(path):
    return "\n\n".join(source for kind, source, _ in read(path) if kind == "markdown")


def headings(text, level):
    return re.findall(rf"(?m)^{'#' * level} (.+)$", text)


@pytest.fixture(params=CHAPTERS, ids=lambda path: path.stem)
def chapter(request):
    return request.param


def test_there_are_chapters_and_each_is_in_the_book():
    listed = re.findall(r"notebooks/(\d\d_\w+)", (ROOT / "book" / "_toc.yml").read_text(encoding="utf-8"))
    assert listed == [path.stem for path in CHAPTERS] and len(listed) >= 3


def test_chapter_says_what_it_teaches_and_what_it_needs(chapter):
    text = prose(chapter)
    objectives = re.search(r"\*\*After this chapter you can\*\*\n\n((?:- .+(?:\n(?!- ).+)*\n?)+)", text)
    assert objectives, "no list of objectives"
    first = [line.split()[1] for line in objectives[1].splitlines() if line.startswith("- ")]
    assert 3 <= len(first) <= 7
    assert all(word.islower() and not word.endswith("ing") for word in first), f"objectives are verbs: {first}"
    assert re.search(r"(?m)^\| *Prerequisites *\| *Reading *\| *Running *\|$", text)


def test_chapter_ends_as_the_others_do(chapter):
    assert headings(prose(chapter), 2)[-4:] == ENDING


def test_stated_reading_time_is_that_of_its_words(chapter):
    text = prose(chapter)
    minutes = int(re.search(r"(\d+) minutes", text)[1])
    exercises = text.index("## Exercises")
    code = [(source, meta) for kind, source, meta in read(chapter) if kind == "code" and "cellView" not in meta]
    counts = {
        "words": len(re.findall(r"[A-Za-z]{2,}", re.sub(r"<[^>]+>", "", text[:exercises]))),
        "lines": sum(source.count("\n") + 1 for source, _ in code),
        "figures": sum("figure" in meta.get("mystnb", {}) for _, meta in code),
    }
    expected = sum(count * MINUTES[what] for what, count in counts.items())
    assert 0.8 < minutes / expected < 1.25, f"{minutes} minutes stated, {expected:.0f} counted"


def test_quiz_has_one_right_answer_a_question(chapter):
    text = prose(chapter)
    quiz = text[text.index("## Check yourself") : text.index("## Exercises")]
    questions = re.split(r"(?m)^\*\*\d\.\*\* ", quiz)[1:]
    assert 3 <= len(questions) <= 5
    places = set()
    for question in questions:
        answers = ANSWER.findall(question)
        assert len(answers) == question.count("<details") == 3, question
        verdicts = [verdict for _, verdict, _ in answers]
        assert sorted(verdicts) == ["No", "No", "Right"], question
        assert all(len(why) > 20 for *_, why in answers)
        assert not any("$" in choice for choice, *_ in answers), "a formula in a summary is not rendered"
        places.add(verdicts.index("Right"))
    assert len(places) > 1, "the right answer stands at the same place each time"


def test_exercises_have_executed_solutions_and_one_is_about_own_data(chapter):
    cells = read(chapter)
    text = prose(chapter)
    exercises = re.split(
        r"(?m)^### Exercise \d\n", text[text.index("## Exercises") : text.index("## Further reading")]
    )[1:]
    assert len(exercises) >= 3
    assert any(re.search(r"\*[^*]*\b[Yy]our own\b", one) for one in exercises), "none about the reader's own data"
    solutions = [meta for kind, _, meta in cells if kind == "code" and "hide-cell" in meta.get("tags", [])]
    assert len(solutions) >= 3
    for meta in solutions:
        assert meta["cellView"] == "form" and meta["mystnb"]["code_prompt_show"] == "Show the solution"
