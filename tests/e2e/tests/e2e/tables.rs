//! Tables of recorded curves: exported from runs, run on, compared on, and refused when damaged.

use std::fs;

use serde_json::Value;

use crate::{
    experiment::Experiment,
    lab::{Lab, workspace},
};

/// A run of the digits that trains every trial to its end, exported as `table`.
fn exported(lab: &Lab, trials: u32) {
    let experiment = Experiment::digits(trials)
        .table("[scheduler]\nplugin = \"fifo\"")
        .table("[searcher]\nplugin = \"random\"");
    lab.run(&experiment, &[]).exits(0);
    lab.tune(&["export", "digits", "--table", "table"]).exits(0);
}

/// An experiment on `table` whose trials have these configurations.
fn on_table(configs: &[Value], scheduler: &str) -> Experiment {
    let points: Vec<String> = configs
        .iter()
        .map(|config| {
            let entries = config.as_object().unwrap().iter();
            let entries = entries.filter(|(name, _)| *name != "batch");
            let entries: Vec<String> = entries.map(|(k, v)| format!("{k} = {v}")).collect();
            format!("{{ {} }}", entries.join(", "))
        })
        .collect();
    Experiment::digits(configs.len() as u32)
        .named("simulated")
        .trainable("table")
        .space("lookup = \"exact\"")
        .top(&format!("points_to_evaluate = [{}]", points.join(", ")))
        .table("[searcher]\nplugin = \"random\"")
        .table(&format!("[scheduler]\nplugin = \"{scheduler}\""))
        .table("[grants]\nvirtual-cost = true")
        .table("[[data]]\nname = \"table\"\npath = \"table\"")
}

fn configs(lab: &Lab, run: &str) -> Vec<Value> {
    let trials = lab.show(run)["trials"].as_array().unwrap().clone();
    trials.iter().map(|trial| trial["config"].clone()).collect()
}

/// What a trial reported, without what the host filled in.
fn reported(lab: &Lab, run: &str, trial: u32) -> Vec<Vec<Value>> {
    let trial = lab.trial(run, trial);
    let reports = trial["reports"].as_array().unwrap();
    let metrics = |report: &Value| {
        let names = ["loss", "val_loss", "accuracy"];
        names.map(|name| report["metrics"][name].clone()).to_vec()
    };
    reports.iter().map(metrics).collect()
}

#[test]
fn a_run_on_an_exported_table_with_the_same_configurations_reports_the_same_bits() {
    let lab = Lab::new();
    exported(&lab, 5);
    lab.run(&on_table(&configs(&lab, "digits"), "fifo"), &[])
        .exits(0);
    for trial in 0..5 {
        let trained = reported(&lab, "digits", trial);
        assert_eq!(trained.len(), 9);
        assert!(trained[0].iter().all(Value::is_number), "{trained:?}");
        assert_eq!(reported(&lab, "simulated", trial), trained);
    }
}

#[test]
fn what_an_export_leaves_out_is_counted_and_what_it_cannot_do_is_refused() {
    let lab = Lab::new();
    let experiment = Experiment::branin(4);
    lab.run(&experiment, &[]).exits(0);
    let done = lab.tune(&["export", "branin", "--table", "t", "--metrics", "regret"]);
    let said = done.exits(0).stdout;
    assert!(
        said.contains("4 configurations, 4 steps with value, regret"),
        "{said}"
    );
    let again = lab.tune(&["export", "branin", "--table", "t"]).exits(2);
    assert!(again.stderr.contains("exists already"), "{again}");
    let metric = ["export", "branin", "--table", "u", "--metrics", "loss"];
    let metric = lab.tune(&metric).exits(2);
    assert!(
        metric.stderr.contains("--metrics can name value, regret"),
        "{metric}"
    );
    let parent = lab.tune(&["export", "branin", "--table", "no/u"]).exits(2);
    assert!(parent.stderr.contains("cannot write no/u"), "{parent}");
    // Trials that all fail leave nothing to export.
    let failing = Experiment::branin(3)
        .named("failing")
        .space("function = \"hartmann6\"");
    lab.run(&failing, &[]).exits(1);
    let nothing = lab.tune(&["export", "failing", "--table", "u"]).exits(2);
    assert!(nothing.stderr.contains("it has no rows"), "{nothing}");
}

#[test]
fn the_example_runs_on_the_shipped_table() {
    let lab = Lab::new();
    let file = workspace().join("examples/table.toml");
    lab.tune(&["run", file.to_str().unwrap(), "-q"]).exits(0);
    assert!(lab.show("table")["best"].is_object());
}

#[test]
fn a_damaged_table_fails_the_trial_and_the_comparison_with_the_place() {
    let lab = Lab::new();
    exported(&lab, 3);
    let configs = configs(&lab, "digits");
    let curves = lab.read("table/curves.csv");
    let lines: Vec<&str> = curves.lines().collect();
    let without = |n: usize| {
        let kept = lines.iter().enumerate().filter(|(i, _)| *i != n);
        kept.map(|(_, line)| format!("{line}\n"))
            .collect::<String>()
    };
    fs::write(lab.path("table/curves.csv"), without(3)).unwrap();
    let compared = lab
        .tune(&["bench", "schedulers", "--table", "table"])
        .exits(2);
    assert!(
        compared
            .stderr
            .contains("table/curves.csv:4:1: step 3 of configuration 0 is missing"),
        "{compared}"
    );
    lab.run(&on_table(&configs, "fifo"), &[]).exits(1);
    assert_eq!(lab.statuses("simulated")[0], "reported");
    let shown = lab.trial("simulated", 0).to_string();
    assert!(
        shown.contains("step 3 of configuration 0 is missing"),
        "{shown}"
    );
}

#[test]
fn schedulers_are_compared_the_same_on_any_number_of_threads() {
    let lab = Lab::new();
    let compare = |threads: &str| {
        let command = [
            "bench",
            "schedulers",
            "--table",
            "crossing",
            "--schedulers",
            "fifo,asha,asha:type=promotion",
            "--seeds",
            "3",
            "--slots",
            "4",
            "--trainings",
            "4",
            "--threads",
            threads,
            "--json",
            "all.json",
            "--svg",
            "all.svg",
            "--streams",
            "streams.json",
            "--format",
            "json",
        ];
        lab.tune(&command).exits(0);
        let mut all: Value = serde_json::from_str(&lab.read("all.json")).unwrap();
        for key in ["seconds", "threads"] {
            all.as_object_mut().unwrap().remove(key);
        }
        all
    };
    let one = compare("1");
    assert_eq!(one, compare("3"));
    let schedulers = one["results"][0]["schedulers"].as_array().unwrap();
    assert_eq!(schedulers.len(), 3);
    let asha = |share: usize| schedulers[1]["at"][share]["median"].as_f64().unwrap();
    assert!(asha(0) >= asha(1) && asha(1) >= asha(2), "{one}");
    assert!(schedulers[1]["trials"].as_u64() > schedulers[0]["trials"].as_u64());
    assert!(lab.read("all.svg").contains("asha:type=promotion"));

    // What another program found stands in the same table.
    let peers = r#"{"version":1,"results":[
        {"table":"crossing","scheduler":"other","slots":4,"seed":1,"incumbent":[[1,0.2]]},
        {"table":"crossing","scheduler":"other","slots":4,"seed":2,"incumbent":[]},
        {"table":"crossing","scheduler":"half","slots":4,"seed":1,"incumbent":[[1,0.2]]}]}"#;
    lab.write("peers.json", peers);
    let command = [
        "bench",
        "schedulers",
        "--table",
        "crossing",
        "--schedulers",
        "fifo",
        "--seeds",
        "2",
        "--slots",
        "4",
        "--trainings",
        "1",
        "--peers",
        "peers.json",
    ];
    let said = lab.tune(&command).exits(0);
    assert!(
        said.stdout.lines().any(|line| line.starts_with("other")),
        "{said}"
    );
    assert!(
        said.stderr.contains("half has not all of the 2 seeds"),
        "{said}"
    );
}

#[test]
fn a_comparison_that_cannot_be_made_is_refused_with_what_to_do() {
    let lab = Lab::new();
    for (arguments, what) in [
        (
            ["--schedulers", "nosuch"].as_slice(),
            "there is no scheduler `nosuch`",
        ),
        (&["--schedulers", "tpe"], "`tpe` is a searcher"),
        (&["--schedulers", "pbt"], "recorded curves cannot show"),
        (&["--schedulers", "asha,asha"], "named twice"),
        (&["--schedulers", "asha:type=sideways"], "option `type`"),
        (&["--schedulers", "asha:grace"], "`grace` is no option"),
        (&["--seeds", "0"], "0 is not in"),
        (&["--slots", "4,0"], "0 is not in"),
        (&["--table", "nowhere"], "there is no table nowhere"),
        (
            &["--table", "crossing", "--table", "crossing"],
            "two tables are named",
        ),
        (&["--peers", "nowhere.json"], "cannot use nowhere.json"),
        (
            &[
                "--svg",
                "no/a.svg",
                "--table",
                "crossing",
                "--trainings",
                "1",
                "--seeds",
                "1",
            ],
            "cannot write no/a.svg",
        ),
    ] {
        let said = lab
            .tune(&[&["bench", "schedulers"], arguments].concat())
            .exits(2);
        assert!(said.stderr.contains(what), "{said}");
    }
}
