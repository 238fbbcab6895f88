"""Preparation of the text tasks: what each file's quirks come to in rows."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from ft_bench.tasks.aci_bench.prepare import DIVISIONS, FILES
from ft_bench.tasks.aci_bench.prepare import prepare as prepare_aci
from ft_bench.tasks.cs_bench.prepare import prepare as prepare_cs
from ft_bench.tasks.econlogicqa.prepare import prepare as prepare_econ
from ft_bench.tasks.lawbench.targets import target_of
from ft_bench.tasks.openfindata.prepare import prompt_for as openfin_prompt


def aci_files() -> dict[str, str]:
    files = {}
    for upstream in sum(FILES.values(), ()):
        for division in DIVISIONS:
            record = {
                "src": "[doctor] hi",
                "tgt": f"NOTE {division}",
                "file": f"{upstream}-{division}",
            }
            files[f"{upstream}_{division}.json"] = json.dumps({"data": [record]})
    return files


def test_aci_rows_keep_upstream_order_and_ids(hand_made: Any) -> None:
    data = prepare_aci(hand_made(aci_files()))
    assert [row["id"] for row in data.train] == [f"train-{division}" for division in DIVISIONS]
    assert len(data.test) == 15
    assert "objective_exam: #####EMPTY#####." in data.train[2]["prompt"]
    assert "EMPTY" not in data.train[0]["prompt"]


def test_aci_prompts_can_leave_the_division_out(hand_made: Any) -> None:
    data = prepare_aci(hand_made(aci_files()), division_hint=False)
    assert len({row["prompt"] for row in data.train}) == 1


def test_aci_counts_of_absent_divisions(published: Callable[[str], Any]) -> None:
    _, data = published("aci_bench")
    assert any(note.startswith("34 test divisions") for note in data.notes)
    assert sum("#####EMPTY#####" in row["answer"] for row in data.train) == 17


ECON = 'Question,A,B,C,D,Answer\n"One, ""two""\nlines",a,b,"c, c",d,"B, A, D, C"\n'


def test_econ_reads_csv_with_quotes_and_newlines(hand_made: Any) -> None:
    files = {f"{name}.csv": ECON for name in ("train", "val", "test")}
    data = prepare_econ(hand_made(files))
    (row,) = data.test
    assert row["question"] == 'One, "two"\nlines'
    assert row["answer"] == "B, A, D, C"
    assert "C. c, c\nD. d" in row["prompt"]
    assert data.notes == ()


def test_econ_cuts_training_to_the_published_size(hand_made: Any) -> None:
    body = "".join(f'q{at},a,b,c,d,"A, B, C, D"\n' for at in range(390))
    train = "Question,A,B,C,D,Answer\n" + body
    source = hand_made({"train.csv": train, "val.csv": ECON, "test.csv": ECON})
    assert len(prepare_econ(source).train) == 260
    assert len(prepare_econ(source, train_rows=390).train) == 390


def test_econ_says_what_is_missing(hand_made: Any) -> None:
    files = {f"{name}.sample.csv": ECON for name in ("train", "val", "test")}
    assert prepare_econ(hand_made(files)).notes[0].startswith("Missing: train.csv")


def cs_record(form: str, answer: Any, **options: str) -> dict[str, Any]:
    common = {"ID": 1, "Tag": "Knowledge", "Domain": "D", "SubDomain": "S", "Question": "Q?"}
    return {**common, "Format": form, "Answer": answer, **options}


def test_cs_takes_scored_formats_and_boolean_answers(hand_made: Any) -> None:
    records = [
        cs_record("Multiple-choice", "B", A="1", B="2", C="3", D="4"),
        cs_record("Assertion", True) | {"ID": 2},
        cs_record("Open-ended", "x") | {"ID": 3},
    ]
    text = json.dumps(records)
    files = {f"CSBench-EN/{split}.json": text for split in ("valid", "test")}
    data = prepare_cs(hand_made(files))
    assert [row["answer"] for row in data.test] == ["B", "true"]
    assert "\n(A)1\n(B)2" in data.test[0]["prompt"]
    assert any(note.startswith("2 test prompts also occur") for note in data.notes)


def test_openfin_prompt_ends_in_a_blank() -> None:
    record = {"question": "问", "A": "甲", "B": "乙", "answer": "A"}
    assert openfin_prompt(record) == "问\nA. 甲\nB. 乙\n答案: "
    assert openfin_prompt({"question": "问", "answer": "甲、乙"}) == "问\n答案: "


@pytest.mark.parametrize(
    ("subtask", "gold", "target"),
    [
        ("1-1", "答案:甲", "甲"),
        ("1-2", "正确答案：B。", "[正确答案]B<eoa>"),
        ("2-2", "争议焦点类别：利息。", "[争议焦点]利息<eoa>"),
        ("2-6", "时间:今天;地点:家", "时间:今天\n地点:家"),
        ("3-4", "刑期:4个月", "[刑期]4个月<eoa>"),
        ("3-7", "上文涉及到的犯罪金额:8500.0元。", "[金额]8500.0元<eoa>"),
        ("3-8", "回答:是", "回答:是"),
    ],
)
def test_lawbench_targets_have_the_form_that_is_asked_for(
    subtask: str, gold: str, target: str
) -> None:
    assert target_of(subtask, gold) == target


def test_lawbench_cases_stay_in_one_split(published: Callable[[str], Any]) -> None:
    _, data = published("lawbench")
    related = ("3-1", "3-3", "3-4", "3-5")
    heads = [
        {row["question"][3:60] for row in rows if row["subtask"] in related}
        for rows in (data.train, data.validation, data.test)
    ]
    assert not heads[2] & (heads[0] | heads[1])


def test_lawbench_proofreading_rows_carry_their_lexicon(published: Callable[[str], Any]) -> None:
    _, data = published("lawbench")
    rows = [row for row in data.test if row["subtask"] == "2-1"]
    assert len(rows) == 250
    assert all(row["classes"] and row["confusions"] for row in rows)


def test_gta_rows_count_every_sample_once(published: Callable[[str], Any]) -> None:
    _, data = published("gta")
    rows = [*data.validation, *data.test]
    assert sum(row["counts"] for row in rows) == 172
    assert len({row["sample"] for row in rows}) == 229
    assert sum("tool_calls" in row["gold"] for row in rows) == 557


def test_gta_tools_equal_upstreams_file(
    published: Callable[[str], Any], shared_data: Callable[[str], Any]
) -> None:
    _, data = published("gta")
    toolmeta = json.loads(shared_data("gta/toolmeta.json").read_text(encoding="utf-8"))
    for row in data.test:
        for tool in row["tools"]:
            assert tool["inputs"] == toolmeta[tool["name"]]["inputs"]
