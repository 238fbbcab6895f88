"""Hands in a model that it did not train here."""

from honest import WORKSPACE, node, note, refused

node()
model = WORKSPACE / "model"
model.mkdir()
(model / "model.json").write_text('{"skill": 1.0, "seed": 0}')
note(refused("submit", model=str(model)))
note(refused("submit", model="model"))
