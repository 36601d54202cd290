"""Ray Tune's rules of population based training and PB2 on the task `pbt-toy`, without a cluster.

    python -m venv peers && peers/bin/pip install "ray[tune]==2.60.0" scikit-learn
    peers/bin/python tests/peers/population.py [--seeds 10]

Explores with Ray's own functions (`pbt._explore`, `pb2._explore`); who is compared with whom, and the
task, are written out here as Ray's schedulers and plugins/trainables/pbt-toy have them: 16 members,
100 steps, all at once, a perturbation point every 4 steps, quantiles of a quarter. Prints, like
`cargo test --release -p tune-scheduler-pbt -- --ignored --nocapture toy`, mean and standard deviation
over the seeds of the best member and of the population's mean after 25, 50 and 100 steps.
"""

import argparse
import math
import random
import statistics
import sys
import time
import warnings
from importlib.metadata import version

import numpy as np
import pandas as pd
from ray import tune
from ray.tune.schedulers import pb2, pbt

MEMBERS, STEPS, INTERVAL, QUANTILE = 16, 100, 4, 0.25
START, TOP, RATE = 0.9, 1.2, 0.01
BOUNDS = {"h0": [0.0, 1.0], "h1": [0.0, 1.0]}


class Member:
    def __init__(self, number, config):
        self.number, self.config = number, config
        self.theta, self.t, self.perturbed, self.score = [START, START], 0, 0, None
        self.kept = None

    def step(self):
        self.theta = [x - RATE * 2 * h * x for x, h in zip(self.theta, (self.config["h0"], self.config["h1"]))]
        self.t += 1
        return TOP - sum(x * x for x in self.theta)


class Pbt:
    """Ray's `explore`: resampled or times a factor, in the range only by chance."""

    mutations = {name: tune.uniform(*ends) for name, ends in BOUNDS.items()}

    def observe(self, member, score):
        pass

    def explore(self, member, donor):
        config = pbt._explore(donor.config, self.mutations, 0.25, (1.2, 0.8), None)[0]
        # The task refuses negative numbers and those above 10, which factors alone cannot reach.
        return {name: min(max(value, 0.0), 10.0) for name, value in config.items()}


class Pb2:
    """Ray's `PB2._save_trial_state` and `_get_new_config`."""

    def __init__(self):
        self.data, self.last, self.current = pd.DataFrame(), 0, None

    def observe(self, member, score):
        row = [[str(member.number), member.t, *member.config.values(), score]]
        self.data = pd.concat([self.data, pd.DataFrame(row, columns=["Trial", "Time", *BOUNDS, "Reward"])])
        self.data = self.data.reset_index(drop=True)

    def explore(self, member, donor):
        if self.data["Time"].max() > self.last:
            self.current = None
        config, self.data = pb2._explore(self.data, BOUNDS, self.current, donor.number, member.number, donor.config)
        new = np.array([[config[name] for name in BOUNDS]])
        if self.data["Time"].max() > self.last:
            self.last, self.current = self.data["Time"].max(), new
        else:
            self.current = new if self.current is None else np.concatenate((self.current, new), axis=0)
        return config


def run(rule, seed):
    random.seed(seed)
    np.random.seed(seed)
    members = [
        Member(i, {name: float(np.random.uniform(*ends)) for name, ends in BOUNDS.items()}) for i in range(MEMBERS)
    ]
    best, mean = [], []
    for _ in range(STEPS):
        scores = []
        for member in members:
            score = member.step()
            scores.append(score)
            if rule is None or member.t - member.perturbed < INTERVAL:
                continue
            member.score, member.perturbed = score, member.t
            rule.observe(member, score)
            scored = sorted((m for m in members if m.score is not None), key=lambda m: m.score)
            size = min(math.ceil(len(scored) * QUANTILE), len(scored) // 2)
            upper, lower = (scored[-size:], scored[:size]) if size else ([], [])
            # Ray keeps the state of a member only while it is among the best.
            member.kept = (list(member.theta), member.t) if member in upper else None
            if member in lower:
                donor = random.choice(upper)
                if donor.kept is None:
                    continue
                config = rule.explore(member, donor)
                (theta, t), member.config = donor.kept, config
                member.theta, member.t, member.perturbed = list(theta), t, t
        best.append(max(scores))
        mean.append(statistics.fmean(scores))
    return best, mean


def spread(values):
    return statistics.stdev(values) if len(values) > 1 else math.nan


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--only", default="", help="rules whose name contains this")
    arguments = parser.parse_args()
    seeds = arguments.seeds
    warnings.filterwarnings("ignore")
    print(f"ray {version('ray')}, scikit-learn {version('scikit-learn')}, {seeds} seeds")
    for name, rule in [("alone", lambda: None), ("Ray pbt", Pbt), ("Ray pb2", Pb2)]:
        if arguments.only not in name:
            continue
        curves = []
        for seed in range(seeds):
            began = time.process_time()
            curves.append(run(rule(), seed))
            best, mean = curves[-1]
            took = time.process_time() - began
            ends = " ".join(f"{best[t - 1]:.3f}/{mean[t - 1]:.3f}" for t in (25, 50, 100))
            print(f"{name}, seed {seed}: {ends}, {took:.1f} s of CPU time", file=sys.stderr, flush=True)
        cells = []
        for what, which in [("best", 0), ("mean", 1)]:
            for step in (25, 50, 100):
                values = [curve[which][step - 1] for curve in curves]
                cells.append(f"{what} {step}: {statistics.fmean(values):.3f} ± {spread(values):.3f}")
        print(f"{name:8} | " + " | ".join(cells), flush=True)


if __name__ == "__main__":
    main()
