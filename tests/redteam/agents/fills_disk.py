"""Writes until there is no room."""

from honest import node

node()
for number in range(400):
    with open(f"junk{number}", "wb") as stream:
        stream.write(bytes(1 << 20))
