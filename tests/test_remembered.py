"""What depends on code alone is calculated once: kept for other processes, and never taken for that of other code."""

from __future__ import annotations

import pytest

from finefit.jobs import remembered as module
from finefit.jobs.remembered import remembered


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_a_calculation_is_made_once_for_each_question():
    asked: list[str] = []

    def answer(what: str) -> dict[str, str]:
        return remembered([what], lambda: asked.append(what) or {"of": what})

    assert [answer("a"), answer("b"), answer("a")] == [{"of": "a"}, {"of": "b"}, {"of": "a"}]
    assert asked == ["a", "b"]


def test_other_code_calculates_anew(monkeypatch):
    assert remembered(["a"], lambda: 1) == 1
    monkeypatch.setattr(module, "code", lambda: "other")
    assert remembered(["a"], lambda: 2) == 2


def test_a_damaged_answer_is_named():
    remembered(["a"], lambda: 1)
    (file,) = module.FOLDER.glob("*.json")
    file.write_text("{")
    with pytest.raises(ValueError, match=f"{file}: .*delete {module.FOLDER} and repeat"):
        remembered(["a"], lambda: 2)


def test_where_nothing_can_be_kept_it_is_calculated_each_time(tmp_path):
    (tmp_path / "scratch").write_text("a file where the folder would be")
    assert [remembered(["a"], lambda: 1), remembered(["a"], lambda: 2)] == [1, 2]
