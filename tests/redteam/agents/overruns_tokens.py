"""Pays for more and more outside work."""

from honest import node, note, refused

node()
for number in range(40):
    reserve = {"tokens": 600, "usd": 0.6}
    note(refused("call", key=f"k{number}", reserve=reserve))
