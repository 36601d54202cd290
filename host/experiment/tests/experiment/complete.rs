//! Whole files: every key arrives where it belongs, and defaults are the documented ones.

use std::{path::PathBuf, time::Duration};

use proptest::prelude::*;
use tune_core::{
    ExperimentPlateau, Limits, Metering, Order, OwnLimits, RetrySeed, StopRule, TrialPlateau,
};
use tune_experiment::{DataSource, Grants, LineageOf, Outputs, Snapshots, parse};
use tune_space::{Constraint, Objective};

use crate::{HEAD, good, with_space};

const WHOLE: &str = r#"version = 1
name = "everything"
trainable = "./plugins/mine.wasm"
metric = "loss"
mode = "min"
objectives = [{ metric = "memory_bytes", mode = "min" }, { metric = "loss", mode = "min" }]
constraints = [{ metric = "memory_bytes", at_most = 3e6 }]
time_attr = "fuel_total"
max_t = 1e12
trials = 50
time_budget = "2h"
slots = 16
seed = 9
order = "arrival"
metering = "fuel"
strict = true
max_failures = 2
retry_seed = "fresh"
outputs = ["csv"]
points_to_evaluate = [{ lr = 0.5 }]

[space]
lr = { uniform = [0.0, 1.0] }
batch = 32
twice = { derived = "batch * 2" }

[searcher]
plugin = "random"
deep = { list = [1, 2.5, "x"] }

[scheduler]
plugin = "asha"
grace_period = 1
limits = { actions = 5, wall_per_step = "2 s" }

[limits]
fuel_per_step = 1_000_000
wall_per_step = "1 min"
memory = "1 GiB"
run_memory = "8 GiB"
name_bytes = 64

[stop]
loss = 0.1
fuel_total = 2e12
other = { at_least = 1, at_most = -1 }

[[data]]
name = "a"
path = "here"
[[data]]
name = "b"
path = "/there"

[grants]
artifact = true
directory = { words = "texts", images = "/pictures" }
virtual-cost = true
workers = true
gpu = true

[resources]
threads = 3

[snapshots]
keep = 2
keep_best = 3
interval = 10
at_end = false
max_overhead = 0.5
disk = "2 GiB"

[searcher.warm_start]
runs = ["old", "older"]
csv = ["results.csv", "/elsewhere.csv"]
"#;

#[test]
fn every_key_arrives_where_it_belongs() {
    let plan = good(WHOLE);
    let engine = &plan.engine;
    assert_eq!(plan.name, "everything");
    assert_eq!(engine.trainable, "./plugins/mine.wasm");
    let objective = |metric: &str| Objective {
        metric: metric.to_owned(),
        maximize: false,
    };
    assert_eq!(
        engine.objectives,
        [objective("loss"), objective("memory_bytes")]
    );
    assert_eq!(
        engine.constraints,
        [Constraint {
            metric: "memory_bytes".to_owned(),
            at_least: None,
            at_most: Some(3e6)
        }]
    );
    assert_eq!(
        (engine.time_attr.as_str(), engine.max_t),
        ("fuel_total", Some(1e12))
    );
    assert_eq!(
        (engine.trials, engine.slots, engine.seed),
        (Some(50), 16, 9)
    );
    assert_eq!(plan.time_budget, Some(Duration::from_secs(7200)));
    assert_eq!(engine.order, Order::Arrival);
    assert_eq!(
        (engine.metering, plan.metering_given),
        (Metering::Fuel, true)
    );
    assert!(engine.strict && plan.seed_given);
    assert_eq!(
        (engine.max_failures, engine.retry_seed),
        (2, RetrySeed::Fresh)
    );
    let outputs = Outputs {
        json: false,
        csv: true,
        tensorboard: false,
    };
    assert_eq!(plan.outputs, outputs);
    assert_eq!(engine.points_to_evaluate.len(), 1);
    assert_eq!(plan.warm_start.runs, ["old", "older"]);
    let csv = ["dir/results.csv", "/elsewhere.csv"].map(PathBuf::from);
    assert_eq!(plan.warm_start.csv, csv);
    assert_eq!(
        (
            engine.space.len(),
            engine.constants.len(),
            engine.derived.len()
        ),
        (1, 1, 1)
    );
    assert_eq!(
        engine.searcher,
        (
            "random".to_owned(),
            r#"{"deep":{"list":[1,2.5,"x"]}}"#.to_owned()
        )
    );
    assert_eq!(
        engine.scheduler,
        ("asha".to_owned(), r#"{"grace_period":1}"#.to_owned())
    );
    assert_eq!(
        engine.limits,
        Limits {
            fuel_per_step: 1_000_000,
            wall_per_step: Duration::from_secs(60),
            memory_bytes: 1 << 30,
            name_bytes: 64,
            ..Limits::default()
        }
    );
    assert_eq!(
        engine.own_limits,
        OwnLimits {
            searcher: None,
            scheduler: Some(Limits {
                actions: 5,
                wall_per_step: Duration::from_secs(2),
                ..engine.limits.clone()
            }),
        }
    );
    assert_eq!((plan.run_memory, plan.threads), (Some(8 << 30), Some(3)));
    let rule = |metric: &str, threshold, at_least| StopRule {
        metric: metric.to_owned(),
        threshold,
        at_least,
    };
    assert_eq!(
        engine.stop,
        [
            rule("loss", 0.1, false),
            rule("fuel_total", 2e12, true),
            rule("other", 1.0, true),
            rule("other", -1.0, false),
        ]
    );
    let data = |name: &str, path: &str| DataSource {
        name: name.to_owned(),
        path: PathBuf::from(path),
    };
    assert_eq!(plan.data, [data("a", "dir/here"), data("b", "/there")]);
    let directories = [data("images", "/pictures"), data("words", "dir/texts")];
    assert_eq!(plan.directories, directories);
    let grants = Grants {
        artifact: true,
        virtual_cost: true,
        gpu: true,
        workers: true,
    };
    assert_eq!(plan.grants, grants);
    assert!(engine.virtual_cost);
    let snapshots = Snapshots {
        keep: 2,
        keep_best: 3,
        interval: Some(10),
        at_end: false,
        max_overhead: 0.5,
        disk_bytes: Some(2 << 30),
    };
    assert_eq!((plan.snapshots, &plan.lineage), (snapshots, &None));
    assert_eq!(plan.text, WHOLE);
}

#[test]
fn a_lineage_is_one_trial_and_no_option_of_the_scheduler() {
    let text = HEAD.replace("trials = 10\n", "");
    let plan = good(&format!(
        "{text}[space]\n[scheduler]\nplugin = \"pbt-replay\"\nlineage = {{ run = \"toy\", trial = 3 }}\n"
    ));
    let run = "toy".to_owned();
    assert_eq!(plan.lineage, Some(LineageOf { run, trial: 3 }));
    assert_eq!(plan.engine.trials, Some(1));
    let scheduler = ("pbt-replay".to_owned(), "{}".to_owned());
    assert_eq!(plan.engine.scheduler, scheduler);
}

#[test]
fn limits_of_the_searcher_begin_with_those_of_all() {
    let plan = good(&format!(
        "{HEAD}[space]\n[limits]\nmemory = \"1 MiB\"\nactions = 7\n[searcher]\nplugin = \"random\"\nseeds = 3\n[searcher.limits]\nfuel_per_call = 1_000\n"
    ));
    let engine = &plan.engine;
    assert_eq!(engine.searcher.1, "{\"seeds\":3}");
    let searcher = Limits {
        fuel_per_call: 1_000,
        ..engine.limits.clone()
    };
    assert_eq!(engine.searcher_limits(), &searcher);
    assert_eq!(engine.searcher_limits().memory_bytes, 1 << 20);
    assert_eq!(engine.scheduler_limits(), &engine.limits);
    // Written out or left out: the same plan.
    let same = good(&format!(
        "{HEAD}[space]\n[searcher]\nplugin = \"random\"\nlimits = {{ memory = \"256 MiB\" }}\n"
    ));
    assert!(same.engine.own_limits.is_empty());
}

#[test]
fn what_is_left_out_has_the_documented_default() {
    let plan = with_space("lr = { uniform = [0, 1] }");
    let engine = &plan.engine;
    assert_eq!(plan.name, "file");
    assert_eq!((engine.seed, plan.seed_given), (42, false));
    assert_eq!(engine.slots, 8);
    assert_eq!(engine.time_attr, "training_iteration");
    assert_eq!(engine.searcher, ("auto".to_owned(), "{}".to_owned()));
    assert_eq!(engine.scheduler, ("fifo".to_owned(), "{}".to_owned()));
    assert_eq!(engine.order, Order::Deterministic);
    assert_eq!(
        (engine.metering, plan.metering_given),
        (Metering::Full, false)
    );
    assert_eq!(
        (engine.max_failures, engine.retry_seed),
        (0, RetrySeed::Same)
    );
    assert_eq!(engine.limits, Limits::default());
    assert!(engine.own_limits.is_empty());
    assert!(plan.outputs.json && plan.outputs.csv && plan.outputs.tensorboard);
    assert_eq!(plan.grants, Grants::default());
    assert!(plan.directories.is_empty());
    let snapshots = Snapshots {
        keep: 1,
        keep_best: 1,
        interval: None,
        at_end: true,
        max_overhead: 0.05,
        disk_bytes: None,
    };
    assert_eq!((plan.snapshots, &plan.lineage), (snapshots, &None));
    assert!(!engine.strict && !engine.virtual_cost && plan.time_budget.is_none());
}

#[test]
fn the_axis_may_stand_in_the_scheduler_as_in_ray() {
    let text = "version = 1
trainable = \"t\"
metric = \"m\"
mode = \"max\"
trials = 1
searcher = \"grid\"
[space]
[scheduler]
plugin = \"asha\"
time_attr = \"fuel_total\"
max_t = 100
";
    let plan = good(text);
    assert_eq!(plan.engine.time_attr, "fuel_total");
    assert_eq!(plan.engine.max_t, Some(100.0));
    assert_eq!(plan.engine.scheduler, ("asha".to_owned(), "{}".to_owned()));
    assert_eq!(plan.engine.searcher.0, "grid");
    let same = good(&text.replace("trials = 1", "trials = 1\nmax_t = 100.0"));
    assert_eq!(same.engine, plan.engine);
}

#[test]
fn a_run_without_trials_ends_by_the_grid_or_the_clock() {
    let head = HEAD.replace("trials = 10\n", "");
    let grid = good(&format!(
        "{head}searcher = \"grid\"\n[space]\na = {{ grid = [1, 2] }}"
    ));
    assert_eq!(grid.engine.trials, None);
    let clock = good(&format!("{head}time_budget = 60\n[space]"));
    assert_eq!(clock.engine.trials, None);
}

#[test]
fn keys_can_be_located_and_pointed_at() {
    let plan = good(WHOLE);
    assert_eq!(plan.locate("version"), Some((1, 1)));
    assert_eq!(plan.locate("scheduler"), Some((31, 2)));
    assert_eq!(plan.locate("scheduler.grace_period"), Some((33, 1)));
    assert_eq!(plan.locate("searcher.deep.list"), Some((29, 10)));
    assert_eq!(plan.locate("data[1].path"), Some((53, 1)));
    assert_eq!(plan.locate("space.lr.uniform"), Some((23, 8)));
    assert_eq!(plan.locate("scheduler.nothing"), None);
    let one = plan.diagnostic("scheduler.nothing", "no such option", "see the manual");
    assert_eq!((one.line, one.column), (31, 2));
    let shown = plan.diagnostics(vec![one]).to_string();
    assert_eq!(
        shown,
        "dir/file.toml:31:2: no such option
  31 | [scheduler]
     |  ^
  hint: see the manual"
    );
}

#[test]
fn the_kept_text_gives_the_same_plan_again() {
    let first = good(WHOLE);
    let again = parse(&first.text, &first.file_name, first.engine.seed).unwrap();
    assert_eq!(first.engine, again.engine);
    assert_eq!(first.data, again.data);
}

fn damaged(text: &str) -> impl Strategy<Value = String> + use<> {
    let chars: Vec<char> = text.chars().collect();
    let edits = prop::collection::vec((0..chars.len(), 0..4_u8, any::<char>()), 1..6);
    edits.prop_map(move |edits| {
        let mut chars = chars.clone();
        for (place, kind, with) in edits {
            let place = place.min(chars.len() - 1);
            match kind {
                0 => chars[place] = with,
                1 => chars.insert(place, with),
                2 => drop(chars.remove(place)),
                // A piece of structure moves.
                _ => {
                    let piece: Vec<char> = chars.iter().skip(place).take(12).copied().collect();
                    let to = place / 2;
                    chars.splice(to..to, piece);
                }
            }
        }
        chars.into_iter().collect()
    })
}

proptest! {
    #[test]
    fn no_damaged_toml_panics(text in damaged(WHOLE)) {
        if let Err(error) = parse(&text, "x.toml", 0) {
            prop_assert!(!error.all.is_empty());
            let escape = error.to_string().contains('\u{1b}');
            prop_assert!(!escape);
        }
    }

    #[test]
    fn no_damaged_json_panics(text in damaged(
        r#"{"version":1,"trainable":"t","metric":"a","mode":"max","trials":3,"space":{"x":{"quniform":[0,1,0.5],"when":{"y":["a"]}},"y":{"choice":["a","b"]},"z":{"derived":"x*2"}},"points_to_evaluate":[{"x":0.5}]}"#
    )) {
        if let Err(error) = parse(&text, "x.json", 0) {
            prop_assert!(!error.to_string().is_empty());
        }
    }

    #[test]
    fn no_text_panics(text in ".{0,200}") {
        let _ = parse(&text, "x.toml", 0);
        let _ = parse(&text, "x.json", 0);
    }
}

#[test]
fn plateaus_have_the_defaults_of_ray_and_can_be_set() {
    let read = |rules: &str| {
        let plan = crate::good(&format!("{}[space]\n[stop]\n{rules}\n", crate::HEAD));
        assert!(plan.engine.stop.is_empty());
        plan.engine.plateaus
    };
    let both = read("trial_plateau = true\nexperiment_plateau = true");
    let trial = TrialPlateau {
        metric: "accuracy".to_owned(),
        std: 0.01,
        num_results: 4,
        grace_period: 4,
        threshold: None,
    };
    let experiment = ExperimentPlateau {
        std: 0.001,
        top: 10,
        patience: 0,
    };
    assert_eq!(
        (both.trial, both.experiment),
        (Some(trial), Some(experiment))
    );
    assert!(read("trial_plateau = false\nexperiment_plateau = false").is_empty());
    assert_eq!(read("regret = 0.5").regret, Some(0.5));
    let set = read(
        "trial_plateau = { metric = \"loss\", std = 1, num_results = 2, grace_period = 0, at_most = 3 }
         experiment_plateau = { std = 0, top = 2, patience = 9 }",
    );
    let trial = TrialPlateau {
        metric: "loss".to_owned(),
        std: 1.0,
        num_results: 2,
        grace_period: 0,
        threshold: Some((3.0, false)),
    };
    let experiment = ExperimentPlateau {
        std: 0.0,
        top: 2,
        patience: 9,
    };
    assert_eq!((set.trial, set.experiment), (Some(trial), Some(experiment)));
}
