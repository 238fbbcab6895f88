"""Leaves a process behind that goes on with the run's token."""

import os
import time

from honest import node

node()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        open("daemon", "w").close()
        os.execvp("sleep", ["sleep", "987.2"])
    os._exit(0)
while not os.path.exists("daemon"):
    time.sleep(0.01)
time.sleep(0.5)
