"""Reports per second of Syne Tune's simulator on a table of ours: DIRECTORY [SECONDS] [SCHEDULER..].

Its own tuner, simulator backend and tabulated blackbox, in the way of its example of a user's blackbox:
the configurations of the table are the trials, 4 workers, until all but the last eight have begun (it
would draw others then, which are not in the table) or so many seconds have gone. A conditional
parameter that is missing counts as 0, as it knows none; costs are a thousand times those of the table,
as its clock moves in steps of five seconds. Prints a line of JSON for each scheduler.
"""
import contextlib
import csv
import io
import json
import logging
import os
import random
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd

FILES = tempfile.TemporaryDirectory()
os.environ["SYNETUNE_FOLDER"] = FILES.name

import syne_tune.config_space as space
from syne_tune import StoppingCriterion, Tuner
from syne_tune.backend.simulator_backend.simulator_callback import SimulatorCallback
from syne_tune.blackbox_repository.blackbox_tabular import BlackboxTabular
from syne_tune.blackbox_repository.simulated_tabular_backend import UserBlackboxBackend
from syne_tune.optimizer.baselines import ASHA, RandomSearch
from syne_tune.tuner_callback import TunerCallback

WORKERS, SEED, SCALE = 4, 1, 1000


class Counter(TunerCallback):
    def __init__(self, until):
        self.reports, self.until, self.cut = 0, until, False

    def on_trial_result(self, trial, status, result, decision):
        self.reports += 1
        if time.perf_counter() > self.until:
            self.cut = True


def table(directory):
    about = json.loads((directory / "table.json").read_text())
    steps, metric = int(about["max_t"]), about["metric"]
    with open(directory / "configurations.csv") as file:
        rows = list(csv.DictReader(file))
    names = [name for name in rows[0] if name != "id"]
    place = {row["id"]: i for i, row in enumerate(rows)}
    values = np.full((len(rows), 1, steps, 2), np.nan)
    with open(directory / "curves.csv") as file:
        for line in csv.DictReader(file):
            at = values[place[line["id"]], 0, int(line["t"]) - 1]
            at[:] = float(line[metric] or "nan"), SCALE * float(line["cost"]) / 1e6
    values[..., 1] = np.cumsum(values[..., 1], axis=2)
    # A curve that ends early stays where it is: every blackbox of it has all fidelities.
    for curve in values[:, 0]:
        for t in range(1, steps):
            if np.isnan(curve[t]).any():
                curve[t] = curve[t - 1]

    def value(text):
        try:
            return float(text or 0)
        except ValueError:
            return text

    configurations = pd.DataFrame([{name: value(row[name]) for name in names} for row in rows])
    domains = {name: space.choice(sorted(configurations[name].unique().tolist())) for name in names}
    blackbox = BlackboxTabular(
        hyperparameters=configurations, configuration_space=domains,
        fidelity_space={"training_iteration": space.randint(1, steps)},
        objectives_evaluations=values, objectives_names=[metric, "elapsed"],
    )
    points = configurations.to_dict("records")
    random.Random(SEED).shuffle(points)
    return blackbox, domains, points, metric, steps


def run(name, directory, seconds):
    blackbox, domains, points, metric, steps = table(directory)
    if name == "fifo":
        scheduler = RandomSearch(domains, metrics=[metric], random_seed=SEED, points_to_evaluate=points)
    else:
        scheduler = ASHA(
            domains, metric=metric, time_attr="training_iteration", max_t=steps, random_seed=SEED,
            points_to_evaluate=points,
        )
    counter = Counter(time.perf_counter() + seconds)
    ended = StoppingCriterion(max_num_trials_started=len(points) - 2 * WORKERS)
    callback = SimulatorCallback()
    tuner = Tuner(
        trial_backend=UserBlackboxBackend(blackbox, elapsed_time_attr="elapsed"), scheduler=scheduler,
        stop_criterion=lambda status: counter.cut or ended(status), n_workers=WORKERS, sleep_time=0,
        callbacks=[callback, counter], save_tuner=False, print_update_interval=1e9,
    )
    began = time.perf_counter()
    # It prints the state of all trials at its end.
    with contextlib.redirect_stdout(io.StringIO()):
        tuner.run()
    took = time.perf_counter() - began
    print(json.dumps({
        "scheduler": name, "reports": counter.reports, "seconds": took, "version": version("syne-tune"),
    }), flush=True)


def main(directory, seconds="30", *names):
    logging.disable(logging.WARNING)
    for name in names or ("fifo", "asha"):
        run(name, Path(directory), float(seconds))


if __name__ == "__main__":
    main(*sys.argv[1:])
