"""Does honest work and nothing else."""

from honest import node

node()
