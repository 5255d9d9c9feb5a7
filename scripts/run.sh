#!/bin/sh
# The main job. Without DATA: the simulated province. With DATA=DIR: the same pipeline on a folder of public data sets,
# replayed on days when each of them was alive.
set -eu
cd "$(dirname "$0")/.."
data=${1:-}
as_of=${2:-}
riskwatch=.venv/bin/riskwatch
if [ -z "$data" ]; then
    [ -f data/demo_truth/ledger.csv ] || $riskwatch simulate data
    $riskwatch check
    # Five weekly runs: the last digest is an ordinary one, with what is new, what got worse and what has recovered.
    if [ -n "$as_of" ]; then
        $riskwatch run daily --as-of "$as_of"
    else
        $riskwatch run daily --from 2025-12-03 --every week
        # The report on the state of quality of the quarter that ends with the records.
        $riskwatch report --period 2025Q4
    fi
else
    $riskwatch --profile real --data "$data" check
    for day in ${as_of:-2014-12-31 2015-10-31 2020-06-28 2020-10-26 2022-07-31 2025-08-10}; do
        $riskwatch --profile real --data "$data" run daily --as-of "$day"
    done
    if [ -z "$as_of" ]; then $riskwatch --profile real --data "$data" report --period 2014 --region chi --as-of 2015-03-31; fi
fi
