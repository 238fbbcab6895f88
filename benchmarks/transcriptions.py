"""Transcriptions: each scorer's rule written down as its specification reads, one item at a time.

They are the peers of benchmarks/scorers.py and the oracle of tests/unit/scorers. They bound
nothing, and raise where upstream would.
"""

from __future__ import annotations

import json
import math
import re
import warnings
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

__all__ = [
    "article_numbers",
    "assertion",
    "author_order",
    "char_f1",
    "choice",
    "entities",
    "gta_summary",
    "last_capital",
    "law_score",
    "log_distance",
    "macro_f1",
    "matched",
    "mechanism_score",
    "ome_score",
    "order_score",
    "prison_term",
    "react_json",
    "react_step",
    "rouge_l_chinese",
    "sentiment",
    "single_choice",
    "smiles",
    "tomg_score",
]

Step = tuple[Any, Any, float]
"""Sub-type, SMILES and weight."""


def choice(text: str) -> str | None:
    """CS-Bench, multiple choice."""
    found = re.search(r"\b[ABCD]\b", text, re.IGNORECASE)
    return found.group().upper() if found else None


def assertion(text: str) -> str | None:
    """CS-Bench, true or false."""
    found = re.search(r"\b(true|false)\b", text.lower())
    return found.group() if found else None


def author_order(text: str) -> str | None:
    """EconLogicQA."""
    found = re.search(r"((?:[A-D], ){3}[A-D])", text)
    return found.group(1) if found else None


def last_capital(text: str) -> str:
    """OpenFinData, lettered sub-tasks."""
    letter = ""
    for character in text:
        if character.isupper():
            letter = character
    return letter


def matched(answer: str, found: str | None) -> tuple[float, str | None]:
    """The score of a choice, and the choice."""
    return float(found == answer), found


def sentiment(text: str) -> str | None:
    """SST-2: the last whole word, else the last digit that stands alone."""
    words = re.findall(r"(?<![a-z0-9_])(?:positive|negative)(?![a-z0-9_])", text.lower())
    if words:
        return str(words[-1])
    digits = re.findall(r"(?<![\w.])[01](?!\.?\w)", text)
    return ("negative", "positive")[int(digits[-1])] if digits else None


def macro_f1(labels: Sequence[str], golds: Sequence[str], outputs: Sequence[str]) -> float:
    """HoC: a pair of vectors per document, then a pass per label."""
    pairs = []
    for gold, output in zip(golds, outputs, strict=True):
        text = output.strip()
        names = gold.split(";")
        found = [int(label in text) for label in labels]
        wanted = [int(label in names) for label in labels]
        pairs.append((found, wanted))
    scores = []
    for at in range(len(labels)):
        hit = sum(found[at] and wanted[at] for found, wanted in pairs)
        size = sum(found[at] + wanted[at] for found, wanted in pairs)
        scores.append(2 * hit / size if size else 0.0)
    return sum(scores) / len(scores)


def _after_arrows(text: str) -> str:
    if "=>" in text:
        text = text.split("=>")[-1].strip()
    if "->" in text:
        text = text.split("->")[-1].strip()
    return text


def _block(text: str) -> Any:
    block = text.replace('""', '"')
    try:
        return _after_arrows(json.loads(block)["molecule"])
    except Exception:  # noqa: BLE001  the rule says: any
        value = block.split(":")[1].strip().strip("}").strip().strip('"').strip()
        return _after_arrows(value)


def smiles(text: str) -> Any:
    """TOMG-Bench, the leaderboard's correction step; "None" where it gives up."""
    try:
        found = re.search(r"\{.*?\}", text, re.DOTALL)
        if found:
            return _block(found.group())
        bare = _after_arrows(text.replace("\n", " ").strip())
        return bare[1:-1] if bare[0] == "[" and bare[-1] == "]" else bare
    except Exception:  # noqa: BLE001  the rule says: any
        return "None"


def react_step(text: str) -> tuple[str, str]:
    """GTA: ("answer", text) or (tool name, raw input); ("NoAction", "") for neither."""
    if "Final Answer:" in text:
        return "answer", text.split("Final Answer:")[-1]
    names = re.findall(r"Action:(.*?)\n", text)
    inputs = re.findall(r"Action Input:(.*)", text, re.DOTALL)
    if not names or not inputs:
        return "NoAction", ""
    return names[-1].strip(), inputs[-1].strip().strip('"')


def react_json(raw: str) -> str:
    """GTA: what is read as JSON of a raw input."""
    fenced = re.match(r"^\s*(```json\n)?(.*)\n```\s*$", raw, re.DOTALL)
    return fenced.group(2) if fenced else raw


def char_f1(first: str, second: str) -> float:
    """LawBench, rc-F1."""
    bags = [[c for c in text.lower() if c.isdigit() or c.isalpha()] for text in (first, second)]
    if not bags[0] or not bags[1]:
        return float(int(not bags[0] and not bags[1]))
    shared = sum((Counter(bags[0]) & Counter(bags[1])).values())
    precision, recall = shared / len(bags[0]), shared / len(bags[1])
    return 2 * precision * recall / (precision + recall) if shared else 0.0


def single_choice(labels: Sequence[str], text: str, gold: str) -> tuple[float, list[str]]:
    """LawBench: the score, and the labels that occur; a label that repeats counts once."""
    counts = {}
    for label in labels:
        counts[label] = min(text.count(label), 1)
    score = float(sum(counts.values()) == 1 and counts[gold] == 1)
    return score, [label for label, count in counts.items() if count]


def entities(kinds: Sequence[str], text: str) -> dict[str, str]:
    """LawBench 2-6: the entities that an answer names."""
    found = {}
    for kind in kinds:
        for match in re.finditer(re.escape(kind), text):
            end = match.end()
            if end >= len(text) - 2 or text[end] not in (":", "："):
                continue
            value = re.split(r"[\n ]", text[end + 1 :].strip())[0].strip()
            if value not in ("无", "未提及"):
                found[kind] = value
    return found


def _digits(text: str) -> str:
    import cn2an

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return str(cn2an.transform(text, "cn2an"))


def prison_term(text: str) -> int | None:
    """LawBench 3-4 and 3-5: the months that an answer names."""
    plain = _digits(text)
    months = re.findall(r"(\d+)个月", plain) + re.findall(r"(\d+)月", plain)
    if months:
        return int(months[0])
    years = re.findall(r"(\d+)年", plain)
    return int(years[0]) * 12 if years else None


def article_numbers(text: str) -> set[int]:
    """LawBench 3-1: the articles that an answer names."""
    found = set()
    for chunk in text.split("、"):
        plain = re.sub(r"第(.*?)款", "", chunk.replace("万元", "元"))
        plain = re.sub(r"第(.*?)条", r"\1", plain)
        digits = re.findall(r"\d+", _digits(plain))
        if digits:
            found.add(int(digits[0]))
    return found


def _chinese_words(text: str) -> list[str]:
    import jieba

    joined = " ".join(jieba.cut(text))
    if not joined.strip():
        joined = "无内容"
    joined = re.sub(r"([。！？?])([^”’])", r"\1\n\2", joined)
    joined = re.sub(r"(\.{6})([^”’])", r"\1\n\2", joined)
    joined = re.sub(r"(…{2})([^”’])", r"\1\n\2", joined)
    joined = re.sub(r"([。！？?][”’])([^，。！？?])", r"\1\n\2", joined)
    lines = [" ".join(line.split()) for line in joined.rstrip().split("\n") if line]
    return [word for line in lines for word in line.split(" ")]


def _lcs(first: Sequence[str], second: Sequence[str]) -> int:
    above = [0] * (len(second) + 1)
    for one in first:
        row = [0]
        for at, other in enumerate(second):
            row.append(above[at] + 1 if one == other else max(above[at + 1], row[at]))
        above = row
    return above[-1]


def rouge_l_chinese(prediction: str, reference: str) -> float:
    """LawBench, ROUGE-L."""
    found, wanted = _chinese_words(prediction), _chinese_words(reference)
    shared = _lcs(found, wanted)
    precision, recall = shared / len(found), shared / len(wanted)
    return 2 * precision * recall / (precision + recall + 1e-8)


def _canonical(text: str) -> str:
    from rdkit import Chem

    mol = Chem.MolFromSmiles(text)
    return str(Chem.MolToSmiles(mol)) if mol is not None else ""


def _tanimoto(first: str, second: str) -> float:
    from rdkit import Chem
    from rdkit.Chem import rdFingerprintGenerator
    from rdkit.DataStructs import TanimotoSimilarity

    mols = [Chem.MolFromSmiles(text) for text in (first, second)]
    if any(mol is None for mol in mols):
        return 0.0
    make = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)
    return float(TanimotoSimilarity(*map(make.GetFingerprint, mols)))


def mechanism_score(gold: Sequence[Step], found: Sequence[Step]) -> dict[str, float]:
    """oMeBench: the four components of one reaction."""
    eps, rank = 1e-6, {"match": 3, "type_mismatch": 2, "skip_gold": 1, "skip_pred": 1}
    table: dict[tuple[int, int], tuple[float, float, float, str]] = {(0, 0): (0.0, 0.0, 0.0, "")}
    for i in range(len(gold) + 1):
        for j in range(len(found) + 1):
            options = []
            if i:
                total, partial, penalty, _ = table[i - 1, j]
                options.append((total, partial, penalty - eps, "skip_gold"))
            if j:
                total, partial, penalty, _ = table[i, j - 1]
                options.append((total, partial, penalty - eps, "skip_pred"))
            if i and j:
                total, partial, penalty, _ = table[i - 1, j - 1]
                options.append(_diagonal(gold[i - 1], found[j - 1], total, partial, penalty))
            if options:
                table[i, j] = max(options, key=lambda o: (o[0], o[1], rank[o[3]], o[2]))
    i, j, matches = len(gold), len(found), 0
    total, partial = table[i, j][:2]
    while i or j:
        action = table[i, j][3]
        matches += action == "match"
        i, j = i - (action != "skip_pred"), j - (action != "skip_gold")
    valid = sum(_canonical(step[1]) != "" for step in found)
    return {
        "V": round(valid / max(1, len(found)), 2),
        "LFS": round(matches / max(1, len(gold)), 2),
        "S_total": round(total, 2),
        "S_partial": round(partial, 2),
    }


def _diagonal(
    gold: Step, found: Step, total: float, partial: float, penalty: float
) -> tuple[float, float, float, str]:
    if gold[0] != found[0]:
        return total, partial, penalty - 1e-6, "type_mismatch"
    one, two = _canonical(gold[1]), _canonical(found[1])
    if one == two != "":
        total += gold[2]
    likeness = _tanimoto(gold[1], found[1])
    if likeness >= 0.6:
        partial += gold[2] * likeness
    return total, partial, penalty, "match"


def log_distance(months: int | None, gold: int) -> float:
    """LawBench 3-4 and 3-5: the score of one answer."""
    if months is None:
        return 0.0
    longest = math.log(216)
    return (longest - abs(math.log(gold + 1) - math.log(months + 1))) / longest


def order_score(row: dict[str, Any], text: str) -> tuple[float, dict[str, Any] | None]:
    """EconLogicQA: exact match; what was read, and its pairs, which reports show."""
    order, gold = author_order(text), row["answer"].split(", ")
    if order is None:
        return 0.0, None
    letters = order.split(", ")
    pairs = 0.0
    if sorted(letters) == sorted(gold):
        wanted = [(one, two) for at, one in enumerate(gold) for two in gold[at + 1 :]]
        pairs = sum(letters.index(one) < letters.index(two) for one, two in wanted) / 6
    return float(order == row["answer"]), {"order": order, "pairwise_accuracy": pairs}


def law_score(row: dict[str, Any], text: str) -> tuple[float, Any]:
    """LawBench: one answer of a sub-task that the benchmark measures, and what was read in it."""
    gold, subtask = row["reference"], row["subtask"]
    if subtask == "1-2":
        return single_choice("ABCD", text, gold[5])
    if subtask == "2-5":
        return char_f1(gold.replace("回答:", ""), text), text
    if subtask == "2-6":
        found = entities(_KINDS, text)
        return _entity_f1(dict(pair.split(":") for pair in gold.split(";")), found), found
    if subtask == "3-1":
        numbers = article_numbers(text)
        bare = gold.replace("法条:刑法第", "").replace("条", "")
        return _set_f1(numbers, {int(number) for number in bare.split("、")}), numbers
    if subtask == "3-4":
        months = prison_term(text)
        wanted = int(gold.replace("刑期:", "").replace("个月", ""))
        return log_distance(months, wanted), months
    return rouge_l_chinese(text, gold), text


_KINDS = ("犯罪嫌疑人", "受害人", "被盗货币", "物品价值", "盗窃获利")
_KINDS += ("被盗物品", "作案工具", "时间", "地点", "组织机构")


def _set_f1(found: set[int], gold: set[int]) -> float:
    shared = len(found & gold)
    precision, recall = shared / len(found) if found else 0.0, shared / len(gold)
    return 2 * precision * recall / (precision + recall) if shared else 0.0


def _entity_f1(wanted: dict[str, str], found: dict[str, str]) -> float:
    if not found:
        return 0.0
    shared = sum(char_f1(wanted[kind], found[kind]) for kind in found if kind in wanted)
    precision, recall = shared / len(found), shared / len(wanted)
    return 2 * precision * recall / (precision + recall + 1e-10)


def gta_summary(pairs: Sequence[tuple[dict[str, Any], str]]) -> float:
    """GTA, step by step: upstream's counts, of which the answers make the score."""
    counts: dict[str, float] = defaultdict(float)
    items = []
    for row, text in pairs:
        name, content = react_step(text)
        if name == "answer":
            step: dict[str, Any] = {"role": "assistant", "content": content}
        else:
            function = {"name": name, "arguments": {"text": content}}
            call = {"type": "function", "function": function}
            step = {"role": "assistant", "tool_calls": [call], "error": {"type": "API_ERROR"}}
        called, wanted = "tool_calls" in step, "tool_calls" in row["gold"]
        counts["references"] += row["counts"]
        counts["inst_align"] += called == wanted and "error" not in step
        counts["tool"] += wanted
        counts["tool_call"] += called
        counts["tool_call_error"] += called and "error" in step
        score = 0.0
        if not called and not wanted:
            score = float(_named(row["reference"], step["content"]))
        counts["answer"] += score
        items.append({"id": row["id"], "score": score, "valid": "error" not in step, "step": step})
    return counts["answer"] / counts["references"]


def _named(reference: dict[str, Any], answer: str) -> bool:
    found = 0
    for group in reference["whitelist"]:
        if re.search(_alternatives(group), answer, re.IGNORECASE):
            found += 1
    if reference["blacklist"]:
        black = [alias for group in reference["blacklist"] for alias in group]
        if re.search(_alternatives(black), answer, re.IGNORECASE):
            return False
    return found == len(reference["whitelist"])


def _alternatives(aliases: Sequence[str]) -> str:
    return r"\b(?:" + "|".join(re.escape(alias) for alias in aliases) + r")\b"


def ome_score(row: dict[str, Any], text: str) -> tuple[float, dict[str, float]]:
    """oMeBench: the equally weighted components of one answer that is JSON."""
    gold = [(s["subtype"], s["intermediate_smiles"], s["step_weight"]) for s in row["mechanism"]]
    found = [(s["subtype"], s["intermediate_smiles"], 0.0) for s in json.loads(text)]
    parts = mechanism_score(gold, found)
    return sum(0.25 * value for value in parts.values()), parts


def tomg_score(row: dict[str, Any], text: str) -> float:
    """TOMG-Bench: 0.4 validity + 0.6 success for an added group or a lower property."""
    from rdkit import Chem
    from rdkit.Chem import GetMolFrags, rdFingerprintGenerator
    from rdkit.Chem.Descriptors import MolLogP, qed
    from rdkit.DataStructs import TanimotoSimilarity

    patterns = {"hydroxyl": "[OX2H]", "amine": "[NX3;H2,H1;!$(NC=O)]"}
    patterns |= {"halo": "[F,Cl,Br,I]", "amide": "[NX3][CX3](=[OX1])[#6]"}
    mol, source = Chem.MolFromSmiles(smiles(text)), Chem.MolFromSmiles(row["molecule"])
    if mol is None:
        return 0.0
    make = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)
    row["similarity"] = TanimotoSimilarity(*map(make.GetFingerprint, (mol, source)))
    row["fragments"] = len(GetMolFrags(mol))
    if row["subtask"] == "AddComponent":
        pattern = Chem.MolFromSmarts(patterns[row["added_group"]])
        before, after = (len(one.GetSubstructMatches(pattern)) for one in (source, mol))
        return 0.4 + 0.6 * (after == before + 1)
    measure = MolLogP if row["subtask"] == "LogP" else qed
    return 0.4 + 0.6 * (measure(mol) < measure(source))
