"""How long Optuna takes for a suggestion and its result: NAME DIMENSIONS TRIALS, prints the middle of some."""
import json
import sys
import time
import warnings

import numpy
import optuna

name, dims, trials = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
warnings.simplefilter("ignore")
optuna.logging.set_verbosity(optuna.logging.ERROR)
sampler = {"tpe": optuna.samplers.TPESampler, "gp": optuna.samplers.GPSampler}[name](seed=1)
study = optuna.create_study(sampler=sampler)
space = {f"x{i}": optuna.distributions.FloatDistribution(-5.0, 5.0) for i in range(dims)}
points = numpy.random.default_rng(1).uniform(-5.0, 5.0, (trials, dims))
study.add_trials([
    optuna.trial.create_trial(params=dict(zip(space, map(float, x))), distributions=space, value=float(x @ x))
    for x in points
])
times = []
while len(times) < 15 and sum(times) < 6.0:
    began = time.perf_counter()
    trial = study.ask()
    x = [trial.suggest_float(name, -5.0, 5.0) for name in space]
    study.tell(trial, sum(a * a for a in x))
    times.append(time.perf_counter() - began)
print(json.dumps({"seconds": sorted(times)[len(times) // 2]}))
