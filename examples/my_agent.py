"""A whole agent in one file: hill climbing on the learning rate.

    ft-bench eval mini --agent examples/my_agent.py:MyAgent -A rows=4000

It keeps no state: after a restart it asks the same questions, and the Lab answers from its journal
what was done before. `ft-bench init agent NAME` writes a package of one's own.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from ft_bench.errors import BudgetExhausted, JobFailed
from ft_bench.plan import DataRecipe, ExperimentPlan, Operation, Strategy, Variant
from ft_bench.protocols import Lab
from ft_bench.record import Diagnosis

CLEAN = Operation(op="deduplicate_by_text_hash", params={"column": "prompt"})


class Options(BaseModel):
    """What `-A key=value` may set."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    rows: int = 6000


class MyAgent:
    """Each node tries rates around the best one so far, ever closer to it."""

    name = "my-agent"
    Options = Options

    def __init__(self, options: Options, backend: object) -> None:
        self.options = options

    def run(self, lab: Lab) -> None:
        """Work until no iteration is left; the Lab ends it earlier where another limit is."""
        self.node(lab, None, [1e-3, 3e-4], "establish_baseline")
        while lab.remaining().iterations > 0 and (best := lab.tree.best()):
            rate, step = best[1].variant.lr, 2.0 ** (1 / len(lab.tree))
            self.node(lab, best[0].id, [rate * step, rate / step], "adjust_training_scheme")

    def node(self, lab: Lab, parent: int | None, rates: list[float], strategy: Strategy) -> None:
        """Plan, build, train, evaluate, conclude; a training that fails is an ordinary outcome."""
        variants = [Variant(lr=float(f"{rate:.3g}"), samples=self.options.rows) for rate in rates]
        words, chosen = f"learning rates {rates}", tuple(variants[: lab.brief.max_variants])
        recipe = DataRecipe(steps=(CLEAN,))
        plan = ExperimentPlan(strategy=strategy, objective=words, recipe=recipe, variants=chosen)
        node = lab.propose(parent, plan)
        for index in range(len(chosen)):
            try:
                lab.evaluate(lab.train(node, index, lab.build(node, recipe).dataset).model)
            except JobFailed as failure:
                if failure.kind == "INFRA":  # a lost machine says nothing about the plan
                    raise
            except BudgetExhausted:
                lab.conclude(node, Diagnosis(text="the budget ended here"))
                raise
        lab.conclude(node, Diagnosis(text=f"{len(chosen)} learning rates were tried"))
