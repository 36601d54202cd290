"""Searchers of Optuna and Hyperopt on the problems of `tune-host bench searchers`.

    python searchers.py RESULTS [--searchers NAME,..] [--problems NAME,..] [--trials 200] [--seeds 10]
                        [--batch 1,8] [--limit SECONDS] [--jobs N]
    tune-host bench searchers --peers RESULTS ...

Spaces and values come from `tune-host bench problems` (TUNE_HOST names the binary), so that a function
stands once. `batch` trials are asked for before any is told. The searchers are the installed ones with
their defaults. Cells that RESULTS has are not done again, so a run can be stopped and gone on with, and
another with other searchers adds to it.
"""
import argparse
import json
import logging
import math
import os
import subprocess
import sys
import time
import warnings
from concurrent.futures import ProcessPoolExecutor, as_completed
from importlib.metadata import version

MARKS = [10, 20, 50, 100, 150, 200]  # after so many trials the best regret is kept
PACKAGES = {"optuna": ["optuna", "numpy"], "hyperopt": ["hyperopt", "numpy"]}
MORE = {"optuna:cmaes": ["cmaes"], "optuna:gp": ["scipy", "torch"]}


class Problems:
    """The problems as `tune-host` has them."""

    def __init__(self):
        command = [os.environ.get("TUNE_HOST", "tune-host"), "bench", "problems"]
        self.server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.all = {problem["name"]: problem for problem in self.call(cmd="list")["problems"]}

    def call(self, **request):
        print(json.dumps(request), file=self.server.stdin, flush=True)
        reply = json.loads(self.server.stdout.readline() or '{"error": "it has ended"}')
        if "error" in reply:
            raise RuntimeError(reply["error"])
        return reply

    def evaluate(self, name, params, seed, trial):
        reply = self.call(cmd="evaluate", problem=name, params=params, seed=seed, trial=trial)
        return reply["value"], reply["regret"]


def active(parameter, params):
    return all(params.get(when["param"]) in when["in"] for when in parameter.get("when", []))


class Optuna:
    """`ask` gives a key and params, `tell` takes the key and the value."""

    def __init__(self, name, space, seed):
        import optuna
        warnings.simplefilter("ignore")
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        samplers = {"tpe": optuna.samplers.TPESampler, "gp": optuna.samplers.GPSampler,
                    "cmaes": optuna.samplers.CmaEsSampler, "random": optuna.samplers.RandomSampler}
        self.study, self.space = optuna.create_study(sampler=samplers[name](seed=seed)), space

    def ask(self):
        trial, params = self.study.ask(), {}
        for p in self.space:
            if not active(p, params):
                continue
            name = p["name"]
            if p["kind"] == "cat":
                params[name] = trial.suggest_categorical(name, p["choices"])
            elif p["kind"] == "int":
                params[name] = trial.suggest_int(name, p["low"], p["high"], log=p["log"])
            else:
                params[name] = trial.suggest_float(name, p["low"], p["high"], log=p["log"])
        return trial, params

    def tell(self, trial, value):
        self.study.tell(trial, value)


class Hyperopt:
    """The same; a choice with children is a choice of the branches, as Hyperopt wants it."""

    def __init__(self, name, space, seed):
        import numpy as np
        from hyperopt import Trials, hp, rand, tpe
        from hyperopt.base import Domain
        logging.disable(logging.INFO)
        self.ints = {p["name"]: p for p in space if p["kind"] == "int"}

        def leaf(p):
            label, low, high = p["name"], p.get("low"), p.get("high")
            if p["kind"] == "cat":
                return hp.choice(label, p["choices"])
            if p["kind"] == "int" and p["log"]:
                return hp.qloguniform(label, math.log(low), math.log(high), 1)
            if p["kind"] == "int":
                return hp.uniformint(label, low, high)
            return hp.loguniform(label, math.log(low), math.log(high)) if p["log"] else hp.uniform(label, low, high)

        children = [(p, when) for p in space for when in p.get("when", [])]
        parents = {when["param"] for _, when in children}
        tree = {}
        for p in space:
            if p["name"] in parents:
                branch = lambda choice: {"is": choice} | {
                    q["name"]: leaf(q) for q, when in children if when["param"] == p["name"] and choice in when["in"]}
                tree[p["name"]] = hp.choice(p["name"], [branch(choice) for choice in p["choices"]])
            elif "when" not in p:
                tree[p["name"]] = leaf(p)
        self.trials, self.rng = Trials(), np.random.default_rng(seed)
        self.domain = Domain(lambda _: 0.0, tree)
        self.suggest = {"tpe": tpe.suggest, "random": rand.suggest}[name]

    def ask(self):
        from hyperopt import pyll
        [doc] = self.suggest(self.trials.new_trial_ids(1), self.domain, self.trials, int(self.rng.integers(2**31 - 1)))
        self.trials.insert_trial_docs([doc])
        self.trials.refresh()
        chosen = {k: v[0] for k, v in doc["misc"]["vals"].items() if v}
        params = {}
        for name, value in pyll.rec_eval(self.domain.expr, memo=self.domain.memo_from_config(chosen)).items():
            if isinstance(value, dict):
                params |= value
                params[name] = params.pop("is")
            else:
                params[name] = value
        for name, p in self.ints.items():
            if name in params:
                params[name] = min(max(int(params[name]), p["low"]), p["high"])
        return doc, params

    def tell(self, asked, value):
        from hyperopt import JOB_STATE_DONE, STATUS_OK
        for doc in self.trials._dynamic_trials:
            if doc["tid"] == asked["tid"]:
                doc["result"], doc["state"] = {"loss": value, "status": STATUS_OK}, JOB_STATE_DONE
        self.trials.refresh()


PROBLEMS = None  # of this process


def cell(searcher, problem, seed, trials, batch, limit):
    """The best regret after each mark, and the seconds that the searcher took."""
    global PROBLEMS
    PROBLEMS = PROBLEMS or Problems()
    package, _, method = searcher.partition(":")
    peer = {"optuna": Optuna, "hyperopt": Hyperopt}[package](method, PROBLEMS.all[problem]["space"], seed)
    best, regret, spent, done = math.inf, {}, 0.0, 0
    while done < trials and spent <= limit:
        began = time.perf_counter()
        asked = [peer.ask() for _ in range(min(batch, trials - done))]
        spent += time.perf_counter() - began
        for key, params in asked:
            value, now = PROBLEMS.evaluate(problem, params, seed, done)
            best, done = min(best, now), done + 1
            if done in MARKS or done == trials:
                regret[str(done)] = float(f"{best:.4g}")
            began = time.perf_counter()
            peer.tell(key, value)
            spent += time.perf_counter() - began
    return {"searcher": searcher, "problem": problem, "seed": seed, "batch": batch, "regret": regret,
            "seconds": round(spent, 3), "over": done < trials}


def save(path, versions, cells):
    order = sorted(cells.values(), key=lambda c: (c["searcher"], c["batch"], c["problem"], c["seed"]))
    lines = ",\n".join(json.dumps(c, separators=(",", ":")) for c in order)
    with open(path + ".new", "w") as file:
        file.write(f'{{"version":1,"versions":{json.dumps(versions, sort_keys=True)},"cells":[\n{lines}\n]}}\n')
    os.replace(path + ".new", path)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    texts = lambda text: text.split(",")
    parser.add_argument("results")
    parser.add_argument("--searchers", type=texts, default=texts("optuna:tpe,optuna:cmaes,hyperopt:tpe,optuna:random"))
    parser.add_argument("--problems", type=texts)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--batch", type=lambda text: [int(n) for n in text.split(",")], default=[1, 8])
    parser.add_argument("--limit", type=float, default=600.0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    args = parser.parse_args()
    known = list(Problems().all)
    for name in args.problems or []:
        if name not in known:
            sys.exit(f"there is no problem {name}: there are {', '.join(known)}")
    cells, versions = {}, {}
    identity = lambda c: (c["searcher"], c["problem"], c["seed"], c["batch"])
    if os.path.exists(args.results):
        with open(args.results) as file:
            old = json.load(file)
        versions, cells = old["versions"], {identity(c): c for c in old["cells"]}
    for name in args.searchers:
        for package in PACKAGES[name.partition(":")[0]] + MORE.get(name, []):
            versions[package] = version(package)
    # By seed first, so that a run that is stopped is even over problems and searchers.
    todo = [(name, problem, seed, args.trials, batch, args.limit)
            for seed in range(1, args.seeds + 1) for batch in args.batch
            for problem in args.problems or known for name in args.searchers
            if (name, problem, seed, batch) not in cells]
    saved = time.time()
    with ProcessPoolExecutor(args.jobs) as pool:
        for count, future in enumerate(as_completed(pool.submit(cell, *job) for job in todo)):
            one = future.result()
            cells[identity(one)] = one
            if time.time() - saved > 20:
                save(args.results, versions, cells)
                saved = time.time()
                print(f"{count + 1} of {len(todo)}", file=sys.stderr)
    save(args.results, versions, cells)


if __name__ == "__main__":
    main()
