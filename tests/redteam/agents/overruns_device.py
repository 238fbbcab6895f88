"""Trains on and on."""

from honest import ask, node, note, plan, refused

node()
dataset = ""
for number in range(40):
    rate = (number + 2) * 1.1e-5
    made = ask("propose", parent=0, plan=plan(lr=rate))["node"]
    dataset = ask("build", node=made)["dataset"]
    note(refused("train", node=made, variant=0, dataset=dataset))
