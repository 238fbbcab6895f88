"""Does not end, and has a child that does not end either."""

import subprocess
import time

from honest import node

node()
subprocess.Popen(["sleep", "987.1"], start_new_session=True)
time.sleep(600)
