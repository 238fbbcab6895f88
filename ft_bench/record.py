"""Record: the wire. Frozen models that refer by id; the journal holds them, readers fold them.

Every event carries `schema_version`. Behaviour lives elsewhere: the tree in `tree`, the chain in
`store`, the numbers in `stats`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from ft_bench.errors import FailureKind
from ft_bench.plan import DataRecipe, ExperimentPlan

__all__ = [
    "SCHEMA_VERSION",
    "Agreed",
    "Body",
    "Built",
    "Called",
    "Card",
    "CaseGroup",
    "Concluded",
    "Contrast",
    "Determinant",
    "Diagnosis",
    "Evaluated",
    "Event",
    "Failed",
    "Finding",
    "Flagged",
    "Gain",
    "Interval",
    "Lineage",
    "Opened",
    "Order",
    "Overlap",
    "Planned",
    "Refused",
    "Reserved",
    "Review",
    "RunManifest",
    "Score",
    "Selected",
    "Settled",
    "Steered",
    "Tested",
    "Trained",
    "Usage",
]

SCHEMA_VERSION = 1


CardStatus = Literal[
    "complete",
    "agent_failed",
    "no_valid_model",
    "cancelled",
    "infrastructure",
    "integrity",
    "rejected",
]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Usage(_Record):
    """What was used of each limit. Counts never go down within a run."""

    iterations: int = 0
    device_seconds: float = 0.0
    wall_seconds: float = 0.0
    tokens: int = 0
    usd: float = 0.0

    def plus(self, other: Usage) -> Usage:
        """The sum, field by field."""
        names = type(self).model_fields
        return Usage(**{name: getattr(self, name) + getattr(other, name) for name in names})


class Interval(_Record):
    """A two-sided interval at `level`, by `method` ("wilson", "bootstrap", ...)."""

    low: float
    high: float
    level: float = 0.95
    method: str = ""


class Score(_Record):
    """A metric's value on one split, with its interval.

    `profile` names everything that may move the value besides the model: engine, dtype, batch,
    template, decoding. `samples` is the path of the per-item outcomes, relative to the run.
    """

    metric: str
    value: float
    ci: Interval
    n: int
    invalid: int
    split: Literal["validation", "test"]
    parser: str
    components: dict[str, float] = Field(default_factory=dict)
    samples: str = ""
    samples_sha256: str = ""
    profile: str = ""


class Overlap(_Record):
    """How many rows of a dataset also stand in a split, by how they were found.

    `leaked` counts the rows of the split that stand in the dataset but not in the task's own
    training pool: somebody brought them in.
    """

    split: Literal["validation", "test"]
    exact: int = 0
    ngram13: int = 0
    near: int = 0
    rows: int = 0
    leaked: int = 0


class Lineage(_Record):
    """Whether a model is the permitted base plus a delta; `faults` is empty where it is.

    `cosine` is the median over the matrices of the cosine with the base's, `relative_delta` the
    largest |new - base| / |base| of a tensor; both are None for an adapter, whose base is the
    permitted one by construction.
    """

    kind: Literal["weights", "adapter"]
    tensors: int = 0
    parameters: int = 0
    changed: int = 0
    cosine: float | None = None
    relative_delta: float | None = None
    weights_sha256: str = ""
    faults: tuple[str, ...] = ()


class Finding(_Record):
    """One named cause that a diagnosis holds responsible, with its share of the items."""

    name: str
    share: float
    text: str


class CaseGroup(_Record):
    """Bad cases on validation that are alike.

    `items` counts them, `broken` those of them that the parent had right; `examples` are item ids,
    `terms` what their prompts have and others' have not. A cause's share is of this group.
    """

    label: str
    items: int
    broken: int = 0
    terms: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()
    causes: tuple[Finding, ...] = ()


class Contrast(_Record):
    """One scored variant against the parent's best: what was changed, and what came of it.

    `delta` is the metric's difference as it stands; `probability_better` is of the paired bootstrap
    over the same items, where it was asked for.
    """

    variant: int
    fields: tuple[str, ...] = ()
    delta: float
    probability_better: float | None = None
    fixed: int = 0
    broken: int = 0


class Determinant(_Record):
    """A changed field and what it went with over `n` pairs of parent and child so far.

    In units of the metric, turned so that more is better.
    """

    field: str
    effect: float
    low: float
    high: float
    n: int


class Diagnosis(_Record):
    """What a node taught: flips against the parent, findings, one paragraph in words.

    `item_delta` is the interval of the mean item value against the parent's, by the paired
    bootstrap; `report` is the whole in Markdown, as it stands in the node's `diagnosis.md`.
    `named_by` says who gave the groups their labels where a language model was to, or why it did
    not.
    """

    fixed: int = 0
    broken: int = 0
    still_wrong: int = 0
    probability_better: float | None = None
    verdict: Literal["baseline", "new best", "tie", "worse", "failed"] = "tie"
    findings: tuple[Finding, ...] = ()
    text: str = ""
    item_delta: Interval | None = None
    groups: tuple[CaseGroup, ...] = ()
    named_by: str = ""
    contrasts: tuple[Contrast, ...] = ()
    determinants: tuple[Determinant, ...] = ()
    report: str = ""


class Opened(_Record):
    """A process began (or took up again) the run."""

    kind: Literal["opened"] = "opened"
    attempt: int
    pid: int


class Planned(_Record):
    """A node was proposed. Node 0 is the baseline and costs no iteration."""

    kind: Literal["planned"] = "planned"
    node: int
    parent: int | None
    plan: ExperimentPlan


class Built(_Record):
    """A dataset was made for a node."""

    kind: Literal["built"] = "built"
    node: int
    recipe: DataRecipe
    dataset: str
    rows: int
    rows_read: int
    path: str
    lineage: dict[str, Any] = Field(default_factory=dict)
    overlap: tuple[Overlap, ...] = ()
    seconds: float = 0.0


class Reserved(_Record):
    """Part of the budget was set aside before a piece of work."""

    kind: Literal["reserved"] = "reserved"
    reservation: str
    amount: Usage
    purpose: str


class Settled(_Record):
    """A reservation ended: what was really used. `orphan` when its process had died."""

    kind: Literal["settled"] = "settled"
    reservation: str
    used: Usage
    orphan: bool = False


class Trained(_Record):
    """A variant was trained: the model can be referred to as `model`."""

    kind: Literal["trained"] = "trained"
    model: str
    node: int
    variant: int
    replica: int
    dataset: str
    path: str
    seed: int
    device_seconds: float
    samples: int
    tokens: int
    steps: int
    train_loss: float | None = None
    final_loss: float | None = None
    truncated: float = 0.0
    weights_sha256: str = ""


class Evaluated(_Record):
    """A model was scored on validation."""

    kind: Literal["evaluated"] = "evaluated"
    model: str
    node: int | None
    variant: int | None
    replica: int = 0
    score: Score
    device_seconds: float


class Failed(_Record):
    """A piece of a node failed; `variant` is None when the dataset did."""

    kind: Literal["failed"] = "failed"
    node: int
    variant: int | None
    replica: int = 0
    phase: Literal["plan", "build", "train", "evaluate"]
    failure: FailureKind
    cause: str
    key: str = ""


class Concluded(_Record):
    """A node was closed with its diagnosis."""

    kind: Literal["concluded"] = "concluded"
    node: int
    status: Literal["succeeded", "failed"]
    diagnosis: Diagnosis


class Agreed(_Record):
    """A decision that must be the same after a restart, as data: a choice or an insight."""

    kind: Literal["agreed"] = "agreed"
    key: str
    value: Any


class Order(_Record):
    """One wish of a person about a node, or about an operator or field by its name."""

    verb: Literal["pin", "unpin", "close", "reopen", "ban", "unban"]
    node: int | None = None
    name: str = ""


class Steered(_Record):
    """What a person had asked for was taken in before the decision number `at`.

    `lines` is how many lines of the control file were read in all; `notes` is None where the text
    of `notes.md` was the same as before.
    """

    kind: Literal["steered"] = "steered"
    at: int
    lines: int
    orders: tuple[Order, ...] = ()
    notes: str | None = None


class Refused(_Record):
    """A person was asked about a plan and said no."""

    kind: Literal["refused"] = "refused"
    parent: int
    plan: ExperimentPlan
    reason: str = ""


class Called(_Record):
    """Outside work was answered: a language model or a tool. Settles its reservation, if any."""

    kind: Literal["called"] = "called"
    key: str
    purpose: str = ""
    value: Any
    used: Usage
    reservation: str = ""


class Flagged(_Record):
    """The run earned a flag; `ft_bench.integrity.FLAGS` says what follows from it."""

    kind: Literal["flagged"] = "flagged"
    name: str
    detail: str = ""


class Selected(_Record):
    """The model that goes to the sealed test, and why."""

    kind: Literal["selected"] = "selected"
    model: str
    node: int | None
    variant: int | None
    by: Literal["validation", "agent", "base"]
    reason: str


class Tested(_Record):
    """The one evaluation on the sealed test split, by the grader."""

    kind: Literal["tested"] = "tested"
    model: str
    score: Score
    base: Score
    device_seconds: float
    contamination: tuple[Overlap, ...] = ()
    lineage: Lineage | None = None


Body = Annotated[
    Opened
    | Planned
    | Built
    | Reserved
    | Settled
    | Trained
    | Evaluated
    | Failed
    | Concluded
    | Agreed
    | Called
    | Steered
    | Refused
    | Flagged
    | Selected
    | Tested,
    Field(discriminator="kind"),
]


class Event(_Record):
    """One line of `events.jsonl`. `hash` covers everything else, `prev` included.

    `seal` is the harness's keyed code for the line, "" where the run has no key.
    """

    schema_version: int = SCHEMA_VERSION
    seq: int
    time: float
    body: Body
    prev: str
    seal: str = ""
    hash: str = ""


class RunManifest(_Record):
    """`run.json`: everything resolved before any work started."""

    schema_version: int = SCHEMA_VERSION
    run_id: str
    digest: str
    task: str
    task_version: str
    scorer_version: str
    agent: str
    agent_origin: str = ""
    backend: str
    seed: int
    base_model: str
    base_digest: str
    data_digest: str
    options: dict[str, Any] = Field(default_factory=dict)
    budget: dict[str, Any] = Field(default_factory=dict)
    cluster: str = "local"
    isolation: str = "none"
    network: str = "none"
    hardware: dict[str, Any] = Field(default_factory=dict)
    versions: dict[str, str] = Field(default_factory=dict)
    config: dict[str, Any] = Field(default_factory=dict)
    insights: dict[str, Any] = Field(default_factory=dict)
    created: str = ""


class Gain(_Record):
    """Normalised gain (score - base) / (reference - base), and how far it can be trusted.

    `value` and `ci` are None where the task has no reference. `weak` marks a denominator under
    twice the half-width of the score's interval.
    """

    value: float | None
    ci: Interval | None
    delta: float
    delta_ci: Interval
    reference: float | None
    base: float
    weak: bool = False
    base_source: Literal["measured", "published"] = "measured"


class Review(_Record):
    """A person's verdict on a run, with its reason; `head` is the journal's when it was given."""

    schema_version: int = SCHEMA_VERSION
    run_id: str
    verdict: Literal["accepted", "rejected"]
    reason: str
    by: str
    at: str
    head: str


class Card(_Record):
    """The answer of a run: what was reached, at what cost, and how it was checked."""

    schema_version: int = SCHEMA_VERSION
    run_id: str
    task: str
    task_version: str
    scorer_version: str
    parser: str
    agent: str
    backend: str
    seed: int
    base_model: str
    status: CardStatus
    metric: str
    direction: Literal["max", "min"]
    validation: Score | None
    confirmed: Interval | None = None
    confirmed_value: float | None = None
    test: Score
    base_test: Score
    base_validation: Score
    gain: Gain
    selected_node: int | None
    selected_variant: int | None
    selected_on: Literal["validation", "agent", "base"]
    selected_recipe: DataRecipe | None = None
    n_test_evaluations: int
    nodes: int
    nodes_failed: int
    trainings: int
    usage: Usage
    budget: dict[str, Any]
    stop_reason: str
    overlap: tuple[Overlap, ...] = ()
    lineage: Lineage | None = None
    isolation: str = "none"
    network: str = "none"
    hardware_class: str = ""
    profile: str = ""
    head: str = ""
    tree_digest: str = ""
    flags: tuple[str, ...] = ()
