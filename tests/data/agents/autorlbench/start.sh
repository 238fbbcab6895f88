#!/bin/bash
# Written to AutoRL-Bench's contract: environment in, models in $OUTPUT_DIR, scores over HTTP.
set -e
test -f "$WORKSPACE/description.md" -a -f "$WORKSPACE/instructions.md"
test -f "$DATA_PATH/train.jsonl" -a -f "$MODEL_PATH/config.json" -a "$ROUNDS" = 3
exec python "$(dirname "$0")/agent.py"
