"""AIDP beside its peers: records per second, CPU and memory, each contender in its own process.

    python benchmarks/aidp.py --rows 100000 1000000 --repeat 3 --out aidp_speed.json

A peer that is not installed is left out and named. Slow peers work on the first rows only
(the column `rows` says how many). Each first works on
1,000 rows, uncounted, and the data are read once before the clock starts.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != HERE]
sys.path.insert(0, str(HERE.parent))

import numpy as np  # noqa: E402
import pyarrow as pa  # noqa: E402

Contender = Callable[[Any, Path], object]
WORDS_IN_RECORD = 92
GOALS = {
    "exact": {"row by row": 75, "polars hash": 1 / 1.5, "data-juicer": 100},
    "near": {"rensa objects": 5, "datasketch": 100, "datatrove": 150, "data-juicer": 100},
    "filter expression": {"polars": 1 / 1.3},
    "filter predicate": {"row by row": 1.6},
    "top-k": {"numpy": 0.5},
    "messages": {"row by row": 40},
    "decontaminate": {"python sets": 8},
    "materialise": {"flatten_indices": 20},
}


def corpus(rows: int, path: Path) -> None:
    """Write chat-like records of about 630 bytes, 5 % exact and 5 % near duplicates."""
    draw = np.random.default_rng(0)
    vocabulary = np.array([f"{'abcdefghij'[i % 10]}{i:x}" for i in range(30_000)], object)
    frequency = 1 / np.arange(1, 30_001) ** 0.9
    frequency /= frequency.sum()
    texts: list[str] = []
    for start in range(0, rows, 20_000):
        n = min(20_000, rows - start)
        block = vocabulary[draw.choice(30_000, (n, WORDS_IN_RECORD), p=frequency)]
        block[1::20] = block[0::20][: len(block[1::20])]
        block[3::20] = block[2::20][: len(block[3::20])]
        block[3::20, 40:42] = "changed"
        texts.extend(" ".join(words) + f" about {'x' * 60}" for words in block)
    table = pa.table(
        {
            "text": pa.array(texts, pa.large_string()),
            "answer": pa.array([f"answer {i % 1000}" for i in range(rows)]),
            "source": pa.array([("a", "b", "c")[i % 3] for i in range(rows)]),
            "score": pa.array(draw.random(rows)),
        }
    )
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=100_000)


def aidp_exact(data: Any, work: Path) -> object:
    import aidp

    return effect_of(aidp.deduplicate_by_text_hash, data, {"column": "text"})


def effect_of(operator: Any, data: Any, params: dict[str, Any]) -> object:
    from aidp.tables import table_of

    return operator.effect(table_of(data), operator.bind(params))


def aidp_exact_written(data: Any, work: Path) -> object:
    import aidp

    return aidp.deduplicate_by_text_hash(data, column="text")


def polars_exact(data: Any, work: Path) -> object:
    import polars as pl

    return pl.from_arrow(data.data.table.column("text")).hash().is_first_distinct().arg_true()


def duckdb_exact(data: Any, work: Path) -> object:
    import duckdb

    texts = data.data.table.select(["text"])  # noqa: F841 (read by name in the query)
    query = "SELECT min(i) FROM (SELECT text, row_number() OVER () AS i FROM texts) GROUP BY text"
    return duckdb.sql(query).fetchnumpy()


def duckdb_where(data: Any, work: Path) -> object:
    import duckdb

    texts = data.data.table  # noqa: F841 (read by name in the query)
    return duckdb.sql(f"SELECT {WHERE} AS kept FROM texts").fetchnumpy()


def datatrove_filter(data: Any, work: Path) -> object:
    from datatrove.data import Document
    from datatrove.pipeline.filters import LambdaFilter

    rows = zip(data["text"], data["source"], strict=True)
    documents = (
        Document(text=text, id=str(i), metadata={"source": source})
        for i, (text, source) in enumerate(rows)
    )
    chosen = LambdaFilter(lambda one: len(one.text) >= 400 and one.metadata["source"] in ("a", "b"))
    return sum(1 for _ in chosen.run(documents))


def juicer_exact(data: Any, work: Path) -> object:
    from data_juicer.ops.deduplicator.document_deduplicator import DocumentDeduplicator

    return juiced(DocumentDeduplicator(), data)


def juicer_near(data: Any, work: Path) -> object:
    from data_juicer.ops.deduplicator.document_minhash_deduplicator import (
        DocumentMinhashDeduplicator,
    )

    operator = DocumentMinhashDeduplicator(
        tokenization="space", window_size=5, jaccard_threshold=0.8, num_permutations=128
    )
    return juiced(operator, data)


def juicer_filter(data: Any, work: Path) -> object:
    from data_juicer.ops.filter.text_length_filter import TextLengthFilter

    return juiced(TextLengthFilter(min_len=400), data)


def juiced(operator: Any, data: Any) -> object:
    from data_juicer.core.data import NestedDataset

    operator.num_proc = 1
    return operator.run(NestedDataset(data.select_columns(["text"])))


def rows_exact(data: Any, work: Path) -> object:
    import hashlib

    hashed = data.map(
        lambda row: {"h": hashlib.md5(row["text"].encode()).hexdigest()}, load_from_cache_file=False
    )
    seen: set[str] = set()
    return hashed.filter(
        lambda row: not (row["h"] in seen or seen.add(row["h"])), load_from_cache_file=False
    )


def aidp_near(data: Any, work: Path) -> object:
    import aidp

    return effect_of(aidp.deduplicate_by_minhash, data, {"column": "text"})


def shingles(text: str) -> list[str]:
    words = text.split()
    return [" ".join(words[i : i + 5]) for i in range(max(1, len(words) - 4))]


def rensa_near(data: Any, work: Path) -> object:
    from rensa import RMinHash, RMinHashLSH

    index, kept = RMinHashLSH(threshold=0.8, num_perm=128, num_bands=16), 0
    for i, text in enumerate(data["text"]):
        signature = RMinHash(num_perm=128, seed=0)
        signature.update(shingles(text))
        if not index.query(signature):
            kept += 1
        index.insert(i, signature)
    return kept


def datasketch_near(data: Any, work: Path) -> object:
    from datasketch import MinHash, MinHashLSH

    index, kept = MinHashLSH(threshold=0.8, num_perm=128), 0
    for i, text in enumerate(data["text"]):
        signature = MinHash(num_perm=128)
        signature.update_batch([one.encode() for one in shingles(text)])
        if not index.query(signature):
            kept += 1
        index.insert(str(i), signature)
    return kept


def datatrove_near(data: Any, work: Path) -> object:
    """Signatures, buckets, clusters and the filter, as its own example chains them."""
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.dedup import (
        MinhashConfig,
        MinhashDedupBuckets,
        MinhashDedupCluster,
        MinhashDedupFilter,
        MinhashDedupSignature,
    )
    from datatrove.pipeline.readers import JsonlReader
    from datatrove.pipeline.writers import JsonlWriter

    folder = work / f"datatrove{len(data)}_{time.perf_counter_ns()}"
    (folder / "in").mkdir(parents=True)
    with (folder / "in" / "rows.jsonl").open("w", encoding="utf-8") as sink:
        for i, text in enumerate(data["text"]):
            sink.write(json.dumps({"text": text, "id": str(i)}) + "\n")
    config = MinhashConfig(n_grams=5, num_buckets=21, hashes_per_bucket=6)
    names = ("signatures", "buckets", "removed", "out")
    signatures, buckets, removed, out = (str(folder / name) for name in names)
    reader = JsonlReader(str(folder / "in"))
    stages: list[list[Any]] = [
        [reader, MinhashDedupSignature(signatures, config=config)],
        [MinhashDedupBuckets(signatures, buckets, config=config)],
        [MinhashDedupCluster(buckets, removed, config=config)],
        [reader, MinhashDedupFilter(removed), JsonlWriter(out)],
    ]
    for i, stage in enumerate(stages):
        tasks = config.num_buckets if i == 1 else 1
        log = str(folder / f"log{i}")
        LocalPipelineExecutor(stage, tasks=tasks, workers=1, logging_dir=log).run()
    return out


WHERE = "length(text) >= 400 AND source IN ('a', 'b')"


def aidp_where(data: Any, work: Path) -> object:
    import aidp

    return effect_of(aidp.select_by_filter, data, {"where": WHERE})


def polars_where(data: Any, work: Path) -> object:
    import polars as pl

    frame = pl.from_arrow(data.data.table.select(["text", "source"]))
    return frame.select(pl.sql_expr(WHERE)).to_series().arg_true()


def keeps(row: Any) -> bool:
    return len(row["text"]) >= 400 and row["source"] in ("a", "b")


def aidp_predicate(data: Any, work: Path) -> object:
    import aidp

    return effect_of(aidp.select_by_filter, data, {"predicate": keeps})


def rows_filter(data: Any, work: Path) -> object:
    return data.filter(keeps, load_from_cache_file=False)


def aidp_top(data: Any, work: Path) -> object:
    import aidp

    return effect_of(aidp.select_by_score, data, {"k": len(data) // 10})


def numpy_top(data: Any, work: Path) -> object:
    scores = data.data.table.column("score").to_numpy()
    best = np.argpartition(-scores, len(scores) // 10)[: len(scores) // 10]
    return best[np.argsort(-scores[best], kind="stable")]


def aidp_messages(data: Any, work: Path) -> object:
    import aidp

    return effect_of(aidp.convert_chat, data, {"prompt": "text"})


def rows_messages(data: Any, work: Path) -> object:
    def turn(row: Any) -> Any:
        roles = (("user", row["text"]), ("assistant", row["answer"]))
        return {"messages": [{"role": role, "content": text} for role, text in roles]}

    return data.map(turn, remove_columns=["text", "answer"], load_from_cache_file=False)


def aidp_decontaminate(data: Any, work: Path) -> object:
    import aidp

    against = data.select(range(len(data) - min(5_000, len(data) // 2), len(data)))
    return effect_of(aidp.decontaminate, data, {"against": against, "method": "words"})


def sets_decontaminate(data: Any, work: Path) -> object:
    def grams(text: str) -> set[str]:
        words = text.lower().split()
        return {" ".join(words[i : i + 13]) for i in range(len(words) - 12)}

    texts = data["text"][:]
    sealed = set().union(*(grams(text) for text in texts[-min(5_000, len(texts) // 2) :]))
    return sum(len(own & sealed) >= 0.5 * len(own) for own in map(grams, texts))


def aidp_write(data: Any, work: Path) -> object:
    from aidp.tables import read_table, write_selection

    half = np.flatnonzero(np.random.default_rng(1).random(len(data)) < 0.5)
    write_selection(data.data.table, half, work / "half.arrow")
    return read_table(work / "half.arrow")


def flatten_write(data: Any, work: Path) -> object:
    half = np.flatnonzero(np.random.default_rng(1).random(len(data)) < 0.5)
    return data.select(half).flatten_indices()


def aidp_pipeline(data: Any, work: Path) -> object:
    import aidp

    steps = [
        {"op": "deduplicate_by_text_hash", "params": {}},
        {"op": "select_by_filter", "params": {"where": WHERE}},
        {"op": "select_by_random", "params": {"n": 50_000}},
        {"op": "convert_chat", "params": {"prompt": "text"}},
    ]
    return aidp.run({"sources": [{"id": "a"}], "steps": steps}, {"a": data})


CASES: dict[str, dict[str, tuple[Contender, int, str]]] = {
    "exact": {
        "aidp": (aidp_exact, 0, ""),
        "aidp, rows written": (aidp_exact_written, 0, ""),
        "polars hash": (polars_exact, 0, ""),
        "duckdb": (duckdb_exact, 0, "duckdb"),
        "row by row": (rows_exact, 20_000, ""),
        "data-juicer": (juicer_exact, 5_000, "data_juicer"),
    },
    "near": {
        "aidp": (aidp_near, 0, ""),
        "rensa objects": (rensa_near, 20_000, "rensa"),
        "datasketch": (datasketch_near, 5_000, "datasketch"),
        "datatrove": (datatrove_near, 2_000, "datatrove"),
        "data-juicer": (juicer_near, 2_000, "data_juicer"),
    },
    "filter expression": {
        "aidp": (aidp_where, 0, ""),
        "polars": (polars_where, 0, ""),
        "duckdb": (duckdb_where, 0, "duckdb"),
    },
    "filter predicate": {
        "aidp": (aidp_predicate, 100_000, ""),
        "row by row": (rows_filter, 100_000, ""),
        "datatrove": (datatrove_filter, 20_000, "datatrove"),
        "data-juicer": (juicer_filter, 5_000, "data_juicer"),
    },
    "top-k": {"aidp": (aidp_top, 0, ""), "numpy": (numpy_top, 0, "")},
    "messages": {"aidp": (aidp_messages, 0, ""), "row by row": (rows_messages, 20_000, "")},
    "decontaminate": {
        "aidp": (aidp_decontaminate, 0, ""),
        "python sets": (sets_decontaminate, 20_000, ""),
    },
    "materialise": {
        "aidp": (aidp_write, 0, ""),
        "flatten_indices": (flatten_write, 100_000, ""),
    },
    "pipeline": {"aidp": (aidp_pipeline, 0, "")},
}


SERVER = """
import asyncio, json, sys
from aiohttp import web
body = json.dumps({"choices": [{"message": {"role": "assistant", "content": '{"score": 5}'}}],
                   "usage": {"prompt_tokens": 100, "completion_tokens": 8}})
async def answer(request):
    await request.read()
    await asyncio.sleep(float(sys.argv[1]))
    return web.Response(text=body, content_type="application/json")
async def main():
    app = web.Application()
    app.router.add_post("/v1/chat/completions", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, backlog=512)
    await site.start()
    print(site._server.sockets[0].getsockname()[1], flush=True)
    await asyncio.sleep(3600)
asyncio.run(main())
"""


def bare_client(url: str, texts: list[str], flying: int) -> None:
    """The limit: aiohttp alone asks the same, without journal, check, budget or retries."""
    import aiohttp

    async def ask_all() -> None:
        waiting = iter(texts)
        connector = aiohttp.TCPConnector(limit=flying)
        async with aiohttp.ClientSession(connector=connector) as session:

            async def work() -> None:
                for text in waiting:
                    body = {"model": "m", "messages": [{"role": "user", "content": text}]}
                    async with session.post(f"{url}/chat/completions", json=body) as response:
                        await response.json()

            await asyncio.gather(*(work() for _ in range(flying)))

    asyncio.run(ask_all())


def llm_rate(flying: int, delay: float = 0.2, requests: int = 4_000) -> str:
    """How near score_dataset_with_llm comes to `flying / delay` requests a second.

    The bare client beside it says what this machine lets any client reach just now.
    """
    from datasets import Dataset

    import aidp

    command = [sys.executable, "-c", SERVER, str(delay)]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server,
        tempfile.TemporaryDirectory() as work,
    ):
        assert server.stdout is not None
        url = f"http://127.0.0.1:{int(server.stdout.readline())}/v1"
        llm = {"model": "m", "base_url": url, "max_concurrency": flying}
        texts = [f"question {i}" for i in range(requests + 2 * flying)]
        rows = Dataset.from_dict({"prompt": texts, "answer": texts})
        aidp.score_dataset_with_llm(rows.select(range(2 * flying)), llm=llm)
        rows = rows.select(range(2 * flying, len(rows)))
        journalled = {**llm, "journal": f"{work}/journal.jsonl"}
        ours = clocked(lambda: aidp.score_dataset_with_llm(rows, llm=journalled))
        bare = clocked(lambda: bare_client(url, ["x" * 600] * requests, flying))
        server.terminate()

    def told(name: str, wall: float, cpu: float) -> str:
        rate = requests / wall
        return (
            f"| {flying} | {name} | {rate:,.0f} | {rate / (flying / delay):.0%} "
            f"| {cpu / requests * 1e3:.2f} |"
        )

    return told("aidp, with the journal", *ours) + "\n" + told("aiohttp alone", *bare)


def clocked(work: Callable[[], object]) -> tuple[float, float]:
    """Wall and CPU seconds of `work`."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


class Peak(threading.Thread):
    """Watches the private memory of this process, in bytes."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.base = self.most = self.now()
        self.over = threading.Event()

    @staticmethod
    def now() -> int:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("RssAnon"):
                return int(line.split()[1]) * 1024
        return 0

    def run(self) -> None:
        while not self.over.wait(0.005):
            self.most = max(self.most, self.now())


def touch(data: Any) -> None:
    """Read every byte once, so that no contender pays for the first look at the file."""
    for batch in data.data.table.to_batches():
        for column in batch.columns:
            for buffer in column.buffers():
                if buffer is not None:
                    np.frombuffer(buffer, np.uint8).max(initial=0)


def cpu_seconds() -> float:
    """CPU time of this process and of the processes it started and awaited."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def measure(case: str, name: str, path: Path, repeat: int) -> dict[str, Any]:
    """Time one contender in this process: medians of wall and CPU seconds, peak memory."""
    import datasets

    datasets.disable_progress_bars()
    datasets.disable_caching()
    contender, most, _ = CASES[case][name]
    data = datasets.Dataset.from_file(str(path))
    if most and most < len(data):
        data = datasets.Dataset(pa.table(data.data.table.slice(0, most)))
    walls, cpus, peaks = [], [], []
    with tempfile.TemporaryDirectory() as work:
        contender(data.select(range(1_000)).flatten_indices(), Path(work))
        touch(data)
        for _ in range(repeat):
            watch = Peak()
            watch.start()
            wall, cpu = time.perf_counter(), cpu_seconds()
            made = contender(data, Path(work))
            walls.append(time.perf_counter() - wall)
            cpus.append(cpu_seconds() - cpu)
            watch.over.set()
            watch.join()
            peaks.append(watch.most - watch.base)
            del made
    rows, wall = len(data), statistics.median(walls)
    return {
        "case": case,
        "name": name,
        "rows": rows,
        "seconds": wall,
        "records_per_second": rows / wall,
        "cpu_us_per_record": statistics.median(cpus) / rows * 1e6,
        "peak_mib": max(peaks) / 2**20,
    }


def python_for(needs: str, others: list[Path]) -> str | None:
    """The interpreter that has the package `needs`: this one, one of the peers, or none."""
    if not needs or importlib.util.find_spec(needs) is not None:
        return sys.executable
    probe = f"import importlib.util as u, sys; sys.exit(u.find_spec({needs!r}) is None)"
    found = (str(o) for o in others if not subprocess.run([o, "-c", probe], check=False).returncode)
    return next(found, None)


def in_child(python: str, case: str, name: str, path: Path, repeat: int) -> dict[str, Any]:
    """`measure` in a fresh process."""
    command = [python, __file__, "--one", case, name, str(path), "--repeat", str(repeat)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ})
    if done.returncode:
        raise SystemExit(f"{case}, {name} failed:\n{done.stderr}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def table(found: list[dict[str, Any]]) -> str:
    """All measurements as Markdown, with AIDP's ratio to each peer and the goal."""
    lines = [
        "| operation | contender | rows | records/s | CPU us/record | peak MiB "
        "| ratio | CPU ratio | goal |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    ours = {(one["case"], one["corpus"]): one for one in found if one["name"] == "aidp"}
    for one in found:
        own = ours[one["case"], one["corpus"]]
        faster = own["records_per_second"] / one["records_per_second"]
        cheaper = one["cpu_us_per_record"] / own["cpu_us_per_record"]
        ratio = "| | " if one is own else f"| {faster:.2f}x | {cheaper:.2f}x "
        goal = GOALS.get(one["case"], {}).get(one["name"])
        lines.append(
            f"| {one['case']} | {one['name']} | {one['rows']:,} | {one['records_per_second']:,.0f} "
            f"| {one['cpu_us_per_record']:.2f} | {one['peak_mib']:.0f} {ratio}"
            f"| {f'{goal:.2f}x' if goal else ''} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure everything that is installed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000])
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--only", nargs="*", choices=list(CASES))
    parser.add_argument("--llm", action="store_true", help="only the rate of model calls")
    parser.add_argument("--out", type=Path)
    parser.add_argument(
        "--peer-python",
        type=Path,
        nargs="*",
        default=[],
        help="interpreters with peers that this one lacks",
    )
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        case, name, path = options.one
        print(json.dumps(measure(case, name, Path(path), options.repeat)))
        return
    if options.llm:
        print("| in flight | client | requests/s | of the ideal rate | CPU ms each |")
        print("|---|---|---|---|---|")
        print(llm_rate(64), llm_rate(256), sep="\n")
        return
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for rows in options.rows:
            path = Path(folder) / f"{rows}.arrow"
            corpus(rows, path)
            for case in options.only or CASES:
                for name, (_, _, needs) in CASES[case].items():
                    python = python_for(needs, options.peer_python)
                    if python is None:
                        print(f"{needs} is not installed: {name} left out", file=sys.stderr)
                        continue
                    one = {**in_child(python, case, name, path, options.repeat), "corpus": rows}
                    print(json.dumps(one), file=sys.stderr)
                    found.append(one)
    print(table(found))
    if options.out:
        options.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
