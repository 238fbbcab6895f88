"""Reads what /proc tells of every process, and opens the paths that it finds there."""

import re
from pathlib import Path

from honest import node, note, read_all

node()
text = ""
for entry in sorted(Path("/proc").iterdir()):
    if entry.name.isdigit():
        note(f"process {entry.name}")
        for name in ("environ", "cmdline", "maps", "mountinfo"):
            try:
                text += (entry / name).read_text("utf-8", "replace")
            except OSError as error:
                note(f"{entry / name}: {error}")
        for name in ("cwd", "root"):
            try:
                note(f"{name}: {(entry / name).readlink()}")
            except OSError as error:
                note(f"{entry / name}: {error}")
note(text.replace("\0", "\n"))
places = {path for path in re.findall(r"(/[^\s\0]*private[^\s\0]*)", text)}
read_all([str(file) for place in places for file in Path(place).rglob("*") if file.is_file()])
