#!/usr/bin/env bash
# Hill climbing on the learning rate: a first node with a spread of rates, then nodes below the
# best one with rates ever closer to its own. Python is here for JSON alone.
#
# It keeps no state of its own: after a restart it asks the same questions, and the Lab answers
# from its journal what was done before.
set -euo pipefail

value() { # EXPRESSION: of the JSON on standard input, as `it`
  python3 -c "import json, sys; it = json.load(sys.stdin); print($1)"
}

plan() { # STRATEGY RATE...: a plan with one variant for each rate
  python3 - "$@" <<'PY'
import json, os, sys
strategy, *rates = sys.argv[1:]
rows = int(os.environ["FT_BENCH_OPTION_ROWS"])
print(json.dumps({
    "strategy": strategy,
    "objective": "learning rates " + ", ".join(rates),
    "recipe": {"steps": [{"op": "deduplicate_by_text_hash", "params": {"column": "prompt"}}]},
    "variants": [{"lr": float(rate), "samples": rows} for rate in rates],
}))
PY
}

carry_out() { # NODE: build, train and score its variants, and close it
  local node=$1 count=$2 code=0 dataset
  dataset=$(ft-bench lab build --node "$node" | value 'it["dataset"]') || code=$?
  for ((variant = 0; variant < count && code != 4; variant++)); do
    [ -n "$dataset" ] || break
    code=0 # a variant that fails is an ordinary outcome
    { ft-bench lab train --node "$node" --variant "$variant" --dataset "$dataset" &&
      ft-bench lab evaluate --model "n${node}v${variant}"; } > /dev/null || code=$?
  done
  ft-bench lab conclude --node "$node" > /dev/null
  if [ "$code" -eq 4 ]; then exit 4; fi # the budget is used up: what there is will be scored
}

best() { # the best variant so far: its node and its learning rate, or nothing
  ft-bench lab tree | value '" ".join(str(part) for part in max(
      ((v["score"], n["node"], v["scheme"]["lr"]) for n in it["nodes"] for v in n["variants"]
       if v["score"] is not None), default=("",)) [1:])'
}

count=$(ft-bench lab brief | value "min($FT_BENCH_OPTION_VARIANTS, it['max_variants'])")
rates=(1e-3 3e-4 3e-3 1e-4 2e-3 5e-4 1e-2 3e-5)
plan establish_baseline "${rates[@]:0:count}" | ft-bench lab propose > /dev/null
carry_out 0 "$count"

for ((round = 1; $(ft-bench lab budget | value 'it["iterations"]') > 0; round++)); do
  read -r parent rate < <(best) || break
  [ -n "$rate" ] || break
  mapfile -t rates < <(python3 -c "
factors = [f ** (1 / $round) for f in (1.7, 1 / 1.7, 2.5, 1 / 2.5, 4, 1 / 4, 6, 1 / 6)]
print(*(f'{$rate * f:.3g}' for f in factors[:$count]), sep='\n')")
  node=$(plan adjust_training_scheme "${rates[@]}" |
    ft-bench lab propose --parent "$parent" | value 'it["node"]')
  carry_out "$node" "$count"
done
