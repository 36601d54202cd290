//! Schedulers that fail stop the run, which can be resumed; what was reported before stays. Those that ignore
//! results are told none.

use tune_test_artifacts::foreach_scheduler;

use super::is_tested;
use crate::{experiment::Experiment, lab::Lab};

foreach_scheduler!(is_tested);

/// The run stops and says all of these and how to go on.
#[track_caller]
fn stops(scheduler: &str, parts: &[&str]) -> Lab {
    let lab = Lab::new();
    let experiment = Experiment::of(tune_test_artifacts::TRIAL_STEPS)
        .trials(3)
        .top("max_t = 50")
        .table(&format!("[scheduler]\nplugin = {scheduler:?}"));
    lab.run(&experiment, &[])
        .exits(4)
        .says(parts)
        .ends_with_resume_of("runs/exp");
    let run = lab.show("exp");
    assert_eq!(run["status"], "stopped");
    assert_eq!(run["counts"]["running"], 0);
    lab
}

mod scheduler_deaf {
    use super::*;

    #[test]
    fn is_told_no_result_and_the_run_ends_well() {
        let lab = Lab::new();
        let experiment = Experiment::of(tune_test_artifacts::TRIAL_STEPS)
            .trials(3)
            .top("max_t = 5")
            .table(&format!(
                "[scheduler]\nplugin = {:?}",
                tune_test_artifacts::SCHEDULER_DEAF
            ));
        lab.run(&experiment, &[]).exits(0);
        assert_eq!(lab.trial("exp", 2)["iterations"], 5);
    }
}

mod scheduler_idles {
    use super::*;

    #[test]
    fn is_named_as_a_deadlock_when_nothing_runs() {
        stops(tune_test_artifacts::SCHEDULER_IDLES, &["deadlock", "idle"]);
    }
}

mod scheduler_pauses_all {
    use super::*;

    #[test]
    fn is_named_as_a_deadlock_with_the_number_of_paused_trials() {
        let lab = stops(
            tune_test_artifacts::SCHEDULER_PAUSES_ALL,
            &["deadlock", "3 paused", "idle"],
        );
        // The report that led there was not handed over; those before it were.
        assert_eq!(lab.statuses("exp"), ["paused", "paused", "interrupted"]);
        assert_eq!(lab.trial("exp", 1)["iterations"], 1);
        // The same again: a deadlock is no accident.
        lab.tune(&["resume", "exp"]).exits(4).says(&["deadlock"]);
    }
}

mod scheduler_script {
    use super::*;

    #[test]
    fn lets_a_trial_go_on_from_the_kept_state_of_another() {
        let lab = Lab::new();
        let experiment = Experiment::of(tune_test_artifacts::TRIAL_BALLAST)
            .trials(2)
            .top("max_t = 6\nslots = 2")
            .space("rate = { uniform = [0.5, 1.0] }")
            .table(&format!(
                "[scheduler]\nplugin = {:?}\nscript = [\"0@4 keep\", \"1@2 pause\", \"0@5 exploit 1 0 0.75\"]",
                tune_test_artifacts::SCHEDULER_SCRIPT
            ));
        lab.run(&experiment, &[]).exits(0);
        // It was after its second report; it went on from the fourth of the other.
        assert_eq!(lab.trial("exp", 1)["iterations"], 6);
    }

    #[test]
    fn stops_a_trial_in_a_step_of_which_no_trace_is_left() {
        let lab = Lab::new();
        let experiment = Experiment::of(tune_test_artifacts::TRIAL_DIARY)
            .trials(3)
            .top("max_t = 12\nslots = 3")
            .space("rate = { uniform = [0.1, 0.5] }\nwork = 300")
            .table("[grants]\nartifact = true")
            .table(&format!(
                "[scheduler]\nplugin = {:?}\nscript = [\"0@4 stop 1\", \"0@7 stop 2\"]",
                tune_test_artifacts::SCHEDULER_SCRIPT
            ));
        lab.run(&experiment, &[]).exits(0);
        assert_eq!(lab.statuses("exp"), ["finished", "stopped", "stopped"]);
        for trial in 0..3 {
            let pages = lab.trial("exp", trial)["iterations"].as_u64().unwrap() as usize;
            let diary = lab.read(&format!("runs/exp/artifacts/{trial:06}/diary.txt"));
            assert_eq!(diary.lines().count(), pages, "{diary}");
            // What it printed and what it logged, a line each.
            let log = lab.read(&format!("runs/exp/logs/{trial:06}.log"));
            assert_eq!(log.lines().count(), 2 * pages, "{log}");
        }
    }

    #[test]
    fn copies_a_loop_in_its_middle_from_one_trial_to_another() {
        let lab = Lab::new();
        let experiment = Experiment::of(tune_test_artifacts::TRIAL_COROUTINE)
            .trials(2)
            .top("slots = 2")
            .space("rate = { uniform = [0.0, 9.0] }")
            .table(&format!(
                "[scheduler]\nplugin = {:?}\nscript = [\"1@3 keep\", \"0@5 exploit 0 1 7.5\"]",
                tune_test_artifacts::SCHEDULER_SCRIPT
            ));
        lab.run(&experiment, &[]).exits(0);
        let reports = lab.trial("exp", 0)["reports"].clone();
        let rate = lab.read("runs/exp/trials/000000/result.json");
        let first: serde_json::Value = serde_json::from_str(rate.lines().next().unwrap()).unwrap();
        let rate = first["config"]["rate"].as_f64().unwrap();
        // Rounds 10 to 6 of its own loop, then those of the other one from its fourth on.
        for round in 6..=10_u32 {
            let report = &reports[10 - round as usize];
            assert_eq!(report["iteration"], 11 - round);
            assert_eq!(report["metrics"]["loss"], f64::from(round) * rate);
        }
        for round in 1..=7_u32 {
            let report = &reports[12 - round as usize];
            assert_eq!(report["iteration"], 11 - round);
            assert_eq!(report["metrics"]["loss"], f64::from(round) * 7.5);
        }
    }

    #[test]
    fn has_a_copy_from_a_trial_that_was_never_kept_dropped() {
        let lab = Lab::new();
        let experiment = Experiment::of(tune_test_artifacts::TRIAL_COROUTINE)
            .trials(2)
            .space("rate = { uniform = [0.0, 9.0] }")
            .table(&format!(
                "[scheduler]\nplugin = {:?}\nscript = [\"0@5 exploit 0 1 7.5\"]",
                tune_test_artifacts::SCHEDULER_SCRIPT
            ));
        let said = lab.run(&experiment, &[]);
        assert_eq!(lab.trial("exp", 0)["iterations"], 11, "{said}");
        assert!(said.stderr.contains("exploit"), "{said}");
    }
}

mod scheduler_stops_unknown {
    use super::*;

    #[test]
    fn stops_the_run_after_a_hundred_actions_that_cannot_be() {
        let lab = stops(
            tune_test_artifacts::SCHEDULER_STOPS_UNKNOWN,
            &["scheduler-stops-unknown", "100 actions"],
        );
        assert!(lab.trial("exp", 0)["iterations"].as_u64().unwrap() > 10);
    }
}

mod scheduler_traps {
    use super::*;

    #[test]
    fn stops_the_run_with_its_message() {
        stops(
            tune_test_artifacts::SCHEDULER_TRAPS,
            &["scheduler-traps", "on-result", "trap", "cannot judge trial"],
        );
    }
}
