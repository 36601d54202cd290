//! Experiments that cannot work: one clear message where it is, with a hint, before anything begins.

use crate::{
    experiment::Experiment,
    lab::{Finished, Lab},
};

/// The file is refused, nothing was begun, and the message holds these parts.
#[track_caller]
fn refused(experiment: &Experiment, parts: &[&str]) -> Finished {
    let lab = Lab::new();
    let said = lab
        .run(experiment, &[])
        .exits(2)
        .says(parts)
        .says(&["hint: "]);
    assert!(!lab.path("runs").exists(), "{said}");
    assert_eq!(said.stdout, "");
    said
}

/// The message points at the line of the file that begins like this.
#[track_caller]
fn refused_at(experiment: &Experiment, line: &str, parts: &[&str]) {
    let text = experiment.to_toml();
    let number = text.lines().position(|l| l.starts_with(line)).unwrap() + 1;
    let place = format!("{}.toml:{number}:", experiment.name);
    refused(experiment, &[&[place.as_str()], parts].concat());
}

fn space(line: &str) -> Experiment {
    Experiment::branin(4).space(line)
}

#[test]
fn an_empty_choice() {
    refused_at(&space("k = { choice = [] }"), "k =", &["empty"]);
}

#[test]
fn a_range_upside_down() {
    refused_at(
        &space("k = { uniform = [2.0, 1.0] }"),
        "k =",
        &["low 2", "high 1", "[1, 2]"],
    );
}

#[test]
fn a_logarithmic_range_from_zero() {
    refused_at(&space("k = { loguniform = [0.0, 1.0] }"), "k =", &["log"]);
}

#[test]
fn a_condition_on_an_unknown_parameter() {
    refused_at(
        &space(
            "kind = { choice = [\"a\", \"b\"] }\nk = { uniform = [0.0, 1.0], when = { kinde = [\"a\"] } }",
        ),
        "k =",
        &["kinde", "did you mean `kind`?"],
    );
}

#[test]
fn conditions_in_a_circle() {
    refused(
        &space(
            "p = { choice = [1, 2], when = { q = [1] } }\nq = { choice = [1, 2], when = { p = [1] } }",
        ),
        &["circle", "p depends on q"],
    );
}

#[test]
fn a_condition_on_a_later_parameter_is_fine() {
    let lab = Lab::new();
    let experiment = Experiment::of(tune_test_artifacts::TRIAL_NOOP)
        .space("p = { uniform = [0.0, 1.0], when = { q = [1] } }\nq = { choice = [1, 2] }");
    lab.run(&experiment, &[]).exits(0);
}

#[test]
fn an_unknown_key() {
    let experiment = Experiment::branin(4).top("trails = 5");
    refused_at(&experiment, "trails", &["trails", "did you mean `trials`?"]);
}

#[test]
fn an_unknown_option_of_a_plugin() {
    let experiment = Experiment::branin(4)
        .top("max_t = 9")
        .table("[scheduler]\nplugin = \"asha\"\ngrace_perod = 1");
    refused_at(&experiment, "grace_perod", &["grace_perod", "grace_period"]);
}

#[test]
fn an_option_out_of_its_range() {
    let experiment = Experiment::branin(4)
        .top("max_t = 9")
        .table("[scheduler]\nplugin = \"asha\"\nreduction_factor = 1");
    refused_at(
        &experiment,
        "reduction_factor",
        &["reduction_factor", "asha"],
    );
}

#[test]
fn an_option_of_the_wrong_type() {
    let experiment = Experiment::branin(4)
        .top("max_t = 9")
        .table("[scheduler]\nplugin = \"asha\"\nreduction_factor = \"four\"");
    let says = ["reduction_factor", "of type number", "four"];
    refused_at(&experiment, "reduction_factor", &says);
}

#[test]
fn an_option_that_only_the_plugin_can_judge() {
    let experiment = Experiment::branin(4)
        .top("max_t = 9")
        .table("[scheduler]\nplugin = \"asha\"\ngrace_period = 10");
    refused_at(&experiment, "grace_period", &["grace_period", "max_t"]);
}

#[test]
fn an_unknown_plugin() {
    let experiment = Experiment::branin(4).table("[searcher]\nplugin = \"randon\"");
    refused_at(&experiment, "plugin", &["randon", "random"]);
}

#[test]
fn a_plugin_of_another_kind() {
    let experiment = Experiment::branin(4).table("[searcher]\nplugin = \"asha\"");
    refused_at(&experiment, "plugin", &["asha", "scheduler", "searcher"]);
    let experiment = Experiment::branin(4).table("[scheduler]\nplugin = \"functions\"");
    refused_at(
        &experiment,
        "plugin = \"functions\"",
        &["functions", "trainable", "scheduler"],
    );
}

#[test]
fn a_data_directory_that_is_missing() {
    let experiment = Experiment::of(tune_test_artifacts::TRIAL_DATA)
        .table("[[data]]\nname = \"numbers\"\npath = \"no/such/folder\"");
    refused_at(&experiment, "path", &["numbers", "no/such/folder"]);
}

#[test]
fn wall_clock_as_time_in_deterministic_order() {
    let experiment = Experiment::branin(4).top("time_attr = \"time_total_s\"");
    refused_at(&experiment, "time_attr", &["time_total_s", "fuel_total"]);
}

#[test]
fn several_mistakes_are_told_at_once() {
    refused(
        &space("k = { choice = [] }\nl = { uniform = [2.0, 1.0] }").top("mode = \"most\""),
        &["empty", "low 2", "most"],
    );
}

#[test]
fn a_file_that_is_missing_or_no_experiment() {
    let lab = Lab::new();
    lab.tune(&["run", "none.toml"])
        .exits(2)
        .says(&["none.toml"]);
    lab.write("broken.toml", "version = 1\nname = ");
    lab.tune(&["run", "broken.toml"])
        .exits(2)
        .says(&["broken.toml:2:"]);
    lab.write("binary.toml", [0xff, 0xfe, 0, 1]);
    lab.tune(&["run", "binary.toml"])
        .exits(2)
        .says(&["binary.toml", "UTF-8"]);
    assert!(!lab.path("runs").exists());
}

#[test]
fn an_unknown_word_on_the_command_line() {
    let lab = Lab::new();
    lab.tune(&["ruin", "x.toml"])
        .exits(2)
        .says(&["ruin", "run"]);
    lab.tune(&["run"]).exits(2);
}

#[test]
fn a_run_directory_that_exists() {
    let lab = Lab::new();
    let experiment = Experiment::branin(3);
    lab.run(&experiment, &["--name", "mine"]).exits(0);
    let before = lab.show("mine");
    lab.run(&experiment, &["--name", "mine"]).exits(2).says(&[
        "runs/mine",
        "exists",
        "tune-host resume runs/mine",
        "--name mine-2",
    ]);
    assert_eq!(lab.show("mine"), before);
    // Without a name the next one is numbered.
    lab.run(&experiment, &[]).exits(0);
    lab.run(&experiment, &[]).exits(0);
    assert_eq!(lab.digest("branin"), lab.digest("branin-2"));
}
