"""The report: one file that shows every view, whatever the records hold."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser

import pytest
from records_by_hand import (
    CHINESE,
    HOSTILE,
    a_card,
    a_gain,
    a_plan,
    a_run,
    built,
    concluded,
    evaluated,
    failed,
    planned,
    spent,
    trained,
    write_run,
)

from ft_bench.errors import ChainBroken, DataMissing
from ft_bench.record import Agreed, Interval, Opened, Selected, Settled, Usage
from ft_bench.report.html import write_report
from ft_bench.store import RunPaths


class Page(HTMLParser):
    """The text of each section, the tags, and what a browser would load or run."""

    VOID = frozenset({"meta", "br"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.sections: dict[str, str] = {"": ""}
        self.open: list[str] = []
        self.at = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs) -> None:
        fields = dict(attrs)
        self.tags.append((tag, fields))
        self.sections[self.at] += " "
        if tag == "section":
            self.at = fields["aria-labelledby"]
            self.sections[self.at] = ""
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data) -> None:
        self.sections[self.at] += data

    def text(self, section: str) -> str:
        return " ".join(self.sections[section].split())


@pytest.fixture
def page_of(tmp_path):
    def write(bodies, card=None, **fields) -> Page:
        paths = write_run(tmp_path / "run", bodies, card, **fields)
        out = write_report(paths, tmp_path / "report.html")
        page = Page(out.read_text(encoding="utf-8"))
        assert page.open == []
        return page

    return write


def samples(folder, model, values, outputs=None) -> str:
    path = folder / "run" / model / "samples.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as sink:
        for i, value in enumerate(values):
            output = (outputs or {}).get(i, f"{model} {i}")
            line = {"id": f"v{i}", "output": output, "value": value, "valid": True}
            sink.write(json.dumps(line) + "\n")
    return f"{model}/samples.jsonl"


def test_a_finished_run_has_every_view(page_of) -> None:
    gain = a_gain(0.7, value=1.16, ci=Interval(low=1.1, high=1.22), reference=0.607)
    page = page_of(a_run(), a_card(gain=gain, selected_node=1, selected_variant=0))
    assert list(page.sections)[1:] == [
        "card",
        "growth",
        "tree",
        "nodes",
        "strategies",
        "cost",
        "cases",
        "recipe",
        "insights",
        "health",
        "reproduce",
    ]
    assert "trex took mini from 0.004 to 0.710 Macro-F1" in page.text("")
    assert "+116%" in page.text("card")
    assert "+110% to +122%; reference 0.607" in page.text("card")
    assert "0.680 to 0.740, n 300, evaluated once" in page.text("card")
    assert "Node 1 new best 0.600 +0.100 data Drop duplicates" in page.text("nodes")
    assert "added deduplicate_by_text_hash(column=prompt)" in page.text("nodes")
    assert "deduplicate_by_text_hash 1,200 1,100 100 duplicate" in page.text("nodes")
    assert "refine data pipeline 1 1 1" in page.text("strategies")
    assert "adjust training scheme 1 0 0" in page.text("strategies")
    assert "establish baseline 1 1 –" in page.text("strategies")
    assert "DIVERGED 2 0 2 the loss became NaN" in page.text("health")
    assert "its hash chain holds" in page.text("health")


def test_nothing_can_be_loaded_or_run(page_of, tmp_path) -> None:
    page = page_of(a_run(), a_card())
    policy = next(f["content"] for t, f in page.tags if f.get("http-equiv"))
    style = re.search(r"<style>(.*?)</style>", (tmp_path / "report.html").read_text(), re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert policy.startswith("default-src 'none'; ")
    assert f"style-src 'sha256-{digest}'" in policy
    assert "unsafe" not in policy
    loading = {"src", "srcset", "data", "action", "style", "background", "poster"}
    assert not [tag for tag, fields in page.tags if loading & set(fields)]
    assert not [name for _, fields in page.tags for name in fields if name.startswith("on")]
    links = [fields["href"] for _, fields in page.tags if "href" in fields]
    assert all(link.startswith("#") for link in links)
    scripts = [fields for tag, fields in page.tags if tag == "script"]
    assert scripts == [{"type": "application/json", "id": "data"}]


def test_every_link_leads_somewhere_in_the_page(page_of) -> None:
    page = page_of(a_run(), a_card())
    ids = {fields["id"] for _, fields in page.tags if "id" in fields}
    links = {fields["href"][1:] for _, fields in page.tags if "href" in fields}
    assert links <= ids
    assert {"node-0", "node-1", "node-2", "node-3"} <= links


def test_hostile_text_shows_as_text(page_of, tmp_path) -> None:
    long = HOSTILE + "x" * 1_000_000
    plan = a_plan(long, hypothesis=HOSTILE, evidence=(HOSTILE,))
    bodies = [
        *a_run(),
        planned(4, 3, plan),
        failed(4, 0, long),
        concluded(4, "failed", long),
        Agreed(key="insights", value=[{"feature": HOSTILE, "effect": 1, "low": 0.5, "high": 2}]),
    ]
    card = a_card(flags=(HOSTILE,), stop_reason=HOSTILE)
    page = page_of(bodies, card, versions={HOSTILE: HOSTILE}, options={"a": HOSTILE})
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    shown = HOSTILE.replace("\x1b", "�")
    assert shown in page.text("nodes")
    assert shown in page.text("")
    assert "</script><script>alert(1)" in page.text("insights")
    assert "\x1b" not in text
    assert "<script>" not in text
    assert "<img" not in text
    assert len(text) < 300_000
    assert "more characters)" in page.text("nodes")
    assert CHINESE in page.text("nodes")


def test_the_data_block_holds_the_numbers_and_cannot_be_left(page_of, tmp_path) -> None:
    page_of(a_run(), a_card(stop_reason=HOSTILE))
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    block = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert "<" not in block[1]
    assert "\\u003c/script" in block[1]
    data = json.loads(block[1])
    assert data["card"]["stop_reason"] == HOSTILE
    assert data["best_so_far"] == [[0, 0.5], [1, 0.6], [3, 0.6]]
    assert data["nodes"][2] == {"id": 2, "parent": 1, "status": "failed", "value": None}


def test_a_run_under_way_has_no_card_and_says_so(page_of) -> None:
    page = page_of(a_run()[:9])
    assert (
        "has no result card yet; 2 nodes, the best on validation so far is node 0 with 0.500"
        in (page.text(""))
    )
    assert "still sealed" in page.text("")
    assert "Node 1 running" in page.text("nodes")


@pytest.mark.parametrize("bodies", [[], [evaluated(None, None, 0.1)]])
def test_a_run_without_a_node_is_shown(page_of, bodies) -> None:
    page = page_of(bodies)
    assert page.text("tree") == "Search tree No node yet."
    assert page.text("growth") == "Growth No node yet."


def test_one_node_without_any_score_is_shown(page_of) -> None:
    page = page_of([planned(0, None)])
    assert "Node 0 running – –" in page.text("nodes")
    assert "not yet" in page.text("nodes")


def test_500_nodes_are_shown(page_of) -> None:
    bodies = [planned(0, None), evaluated(0, 0, 0.2)]
    for node in range(1, 500):
        bodies += [planned(node, node // 2), evaluated(node, 0, 0.2 + node / 1000)]
    page = page_of(bodies)
    assert sum(tag == "details" for tag, _ in page.tags) == 500
    assert "Node 499" in page.text("nodes")


def test_costs_are_told_by_phase(page_of) -> None:
    bodies = [
        evaluated(None, None, 0.1),
        planned(0, None),
        built(0),
        spent("nodes/000/v0#1", 12.0),
        trained(0, 0),
        spent("nodes/000/v0/validation#2", 3.0),
        evaluated(0, 0, 0.5),
        spent("nodes/000/v1#3", 20.0),
        failed(0, 1),
        concluded(0, "baseline"),
        trained(0, 0, 1),
        spent("nodes/000/v0.r1#4", 12.0),
        evaluated(0, 0, 0.5, 1),
        spent("nodes/000/v0.r1/validation#5", 3.0),
        Settled(reservation="lost#6", used=Usage(device_seconds=5.0), orphan=True),
    ]
    text = page_of(bodies).text("cost")
    assert "building datasets (wall clock) 1 1.5 s" in text
    assert "training variants 1 12 s" in text
    assert "scoring variants on validation 1 3.0 s" in text
    assert "confirming: training 1 12 s" in text
    assert "failed or lost work 2 25 s" in text


def bad_cases(tmp_path, after, before, **given):
    return [
        Opened(attempt=1, pid=1),
        evaluated(None, None, 0.3, samples=samples(tmp_path, "base", before)),
        planned(0, None),
        evaluated(0, 0, 0.5, samples=samples(tmp_path, "n0v0", after, **given)),
        Selected(model="n0v0", node=0, variant=0, by="validation", reason="the best"),
    ]


def test_bad_cases_are_counted_against_the_base(page_of, tmp_path) -> None:
    bodies = bad_cases(tmp_path, [1, 0, 0, 1, 0.5], [0, 1, 0, 1, 0])
    text = page_of(bodies).text("cases")
    assert "1 fixed 1 broken 2 still wrong 1 still right" in text
    order = re.findall(r"(broken|still wrong) (v\d) value", text)
    assert order == [("broken", "v1"), ("still wrong", "v2"), ("still wrong", "v4")]
    assert "answered n0v0 1" in text
    assert "the base answered base 1" in text


def test_only_the_first_fifty_bad_cases_are_shown(page_of, tmp_path) -> None:
    page = page_of(bad_cases(tmp_path, [0] * 80, [0] * 80))
    assert "80 still wrong" in page.text("cases")
    assert "40 more of 70" in page.text("cases")
    assert sum(tag == "article" for tag, _ in page.tags) == 50


def test_an_output_of_a_megabyte_is_cut_and_shows_as_text(page_of, tmp_path) -> None:
    outputs = {0: HOSTILE + CHINESE + "x" * 1_000_000}
    text = page_of(bad_cases(tmp_path, [0], [1], outputs=outputs)).text("cases")
    assert HOSTILE.replace("\x1b", "�") + CHINESE in text
    assert "more characters)" in text


def test_prompts_and_answers_come_from_the_validation_rows_alone(page_of, tmp_path) -> None:
    bodies = bad_cases(tmp_path, [0], [1])
    rows = tmp_path / "validation.jsonl"
    rows.write_text('{"id": "v0", "prompt": "Which groups?", "answer": "ether"}\n')
    job = {
        "kind": "evaluate",
        "model": {"base": "b"},
        "rows": str(rows),
        "split": "validation",
        "scorer": "mini",
        "parser": "strict",
        "max_new_tokens": 8,
        "out": "o",
    }
    path = tmp_path / "run" / "n0v0" / "job.json"
    path.write_text(json.dumps(job))
    text = page_of(bodies).text("cases")
    assert "prompt Which groups?" in text
    assert "expected ether" in text
    path.write_text(json.dumps(job | {"split": "test"}))
    shutil.move(tmp_path / "run" / "events.jsonl", tmp_path / "old.jsonl")
    assert "Which groups?" not in page_of(bodies).text("cases")


@pytest.mark.parametrize("path", ["../../outside.jsonl", "gone/samples.jsonl", "broken.jsonl"])
def test_outcomes_that_are_not_there_are_no_error(page_of, tmp_path, path) -> None:
    (tmp_path / "outside.jsonl").write_text('{"id": "secret", "value": 0, "output": "secret"}\n')
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "broken.jsonl").write_text("{")
    page = page_of([planned(0, None), evaluated(0, 0, 0.5, samples=path)])
    assert "no per-item outcomes of n0v0 are at hand" in page.text("cases")
    assert "secret" not in page.text("cases")


def test_the_recipe_of_the_chosen_model_is_told(page_of) -> None:
    text = page_of(a_run()[:8]).text("recipe")
    assert "model n0v0" in text
    assert "1,000 of 1,200 read" in text
    assert "cap on rows 1,200 1,000" in text
    assert "validation: 3 exact, 4 by 13-gram, 0 near of 1,000 rows" in text


def test_insights_of_any_form_are_shown(page_of, tmp_path) -> None:
    effect = {"feature": "lr", "effect": 0.05, "low": 0.01, "high": 0.09, "n": 3}
    assert "lr: 0.050, 0.010 to 0.090" in page_of([Agreed(key="insights", value=[effect])]).text(
        "insights"
    )
    shutil.rmtree(tmp_path / "run")
    assert "higher rates help" in page_of(
        [Agreed(key="insights", value=["higher rates help"])]
    ).text("insights")


def test_the_command_makes_the_same_run_again(page_of) -> None:
    page = page_of(
        [],
        budget={"iterations": 3, "device_seconds": 5400.0, "wall_seconds": None, "samples": 800},
        options={"search": "paper rule", "surrogate": True, "note": None},
    )
    text = page.text("reproduce")
    assert (
        "ft-bench eval mini --agent trex --backend offline --base-model scratch/tiny --seed 0 "
        "--budget.iterations 3 --budget.samples 800 --budget.device-hours 1.5 "
        "-A 'search=paper rule' -A surrogate=true"
    ) in text
    assert "torch 2.8" in text


def test_an_altered_journal_is_refused(tmp_path) -> None:
    paths = write_run(tmp_path / "run", a_run())
    text = paths.events.read_text().replace("0.55", "0.95", 1)
    paths.events.write_text(text)
    with pytest.raises(ChainBroken):
        write_report(paths, tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()


def test_a_folder_that_is_no_run_is_refused(tmp_path) -> None:
    with pytest.raises(DataMissing):
        write_report(RunPaths(tmp_path), tmp_path / "report.html")


def test_the_same_records_give_the_same_bytes(tmp_path) -> None:
    paths = write_run(tmp_path / "run", a_run(), a_card())
    first = write_report(paths, tmp_path / "a.html").read_bytes()
    assert write_report(paths, tmp_path / "b.html").read_bytes() == first


@pytest.mark.browser
@pytest.mark.skipif(shutil.which("chromium") is None, reason="Debian's Chromium is not here")
def test_a_browser_opens_the_linked_node_and_runs_nothing(tmp_path) -> None:
    plan = a_plan(HOSTILE, hypothesis="<script>document.title='run'</script>")
    paths = write_run(tmp_path / "run", [*a_run(), planned(4, 3, plan)], a_card())
    out = write_report(paths, tmp_path / "report.html")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    flags += [f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom"]
    done = subprocess.run(
        ["chromium", *flags, f"{out.as_uri()}#node-1"],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    page = Page(done.stdout.partition("<!DOCTYPE html>")[2])
    opened = [fields for tag, fields in page.tags if tag == "details" and "open" in fields]
    assert len(opened) == 1
    assert "<title>mini, trex, seed 0: FT-Bench report</title>" in done.stdout
