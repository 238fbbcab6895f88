"""Errors: one tree, each class named after the boundary that failed.

```
FtBenchError                    exit 1
├── UsageError                  exit 2    what was typed or configured
│   ├── UnknownName                       a name that is not there, with a suggestion
│   ├── ConfigError                       a key or value of the configuration
│   ├── PlanInvalid                       a plan or recipe that breaks a rule
│   │   └── PlanRefused                   a plan that a person does not want
│   └── MessageRefused                    a message that the Lab's socket does not take
├── PrerequisiteError           exit 3    something that must be there first
│   ├── ChecksumMismatch                  a file that is not what was published
│   └── DataMissing                       a file or a split that is not there
├── BudgetExhausted             exit 4    a call that would overrun a limit
├── IntegrityError              exit 5    a record or a model that cannot be trusted
│   ├── ChainBroken                       the journal was altered
│   └── TokenRefused                      a message with another run's token, or none
├── Interrupted                 exit 130  stopped by a person; resumable
├── JobFailed                             a training or an evaluation, with its FailureKind
│   └── ModelFailed                       a language model that gave no answer
├── AgentFailed                           the agent's own code
└── StoreBusy                             another process holds the run
```
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import ClassVar, Literal

__all__ = [
    "AgentFailed",
    "BudgetExhausted",
    "ChainBroken",
    "ChecksumMismatch",
    "ConfigError",
    "DataMissing",
    "FailureKind",
    "FtBenchError",
    "IntegrityError",
    "Interrupted",
    "JobFailed",
    "MessageRefused",
    "ModelFailed",
    "PlanInvalid",
    "PlanRefused",
    "PrerequisiteError",
    "StoreBusy",
    "TokenRefused",
    "UnknownName",
    "UsageError",
    "boundary",
]

FailureKind = Literal[
    "PLAN_INVALID",
    "DATA_SOURCE",
    "DATA_EMPTY",
    "DATA_SCHEMA",
    "DATA_LEAK",
    "OOM",
    "DIVERGED",
    "TIMEOUT",
    "INFRA",
    "EVAL_ERROR",
    "EXECUTOR_GAVE_UP",
    "POLICY",
]


class FtBenchError(Exception):
    """The root: `str(error)` is one sentence for a person, `exit_code` ends the process."""

    exit_code: ClassVar[int] = 1


class UsageError(FtBenchError):
    """What was typed cannot be meant."""

    exit_code = 2


class UnknownName(UsageError):
    """A name that is not registered.

    Args:
        noun: what kind of thing was asked for, as a person would say it ("task").
        name: the name as given.
        known: the names that exist; the nearest becomes the suggestion.
        remedy: the command that lists them.
    """

    def __init__(self, noun: str, name: str, known: Iterable[str], remedy: str = "") -> None:
        names = sorted(known)
        lowered = {known_name.lower(): known_name for known_name in names}
        found = difflib.get_close_matches(name.lower(), lowered, n=1, cutoff=0.5)
        near = [lowered[match] for match in found]
        guess = f"; did you mean {near[0]!r}?" if near else f"; expected one of {', '.join(names)}."
        super().__init__(f"Unknown {noun} {name!r}{guess}" + (f" ({remedy})" if remedy else ""))
        self.noun, self.name, self.suggestion = noun, name, near[0] if near else None


class ConfigError(UsageError):
    """A key that does not exist, or a value of the wrong kind."""


class PlanInvalid(UsageError):
    """A plan or a recipe that breaks a rule of the contract."""


class PlanRefused(PlanInvalid):
    """A plan that a person was asked about and does not want; another may do."""


class MessageRefused(UsageError):
    """A message that the Lab's socket does not take.

    Args:
        why: "malformed", "too large" or "too many"; the last may be sent again later.
        message: the sentence.
    """

    def __init__(self, why: Literal["malformed", "too large", "too many"], message: str) -> None:
        super().__init__(message)
        self.why = why


class PrerequisiteError(FtBenchError):
    """Something that must be there before any work: data, a key, a package."""

    exit_code = 3


class ChecksumMismatch(PrerequisiteError):
    """A file whose bytes are not those that were published.

    Args:
        path: the file.
        expected: the published sha256, hexadecimal.
        actual: the sha256 of what is there.
        remedy: the command that mends it.
    """

    def __init__(self, path: object, expected: str, actual: str, remedy: str) -> None:
        super().__init__(
            f"{path} has sha256 {actual}, expected {expected}: the file is damaged or of another "
            f"revision; {remedy}"
        )
        self.path, self.expected, self.actual = path, expected, actual


class DataMissing(PrerequisiteError):
    """A file or a split that is not there."""


class BudgetExhausted(FtBenchError):
    """A call that would overrun a limit; refused before it was made.

    Args:
        limit: the name of the limit, as in the configuration ("device_seconds").
        message: the sentence.
    """

    exit_code = 4

    def __init__(self, limit: str, message: str) -> None:
        super().__init__(message)
        self.limit = limit


class IntegrityError(FtBenchError):
    """A record, a dataset or a model that cannot be trusted."""

    exit_code = 5


class ChainBroken(IntegrityError):
    """The journal's hash chain does not hold."""


class TokenRefused(IntegrityError):
    """A message to the Lab's socket that does not carry this run's token."""


class Interrupted(FtBenchError):
    """A person stopped the run; everything paid for is kept."""

    exit_code = 130


class JobFailed(FtBenchError):
    """A training or an evaluation that did not end well: an ordinary outcome of a node.

    Args:
        kind: what went wrong, one of the FailureKind words.
        cause: one sentence with the reason as the machine gave it.
    """

    def __init__(self, kind: FailureKind, cause: str) -> None:
        super().__init__(f"{kind}: {cause}")
        self.kind, self.cause = kind, cause


class ModelFailed(JobFailed):
    """A language model gave no answer: the machine's fault, no evidence about any plan.

    Args:
        cause: one sentence: who was asked, what came back, and what to do about it.
        charged: whether the vendor may have counted the request.
        transient: whether the same request may be answered another time.
    """

    def __init__(self, cause: str, *, charged: bool, transient: bool) -> None:
        super().__init__("INFRA", cause)
        self.charged, self.transient = charged, transient


class AgentFailed(FtBenchError):
    """The agent's own code raised; the run is scored on its best node."""


class StoreBusy(FtBenchError):
    """Another process holds this run directory."""


@contextmanager
def boundary(error: type[FtBenchError], doing: str) -> Iterator[None]:
    """Turn whatever a foreign library raises while `doing` into one of ours.

    Our own errors, KeyboardInterrupt and SystemExit pass unchanged. The cause is chained.

    Args:
        error: the class to raise; it takes one message.
        doing: the words after "while", for the sentence.
    """
    try:
        yield
    except FtBenchError:
        raise
    except Exception as cause:  # the boundary is the one place that catches everything
        text = " ".join(str(cause).split()) or type(cause).__name__
        raise error(f"{type(cause).__name__} while {doing}: {text[:500]}") from cause
