"""Speed of the scorers against named peers: the same run, the same outputs, equal values.

    python benchmarks/scorers.py [rouge] [plain] [lawbench] [gta] [omebench] [tomg]

Prints one line per measure: items per second of ours and of the peer, and the ratio; and for each
scorer the limit that it cannot beat (a string scan, RDKit's parse alone). Data are made here from a
seed, so nothing is read from disk.
"""

from __future__ import annotations

import json
import random
import resource
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import transcriptions as rule

from ft_bench_scorers import cs_bench, econlogicqa, hoc, openfindata, sst2
from ft_bench_scorers import gta as gta_steps
from ft_bench_scorers import lawbench as law
from ft_bench_scorers import omebench as ome

Pairs = list[tuple[dict[str, Any], str]]

SEED = 7
WORDS = [
    f"{stem}{end}"
    for stem in ["pain", "heart", "lung", "blood", "left", "right", "no", "mild", "acute"]
    for end in ("", "s", "ed")
]


def best_of(work: Callable[[], Any], repeats: int = 3) -> tuple[float, Any]:
    """The shortest processor seconds of `repeats` runs, and the last outcome.

    Processor time of this process, so that what else runs on the machine matters less.
    """
    seconds, outcome = float("inf"), None
    for _ in range(repeats):
        start = time.process_time()
        outcome = work()
        seconds = min(seconds, time.process_time() - start)
    return seconds, outcome


def walled(work: Callable[[], Any]) -> tuple[float, Any]:
    """Wall-clock seconds of one run, and the outcome; for work in several processes."""
    start = time.perf_counter()
    outcome = work()
    return time.perf_counter() - start, outcome


def line(name: str, items: int, ours: float, peer: float, peer_name: str) -> None:
    print(
        f"{name:<28} ours {items / ours:>12,.0f}/s   {peer_name} {items / peer:>12,.0f}/s   "
        f"ratio {peer / ours:6.1f}"
    )


def notes(count: int, words: int) -> list[tuple[str, str]]:
    rng = random.Random(SEED)
    make = lambda: " ".join(rng.choice(WORDS) for _ in range(words))  # noqa: E731
    return [(make(), make()) for _ in range(count)]


def rouge() -> None:
    from rouge_score.rouge_scorer import RougeScorer

    from ft_bench_scorers.rouge import rouge1, rouge_l, tokens

    pairs = notes(60, 400)
    for name, function in (("rouge1", rouge1), ("rougeL", rouge_l)):
        theirs = RougeScorer([name])
        ours_s, ours = best_of(lambda f=function: [f(tokens(p), tokens(r)).f for p, r in pairs])
        peer_s, peer = best_of(
            lambda n=name, t=theirs: [t.score(r, p)[n].fmeasure for p, r in pairs], repeats=1
        )
        assert max(abs(a - b) for a, b in zip(ours, peer, strict=True)) <= 1e-12
        line(name, len(pairs), ours_s, peer_s, "rouge-score")
    scan_s, _ = best_of(lambda: [(tokens(p), tokens(r)) for p, r in pairs])
    line(
        "rouge1 against its limit",
        len(pairs),
        best_of(lambda: [rouge1(tokens(p), tokens(r)) for p, r in pairs])[0],
        scan_s,
        "tokens alone",
    )


MOLECULES = ["CCO", "c1ccccc1O", "CC(=O)Nc1ccc(O)cc1", "CN1C=NC2=C1C(=O)N(C(=O)N2C)C", "C1CC("]


def tomg_pairs(count: int) -> list[tuple[dict[str, Any], str]]:
    rng = random.Random(SEED)
    groups = ("hydroxyl", "amine", "halo", "amide")
    pairs = []
    for at in range(count):
        source = rng.choice(MOLECULES[:4])
        tail = "C" * rng.randint(1, 12)
        row: dict[str, Any] = {"id": str(at), "molecule": source, "instruction": "a lower value"}
        kind = ("AddComponent", "LogP", "QED")[at % 3]
        row |= {"subtask": kind, "added_group": rng.choice(groups)}
        pairs.append((row, json.dumps({"molecule": rng.choice(MOLECULES) + tail})))
    return pairs


def peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def processor_seconds() -> float:
    """Processor seconds of this process and of its children that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def tomg(count: int = 45_000) -> None:
    from rdkit import Chem, RDLogger

    from ft_bench_scorers.pool import score_stream
    from ft_bench_scorers.tomg_bench import SCORER

    RDLogger.DisableLog("rdApp.*")
    pairs = tomg_pairs(count)
    start = peak_mib()
    one_s, one = walled(lambda: sum(i.value for i in score_stream(SCORER, pairs, processes=1)))
    grown = peak_mib() - start
    before = processor_seconds()
    two_s, two = walled(lambda: sum(i.value for i in score_stream(SCORER, pairs, processes=2)))
    spent = processor_seconds() - before
    assert one == two
    line(f"tomg {count:,}, 2 processes", count, two_s, one_s, "1 process")
    parse_s, _ = best_of(
        lambda: [Chem.MolFromSmiles(json.loads(text)["molecule"]) for _, text in pairs], 1
    )
    some = pairs[:5_000]
    own_s, _ = best_of(lambda: SCORER.score_items(*zip(*some, strict=True)), 1)
    alone = own_s * count / len(some)
    print(f"tomg processor seconds       1 process {alone:.1f}   2 processes {spent:.1f} in all")
    peer_s, expected = best_of(lambda: mean_of_groups(some), 1)
    assert abs(expected - whole(SCORER, *zip(*some, strict=True))) <= 1e-12
    line("tomg", len(some), own_s, peer_s, "transcription")
    line("tomg against its limit", count, alone, parse_s, "RDKit parse alone")
    print(f"peak memory grew by {grown:.0f} MiB over {count:,} outputs in one process")


def mean_of_groups(pairs: Pairs) -> float:
    """TOMG-Bench as one writes it down: the sub-tasks' means of 0.4 validity + 0.6 success."""
    groups: dict[str, list[float]] = {}
    for row, text in pairs:
        groups.setdefault(row["subtask"], []).append(rule.tomg_score(row, text))
    return sum(sum(values) / len(values) for values in groups.values()) / len(groups)


def whole(scorer: Any, rows: Any, outputs: Any) -> float:
    """Items, statistics and the metric: all that `ft-bench score` does but for the interval."""
    items = scorer.score_items(rows, outputs)
    return float(scorer.value(scorer.statistics(rows, items).sum(axis=0)))


def compare(name: str, scorer: Any, pairs: Pairs, peer: Callable[[Pairs], float]) -> None:
    """Measure a scorer against a transcription of its rule, at equal values."""
    rows, outputs = zip(*pairs, strict=True)
    ours_s, value = best_of(lambda: whole(scorer, rows, outputs), 5)
    peer_s, expected = best_of(lambda: peer(pairs), 5)
    assert abs(value - expected) <= 1e-12, (name, value, expected)
    line(name, len(pairs), ours_s, peer_s, "transcription")


def mean_of(one: Callable[[dict[str, Any], str], float]) -> Callable[[Pairs], float]:
    """A transcription of a mean: a value per item, as one writes it down."""

    def peer(pairs: Pairs) -> float:
        items = [{"id": row["id"], "score": one(row, text)} for row, text in pairs]
        return sum(float(item["score"]) for item in items) / len(items)

    return peer


def rows_with(outputs: Sequence[str], **fields: Any) -> Pairs:
    return [({"id": str(at), **fields}, output) for at, output in enumerate(outputs)]


def plain() -> None:
    """The scorers that look at text alone."""
    rng = random.Random(SEED)
    hallmarks = [";".join(rng.sample(hoc.LABELS, 3)) for _ in range(20_000)]
    pairs = [
        (row | {"answer": hallmarks[at - 1]}, text)
        for at, (row, text) in enumerate(rows_with(hallmarks))
    ]
    compare(
        "hoc",
        hoc.SCORER,
        pairs,
        lambda p: rule.macro_f1(hoc.LABELS, [r["answer"] for r, _ in p], [t for _, t in p]),
    )
    texts = rng.choices(("positive", "The answer is negative.", "unclear"), k=20_000)
    compare(
        "sst2",
        sst2.SCORER,
        rows_with(texts, answer="positive"),
        mean_of(lambda r, t: rule.sentiment(t) == r["answer"]),
    )
    texts = rng.choices(("(B) by far", "I think it is C.", "none of these"), k=20_000)
    compare(
        "cs_bench",
        cs_bench.SCORER,
        rows_with(
            texts, answer="B", format="Multiple-choice", tag="Knowledge", domain="Computer Network"
        ),
        mean_of(lambda r, t: rule.choice(t) == r["answer"]),
    )
    texts = rng.choices(("The order is C, A, B, D.", "A, B, C, D", "no idea"), k=20_000)
    compare(
        "econlogicqa",
        econlogicqa.SCORER,
        rows_with(texts, answer="A, B, C, D"),
        mean_of(rule.order_score),
    )
    texts = rng.choices(
        (
            "根据以上内容，该股今日放量上涨，成交额创下年内新高，市场情绪明显偏向乐观，因此答案是A。",
            "B",
            "不知道",
        ),
        k=20_000,
    )
    compare(
        "openfindata",
        openfindata.SCORER,
        rows_with(texts, answer="A", subtask="financial_facts"),
        mean_of(lambda r, t: rule.last_capital(t) == r["answer"]),
    )
    limit()


def limit() -> None:
    """HoC and SST-2 against the scan that they cannot do without."""
    rng = random.Random(SEED)
    outputs = [";".join(rng.sample(hoc.LABELS, 3)) for _ in range(20_000)]
    rows = [{"id": "", "answer": output} for output in outputs]
    ours_s, _ = best_of(lambda: whole(hoc.SCORER, rows, outputs))
    scan_s, _ = best_of(lambda: [[label in o for label in hoc.LABELS] for o in outputs])
    line("hoc against its limit", len(rows), ours_s, scan_s, "string scan alone")
    ours_s, _ = best_of(lambda: whole(sst2.SCORER, rows, outputs))
    scan_s, _ = best_of(lambda: ["positive" in o or "negative" in o for o in outputs])
    line("sst2 against its limit", len(rows), ours_s, scan_s, "string scan alone")


LAW = {
    "1-2": ("正确答案：B。", ("[正确答案]B<eoa>", "选C", "不知道")),
    "2-5": ("回答:21万元借款,律师费4000元", ("21万元", "借款，律师费4000元", "无")),
    "2-6": ("时间:今天;地点:某地村", ("时间:今天\n地点:某地", "地点：某地村", "无")),
    "3-1": ("法条:刑法第264条", ("刑法第二百六十四条、第25条", "第264条", "无")),
    "3-2": (
        "根据《合同法》第十条，当事人订立合同，有书面形式。" * 4,
        ("当事人订立合同，应当有书面形式。" * 6,),
    ),
    "3-4": ("刑期:4个月", ("判处有期徒刑四个月", "[刑期]12月<eoa>", "无")),
}


def lawbench() -> None:
    """LawBench's measures that are no substring scan."""
    rng = random.Random(SEED)
    for subtask, (gold, choices) in LAW.items():
        texts = rng.choices(choices, k=2_000 if subtask != "3-2" else 300)
        pairs = rows_with(texts, subtask=subtask, reference=gold)
        compare(f"lawbench {subtask}", law.SCORER, pairs, mean_of(rule.law_score))


def gta() -> None:
    """GTA's steps that are answers."""
    rng = random.Random(SEED)
    texts = rng.choices(("Final Answer:It is 58 days.", "Final Answer:60", "no idea"), k=5_000)
    names = {"whitelist": [["58", "fifty-eight"]], "blacklist": None}
    fields = {"gold": {"content": "58"}, "reference": names, "counts": 1, "tools": [], "files": []}
    compare("gta answers", gta_steps.SCORER, rows_with(texts, **fields), rule.gta_summary)


def omebench() -> None:
    """oMeBench: mechanisms of four steps."""
    rng = random.Random(SEED)
    kinds, made = (
        ("dissociation", "coordination"),
        ("CCO", "CC=O", "c1ccccc1O", "CC(C)(C)O", "C1CC("),
    )
    draw = lambda: (rng.choice(kinds), rng.choice(made))  # noqa: E731
    pairs = []
    for at in range(300):
        gold = [draw() for _ in range(4)]
        steps = [
            {"subtype": kind, "intermediate_smiles": smiles, "step_weight": 0.25}
            for kind, smiles in gold
        ]
        found = [
            {"subtype": kind, "intermediate_smiles": smiles} for kind, smiles in (draw(), *gold[1:])
        ]
        pairs.append(({"id": str(at), "mechanism": steps}, json.dumps(found)))
    compare("omebench", ome.SCORER, pairs, mean_of(rule.ome_score))


MEASURES = {f.__name__: f for f in (rouge, plain, lawbench, gta, omebench, tomg)}

if __name__ == "__main__":
    for name in sys.argv[1:] or list(MEASURES):
        MEASURES[name]()
