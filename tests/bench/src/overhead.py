"""Trials and reports that do nothing, in memory, in a second of Optuna: prints JSON.

Two numbers are drawn in each trial, as ours do; the middle one of three runs counts.
"""
import json
import logging
import time

import optuna

TRIALS, LONG_TRIALS, REPORTS = 1_000, 10, 10_000
optuna.logging.set_verbosity(logging.ERROR)


def numbers(trial):
    return trial.suggest_float("x", 0, 1) + trial.suggest_float("y", 0, 1)


def reports(trial):
    value = numbers(trial)
    for step in range(1, REPORTS + 1):
        trial.report(value, step)
        trial.should_prune()
    return value


def seconds(objective, trials):
    took, cpu = [], []
    for seed in range(3):
        study = optuna.create_study(
            sampler=optuna.samplers.RandomSampler(seed=seed), pruner=optuna.pruners.NopPruner()
        )
        began, used = time.perf_counter(), time.process_time()
        study.optimize(objective, n_trials=trials)
        took.append(time.perf_counter() - began)
        cpu.append(time.process_time() - used)
    return sorted(took)[1], sorted(cpu)[1]


wall, cpu = seconds(numbers, TRIALS)
print(json.dumps({
    "trials": TRIALS / wall,
    "trials_cpu": TRIALS / cpu,
    "reports": LONG_TRIALS * REPORTS / seconds(reports, LONG_TRIALS)[0],
    "version": optuna.__version__,
}))
