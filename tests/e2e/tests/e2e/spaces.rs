//! What searchers do with an experiment that is not for them: none refuses a space, and one that cannot
//! do what is asked says who can.

use crate::{experiment::Experiment, lab::Lab};

/// Every kind of domain, with conditions.
const EVERY_KIND: &str = "a = { uniform = [-1.0, 1.0] }\n\
    b = { loguniform = [1e-4, 1.0] }\n\
    c = { quniform = [0.0, 1.0, 0.25] }\n\
    d = { qloguniform = [0.5, 8.0, 0.5] }\n\
    e = { randn = [0.0, 2.0] }\n\
    f = { randint = [1, 64] }\n\
    g = { lograndint = [1, 1024] }\n\
    h = { choice = [\"x\", 3, 2.5, true, [1, 2]] }\n\
    i = { grid = [16, 32, 64] }\n\
    j = { uniform = [0.0, 1.0], when = { h = [\"x\", 3] } }\n\
    k = { choice = [\"p\", \"q\"], when = { i = [16], h = [\"x\", true] } }";

/// The names of all built-in searchers.
fn searchers(lab: &Lab) -> Vec<String> {
    let plugins = lab.tune(&["plugin", "list", "--format", "json"]).exits(0);
    let plugins = plugins.json();
    let all = plugins.as_array().unwrap().iter();
    let searchers = all.filter(|plugin| plugin["kind"] == "searcher");
    searchers
        .map(|plugin| plugin["name"].as_str().unwrap().to_owned())
        .collect()
}

fn under(searcher: &str) -> Experiment {
    Experiment::of(tune_test_artifacts::TRIAL_NOOP)
        .named(searcher)
        .trials(6)
        .table(&format!("[searcher]\nplugin = {searcher:?}"))
}

#[test]
fn no_searcher_refuses_a_space_whatever_its_parameters_are() {
    let lab = Lab::new();
    let searchers = searchers(&lab);
    assert!(searchers.len() >= 11, "{searchers:?}");
    for searcher in searchers {
        let experiment = under(&searcher).space(EVERY_KIND);
        lab.run(&experiment, &[]).exits(0);
        let counts = lab.show(&searcher)["counts"].clone();
        assert_eq!(counts["finished"], 6, "{searcher}: {counts}");
    }
}

#[test]
fn a_searcher_for_one_objective_says_so_and_names_one_that_takes_two() {
    let lab = Lab::new();
    for searcher in searchers(&lab) {
        let experiment = under(&searcher)
            .space("a = { uniform = [-1.0, 1.0] }")
            .top("objectives = [{ metric = \"loss\", mode = \"min\" }, { metric = \"fuel_total\", mode = \"min\" }]");
        let said = lab.run(&experiment, &[]);
        match searcher.as_str() {
            // These look at no result, and `auto` takes one of them.
            "auto" | "grid" | "halton" | "random" | "sobol" => said.exits(0),
            _ => said.exits(2).says(&[
                &searcher,
                "needs one objective, not 2",
                "hint: ",
                "`random`",
            ]),
        };
    }
}
