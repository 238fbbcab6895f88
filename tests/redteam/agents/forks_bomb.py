"""Forks, and its children do."""

import os
import time

from honest import node

node()
while True:
    try:
        os.fork()
    except OSError:
        time.sleep(0.1)
