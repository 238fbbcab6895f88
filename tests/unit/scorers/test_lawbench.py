"""LawBench: the measures of its sub-tasks on hand-made answers."""

from __future__ import annotations

import math
from typing import Any

import pytest

from ft_bench.errors import PrerequisiteError
from ft_bench.tasks.lawbench.lexicon import pack, pack_classes, parse_cilin, parse_confusions
from ft_bench_scorers.lawbench import SCORER
from ft_bench_scorers.lawbench.edits import Edit, TooManyWays, edits_of
from ft_bench_scorers.lawbench.lexicon import Lexicon
from ft_bench_scorers.lawbench.numerals import article_numbers, months_of
from ft_bench_scorers.lawbench.outcome import char_f1
from ft_bench_scorers.lawbench.packages import package
from ft_bench_scorers.lawbench.proofreading import proofread
from ft_bench_scorers.lawbench.segments import rouge_l
from ft_bench_scorers.lawbench.spans import named_entities
from ft_bench_scorers.lawbench.subtasks import SUBTASKS


def score(subtask: str, reference: str, text: str, **more: str) -> Any:
    row = {"id": "a", "subtask": subtask, "reference": reference, **more}
    (item,) = SCORER.score_items([row], [text])
    return item


def test_there_are_twenty_subtasks() -> None:
    assert len(set(SUBTASKS)) == 20


@pytest.mark.parametrize(
    ("text", "value", "abstained"),
    [("[正确答案]B<eoa>", 1.0, False), ("B。CPA", 0.0, False), ("b", 0.0, True)],
)
def test_a_single_choice_is_one_label_only(text: str, value: float, abstained: bool) -> None:
    item = score("1-2", "正确答案：B。", text)
    assert (item.value, item.valid, bool(item.components)) == (value, not abstained, abstained)


def test_a_gold_label_outside_the_list_leaves_the_mean() -> None:
    assert score("2-2", "争议焦点类别：赔偿。", "利息").components["weight"] == 0.0
    assert score("3-4", "刑期:无期", "3个月").components["weight"] == 0.0


def test_charges_are_read_as_substrings() -> None:
    outcome = score("3-3", "罪名:合同诈骗", "[罪名]合同诈骗<eoa>")
    assert set(outcome.prediction) == {"合同诈骗", "诈骗"}
    assert outcome.value == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("text", "months"),
    [
        ("判处有期徒刑六个月", 6),
        ("1年6个月", 6),
        ("2016年3月", 3),
        ("三年", 36),
        ("１２个月", 12),
        ("1.5个月", 5),
        ("不知道", None),
    ],
)
def test_months_as_upstream_reads_them(text: str, months: int | None) -> None:
    assert months_of(text) == months


def test_prison_terms_are_compared_by_logarithm() -> None:
    expected = 1 - abs(math.log(5) - math.log(13)) / math.log(216)
    assert score("3-4", "刑期:4个月", "12个月").value == pytest.approx(expected)
    assert score("3-5", "刑期:4个月", "").components["abstained"] == 1.0


def test_article_numbers_without_clauses() -> None:
    assert article_numbers("刑法第二百六十四条、第67条") == {264, 67}
    assert article_numbers("刑法第264条第一款、第67条") == {67}  # upstream deletes up to 款
    assert article_numbers("没有") == set()


def test_amounts_are_any_number_of_the_text() -> None:
    gold = "上文涉及到的犯罪金额:8500.0元。"
    assert score("3-7", gold, "共8500元").value == 1.0
    assert score("3-7", gold, "共8,500元").value == 0.0


def test_entities_end_at_a_line_or_a_blank() -> None:
    text = "时间：今天 上午\n地点:无\n受害人:甲某某\n受害人:乙某某。"
    assert named_entities(text) == {"时间": "今天", "受害人": "乙某某。"}
    assert score("2-6", "", "什么都没有").value == 1.0


def test_triggers_are_compared_place_by_place() -> None:
    assert score("2-10", "甲;乙", "甲;乙").value == pytest.approx(1.0)
    assert score("2-10", "甲;乙", "乙;甲").value == 0.0
    assert score("2-10", "甲;乙", "甲；乙").value < 1.0


def test_character_overlap_of_empty_texts() -> None:
    assert char_f1("", "。") == 1.0
    assert char_f1("甲", "") == 0.0


def test_rouge_of_blank_and_equal_texts() -> None:
    assert rouge_l("  \n ", "合同无效。") == 0.0
    assert rouge_l("合同无效。", "合同无效。") == pytest.approx(1.0, abs=1e-6)


NO_LEXICON = Lexicon()


@pytest.mark.parametrize(
    ("source", "target", "edits"),
    [
        ("甲乙丙", "甲乙丙", []),
        ("甲乙丙", "没有错误", []),
        ("甲乙丙", "甲丙", [Edit(1, 2, "-NONE-")]),
        ("甲丙", "甲乙丙", [Edit(1, 1, "乙")]),
        ("甲乙丙丁", "甲丙乙丁", [Edit(1, 3, "丙乙")]),
        ("甲乙丙", "甲丁丙", [Edit(1, 2, "丁")]),
    ],
)
def test_edits_of_small_changes(source: str, target: str, edits: list[Edit]) -> None:
    assert list(edits_of(source, target, NO_LEXICON).elements()) == edits


def test_too_many_alignments_are_refused_before_they_are_made() -> None:
    source, target = "abcdefghijklmnopqrstuvwxyzABCD", "EFGHIJKLMNOPQRSTUVWX"
    alike = Lexicon(pack_classes(dict.fromkeys(source + target, "Aa01")))
    with pytest.raises(TooManyWays):
        edits_of(source, target, alike)


def test_proofreading_counts_right_wrong_and_missed() -> None:
    row = {"subtask": "2-1", "question": "甲丙乙丁戊", "reference": "甲乙丙丁"}
    assert proofread(row, "甲乙丙丁")[1:] == (2, 0, 0)
    assert proofread(row, "甲丙乙丁")[1:] == (1, 0, 1)
    assert proofread(row, "").right == 0


def test_the_lexicon_lowers_the_cost_of_likeness() -> None:
    classes = pack_classes(parse_cilin("Aa01A01= 甲 乙\nAa01B02= 丙\nBb02C03= 丁".encode("gbk")))
    lexicon = Lexicon(classes, pack("甲", parse_confusions("甲 田\n由 甲\n")))
    assert lexicon.cost("甲", "乙") == pytest.approx(0 / 6 + 0.5 + 0.25)
    assert lexicon.cost("甲", "丁") == pytest.approx(6 / 6 + 0.5 + 0.25)
    assert lexicon.cost("甲", "田") == pytest.approx(4 / 6 + 0.0 + 0.25)
    assert lexicon.cost("甲", "由") == pytest.approx(4 / 6 + 0.0 + 0.25)
    assert lexicon.cost("，", "、") == pytest.approx(4 / 6 + 0.5 + 0.0)
    assert lexicon.cost("甲", "，") == pytest.approx(4 / 6 + 0.5 + 0.499)
    assert lexicon.cost("他", "她") == pytest.approx(4 / 6 + 0.0 + 0.25)


def test_components_have_scores_and_abstentions() -> None:
    rows = [
        {"id": "a", "subtask": "1-2", "reference": "正确答案：B。"},
        {"id": "b", "subtask": "2-7", "reference": "合同无效。"},
    ]
    items = SCORER.score_items(rows, ["", "合同无效。"])
    parts = SCORER.components(SCORER.statistics(rows, items).sum(axis=0))
    assert parts["1-2"] == 0.0
    assert parts["1-2/abstention_rate"] == 1.0
    assert parts["2-7"] == pytest.approx(1.0, abs=1e-6)
    assert "2-7/abstention_rate" not in parts


def test_a_package_that_is_absent_is_named_with_its_remedy() -> None:
    with pytest.raises(PrerequisiteError, match=r"'no_such_package'.*pip install"):
        package("no_such_package")


def test_a_tie_of_costs_is_kept_although_floats_round() -> None:
    """A transposition of three and its alternative cost the same only if added in one order."""
    from ft_bench_scorers.lawbench.edits import edits_of
    from ft_bench_scorers.lawbench.lexicon import Lexicon

    found = {tuple(edit): n for edit, n in edits_of("1a的。a", "地的。aa", Lexicon()).items()}
    other = {(0, 2, "地"): 1, (4, 4, "a"): 1}
    assert found == {(0, 1, "地"): 1, (1, 4, "的。a"): 1, **other}
