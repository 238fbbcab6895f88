"""Properties that hold for any rows."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from fractions import Fraction

from datasets import Dataset
from hypothesis import given, settings
from hypothesis import strategies as st

import aidp
from aidp.fingerprint import content_id
from aidp.sampling import allot, largest_total

words = st.text(alphabet="ab \u00e9\u6c34\n", max_size=6)
texts = st.lists(words, min_size=1, max_size=40)
shares = st.lists(
    st.floats(0.01, 10.0, allow_nan=False).map(lambda x: round(x, 3)), min_size=1, max_size=5
)
quick = settings(max_examples=30, deadline=None)


@quick
@given(texts, st.sampled_from(["none", "space", "loose"]), st.sampled_from(["first", "last"]))
def test_dedup_is_idempotent_and_keeps_every_distinct_text(values, normalise, keep):
    rows = Dataset.from_dict({"text": values})
    once = aidp.deduplicate_by_text_hash(rows, normalise=normalise, keep=keep)
    twice = aidp.deduplicate_by_text_hash(once, normalise=normalise, keep=keep)
    assert once["text"][:] == twice["text"][:]
    if normalise == "none":
        distinct = list(dict.fromkeys(values))
        assert sorted(once["text"]) == sorted(distinct)
        assert keep == "last" or once["text"][:] == distinct


@quick
@given(texts)
def test_near_dedup_is_idempotent(values):
    rows = Dataset.from_dict({"text": values})
    once = aidp.deduplicate_by_minhash(rows)
    assert aidp.deduplicate_by_minhash(once)["text"][:] == once["text"][:]


@quick
@given(
    st.lists(
        st.floats(-1e9, 1e9, width=32) | st.integers(-3, 3).map(float), min_size=1, max_size=60
    ),
    st.integers(0, 70),
    st.booleans(),
)
def test_select_by_score_equals_a_sort(scores, k, highest):
    rows = Dataset.from_dict({"score": scores, "n": list(range(len(scores)))})
    sign = -1 if highest else 1
    expected = sorted(range(len(scores)), key=lambda i: (sign * scores[i], i))[:k]
    assert aidp.select_by_score(rows, k=k, highest=highest)["n"][:] == expected


@quick
@given(shares, st.integers(0, 500))
def test_allotments_add_up_and_are_off_by_less_than_a_row(ratios, total):
    counts = allot(total, ratios)
    assert sum(counts) == total
    for count, ratio in zip(counts, ratios, strict=True):
        assert abs(count - total * ratio / math.fsum(ratios)) < 1 + 1e-9


@quick
@given(st.lists(st.tuples(st.floats(0.01, 10.0), st.integers(1, 40)), min_size=1, max_size=4))
def test_mix_is_exact_to_a_row_and_takes_as_many_as_it_can(kinds):
    ratios, sizes = [ratio for ratio, _ in kinds], [size for _, size in kinds]
    rows = Dataset.from_dict({"source": [str(i) for i, n in enumerate(sizes) for _ in range(n)]})
    most = largest_total(sizes, ratios)
    named = {str(i): ratio for i, ratio in enumerate(ratios)}
    mixed = Counter(aidp.mix(rows, ratios=named)["source"]) if most else Counter()
    assert [mixed[str(i)] for i in range(len(sizes))] == allot(most, ratios)
    whole = sum(map(Fraction, ratios))
    needed = [(most + 1) * Fraction(ratio) / whole for ratio in ratios]
    assert any(n > size for n, size in zip(needed, sizes, strict=True))


@quick
@given(texts, st.lists(st.integers(0, 40), max_size=4))
def test_the_content_id_does_not_depend_on_chunks(values, cuts):
    table = Dataset.from_dict({"text": values}).data.table
    import pyarrow as pa

    edges = sorted({0, len(values), *(min(cut, len(values)) for cut in cuts)})
    parts = [table.slice(a, b - a) for a, b in itertools.pairwise(edges)]
    assert content_id(pa.concat_tables(parts)) == content_id(table)


@quick
@given(texts, st.integers(1, 40), st.integers(0, 5))
def test_every_row_is_kept_or_rejected(values, n, seed):
    rows = Dataset.from_dict({"text": values, "n": list(range(len(values)))})
    steps = [
        {"op": "deduplicate_by_text_hash", "params": {}},
        {"op": "select_by_random", "params": {"n": n}},
    ]
    outcome = aidp.run({"sources": [{"id": "a"}], "steps": steps, "seed": seed}, {"a": rows})
    assert sorted([*outcome.dataset["n"], *outcome.rejects["n"]]) == list(range(len(values)))
