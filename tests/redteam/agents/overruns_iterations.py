"""Proposes for as long as it lives."""

from honest import node, note, plan, refused

node()
for number in range(40):
    note(refused("propose", parent=0, plan=plan(lr=(number + 2) * 1.1e-5)))
