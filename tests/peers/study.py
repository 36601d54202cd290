"""The tables of docs/study.md out of what `tune-host bench searchers --format json` printed.

    python3 study.py RESULTS.json [MORE.json ..] [docs/study.md]

Everything between the lines `<!-- numbers -->` and `<!-- end of numbers -->` of the page is replaced; without a
page the tables are printed. MORE has searchers that RESULTS lacks, of fewer seeds for instance. Comparisons with
random search and those of `evolution` are left out.
"""
import json
import sys

BEGIN, END = "<!-- numbers -->\n", "<!-- end of numbers -->\n"


def standings(batch, groups):
    """A line a searcher: mean log10 regret by mark, and the deviation over seeds at the last."""
    rows = {}
    for group in batch["log10_regret"]:
        for searcher in group["searchers"]:
            rows.setdefault(searcher["searcher"], {})[group["group"]] = searcher["at"]

    def last(name):
        return sum(at[-1]["mean"] for at in rows[name].values()) / len(rows[name])

    for name in sorted(rows, key=last):
        cells = []
        for group in groups:
            at = rows[name].get(group)
            means = " / ".join(f"{mark['mean']:.2f}" for mark in at or [])
            cells.append(f"{means} ({at[-1]['deviation']:.2f})" if at else "")
        yield row([f"`{name}`", *cells])


def verdict(at):
    word = at["verdict"]
    word = f"**{word}**" if word in ("better", "worse") else word
    return f"{at['mean']:+.2f} [{at['low']:+.2f}, {at['high']:+.2f}] {word}"


def comparisons(batch, groups):
    """A line a pair that shares whole groups, then a sentence for each that shares some problems."""
    pairs = {}
    for pair in batch["comparisons"]:
        if pair["theirs"] != "optuna:random" and pair["ours"] != "evolution":
            pairs.setdefault((pair["ours"], pair["theirs"]), {})[pair["group"]] = pair["at"]
    sentences = []
    for (ours, theirs), by_group in pairs.items():
        if any(group in by_group for group in groups):
            cells = [verdict(by_group[group][-1]) if group in by_group else "" for group in groups]
            yield row([f"`{ours}`", f"`{theirs}`", *cells])
        for group, at in by_group.items():
            if group not in groups:
                marks = [f"{verdict(mark)} after {mark['trials']} ({mark['pairs']} pairs)" for mark in at]
                sentences.append(f"\n`{ours}` less `{theirs}` on {group} that both have: {'; '.join(marks)}.")
    yield from sentences


def unsettled(batch, groups):
    """How many verdicts are of each kind, by pair, over all groups and marks."""
    counts = {}
    for pair in batch["comparisons"]:
        if pair["theirs"] != "optuna:random" and pair["ours"] != "evolution" and pair["group"] in groups:
            of = counts.setdefault((pair["ours"], pair["theirs"]), {})
            for mark in pair["at"]:
                of.setdefault(mark["verdict"], []).append(f"{pair['group']} after {mark['trials']}")
    for (ours, theirs), of in counts.items():
        cells = [str(len(of.get(kind, []))) for kind in ("better", "no worse", "open", "worse")]
        left = "; ".join(of.get("open", []) + [f"{place}: worse" for place in of.get("worse", [])])
        yield row([f"`{ours}`", f"`{theirs}`", *cells, left])


def row(cells):
    return f"| {' | '.join(cells)} |"


def head(cells):
    return [row(cells), "|" + "---|" * len(cells)]


def tables(results):
    lines = []
    for batch in results["results"]:
        groups = [group["group"] for group in batch["log10_regret"]]
        marks = [mark["trials"] for mark in batch["log10_regret"][0]["searchers"][0]["at"]]
        after = " / ".join(map(str, marks))
        lines += [
            "### One at a time" if batch["batch"] == 1 else f"### {batch['batch']} at once",
            "",
            f"Mean log10 regret after {after} trials; in brackets the standard deviation over seeds after {marks[-1]}.",
            "",
            *head(["Searcher", *groups]),
            *standings(batch, groups),
            "",
            f"Ours less theirs after {marks[-1]} trials: mean difference of log10 regret, its 95 % interval, verdict.",
            "",
            *head(["Ours", "Theirs", *groups]),
            *comparisons(batch, groups),
            "",
            f"Verdicts over all groups after {after} trials, and where one is open or worse:",
            "",
            *head(["Ours", "Theirs", "better", "no worse", "open", "worse", "which"]),
            *unsettled(batch, groups),
            "",
        ]
    return "\n".join(lines)


def join(results, more):
    """Adds the searchers and the pairs that `results` lacks."""
    for batch, other in zip(results["results"], more["results"]):
        if batch["batch"] != other["batch"]:
            sys.exit("the files differ in how many trials were asked for at once")
        searchers = {group["group"]: group["searchers"] for group in other["log10_regret"]}
        for group in batch["log10_regret"]:
            names = {searcher["searcher"] for searcher in group["searchers"]}
            lacking = [one for one in searchers[group["group"]] if one["searcher"] not in names]
            group["searchers"] += lacking
        pairs = {(pair["ours"], pair["theirs"]) for pair in batch["comparisons"]}
        lacking = [one for one in other["comparisons"] if (one["ours"], one["theirs"]) not in pairs]
        batch["comparisons"] += lacking


def main():
    paths = sys.argv[1:]
    page_path = paths.pop() if paths and paths[-1].endswith(".md") else None
    if not paths:
        sys.exit(__doc__)
    results = []
    for path in paths:
        with open(path, encoding="utf-8") as file:
            results.append(json.load(file))
    for more in results[1:]:
        join(results[0], more)
    text = tables(results[0])
    if page_path is None:
        print(text)
        return
    with open(page_path, encoding="utf-8") as file:
        page = file.read()
    if page.count(BEGIN) != 1 or page.count(END) != 1:
        sys.exit(f"{page_path} lacks the lines {BEGIN.strip()} and {END.strip()}: put them around the tables")
    before, rest = page.split(BEGIN)
    after = rest.split(END)[1]
    with open(page_path, "w", encoding="utf-8") as file:
        file.write(f"{before}{BEGIN}\n{text}\n{END}{after}")


if __name__ == "__main__":
    main()
