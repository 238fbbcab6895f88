"""Integrity: the named flags that a run can earn, what each means, and what follows from it.

A flag is journalled when it is earned and stands on the card. One that is `void` takes the gain
away: the score is shown, ranked nowhere, and counts as no gain.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ft_bench.record import Gain, Interval

__all__ = ["FLAGS", "Flag", "flag_words", "is_void", "void_gain"]


@dataclass(frozen=True, slots=True)
class Flag:
    """What a flag says to a reader, and whether it takes the gain away."""

    meaning: str
    void: bool


FLAGS: dict[str, Flag] = {
    "forbidden-path": Flag("tried to open what lies outside its workspace", void=True),
    "foreign-training": Flag("the model was trained outside the Lab by the agent", void=False),
    "forged-record": Flag("a journal, a score or a samples file was altered", void=True),
    "foreign-token": Flag("came with another run's token", void=True),
    "left-processes": Flag("left processes behind; they were ended", void=False),
    "malformed-messages": Flag(
        "sent what is no message to the Lab, or one over the limit", void=False
    ),
    "message-flood": Flag("sent more messages than the Lab answers", void=False),
    "other-model": Flag("the model is not the permitted base plus a delta", void=True),
    "over-budget": Flag("went on asking for what a limit had refused", void=False),
    "over-disk": Flag("wrote more than its disk limit and was ended", void=False),
    "over-memory": Flag("used more than its memory limit and was ended", void=False),
    "over-processes": Flag("had more processes than it may and was ended", void=False),
    "over-time": Flag("ran past its time and was ended", void=False),
    "test-rows-in-training": Flag("rows of the sealed test stand in its training set", void=True),
    "validation-rows-in-training": Flag("brought validation rows into a training set", void=False),
    "weights-changed": Flag("the weights are not those that the training left", void=True),
}


def flag_words(name: str) -> str:
    """A flag's name and meaning."""
    return f"{name}: {FLAGS[name].meaning}" if name in FLAGS else name


def is_void(flags: Iterable[str]) -> bool:
    """Whether any flag takes the gain away; one that is not in the table does."""
    return any(name not in FLAGS or FLAGS[name].void for name in flags)


def void_gain(gain: Gain) -> Gain:
    """No gain, with the base and the reference it would have been measured against."""
    nothing = Interval(low=0.0, high=0.0, method="void: integrity")
    value = None if gain.value is None else 0.0
    return gain.model_copy(update={"value": value, "ci": None, "delta": 0.0, "delta_ci": nothing})
