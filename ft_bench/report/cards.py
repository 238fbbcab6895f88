"""Cards: the result cards of a folder, with what a review said about each."""

from __future__ import annotations

from pathlib import Path

from ft_bench.errors import DataMissing
from ft_bench.record import Card
from ft_bench.store import read_card, read_review

__all__ = ["read_cards"]

_MOST_BYTES = 4_000_000
_REVIEW = ".review.json"


def read_cards(folder: Path) -> tuple[dict[Path, Card], list[str]]:
    """The cards in a folder, as `<name>.json` or `<run>/card.json`, each by its file.

    What was skipped, and why, comes beside them. A run found twice counts once; one that was
    rejected by `ft-bench runs review` says so.
    """
    cards: dict[Path, Card] = {}
    known: set[str] = set()
    skipped = []
    for path in sorted({*folder.glob("*.json"), *folder.glob("*/card.json")}):
        name = path.relative_to(folder).as_posix()
        if name.endswith(_REVIEW):
            continue
        try:
            card = _read(path)
        except DataMissing as missing:
            skipped.append(f"{name}: {str(missing).removeprefix(f'{path} ')}")
            continue
        if card.run_id in known:
            skipped.append(f"{name}: the run {card.run_id} was found before")
            continue
        known.add(card.run_id)
        cards[path] = card
    return cards, skipped


def _read(path: Path) -> Card:
    if not path.is_file():
        raise DataMissing("is not a file")
    if path.stat().st_size > _MOST_BYTES:
        raise DataMissing(f"is larger than a card can be ({path.stat().st_size:,} bytes)")
    card = read_card(path)
    beside = path.with_name("review.json") if path.name == "card.json" else None
    review = read_review(beside or path.with_name(path.stem + _REVIEW))
    if review is not None and review.verdict == "rejected":
        return card.model_copy(
            update={"status": "rejected", "flags": (*card.flags, f"rejected: {review.reason}")}
        )
    return card
