"""An Inspect agent at the Lab: a model with the Lab's verbs as tools, in a ReAct loop.

    ft-bench eval mini --agent inspect:examples/inspect_agent.py:climber \\
        -A model=openai/gpt-5 -A inherit=OPENAI_API_KEY -A network=true

An agent that takes `tools` is given the Lab's: lab_brief, lab_budget, lab_tree, lab_propose,
lab_build, lab_train, lab_evaluate, lab_conclude and lab_submit. The prompt of the run is its
input. Its answers are journalled, so a restarted run is not paid for twice.
"""

from __future__ import annotations

from collections.abc import Sequence

from inspect_ai.agent import Agent, agent, react
from inspect_ai.tool import Tool


@agent
def climber(tools: Sequence[Tool]) -> Agent:
    """Tries, looks at the score, changes one thing, and submits the best."""
    return react(
        name="climber",
        description="Fine-tunes the base model through the Lab.",
        prompt=(
            "Work in small steps: propose a node, build its dataset, train each variant, evaluate "
            "it, conclude the node. Change one thing at a time from the best node so far. When no "
            "iteration is left, submit the best model with lab_submit, then call submit()."
        ),
        tools=tools,
    )
