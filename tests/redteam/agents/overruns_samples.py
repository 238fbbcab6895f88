"""Builds datasets with more rows than it may."""

from honest import WORKSPACE, ask, node, note, plan, refused

node()
row = '{"prompt": "p%d-%d", "answer": "a"}\n'
for number in range(25):
    name = f"big{number}.jsonl"
    (WORKSPACE / name).write_text("".join(row % (number, n) for n in range(300)))
    made = ask("propose", parent=0, plan=plan(lr=1.1e-5 * (number + 1), sources=[{"id": name}]))
    note(refused("build", node=made["node"]))
