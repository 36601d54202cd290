//! What holds for every run, whatever the plugins, the user and the machine do.

use std::collections::BTreeMap;

use proptest::prelude::*;
use tune_core::records::{Config, Value};
use tune_core::{
    Engine, EnginePlan, Entry, ExperimentPlateau, Imported, Lineage, RetrySeed, TrialPlateau,
};

use crate::chaos::{Chaos, Run};
use crate::{Dice, plan};

/// A run to the end of plugins that keep to simple rules.
fn tame(slots: u32, plugins: u64, machine: u64, stop_after: usize) -> Run {
    Run::new(plan(slots, 30), Chaos::new(plugins), None).drive(machine, stop_after)
}

/// A plan under which everything can happen.
fn wild_plan(slots: u32, kind: u64) -> EnginePlan {
    let mut plan = plan(slots, 30);
    plan.clones = true;
    if kind & 1 == 1 {
        plan.retry_seed = RetrySeed::Fresh;
    }
    if kind & 2 == 2 {
        let mut config = Config::new();
        config.insert("x", Value::Number(0.25));
        plan.imported = Some(Imported {
            iteration: 3,
            fuel_total: 1000,
            config,
            last: None,
            state: [9; 32],
        });
    }
    if kind & 4 == 4 {
        plan.lineage = Some(Lineage {
            seed: 77,
            changes: vec![(1, 78), (3, 79)],
        });
    }
    if kind & 8 == 8 {
        plan.plateaus.trial = Some(TrialPlateau {
            metric: "loss".to_owned(),
            std: 200.0,
            num_results: 2,
            grace_period: 2,
            threshold: None,
        });
        plan.plateaus.experiment = Some(ExperimentPlateau {
            std: 50.0,
            top: 4,
            patience: 3,
        });
    }
    if kind & 16 == 16 {
        plan.plateaus.regret = Some(0.02);
    }
    plan
}

fn wild(slots: u32, kind: u64, plugins: u64, machine: u64, stop_after: usize) -> Run {
    let run = Run::new(wild_plan(slots, kind), Chaos::wild(plugins), Some(plugins));
    run.drive(machine, stop_after)
}

/// As bytes: a NaN equals itself there.
fn bytes(entries: &[Entry]) -> Vec<u8> {
    postcard::to_allocvec(&entries.to_vec()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn decisions_do_not_depend_on_physical_timing(plugins: u64, a: u64, b: u64, slots in 1u32..9) {
        let one = tame(slots, plugins, a, usize::MAX);
        let two = tame(slots, plugins, b, usize::MAX);
        prop_assert_eq!(one.engine.digest(), two.engine.digest());
        prop_assert_eq!(one.chaos.log, two.chaos.log);
    }

    #[test]
    fn decisions_do_not_depend_on_timing_whatever_is_cloned_changed_or_stopped(
        plugins: u64, a: u64, b: u64, slots in 1u32..9, kind in 0u64..32
    ) {
        let one = wild(slots, kind, plugins, a, 3000);
        let two = wild(slots, kind, plugins, b, 3000);
        prop_assert_eq!(one.engine.digest(), two.engine.digest());
        prop_assert_eq!(one.stopped, two.stopped);
        prop_assert_eq!(one.chaos.log, two.chaos.log);
        prop_assert_eq!(one.world.states, two.world.states);
    }

    #[test]
    fn the_state_is_the_fold_of_the_journal(
        plugins: u64, machine: u64, slots in 1u32..9, kind in 0u64..32, cut in 1usize..300
    ) {
        let run = wild(slots, kind, plugins, machine, cut);
        let mut folded = Engine::new(wild_plan(slots, kind), [1; 32]).unwrap();
        for entry in &run.entries {
            folded.fold(entry).unwrap();
        }
        if run.stopped.is_none() {
            prop_assert_eq!(folded.digest(), run.engine.digest());
            prop_assert_eq!(format!("{:?}", folded.trials()), format!("{:?}", run.engine.trials()));
            prop_assert_eq!(folded.counts(), run.engine.counts());
            prop_assert_eq!(folded.sources(), run.engine.sources());
            prop_assert_eq!(folded.best().map(|t| t.id), run.engine.best().map(|t| t.id));
        }
    }

    #[test]
    fn a_run_that_was_cut_anywhere_ends_as_if_it_had_not_been(
        plugins: u64, a: u64, b: u64, kind in 0u64..32, cut in 1usize..300
    ) {
        let whole = wild(4, kind, plugins, a, 3000);
        let part = wild(4, kind, plugins, a, cut);
        let again = Run::new(wild_plan(4, kind), Chaos::wild(plugins), Some(plugins));
        let end = again.repeat(&part.entries).drive(b, 3000);
        prop_assert_eq!(end.stopped, whole.stopped);
        prop_assert_eq!(end.engine.digest(), whole.engine.digest());
        prop_assert!(bytes(&end.entries) == bytes(&whole.entries));
    }

    #[test]
    fn every_trial_ends_once_and_the_searcher_hears_of_it_once(plugins: u64, machine: u64, kind in 0u64..32) {
        let run = wild(5, kind, plugins, machine, 3000);
        let ended = run.engine.trials().iter().filter(|t| t.is_ended()).count();
        if run.engine.is_finished() {
            prop_assert_eq!(run.chaos.completes.len(), ended);
            prop_assert!(run.chaos.completes.values().all(|n| *n == 1));
            let counts = run.engine.counts();
            prop_assert_eq!(counts.ended(), ended);
            prop_assert_eq!(counts.running, 0);
            prop_assert_eq!(counts.ended() + counts.paused + counts.pending, run.engine.trials().len());
        }
    }

    #[test]
    fn a_recipe_makes_the_state_that_copying_made(
        plugins: u64, machine: u64, slots in 1u32..9, kind in 0u64..32, cut in 1usize..400, hand: u64
    ) {
        let run = wild(slots, kind, plugins, machine, cut);
        if run.stopped.is_none() {
            run.world.check_recipes(&run.engine, &|_| false);
            run.world.check_recipes(&run.engine, &|_| true);
            let some = |point: tune_core::Point| {
                let mut dice = Dice(hand ^ (u64::from(point.trial) << 32) ^ point.reports);
                dice.roll(2);
                dice.roll(4) == 0
            };
            run.world.check_recipes(&run.engine, &some);
            run.world.check_reports(&run.engine);
        }
    }

    #[test]
    fn the_best_report_is_the_best_of_all_that_were_handed_over(
        plugins: u64, machine: u64, kind in 0u64..32, cut in 1usize..400
    ) {
        let run = wild(4, kind, plugins, machine, cut);
        if run.stopped.is_none() {
            let told = run.engine.best().and_then(|t| Some((t.id, t.best?)));
            let told = told.map(|(id, b)| (id, b.reports, b.value.to_bits()));
            let real = run.world.best(&run.engine, false);
            prop_assert_eq!(told, real.map(|(p, v)| (p.trial, p.reports, v.to_bits())));
        }
    }
}

#[test]
fn wild_runs_clone_often_and_seldom_stop() {
    let mut exploits = 0;
    let mut stopped = 0;
    let mut origins = BTreeMap::new();
    for seed in 0..100 {
        let run = wild(4, seed % 8, seed, seed, 3000);
        exploits += run.world.exploits;
        stopped += usize::from(run.stopped.is_some());
        for trial in run.engine.trials() {
            *origins.entry(trial.segments.len().min(4)).or_insert(0) += 1;
        }
    }
    assert!(exploits > 2_000, "{exploits}");
    assert!(stopped < 20, "{stopped}");
    assert!(origins[&4] > 50, "{origins:?}");
}
