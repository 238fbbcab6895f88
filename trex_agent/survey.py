"""Survey: what is found in the training data before anything is trained, as issues with remedies.

A remedy is one AIDP operation. The survey reads the train and validation splits only, and looks
for what real pools suffer from: duplicates, contradictions, answers in another format, rows that
are not what they claim to be, copies of validation rows, sources of unequal worth, and texts much
shorter than those that will be asked.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from typing import Any

from ft_bench.audit import normalised
from ft_bench.plan import Operation
from ft_bench.protocols import Brief
from trex_agent.proxy import worth_of_sources

__all__ = ["Issue", "Survey", "survey"]

Rows = Sequence[dict[str, Any]]
_FEW = 12
_PLAIN = frozenset({"id", "prompt", "answer"})


@dataclass(frozen=True, slots=True)
class Issue:
    """Something about the pool: the share of rows concerned and the operations that would mend it.

    `weight` is how much of the share is thought to be harm; the first remedy is the likeliest.
    """

    name: str
    share: float
    remedies: tuple[Operation, ...]
    text: str
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Survey:
    """What was found in a pool of `rows` rows."""

    rows: int
    issues: tuple[Issue, ...]
    molecules: bool
    balance_column: str | None

    def share(self, name: str) -> float:
        """The share of rows with the issue called `name`, 0 where it was not found."""
        return next((issue.share for issue in self.issues if issue.name == name), 0.0)


def survey(brief: Brief) -> Survey:
    """Read both splits once and list what is wrong with the pool, gravest first."""
    train, validation = _read(brief.train), _read(brief.validation)
    if not train:
        return Survey(0, (), False, None)
    molecules = _are_molecules([str(row["prompt"]) for row in validation])
    looks: tuple[Callable[[Rows, Rows, bool], list[Issue]], ...] = (
        _duplicates,
        _conflicts,
        _invalid,
        _format,
        _copies,
        _sources,
        _lengths,
    )
    issues = [issue for look in looks for issue in look(train, validation, molecules)]
    issues.sort(key=lambda issue: -issue.share * issue.weight)
    return Survey(len(train), tuple(issues), molecules, _balance_column(train))


def _read(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8") as stream:
        return [json.loads(line) for line in stream]


def _are_molecules(prompts: Sequence[str]) -> bool:
    """Whether nearly every prompt is one token that RDKit reads as a molecule."""
    sample = prompts[:200]
    if not sample or any(" " in prompt.strip() for prompt in sample):
        return False
    return sum(_canonical(prompt) is not None for prompt in sample) >= 0.95 * len(sample)


def _canonical(smiles: str) -> str | None:
    try:
        from rdkit import Chem, rdBase
    except ImportError:
        return None
    rdBase.DisableLog("rdApp.*")
    molecule = Chem.MolFromSmiles(smiles)
    if molecule is None:
        return None
    text: str = Chem.MolToSmiles(molecule)
    return text


def _keys(rows: Rows, molecules: bool) -> list[str]:
    prompts = [str(row["prompt"]) for row in rows]
    if not molecules:
        return [normalised(prompt) for prompt in prompts]
    return [_canonical(prompt) or prompt for prompt in prompts]


def _duplicates(train: Rows, validation: Rows, molecules: bool) -> list[Issue]:
    prompts = [str(row["prompt"]) for row in train]
    share = 1 - len(set(prompts)) / len(prompts)
    params: dict[str, Any] = {"column": "prompt"}
    remedies = [Operation(op="deduplicate_by_text_hash", params=params)]
    if molecules:
        remedies.insert(
            0, Operation(op="deduplicate_by_text_hash", params={**params, "key": "smiles"})
        )
    text = f"{share:.1%} of the prompts are repeated"
    return _if(share > 0.002, Issue("duplicates", share, tuple(remedies), text, weight=0.3))


def _conflicts(train: Rows, validation: Rows, molecules: bool) -> list[Issue]:
    answers: dict[str, set[str]] = defaultdict(set)
    keys = [str(row["prompt"]) for row in train]
    for key, row in zip(keys, train, strict=True):
        answers[key].add(str(row["answer"]))
    share = sum(len(answers[key]) > 1 for key in keys) / len(keys)
    remedies = tuple(
        Operation(op="drop_conflicts", params={"key": "prompt", "answer": "answer", "keep": keep})
        for keep in ("none", "majority")
    )
    text = f"{share:.1%} of the rows contradict another row with the same prompt"
    return _if(share > 0.002, Issue("conflicts", share, remedies, text))


def _invalid(train: Rows, validation: Rows, molecules: bool) -> list[Issue]:
    if not molecules:
        return []
    share = sum(_canonical(str(row["prompt"])) is None for row in train) / len(train)
    remedy = Operation(op="filter_valid_smiles", params={"column": "prompt"})
    text = f"{share:.1%} of the prompts are no valid molecules"
    return _if(share > 0.002, Issue("invalid molecules", share, (remedy,), text))


def _items(answer: str, separator: str) -> list[str]:
    return [part.strip() for part in answer.split(separator)]


def _separator(answers: Sequence[str]) -> str:
    """What stands between the items of list answers on validation; "; " where nothing does."""
    counts = Counter(
        mark for answer in answers for mark in ("; ", ";", ", ", "|") if mark in answer
    )
    return max(counts, key=lambda mark: (counts[mark], len(mark))) if counts else "; "


def _format(train: Rows, validation: Rows, molecules: bool) -> list[Issue]:
    """Answers that are not built from the items that validation answers are built from."""
    answers = [str(row["answer"]) for row in validation]
    separator = _separator(answers)
    known = {item for answer in answers for item in _items(answer, separator)}
    if len(known) > max(_FEW, len(answers) // 10):
        return []
    odd = [not set(_items(str(row["answer"]), separator)) <= known for row in train]
    share = sum(odd) / len(train)
    pattern = "|".join(_quoted(item) for item in sorted(known))
    between = _quoted(separator)
    remedies = (
        Operation(
            op="select_by_filter",
            params={"where": f"answer REGEXP '^({pattern})({between}({pattern}))*$'"},
        ),
        Operation(
            op="normalise_list",
            params={
                "column": "answer",
                "separators": [separator.strip(), ",", "|", "/"],
                "target_separator": separator,
                "allowed": sorted(known),
            },
        ),
    )
    text = f"{share:.1%} of the answers are in another format than validation's"
    return _if(share > 0.002, Issue("answer format", share, remedies, text))


def _quoted(text: str) -> str:
    """A text as a pattern that matches it alone, inside a SQL string."""
    return re.escape(text).replace("'", "''")


def _copies(train: Rows, validation: Rows, molecules: bool) -> list[Issue]:
    known = set(_keys(validation, molecules))
    share = sum(key in known for key in _keys(train, molecules)) / len(train)
    params: dict[str, Any] = {"column": "prompt", "against": "validation"}
    if molecules:
        params["method"] = "smiles"
    text = f"{share:.1%} of the rows stand in validation too"
    issue = Issue(
        "copies of validation", share, (Operation(op="decontaminate", params=params),), text
    )
    return _if(share > 0, issue)


def _columns(train: Rows) -> dict[str, list[str]]:
    """Further columns with few distinct texts: where a row came from, or its class."""
    names = [name for name, value in train[0].items() if isinstance(value, str)]
    found = {}
    for name in names:
        values = sorted({str(row.get(name, "")) for row in train})
        if name not in _PLAIN and 2 <= len(values) <= _FEW:
            found[name] = values
    return found


def _sources(train: Rows, validation: Rows, molecules: bool) -> list[Issue]:
    """Each value of a column of provenance, with what a cheap proxy says of its worth."""
    separator = _separator([str(row["answer"]) for row in validation])
    prompts, answers = _asked_and_answered(train, separator)
    found = []
    for name, values in _columns(train).items():
        if {str(row.get(name, "")) for row in validation} & set(values):
            continue
        sources = [str(row.get(name, "")) for row in train]
        worth = worth_of_sources(
            prompts, answers, sources, _asked_and_answered(validation, separator), len(train)
        )
        found += [_source(name, value, sources, worth.get(value)) for value in values]
    return found


def _asked_and_answered(rows: Rows, separator: str) -> tuple[list[str], list[list[str]]]:
    return (
        [str(row["prompt"]) for row in rows],
        [_items(str(row["answer"]), separator) for row in rows],
    )


def _source(name: str, value: str, sources: Sequence[str], worth: float | None) -> Issue:
    """A source as an issue: its weight is the harm that leaving it out would undo, or cause."""
    share = sources.count(value) / len(sources)
    quoted = value.replace("'", "''")
    remedy = Operation(op="select_by_filter", params={"where": f"{name} <> '{quoted}'"})
    judged = "" if worth is None else f"; a proxy's explained variance on validation {worth:+.3f}"
    harm = -(worth or 0.0) / share
    text = f"{share:.1%} of the rows have {name} {value!r}{judged}"
    return Issue(f"{name} {value}", share, (remedy,), text, weight=harm)


def _lengths(train: Rows, validation: Rows, molecules: bool) -> list[Issue]:
    """Where training prompts are much shorter than those that will be asked."""
    if molecules:
        return []
    asked = sorted(len(str(row["prompt"]).split()) for row in validation)
    given = [len(str(row["prompt"]).split()) for row in train]
    if len(asked) < 20 or len(given) < 2 or quantiles(given, n=4)[1] >= quantiles(asked, n=4)[0]:
        return []
    cuts = quantiles(asked, n=20)
    least = sorted({int(cuts[0]), int(cuts[1]), int(cuts[4])})
    share = sum(length < least[0] for length in given) / len(given)
    remedies = tuple(
        Operation(op="filter_by_word_count", params={"column": "prompt", "least": count})
        for count in least
    )
    text = f"{share:.1%} of the prompts have under {least[0]} words, unlike validation's"
    return _if(share > 0.02, Issue("short prompts", share, remedies, text, weight=0.3))


def _balance_column(train: Rows) -> str | None:
    """The column that names the class of a row, where one class outnumbers another twice."""
    counts = Counter(str(row["answer"]) for row in train)
    if 2 <= len(counts) <= _FEW and max(counts.values()) > 2 * min(counts.values()):
        return "answer"
    return None


def _if(found: bool, issue: Issue) -> list[Issue]:
    return [issue] if found else []
