"""Schedulers of Ray Tune and Optuna in virtual time, on the streams of trials that ours run on.

    tune-host bench schedulers --streams STREAMS ...
    python schedulers.py STREAMS RESULTS [SCHEDULER..]
    tune-host bench schedulers --peers RESULTS ...

A report comes at the start of its step plus the step's cost; a freed slot starts its next step at
once; equal times count in the order of the trials. A run is cut at the budget. The schedulers are
the installed ones, driven as their own controllers drive them; nothing of them is written anew.
"""
import heapq
import json
import logging
import math
import sys
from importlib.metadata import version

RUNNING, PENDING, PAUSED, TERMINATED = "RUNNING", "PENDING", "PAUSED", "TERMINATED"


class Trial:
    """As much of a trial as the schedulers look at."""

    is_saving = False

    def __init__(self, number, curve):
        self.number, self.curve = number, curve
        self.trial_id = f"{number:06d}"
        self.status, self.t = PENDING, 0

    def set_status(self, status):
        self.status = status

    def __str__(self):
        return self.trial_id


class Ray:
    """Ray's scheduler, and the part of its controller that schedulers call back."""

    def __init__(self, make):
        self.scheduler, self.live = make(), []

    def get_trials(self):
        return self.live

    get_live_trials = get_trials

    def stop_trial(self, trial):
        """What the controller does with a trial that waits."""
        if trial.status in (PENDING, PAUSED):
            self.scheduler.on_trial_remove(self, trial)
        self.leave(trial)

    def leave(self, trial):
        trial.status = TERMINATED
        if trial in self.live:
            self.live.remove(trial)

    def next(self, new):
        while True:
            trial = self.scheduler.choose_trial_to_run(self)
            if trial is not None:
                return trial
            trial = new()
            if trial is None:
                return None
            self.live.append(trial)
            self.scheduler.on_trial_add(self, trial)

    def result(self, trial, value, last):
        result = {"training_iteration": trial.t, "value": value}
        decision = self.scheduler.on_trial_result(self, trial, result)
        if decision == "CONTINUE" and last:
            self.scheduler.on_trial_complete(self, trial, result)
            decision = "STOP"
        if decision == "STOP":
            self.leave(trial)
        elif decision == "PAUSE":
            trial.status = PAUSED


class Optuna:
    """Optuna's pruner in a study whose trials are asked for and told."""

    def __init__(self, pruner, direction, name):
        import optuna

        self.pruned = optuna.trial.TrialState.PRUNED
        self.study = optuna.create_study(
            study_name=name, direction=direction, pruner=pruner,
            sampler=optuna.samplers.RandomSampler(seed=0),
        )

    def next(self, new):
        trial = new()
        if trial is not None:
            trial.asked = self.study.ask()
        return trial

    def result(self, trial, value, last):
        trial.asked.report(value, trial.t)
        if last:
            failed = math.isnan(value)
            self.study.tell(trial.asked, None if failed else value, state=self.pruned if failed else None)
            trial.status = TERMINATED
        elif trial.asked.should_prune():
            self.study.tell(trial.asked, state=self.pruned)
            trial.status = TERMINATED


def simulate(table, stream, slots, policy):
    """The incumbent over virtual time."""
    curves = {curve["id"]: curve for curve in table["curves"]}
    order, max_t, budget = stream["configurations"], table["max_t"], table["budget_s"][str(slots)]
    better = max if table["mode"] == "max" else min
    created, now, steps, incumbent = [], 0.0, [], []

    def new():
        if len(created) == len(order):
            return None
        created.append(Trial(len(created), curves[order[len(created)]]))
        return created[-1]

    def begin(trial):
        trial.status = RUNNING
        heapq.heappush(steps, (now + trial.curve["cost_s"][trial.t], trial.number))

    while True:
        while len(steps) < slots and (trial := policy.next(new)) is not None:
            begin(trial)
        if not steps or steps[0][0] > budget:
            return incumbent
        now, number = heapq.heappop(steps)
        trial = created[number]
        value = trial.curve["value"][trial.t]
        trial.t += 1
        if value is not None and (not incumbent or better(value, incumbent[-1][1]) != incumbent[-1][1]):
            incumbent.append([round(now, 6), value])
        last = trial.t >= min(max_t, len(trial.curve["value"]))
        policy.result(trial, math.nan if value is None else value, last)
        if trial.status == RUNNING:
            if last:
                raise RuntimeError("a trial goes on after its end")
            begin(trial)


def policies(table, seed):
    """The peers at their defaults, on the axis `training_iteration`. Ray's median has a grace of 5
    steps as ours, since its default of 60 is meant in seconds."""
    from optuna import pruners
    from ray.tune.schedulers import AsyncHyperBandScheduler, HyperBandScheduler, MedianStoppingRule

    max_t, mode = table["max_t"], table["mode"]
    on = {"time_attr": "training_iteration", "metric": "value", "mode": mode}
    direction = "maximize" if mode == "max" else "minimize"

    def optuna(pruner):
        return lambda: Optuna(pruner, direction, f"study-{seed}")

    return {
        "ray-asha": lambda: Ray(lambda: AsyncHyperBandScheduler(max_t=max_t, **on)),
        "ray-hyperband": lambda: Ray(lambda: HyperBandScheduler(max_t=max_t, **on)),
        "ray-median": lambda: Ray(lambda: MedianStoppingRule(grace_period=5, **on)),
        "optuna-sha": optuna(pruners.SuccessiveHalvingPruner(min_resource=1)),
        "optuna-hyperband": optuna(pruners.HyperbandPruner(min_resource=1, max_resource=max_t)),
        "optuna-median": optuna(pruners.MedianPruner()),
    }


def main(streams, results, *wanted):
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    logging.disable(logging.WARNING)
    with open(streams) as file:
        data = json.load(file)
    runs = []
    for table in data["tables"]:
        for stream in table["streams"]:
            for slots in data["slots"]:
                for name, make in policies(table, stream["seed"]).items():
                    if wanted and name not in wanted:
                        continue
                    runs.append({
                        "table": table["table"], "scheduler": name, "slots": slots,
                        "seed": stream["seed"],
                        "incumbent": simulate(table, stream, slots, make()),
                    })
        print(f"{table['table']}: {len(runs)} runs", file=sys.stderr)
    versions = {name: version(name) for name in ("ray", "optuna")}
    with open(results, "w") as file:
        lines = ",\n".join(json.dumps(run, separators=(",", ":")) for run in runs)
        file.write(f'{{"version":1,"versions":{json.dumps(versions)},"results":[\n{lines}\n]}}\n')


if __name__ == "__main__":
    main(*sys.argv[1:])
