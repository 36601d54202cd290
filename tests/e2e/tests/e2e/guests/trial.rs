//! Trainables: what they do wrong ends their trial, with its kind and its story, and nothing else.

use serde_json::Value;
use tune_test_artifacts::foreach_trial;

use super::is_tested;
use crate::{
    experiment::Experiment,
    lab::{Finished, Lab},
    outcome::Outcome,
};

foreach_trial!(is_tested);

/// All four trials were tried and failed in this way; the first one's story holds these parts.
#[track_caller]
fn all_fail(experiment: &Experiment, kind: &str, parts: &[&str]) -> (Lab, Finished) {
    let lab = Lab::new();
    let said = all_fail_in(&lab, experiment, kind, parts);
    (lab, said)
}

/// The same in a directory with files in it.
#[track_caller]
fn all_fail_in(lab: &Lab, experiment: &Experiment, kind: &str, parts: &[&str]) -> Finished {
    let said = lab.run(experiment, &[]).exits(1);
    assert_eq!(lab.statuses("exp"), [kind; 4], "{said}");
    assert_eq!(lab.show("exp")["status"], "finished");
    let story = lab.trial("exp", 0)["failure"].as_str().unwrap().to_owned();
    for part in parts {
        assert!(story.contains(part), "no {part:?} in\n{story}");
    }
    assert!(said.stderr.contains(kind), "{said}");
    said
}

/// What the first trial reported last.
fn last(lab: &Lab, run: &str) -> Value {
    lab.trial(run, 0)["last"].clone()
}

mod trial_artifacts {
    use super::*;

    const GUEST: &str = tune_test_artifacts::TRIAL_ARTIFACTS;

    #[test]
    fn writes_files_with_the_grant() {
        let lab = Lab::new();
        let experiment = Experiment::of(GUEST).table("[grants]\nartifact = true");
        lab.run(&experiment, &[]).exits(0);
        for trial in 0..4 {
            let folder = format!("runs/exp/artifacts/{trial:06}");
            assert_eq!(
                lab.read(&format!("{folder}/history.txt")),
                "step 1\nstep 2\nstep 3\n"
            );
            let latest = std::fs::read(lab.path(&format!("{folder}/latest.bin"))).unwrap();
            assert_eq!(latest, [3; 10]);
        }
    }

    #[test]
    fn is_refused_before_the_run_without_the_grant() {
        let lab = Lab::new();
        let said = lab.run(&Experiment::of(GUEST), &[]);
        assert!(matches!(said.code, Some(2 | 3)), "{said}");
        said.says(&["artifact", "[grants]", "hint"]);
        assert!(!lab.path("runs/exp").exists());
    }

    #[test]
    fn fails_over_the_limit_and_leaves_what_it_wrote_before() {
        let lab = Lab::new();
        // The history grows by 7 bytes a step: the second one is over.
        let experiment = Experiment::of(GUEST)
            .space("bytes = 1000")
            .table("[grants]\nartifact = true")
            .table("[limits]\nartifact_bytes = 1010");
        lab.run(&experiment, &[]).exits(1);
        let trial = lab.trial("exp", 0);
        assert_eq!(trial["status"], "failed", "{trial}");
        assert!(
            trial["failure"].as_str().unwrap().contains("artifact"),
            "{trial}"
        );
        assert_eq!(trial["iterations"], 1);
        assert_eq!(
            lab.read("runs/exp/artifacts/000000/history.txt"),
            "step 1\n"
        );
    }
}

mod trial_ballast {
    use super::*;

    #[test]
    fn carries_its_state_and_reports_of_it() {
        let lab = Lab::new();
        let experiment = Experiment::of(tune_test_artifacts::TRIAL_BALLAST)
            .top("max_t = 3")
            .space("mb = 2\ndirty = 0.1\nrate = { uniform = [1.0, 2.0] }");
        lab.run(&experiment, &[]).exits(0);
        let last = last(&lab, "exp");
        assert!(last["memory_bytes"].as_u64().unwrap() > 2 << 20, "{last}");
        let sums = [0, 1].map(|trial| lab.trial("exp", trial)["last"]["sum"].clone());
        assert_ne!(sums[0], sums[1], "each its own bytes");
    }
}

mod trial_coroutine {
    use super::*;

    #[test]
    fn reports_from_the_middle_of_its_loop() {
        let lab = Lab::new();
        let experiment = Experiment::of(tune_test_artifacts::TRIAL_COROUTINE)
            .space("rate = { uniform = [1.0, 2.0] }");
        lab.run(&experiment, &[]).exits(0);
        let trial = lab.trial("exp", 0);
        let rate = trial["config"]["rate"].as_f64().unwrap();
        let reports = trial["reports"].as_array().unwrap();
        // Ten of the loop, and that of its end.
        assert_eq!(reports.len(), 11);
        for (round, report) in (1..=10).rev().zip(reports) {
            assert_eq!(report["metrics"]["loss"], f64::from(round) * rate);
        }
    }
}

mod trial_costs {
    use super::*;

    const GUEST: &str = tune_test_artifacts::TRIAL_COSTS;

    #[test]
    fn sets_virtual_time_with_the_grant() {
        let lab = Lab::new();
        let experiment = Experiment::of(GUEST)
            .space("cost = 2500")
            .table("[grants]\nvirtual-cost = true");
        lab.run(&experiment, &[]).exits(0);
        assert_eq!(last(&lab, "exp")["virtual_time"], 10_000);
    }

    #[test]
    fn is_refused_before_the_run_without_the_grant() {
        let lab = Lab::new();
        let said = lab.run(&Experiment::of(GUEST), &[]);
        assert!(matches!(said.code, Some(2 | 3)), "{said}");
        said.says(&["virtual-cost", "[grants]", "hint"]);
    }
}

mod trial_data {
    use super::*;

    fn experiment() -> Experiment {
        Experiment::of(tune_test_artifacts::TRIAL_DATA)
            .table("[[data]]\nname = \"numbers\"\npath = \"data\"")
    }

    #[test]
    fn reads_what_was_granted() {
        let lab = Lab::new();
        lab.write("data/a.bin", [1, 2, 3]);
        lab.write("data/deeper/b.bin", [10]);
        lab.run(&experiment(), &[]).exits(0);
        let last = last(&lab, "exp");
        assert_eq!(
            (&last["files"], &last["bytes"], &last["sum"]),
            (&2.into(), &4.into(), &16.into())
        );
    }

    #[test]
    fn reads_nothing_beside_it() {
        let lab = Lab::new();
        lab.write("data/a.bin", [1]);
        lab.write("secret", "secret");
        let files = [
            "numbers/../secret",
            "/etc/hostname",
            "secret",
            "numbers/none",
        ];
        let experiment = experiment()
            .space(&format!("file = {{ grid = {files:?} }}"))
            .table("[searcher]\nplugin = \"grid\"");
        let said = lab.run(&experiment, &[]).exits(1);
        assert_eq!(lab.statuses("exp"), ["reported"; 4], "{said}");
    }
}

mod trial_diary {
    use super::*;

    #[test]
    fn writes_the_same_diary_in_every_run() {
        let lab = Lab::new();
        let experiment = Experiment::of(tune_test_artifacts::TRIAL_DIARY)
            .top("max_t = 4")
            .space("rate = { uniform = [0.1, 0.5] }")
            .table("[grants]\nartifact = true");
        for name in ["one", "two"] {
            lab.run(&experiment, &["--name", name]).exits(0);
        }
        let diary = |run| lab.read(&format!("runs/{run}/artifacts/000000/diary.txt"));
        assert_eq!(diary("one").lines().count(), 4);
        assert_eq!(diary("one"), diary("two"));
        Outcome::of(&lab, "one").must_equal(&Outcome::of(&lab, "two"));
    }
}

mod trial_everything {
    use super::*;

    #[test]
    fn comes_out_the_same_when_its_states_are_written_and_taken_up_again() {
        let lab = Lab::new();
        let experiment = Experiment::of(tune_test_artifacts::TRIAL_EVERYTHING)
            .top("max_t = 9\nslots = 4")
            .table("[limits]\nmemory = \"4 MiB\"");
        lab.run(&experiment, &["--name", "roomy"]).exits(0);
        // Room for one trial: the others wait on the disk, between all of their steps.
        let tight = experiment
            .table("[limits]\nmemory = \"4 MiB\"\nrun_memory = \"4 MiB\"")
            .table("[snapshots]\ninterval = 1");
        lab.run(&tight, &["--name", "tight"]).exits(0);
        Outcome::of(&lab, "tight").must_equal(&Outcome::of(&lab, "roomy"));
    }
}

mod trial_files;
mod trial_gpu_work;

mod trial_many_metrics {
    use super::*;

    #[test]
    fn fails_as_a_bad_value_over_the_limit() {
        let experiment = Experiment::of(tune_test_artifacts::TRIAL_MANY_METRICS);
        all_fail(&experiment, "bad-value", &["1000", "256", "hint"]);
    }

    #[test]
    fn runs_at_the_limit() {
        let lab = Lab::new();
        let experiment = Experiment::of(tune_test_artifacts::TRIAL_MANY_METRICS)
            .space("metrics = 256")
            .top("max_t = 1");
        lab.run(&experiment, &[]).exits(0);
    }
}

mod trial_misbehaves {
    use super::*;

    const WAYS: [(&str, &str); 6] = [
        ("panics", "trap"),
        ("well", "finished"),
        ("computes", "out-of-fuel"),
        ("allocates", "memory"),
        ("fails", "reported"),
        ("crowds", "bad-value"),
    ];

    fn experiment(ways: &[&str]) -> Experiment {
        Experiment::of(tune_test_artifacts::TRIAL_MISBEHAVES)
            .top("trials = 6\nslots = 3")
            .space(&format!("how = {{ grid = {ways:?} }}"))
            .table("[searcher]\nplugin = \"grid\"")
            .table("[limits]\nfuel_per_step = 100_000_000\nmemory = \"16 MiB\"")
    }

    #[test]
    fn in_every_way_while_the_other_trials_go_on() {
        let lab = Lab::new();
        let ways = WAYS.map(|(way, _)| way);
        let said = lab.run(&experiment(&ways), &[]).exits(1);
        let run = lab.show("exp");
        for (trial, status) in run["trials"]
            .as_array()
            .unwrap()
            .iter()
            .zip(lab.statuses("exp"))
        {
            let way = trial["config"]["how"].as_str().unwrap();
            let expected = WAYS.iter().find(|(w, _)| *w == way).unwrap().1;
            assert_eq!(status, expected, "{way}: {said}");
            // What was reported before it failed is kept.
            let reports = if way == "well" { 3 } else { 1 };
            assert_eq!(trial["iterations"], reports, "{way}");
        }
        assert_eq!(run["counts"]["failed"], 5);
        assert_eq!(
            run["best"]["value"],
            1.0 / 3.0,
            "of the one that did not fail"
        );
        // Each is told once, by its own line.
        for (_, kind) in WAYS.iter().filter(|(way, _)| *way != "well") {
            let line = format!("failed ({kind}) after 1 report");
            assert_eq!(said.stderr.matches(&line).count(), 1, "{kind}: {said}");
        }
    }

    #[test]
    fn the_same_way_at_any_number_of_threads() {
        let lab = Lab::new();
        let ways = WAYS.map(|(way, _)| way);
        lab.run(&experiment(&ways), &["--name", "one", "--threads", "1"])
            .exits(1);
        lab.run(&experiment(&ways), &["--name", "two", "--threads", "2"])
            .exits(1);
        assert_eq!(lab.digest("one"), lab.digest("two"));
    }
}

mod trial_nan_metric {
    use super::*;

    #[test]
    fn is_worst_shown_as_such_and_written_as_null() {
        let lab = Lab::new();
        let said = lab
            .run(&Experiment::of(tune_test_artifacts::TRIAL_NAN_METRIC), &[])
            .exits(0);
        assert!(said.stderr.contains("loss=NaN"), "{said}");
        assert_eq!(lab.statuses("exp"), ["finished"; 4]);
        assert_eq!(last(&lab, "exp")["loss"], Value::Null);
        let json = lab.read("runs/exp/trials/000000/result.json");
        assert!(json.contains("\"loss\":null"), "{json}");
        let csv = lab.read("runs/exp/trials/000000/progress.csv");
        assert!(csv.contains("nan"), "{csv}");
    }
}

mod trial_noop {
    use super::*;

    #[test]
    fn runs_a_thousand_times() {
        let lab = Lab::new();
        let experiment = Experiment::of(tune_test_artifacts::TRIAL_NOOP).trials(1000);
        lab.run(&experiment, &["--quiet"]).exits(0);
        assert_eq!(lab.show("exp")["counts"]["finished"], 1000);
    }
}

mod trial_omits_metric {
    use super::*;

    #[test]
    fn is_told_which_metrics_there_were() {
        let lab = Lab::new();
        let experiment = Experiment::of(tune_test_artifacts::TRIAL_OMITS_METRIC).top("max_t = 2");
        let said = lab.run(&experiment, &[]);
        let all = format!("{said}");
        for part in ["`loss`", "speed", "size"] {
            assert!(all.contains(part), "no {part:?} in {said}");
        }
        assert_eq!(lab.show("exp")["best"], Value::Null);
    }
}

mod trial_overruns_memory {
    use super::*;

    #[test]
    fn fails_by_memory() {
        let experiment = Experiment::of(tune_test_artifacts::TRIAL_OVERRUNS_MEMORY)
            .table("[limits]\nmemory = \"64 MiB\"");
        all_fail(
            &experiment,
            "memory",
            &["67108864 allowed", "hint", "[limits]"],
        );
    }
}

mod trial_prints_gigabyte {
    use super::*;

    #[test]
    fn finishes_and_its_log_is_cut() {
        let lab = Lab::new();
        let experiment = Experiment::of(tune_test_artifacts::TRIAL_PRINTS_GIGABYTE).trials(1);
        lab.run(&experiment, &[]).exits(0);
        assert_eq!(lab.statuses("exp"), ["finished"]);
        let log = lab.tune(&["show", "exp", "0", "--log"]).exits(0).stdout;
        assert!(log.len() < 2 << 20, "{} bytes", log.len());
        let end = log.lines().last().unwrap();
        assert!(end.len() < 500 && end.contains("dropped"), "{end}");
    }
}

mod trial_probe {
    use super::*;

    #[test]
    fn sees_the_same_clocks_and_randomness_in_every_run() {
        let lab = Lab::new();
        let experiment = Experiment::of(tune_test_artifacts::TRIAL_PROBE);
        for name in ["one", "two"] {
            lab.run(&experiment, &["--name", name]).exits(0);
        }
        assert_eq!(lab.digest("one"), lab.digest("two"));
        let seen = |run| lab.read(&format!("runs/{run}/logs/000000.log"));
        assert_eq!(seen("one"), seen("two"));
        // And each trial its own.
        let other = lab.trial("one", 1)["last"].clone();
        for metric in ["random", "seed", "loss"] {
            assert_ne!(last(&lab, "one")[metric], other[metric], "{metric}");
        }
        // The wall clock of guests begins in the year 2000 and counts virtual time.
        let wall = last(&lab, "one")["wall_ns"].as_f64().unwrap();
        assert!((9.466_847e17..9.467e17).contains(&wall), "{wall}");
    }

    #[test]
    fn has_everything_that_it_prints_in_its_log() {
        let lab = Lab::new();
        lab.run(&Experiment::of(tune_test_artifacts::TRIAL_PROBE), &[])
            .exits(0);
        let log = lab.tune(&["show", "exp", "0", "--log"]).exits(0).stdout;
        for step in 1..=3 {
            for line in ["", " on standard error", " in the log"] {
                assert!(log.contains(&format!("step {step}{line}\n")), "{log}");
            }
        }
        assert_eq!(log, lab.read("runs/exp/logs/000000.log"));
    }
}

mod trial_resolves {
    use super::*;

    const GUEST: &str = tune_test_artifacts::TRIAL_RESOLVES;

    #[test]
    fn runs_without_snapshots_that_it_does_not_allow() {
        let lab = Lab::new();
        let experiment = Experiment::of(GUEST)
            .top("max_t = 5")
            .table("[snapshots]\ninterval = 1");
        lab.run(&experiment, &[]).exits(0);
        assert_eq!(last(&lab, "exp")["loss"], 0);
    }

    #[test]
    fn cannot_be_forked_and_the_handle_is_named() {
        let lab = Lab::new();
        lab.run(&Experiment::of(GUEST).top("max_t = 5"), &[])
            .exits(0);
        let said = lab.tune(&["fork", "exp", "0@3"]);
        assert_ne!(said.code, Some(0), "{said}");
        said.says(&["network"]);
    }
}

mod trial_setup_error {
    use super::*;

    #[test]
    fn fails_with_its_own_words() {
        let experiment = Experiment::of(tune_test_artifacts::TRIAL_SETUP_ERROR);
        all_fail(
            &experiment,
            "reported",
            &["trial-setup-error", "setup", "nothing is good enough"],
        );
    }
}

mod trial_sleeps {
    use super::*;

    #[test]
    fn sleeps_for_years_on_its_own_clock_alone() {
        let lab = Lab::new();
        let experiment = Experiment::of(tune_test_artifacts::TRIAL_SLEEPS).top("max_t = 3");
        lab.run(&experiment, &[]).exits(0);
        let slept = last(&lab, "exp")["slept_s"].as_f64().unwrap();
        let year = 365.0 * 24.0 * 3600.0;
        assert!((year..year + 1.0).contains(&slept), "{slept}");
    }
}

mod trial_spins {
    use super::*;

    #[test]
    fn is_ended_by_fuel() {
        let experiment = Experiment::of(tune_test_artifacts::TRIAL_SPINS)
            .table("[limits]\nfuel_per_step = 50_000_000");
        all_fail(&experiment, "out-of-fuel", &["fuel_per_step", "hint"]);
    }

    #[test]
    fn is_ended_by_the_deadline_where_fuel_is_not_counted() {
        let experiment = Experiment::of(tune_test_artifacts::TRIAL_SPINS)
            .top("metering = \"epoch\"")
            .table("[limits]\nwall_per_step = \"200 ms\"");
        all_fail(&experiment, "deadline", &["hint"]);
    }

    #[test]
    fn is_ended_with_the_run_by_its_time_budget() {
        let lab = Lab::new();
        let experiment =
            Experiment::of(tune_test_artifacts::TRIAL_SPINS).top("time_budget = \"1 s\"");
        let said = lab.run(&experiment, &[]);
        let run = lab.show("exp");
        assert_eq!(run["counts"]["running"], 0, "{run}\n{said}");
        assert!(format!("{said}").contains("time_budget"), "{said}");
    }
}

mod trial_steps {
    use super::*;

    #[test]
    fn ends_at_max_t_if_it_does_not_end_itself() {
        let lab = Lab::new();
        let experiment = Experiment::of(tune_test_artifacts::TRIAL_STEPS)
            .space("steps = { grid = [2, 100] }")
            .table("[searcher]\nplugin = \"grid\"")
            .top("max_t = 5\ntrials = 2");
        lab.run(&experiment, &[]).exits(0);
        assert_eq!(lab.trial("exp", 0)["iterations"], 2);
        assert_eq!(lab.trial("exp", 1)["iterations"], 5);
    }

    #[test]
    fn ends_at_a_stop_rule() {
        let lab = Lab::new();
        let experiment =
            Experiment::of(tune_test_artifacts::TRIAL_STEPS).table("[stop]\nloss = 0.25");
        lab.run(&experiment, &[]).exits(0);
        assert_eq!(lab.trial("exp", 3)["iterations"], 4);
    }
}

mod trial_traps {
    use super::*;

    #[test]
    fn fails_with_its_message_backtrace_and_last_log_lines() {
        let parts = [
            "trial-traps",
            "step",
            "trapped on purpose",
            "guest backtrace",
            "about to trap",
        ];
        let (_, said) = all_fail(
            &Experiment::of(tune_test_artifacts::TRIAL_TRAPS),
            "trap",
            &parts,
        );
        // The first failure is told in full at the end, the others are counted.
        assert!(said.stderr.contains("trapped on purpose"), "{said}");
    }
}

mod trial_traps_at {
    use super::*;

    #[test]
    fn keeps_what_it_reported_before() {
        let lab = Lab::new();
        let experiment = Experiment::of(tune_test_artifacts::TRIAL_TRAPS_AT)
            .space("at = { grid = [2, 4, 100] }")
            .table("[searcher]\nplugin = \"grid\"")
            .top("max_t = 5\ntrials = 3");
        lab.run(&experiment, &[]).exits(1);
        assert_eq!(lab.statuses("exp"), ["trap", "trap", "finished"]);
        let iterations = [0, 1, 2].map(|trial| lab.trial("exp", trial)["iterations"].clone());
        assert_eq!(iterations, [1, 3, 5].map(Value::from));
        // Failed trials are never the best.
        assert_eq!(lab.show("exp")["best"]["trial"], 2);
    }
}
