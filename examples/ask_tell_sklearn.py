"""Tunes scikit-learn, or what else Python can call: `ask_tell_sklearn.py [SEARCHER [TRIALS]]`."""
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
        """Yields (value, params) of a function of params, called until the budget is spent."""
        trial = 0
        while "params" in (reply := self.call(cmd="ask", id=trial)):
            value = float(objective(reply["params"]))
            self.call(cmd="tell", id=trial, value=value if value == value else None)  # NaN: it failed
            yield value, reply["params"]
            trial += 1
        self.call(cmd="stop")


def main(searcher="tpe", trials="30"):
    from sklearn import datasets, model_selection, svm

    images, labels = datasets.load_digits(return_X_y=True)
    space = [
        {"name": "kernel", "kind": "cat", "choices": ["linear", "poly", "rbf"]},
        {"name": "C", "kind": "float", "low": 1e-3, "high": 1e3, "log": True},
        {"name": "gamma", "kind": "float", "low": 1e-5, "high": 1.0, "log": True,
         "when": {"param": "kernel", "in": ["poly", "rbf"]}},
    ]
    accuracy = lambda params: model_selection.cross_val_score(svm.SVC(**params), images, labels, cv=3).mean()
    results = Tuner(searcher, space, "maximize", int(trials)).optimise(accuracy)
    print(*max((result for result in results if result[0] == result[0]), key=lambda result: result[0]))


if __name__ == "__main__":
    main(*sys.argv[1:])
