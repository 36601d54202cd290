"""How many results Optuna's pruner judges in a second after TRIALS trials: PRUNER TRIALS, prints JSON.

Trials have the losses of the benchmark's curves: x + 1 / step + 0.1 of noise, 27 steps. Only
`report` and `should_prune` of the trials after the first TRIALS are timed, not `ask` and `tell`.
"""
import json
import random
import sys
import time
import warnings

import optuna

STEPS = 27
name, trials = sys.argv[1], int(sys.argv[2])
warnings.simplefilter("ignore")
optuna.logging.set_verbosity(optuna.logging.ERROR)
pruner = {
    "sha": lambda: optuna.pruners.SuccessiveHalvingPruner(min_resource=1),
    "hyperband": lambda: optuna.pruners.HyperbandPruner(min_resource=1, max_resource=STEPS),
    "median": optuna.pruners.MedianPruner,
}[name]()
study = optuna.create_study(pruner=pruner, sampler=optuna.samplers.RandomSampler(seed=1))
draw = random.Random(1)


def run():
    trial, x, pruned = study.ask(), draw.random(), False
    results, seconds = 0, 0.0
    for step in range(1, STEPS + 1):
        loss = x + 1 / step + 0.1 * draw.random()
        began = time.perf_counter()
        trial.report(loss, step)
        pruned = trial.should_prune()
        seconds += time.perf_counter() - began
        results += 1
        if pruned:
            break
    study.tell(trial, state=optuna.trial.TrialState.PRUNED) if pruned else study.tell(trial, loss)
    return results, seconds


for _ in range(trials):
    run()
rates, began = [], time.perf_counter()
# The fastest of some, as the machine may be busy.
while len(rates) < 20 and time.perf_counter() - began < 20:
    runs = [run() for _ in range(10)]
    rates.append(sum(r for r, _ in runs) / sum(s for _, s in runs))
print(json.dumps({"per_second": max(rates), "version": optuna.__version__}))
