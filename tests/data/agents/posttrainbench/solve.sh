#!/bin/bash
# Written to PostTrainBench's contract: finds its task in PROMPT, trains by itself, looks at scores
# with evaluate.py, watches timer.sh, and leaves final_model/.
set -e
[ -n "$PROMPT" ] || exit 1
case "$PROMPT" in *"final_model"*) ;; *) exit 1 ;; esac
bash timer.sh | grep -q Remaining
base=$(printf '%s' "$PROMPT" | sed -n 's/.*language model in `\([^`]*\)`.*/\1/p' | head -1)
here=$(dirname "$0")
python "$here/train.py" "$base" checkpoint 0.7
python evaluate.py --model-path checkpoint --limit 10 --json-output-file first.json
python "$here/train.py" "$base" final_model "${AGENT_CONFIG:-0.9}"
python evaluate.py
