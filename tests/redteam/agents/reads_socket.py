"""Asks the Lab for the test split under every name that it can think of."""

import os

from honest import ask, node, note, plan, refused

node()
sealed = os.environ["SEALED"]
note(refused("test", model="n0v0"))
note(refused("grade", model="n0v0"))
note(refused("evaluate", model="n0v0", split="test"))
note(refused("items", model="../test"))
note(refused("items", model="n0v0", split="test"))
recipe = {"sources": [{"id": sealed}]}
node_number = ask("propose", parent=0, plan=plan(lr=2e-4, sources=[{"id": sealed}]))["node"]
note(refused("build", node=node_number, recipe=recipe))
