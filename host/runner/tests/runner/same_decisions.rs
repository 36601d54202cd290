//! Every scheduler decides the same natively and in the sandbox, bit for bit, on the calls of a run.

use tune_algorithms::{Course, Kind};
use tune_plugin::{Scheduler, schedule::ByRule};
use tune_runner::deciders;
use tune_simulation::{Draws, Native, Tape};

use crate::plugin;

/// Trials that behave and trials of every bad kind; fewer and more slots than trials can fill.
fn same<Sc: Scheduler>(options: &str) {
    for (kind, slots, trials) in [
        (Kind::Tame, 4, 60),
        (Kind::Wild, 16, 60),
        (Kind::Ties, 3, 20),
    ] {
        let mut plan = tune_algorithms::plan::<Sc>(options, trials, slots, 7);
        "random".clone_into(&mut plan.searcher.0);
        let mut native = Native::<Draws, Sc>::of_plan(&plan).unwrap();
        let mut curves = Course::new(kind, 7);
        let tape = Tape::record(plan.clone(), &mut native, &mut curves, usize::MAX).unwrap();
        assert!(tape.results() >= 20, "{} results", tape.results());
        let mut inside = deciders(&plugin("random"), &plugin(Sc::NAME), &plan)
            .map_err(|(role, error)| format!("{role}: {}", error.details()))
            .unwrap();
        for (place, (call, answer)) in tape.calls.iter().enumerate() {
            let again = call.make(inside.as_mut()).unwrap();
            // Equality would let -0 pass for 0.
            let bits = |answer| postcard::to_allocvec(answer).unwrap();
            assert_eq!(
                bits(&again),
                bits(answer),
                "{} with {kind:?}, call {place}, {call:?}: {again:?}, natively {answer:?}",
                Sc::NAME
            );
        }
    }
}

#[test]
fn of_schedulers_with_rungs() {
    same::<tune_scheduler_asha::Asha>(r#"{"brackets": 3}"#);
    same::<tune_scheduler_asha::Asha>(r#"{"type": "promotion", "reduction_factor": 3}"#);
    same::<tune_scheduler_hyperband::Hyperband>("{}");
    same::<tune_scheduler_pasha::Pasha>("{}");
    same::<tune_scheduler_hyper_tune::HyperTune>("{}");
}

#[test]
fn of_schedulers_that_stop_trials_by_a_rule() {
    same::<tune_scheduler_fifo::Fifo>("{}");
    same::<ByRule<tune_scheduler_median_stopping::MedianStopping>>(
        r#"{"grace_period": 2, "min_time_slice": 1}"#,
    );
    same::<ByRule<tune_scheduler_percentile::Percentile>>(r#"{"n_warmup_steps": 2}"#);
    same::<ByRule<tune_scheduler_patient::Patient>>(r#"{"patience": 2, "min_delta": 0.01}"#);
    same::<ByRule<tune_scheduler_threshold::Threshold>>(r#"{"lower": 0, "upper": 1.5}"#);
    same::<ByRule<tune_scheduler_wilcoxon::Wilcoxon>>("{}");
}

#[test]
fn of_schedulers_of_populations() {
    same::<tune_scheduler_pbt::Pbt>("{}");
    same::<tune_scheduler_pbt::Pbt>(r#"{"synch": true}"#);
    same::<tune_scheduler_pb2::Pb2>("{}");
    same::<tune_scheduler_pbt_replay::PbtReplay>(
        r#"{"steps": [{"iteration": 3, "config": {"x": 0.25}}]}"#,
    );
}
