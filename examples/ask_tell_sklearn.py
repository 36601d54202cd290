"""Tunes scikit-learn, or anything else that Python can call, with a searcher of tune-host.

    python3 examples/ask_tell_sklearn.py [SEARCHER [TRIALS]]     needs scikit-learn
"""
import json
import os
import subprocess
import sys


class Tuner:
    """A conversation with `tune-host ask-tell`: one JSON line each way."""

    def __init__(self, searcher, space, direction, budget, seed=0):
        command = [os.environ.get("TUNE_HOST", "tune-host"), "ask-tell", "--searcher", searcher]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.call(cmd="start", direction=direction, budget=budget, seed=seed, space=space)

    def call(self, **request):
        print(json.dumps(request, allow_nan=False), file=self.process.stdin, flush=True)
        reply = json.loads(self.process.stdout.readline() or '{"error": "tune-host has ended"}')
        if "error" in reply:
            raise RuntimeError(reply["error"])
        return reply

    def optimise(self, objective):
        """All (value, params) of a function of params, called until the budget is spent."""
        results, trial = [], 0
        while "params" in (reply := self.call(cmd="ask", id=trial)):
            value = objective(reply["params"])
            value = float(value) if value == value else None  # NaN: the trial failed
            self.call(cmd="tell", id=trial, params=reply["params"], value=value)
            results.append((value, reply["params"]))
            trial += 1
        self.call(cmd="stop")
        return results


def main(searcher="tpe", trials="30"):
    from sklearn.datasets import load_digits
    from sklearn.model_selection import cross_val_score
    from sklearn.svm import SVC

    images, labels = load_digits(return_X_y=True)
    space = [
        {"name": "kernel", "kind": "cat", "choices": ["linear", "poly", "rbf"]},
        {"name": "C", "kind": "float", "low": 1e-3, "high": 1e3, "log": True},
        {"name": "gamma", "kind": "float", "low": 1e-5, "high": 1.0, "log": True,
         "when": {"param": "kernel", "in": ["poly", "rbf"]}},
        {"name": "degree", "kind": "int", "low": 2, "high": 5, "when": {"param": "kernel", "in": ["poly"]}},
    ]
    tuner = Tuner(searcher, space, "maximize", int(trials))
    results = tuner.optimise(lambda params: cross_val_score(SVC(**params), images, labels, cv=3).mean())
    print(*max((result for result in results if result[0] is not None), key=lambda result: result[0]))


if __name__ == "__main__":
    main(*sys.argv[1:])
