"""Searchers of tune-host beside those of Optuna and Hyperopt, on functions whose optimum is known.

    python searchers.py run RESULTS [--searchers NAME,..] [--problems TEXT] [--trials 200] [--seeds 10]
                            [--batch 1,8] [--limit SECONDS] [--jobs N]
    python searchers.py compare RESULTS [--trials 50,100,200]

TUNE_HOST names the binary (default: tune-host). Names with a colon are peers: optuna:tpe, optuna:gp,
optuna:cmaes, optuna:random, hyperopt:tpe; all others are asked through `tune-host ask-tell`. `run` adds the
cells that RESULTS lacks, so it can be stopped and gone on with.

Functions follow BBOB (N. Hansen et al., 2009) by formula: shifted, and rotated where BBOB rotates, by the
seed of the problem, not by that of the searcher. What counts is log10 of the regret of the best trial so
far; of noisy functions that of the value without noise. `batch` trials are asked for before any is told.
"""
import argparse
import json
import math
import os
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from importlib.metadata import version

import numpy as np

FLOOR = 1e-8  # regrets below count as this: what is left is rounding


# Functions of x in [-5, 5]^d with optimum 0.

def rotation(rng, d):
    q, r = np.linalg.qr(rng.standard_normal((d, d)))
    return q * np.sign(np.diag(r))


def scales(d, base):
    return base ** (np.arange(d) / max(d - 1, 1))


def sphere(z, _):
    return float(z @ z)


def ellipsoid(z, rotate):
    y = rotate @ z
    return float(scales(len(z), 1e3) @ (y * y))


def rosenbrock(z, _):
    y = max(1.0, math.sqrt(len(z)) / 8) * z + 1
    return float(np.sum(100 * (y[:-1] ** 2 - y[1:]) ** 2 + (y[:-1] - 1) ** 2))


def sharp_ridge(z, rotate):
    y = rotate @ z
    return float(y[0] ** 2 + 100 * math.sqrt(y[1:] @ y[1:]))


def step_ellipsoid(z, rotate):
    y = rotate @ z
    flat = np.where(np.abs(y) > 0.5, np.floor(0.5 + y), np.floor(0.5 + 10 * y) / 10)
    return float(0.1 * max(abs(y[0]) / 1e4, scales(len(z), 1e2) @ (flat * flat)))


def rastrigin(z, rotate):
    y = rotate @ z
    return float(10 * (len(y) - np.sum(np.cos(2 * math.pi * y))) + y @ y)


def weierstrass(z, rotate):
    y = rotate @ z
    k = np.arange(12)
    terms = 0.5 ** k * np.cos(2 * math.pi * 3.0 ** k * (y[:, None] + 0.5))
    least = np.sum(0.5 ** k * np.cos(math.pi * 3.0 ** k))
    return float(10 * abs(np.mean(np.sum(terms, axis=1)) - least) ** 3 + 0.01 * (z @ z))


def schaffers(z, rotate):
    y = rotate @ z
    s = np.sqrt(y[:-1] ** 2 + y[1:] ** 2)
    return float(np.mean(np.sqrt(s) * (1 + np.sin(50 * s ** 0.2) ** 2)) ** 2)


BBOB = [sphere, ellipsoid, rosenbrock, sharp_ridge, step_ellipsoid, rastrigin, weierstrass, schaffers]


def num(name, low=-5.0, high=5.0, log=False, when=None):
    return {"name": name, "kind": "float", "low": low, "high": high, "log": log} | ({"when": when} if when else {})


def whole(name, low, high):
    return {"name": name, "kind": "int", "low": low, "high": high}


def cat(name, *choices):
    return {"name": name, "kind": "cat", "choices": list(choices)}


class Problem:
    """A space, a function of the params, and noise."""

    def __init__(self, name, group, space, value, noise=0.0):
        self.name, self.group, self.space, self.value, self.noise = name, group, space, value, noise


def continuous(f, d, noise=0.0):
    rng = np.random.default_rng([d, BBOB.index(f)])
    shift, rotate = rng.uniform(-4, 4, d), rotation(rng, d)
    names = [f"x{i}" for i in range(d)]
    value = lambda p: f(np.array([p[n] for n in names]) - shift, rotate)
    group = "noisy and mixed" if noise else f"bbob {d}"
    return Problem(f"{f.__name__}-{d}" + ("-noisy" if noise else ""), group, [num(n) for n in names], value, noise)


def mixed():
    """Numbers, whole numbers and choices; two of the five with conditions."""
    rng = np.random.default_rng(5)
    shift, rotate = rng.uniform(-3, 3, 4), rotation(rng, 4)
    kinds = {"a": 0.0, "b": 3.0, "c": 1.0, "d": 6.0}
    four = [f"x{i}" for i in range(4)]
    vec = lambda p, names: np.array([p[n] for n in names])
    yield Problem("mixed-choices", "noisy and mixed", [num(n) for n in four] + [cat("k", *kinds), cat("l", *kinds)],
                  lambda p: sphere(vec(p, four) - shift, None) + kinds[p["k"]] + kinds[p["l"]] * (1 + kinds[p["k"]]))
    yield Problem("mixed-whole", "noisy and mixed", [num("x0"), num("x1"), whole("a", 0, 50), whole("b", 1, 7), whole("c", 0, 1)],
                  lambda p: rosenbrock(np.array([p["x0"], p["x1"]]) - shift[:2], None)
                  + 0.05 * (p["a"] - 37) ** 2 + (p["b"] - 2) ** 2 + 5 * (1 - p["c"]))
    names = ["u", "v", "w"]
    yield Problem("mixed-logs", "noisy and mixed", [num("u", 1e-5, 1e1, True), num("v", 1e-5, 1e1, True), num("w"), whole("n", 1, 200), cat("k", *kinds)],
                  lambda p: (math.log10(p["u"]) + 3) ** 2 + (math.log10(p["v"]) + math.log10(p["u"]) + 4) ** 2
                  + (p["w"] - shift[2]) ** 2 / 4 + (math.log2(p["n"] / 24)) ** 2 + kinds[p["k"]] / 3)
    when = lambda *values: {"param": "k", "in": list(values)}
    def branch(p):
        k = p["k"]
        if k == "a":
            return 0.5 + (p["xa"] - 2) ** 2 + (p["ya"] + 1) ** 2
        if k == "b":
            return 5 * (p["xb"] - 1) ** 2 + ellipsoid(np.array([p["yb"], p["zb"]]) - shift[:2], rotate[:2, :2])
        return 2 + abs(p["xc"])
    yield Problem("conditional-3", "noisy and mixed",
                  [cat("k", "a", "b", "c")] + [num(n, when=when("a")) for n in ("xa", "ya")]
                  + [num(n, when=when("b")) for n in ("xb", "yb", "zb")] + [num("xc", when=when("c"))], branch)
    def shared(p):
        own = (p["momentum"] - 3) ** 2 if p["k"] == "a" else 1 + (p["beta"] + 2) ** 2
        return own + rosenbrock(np.array([p["x0"], p["x1"]]) - shift[:2], None) / 10
    yield Problem("conditional-shared", "noisy and mixed",
                  [cat("k", "a", "b"), num("x0"), num("x1"), num("momentum", when=when("a")), num("beta", when=when("b"))], shared)


def problems():
    yield from (continuous(f, d) for d in (2, 5, 10) for f in BBOB)
    yield from mixed()
    yield continuous(sphere, 5, noise=1.0)
    yield continuous(rosenbrock, 5, noise=10.0)


# Searchers: `ask()` gives params, `tell(key, params, value)`.

class Ours:
    def __init__(self, name, problem, seed, trials):
        command = [os.environ.get("TUNE_HOST", "tune-host"), "ask-tell", "--searcher", name]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.count = 0
        self.call(cmd="start", direction="minimize", seed=seed, budget=trials, space=problem.space)

    def call(self, **request):
        print(json.dumps(request), file=self.process.stdin, flush=True)
        reply = json.loads(self.process.stdout.readline() or '{"error": "it has ended"}')
        if "error" in reply:
            raise RuntimeError(reply["error"])
        return reply

    def ask(self):
        reply = self.call(cmd="ask", id=self.count)
        self.count += 1
        return self.count - 1, reply.get("params")

    def tell(self, key, params, value):
        self.call(cmd="tell", id=key, params=params, value=value)

    def close(self):
        self.process.kill()


class Optuna:
    def __init__(self, name, problem, seed, _):
        import optuna
        import warnings
        warnings.simplefilter("ignore")
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        samplers = {"tpe": optuna.samplers.TPESampler, "gp": optuna.samplers.GPSampler,
                    "cmaes": optuna.samplers.CmaEsSampler, "random": optuna.samplers.RandomSampler}
        self.study = optuna.create_study(sampler=samplers[name](seed=seed))
        self.space = problem.space

    def ask(self):
        trial, params = self.study.ask(), {}
        for p in self.space:
            when = p.get("when")
            if when and params.get(when["param"]) not in when["in"]:
                continue
            name = p["name"]
            if p["kind"] == "cat":
                params[name] = trial.suggest_categorical(name, p["choices"])
            elif p["kind"] == "int":
                params[name] = trial.suggest_int(name, p["low"], p["high"])
            else:
                params[name] = trial.suggest_float(name, p["low"], p["high"], log=p["log"])
        return trial, params

    def tell(self, trial, _, value):
        self.study.tell(trial, value)

    def close(self):
        pass


class Hyperopt:
    def __init__(self, name, problem, seed, _):
        import logging
        from hyperopt import Trials, hp, rand, tpe
        from hyperopt.base import Domain
        logging.disable(logging.INFO)
        self.names = problem.space
        space = {}
        def leaf(p, label):
            if p["kind"] == "int":
                return hp.uniformint(label, p["low"], p["high"])
            if p["kind"] == "cat":
                return hp.choice(label, p["choices"])
            return hp.loguniform(label, math.log(p["low"]), math.log(p["high"])) if p["log"] else hp.uniform(label, p["low"], p["high"])
        children = [p for p in problem.space if "when" in p]
        parents = {p["when"]["param"] for p in children}
        for p in problem.space:
            if "when" in p:
                continue
            if p["name"] in parents:
                space[p["name"]] = hp.choice(p["name"], [
                    {"is": c} | {q["name"]: leaf(q, q["name"]) for q in children if c in q["when"]["in"]}
                    for c in p["choices"]])
            else:
                space[p["name"]] = leaf(p, p["name"])
        self.trials, self.rng = Trials(), np.random.default_rng(seed)
        self.domain = Domain(lambda _: 0.0, space)
        self.suggest = {"tpe": tpe.suggest, "random": rand.suggest}[name]

    def ask(self):
        [doc] = self.suggest(self.trials.new_trial_ids(1), self.domain, self.trials, int(self.rng.integers(2**31 - 1)))
        self.trials.insert_trial_docs([doc])
        self.trials.refresh()
        flat = {k: v[0] for k, v in doc["misc"]["vals"].items() if v}
        params = {}
        for name, value in self.evaluated(flat).items():
            if isinstance(value, dict):
                params[name] = value["is"]
                params |= {k: v for k, v in value.items() if k != "is"}
            else:
                params[name] = value
        return doc["tid"], params

    def evaluated(self, flat):
        from hyperopt import pyll
        memo = self.domain.memo_from_config(flat)
        return pyll.rec_eval(self.domain.expr, memo=memo)

    def tell(self, tid, _, value):
        from hyperopt import JOB_STATE_DONE, STATUS_OK
        for doc in self.trials._dynamic_trials:
            if doc["tid"] == tid:
                doc["result"], doc["state"] = {"loss": value, "status": STATUS_OK}, JOB_STATE_DONE
        self.trials.refresh()

    def close(self):
        pass


def make(name, *rest):
    package, _, method = name.rpartition(":")
    return {"": Ours, "optuna": Optuna, "hyperopt": Hyperopt}[package](method, *rest)


def cell(name, problem_name, seed, trials, batch, limit):
    """The best regret after each trial, and the seconds that the searcher took."""
    problem = next(p for p in problems() if p.name == problem_name)
    noise = np.random.default_rng([seed, 77])
    searcher = make(name, problem, seed, trials)
    best, curve, spent = math.inf, [], 0.0
    try:
        while len(curve) < trials:
            began = time.perf_counter()
            asked = [searcher.ask() for _ in range(min(batch, trials - len(curve)))]
            spent += time.perf_counter() - began
            for key, params in asked:
                if params is None:
                    return {"curve": curve, "seconds": spent, "exhausted": True}
                value = problem.value(params)
                best = min(best, value)
                curve.append(float(f"{best:.6g}"))
                began = time.perf_counter()
                searcher.tell(key, params, value + problem.noise * float(noise.standard_normal()))
                spent += time.perf_counter() - began
            if spent > limit:
                return {"curve": curve, "seconds": spent, "over": True}
    finally:
        searcher.close()
    return {"curve": curve, "seconds": spent}


def key_of(name, problem, seed, batch):
    return f"{name}|{problem}|{seed}|{batch}"


def run(args):
    results = json.load(open(args.results)) if os.path.exists(args.results) else {"versions": {}, "cells": {}}
    for package in ("optuna", "hyperopt", "cmaes"):
        try:
            results["versions"][package] = version(package)
        except Exception:
            pass
    todo = [(name, p.name, seed, args.trials, batch, args.limit)
            for seed in range(args.seeds) for batch in args.batch for p in problems()
            if not args.problems or any(text in p.name for text in args.problems) for name in args.searchers
            if key_of(name, p.name, seed, batch) not in results["cells"]]
    saved = time.time()
    with ProcessPoolExecutor(args.jobs) as pool:
        futures = {pool.submit(cell, *job): job for job in todo}
        for count, future in enumerate(as_completed(futures)):
            name, problem, seed, _, batch, _ = futures[future]
            results["cells"][key_of(name, problem, seed, batch)] = future.result()
            if time.time() - saved > 20:
                json.dump(results, open(args.results, "w"))
                saved = time.time()
                print(f"{count + 1} of {len(todo)}", file=sys.stderr)
    json.dump(results, open(args.results, "w"))


def compare(args):
    """Mean log10 regret by group, and our searchers against each peer: paired Wilcoxon, Holm, bootstrap."""
    from scipy.stats import wilcoxon
    cells = json.load(open(args.results))["cells"]
    groups = {p.name: p.group for p in problems()}
    table = {}
    for key, result in cells.items():
        name, problem, seed, batch = key.split("|")
        for trials in args.trials:
            if len(result["curve"]) >= trials:
                value = math.log10(max(result["curve"][trials - 1], FLOOR))
                table.setdefault((groups[problem], batch, trials), {}).setdefault((problem, seed), {})[name] = value
    names = sorted({key.split("|")[0] for key in cells}, key=lambda n: (":" in n, n))
    rng = np.random.default_rng(0)
    for (group, batch, trials), pairs in sorted(table.items()):
        full = [row for row in pairs.values() if len(row) == len(names)]
        print(f"\n{group}, {trials} trials, {batch} at once, {len(full)} pairs: mean log10 regret")
        if not full:
            continue
        for name in names:
            print(f"  {name:16} {np.mean([row[name] for row in full]):7.3f}")
        tests = []
        for ours in (n for n in names if ":" not in n):
            for peer in (n for n in names if ":" in n):
                d = np.array([row[ours] - row[peer] for row in full])
                if np.any(d != 0):
                    means = np.mean(rng.choice(d, (2000, len(d))), axis=1)
                    low, high = np.percentile(means, [2.5, 97.5])
                    tests.append((wilcoxon(d).pvalue, ours, peer, np.mean(d), low, high))
        worst = 0.0
        for rank, (p, ours, peer, mean, low, high) in enumerate(sorted(tests)):
            worst = max(worst, min(1.0, p * (len(tests) - rank)))
            verdict = "better" if worst < 0.05 and mean < 0 else "worse" if worst < 0.05 else "no worse" if high <= 0.1 else "open"
            print(f"  {ours:10} - {peer:16} {mean:+.3f} [{low:+.3f}, {high:+.3f}]  p {worst:.3g}  {verdict}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    texts = lambda text: text.split(",")
    numbers = lambda text: [int(n) for n in text.split(",")]
    one = commands.add_parser("run")
    one.add_argument("results")
    one.add_argument("--searchers", type=texts, default=texts("random,tpe,gp,cmaes,optuna:tpe,optuna:cmaes,hyperopt:tpe"))
    one.add_argument("--problems", type=texts)
    one.add_argument("--trials", type=int, default=200)
    one.add_argument("--seeds", type=int, default=10)
    one.add_argument("--batch", type=numbers, default=[1, 8])
    one.add_argument("--limit", type=float, default=600.0)
    one.add_argument("--jobs", type=int, default=os.cpu_count())
    one.set_defaults(work=run)
    two = commands.add_parser("compare")
    two.add_argument("results")
    two.add_argument("--trials", type=numbers, default=[50, 100, 200])
    two.set_defaults(work=compare)
    args = parser.parse_args()
    args.work(args)


if __name__ == "__main__":
    main()
