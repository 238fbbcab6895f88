#!/bin/bash
# Written to PostTrainBench's contract: finds its task in PROMPT, trains by itself, looks at scores
# with evaluate.py, watches timer.sh, and leaves final_model/.
set -e
[ -n "$PROMPT" ] || exit 1
case "$PROMPT" in *"final_model"*) ;; *) exit 1 ;; esac
bash timer.sh | grep -q Remaining
base=$(printf '%s' "$PROMPT" | sed -n 's/.*language model in `\([^`]*\)`.*/\1/p' | head -1)
python -m ft_bench.testing.stand_in "$base" checkpoint 0.7
python evaluate.py --model-path checkpoint --limit 10 --json-output-file first.json
python -m ft_bench.testing.stand_in "$base" final_model "${AGENT_CONFIG:-0.9}"
python evaluate.py
