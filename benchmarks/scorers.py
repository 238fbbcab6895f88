"""Speed of the scorers against named peers: the same run, the same outputs, equal values.

    python benchmarks/scorers.py [rouge] [tomg] [plain]

Prints one line per measure: items per second of ours and of the peer, and the ratio; and for each
scorer the limit that it cannot beat (a string scan, RDKit's parse alone). Data are made here from a
seed, so nothing is read from disk.
"""

from __future__ import annotations

import json
import random
import re
import resource
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

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
    line("tomg against its limit", count, alone, parse_s, "RDKit parse alone")
    print(f"peak memory grew by {grown:.0f} MiB over {count:,} outputs in one process")


def transcribed_macro_f1(golds: Sequence[str], outputs: Sequence[str]) -> float:
    """Macro-F1 as one writes it down: a pair of vectors per document, then a pass per label."""
    from ft_bench_scorers.hoc import LABELS

    items = []
    for gold, output in zip(golds, outputs, strict=True):
        found = [int(label in output.strip()) for label in LABELS]
        wanted = [int(label in gold.split(";")) for label in LABELS]
        items.append({"found": found, "wanted": wanted})
    scores = []
    for at in range(len(LABELS)):
        hit = sum(item["found"][at] and item["wanted"][at] for item in items)
        size = sum(item["found"][at] + item["wanted"][at] for item in items)
        scores.append(2 * hit / size if size else 0.0)
    return sum(scores) / len(scores)


def transcribed_accuracy(rows: Sequence[dict[str, str]], texts: Sequence[str]) -> float:
    """SST-2's rule as one writes it down."""
    items = []
    for row, text in zip(rows, texts, strict=True):
        words = re.findall(r"(?<![a-z0-9_])(?:positive|negative)(?![a-z0-9_])", text.lower())
        found = words[-1] if words else None
        items.append({"id": row["id"], "found": found, "right": float(found == row["answer"])})
    return sum(float(item["right"]) for item in items) / len(items)


def plain() -> None:
    from ft_bench_scorers import hoc, sst2

    rng = random.Random(SEED)
    golds = [";".join(rng.sample(hoc.LABELS, 2)) for _ in range(20_000)]
    outputs = [";".join(rng.sample(hoc.LABELS, 3)) for _ in golds]
    rows = [{"id": str(at), "answer": gold} for at, gold in enumerate(golds)]

    def ours(scorer: Any, rows: Any, outputs: Any) -> float:
        items = scorer.score_items(rows, outputs)
        return float(scorer.value(scorer.statistics(rows, items).sum(axis=0)))

    ours_s, value = best_of(lambda: ours(hoc.SCORER, rows, outputs))
    peer_s, expected = best_of(lambda: transcribed_macro_f1(golds, outputs))
    assert abs(value - expected) <= 1e-12
    line("hoc", len(rows), ours_s, peer_s, "transcription")
    scan_s, _ = best_of(lambda: [[label in o for label in hoc.LABELS] for o in outputs])
    line("hoc against its limit", len(rows), ours_s, scan_s, "string scan alone")
    texts = [rng.choice(("positive", "The answer is negative.", "unclear")) for _ in rows]
    sst_rows = [{"id": str(at), "answer": "positive"} for at in range(len(texts))]
    ours_s, value = best_of(lambda: ours(sst2.SCORER, sst_rows, texts))
    peer_s, expected = best_of(lambda: transcribed_accuracy(sst_rows, texts))
    assert abs(value - expected) <= 1e-12
    line("sst2", len(texts), ours_s, peer_s, "transcription")
    scan_s, _ = best_of(lambda: ["positive" in text or "negative" in text for text in texts])
    line("sst2 against its limit", len(texts), ours_s, scan_s, "string scan alone")


if __name__ == "__main__":
    wanted = sys.argv[1:] or ["rouge", "plain", "tomg"]
    for name in wanted:
        {"rouge": rouge, "plain": plain, "tomg": tomg}[name]()
