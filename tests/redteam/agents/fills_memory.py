"""Takes memory until there is none."""

import time

from honest import node

node()
kept = bytearray(600 << 20)
time.sleep(600)
