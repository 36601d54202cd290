//! Searchers that fail stop the run, which can be resumed; what was reported before stays. Those that do
//! not learn are told nothing.

use tune_test_artifacts::foreach_searcher;

use super::is_tested;
use crate::{experiment::Experiment, lab::Lab};

foreach_searcher!(is_tested);

/// The run stops and says all of these and how to go on.
#[track_caller]
fn stops(searcher: &str, parts: &[&str]) {
    let lab = Lab::new();
    let experiment = Experiment::branin(4)
        .named("exp")
        .table(&format!("[searcher]\nplugin = {searcher:?}"));
    lab.run(&experiment, &[])
        .exits(4)
        .says(parts)
        .ends_with_resume_of("runs/exp");
    let run = lab.show("exp");
    assert_eq!(run["status"], "stopped");
    assert_eq!(run["counts"]["running"], 0);
}

mod searcher_deaf {
    use super::*;

    #[test]
    fn is_told_nothing_of_trials_and_the_run_ends_well() {
        let lab = Lab::new();
        let experiment = Experiment::branin(4).named("exp").table(&format!(
            "[searcher]\nplugin = {:?}",
            tune_test_artifacts::SEARCHER_DEAF
        ));
        lab.run(&experiment, &[]).exits(0);
        assert_eq!(lab.trial("exp", 3)["status"], "finished");
    }
}

mod searcher_outside_space {
    use super::*;

    #[test]
    fn stops_the_run_after_three_bad_suggestions_in_a_row() {
        stops(
            tune_test_artifacts::SEARCHER_OUTSIDE_SPACE,
            &["searcher-outside-space", "x0", "3 bad suggestions"],
        );
    }
}

mod searcher_traps {
    use super::*;

    #[test]
    fn stops_the_run_with_its_message() {
        stops(
            tune_test_artifacts::SEARCHER_TRAPS,
            &["searcher-traps", "suggest", "trap", "no idea for trial 0"],
        );
    }
}

mod searcher_waits {
    use super::*;

    #[test]
    fn is_named_as_a_deadlock_when_nothing_runs() {
        stops(tune_test_artifacts::SEARCHER_WAITS, &["deadlock", "wait"]);
    }
}
