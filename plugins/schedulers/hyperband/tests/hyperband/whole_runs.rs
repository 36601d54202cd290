//! Runs under the true engine, on curves instead of training.

use std::collections::BTreeMap;

use proptest::prelude::*;
use tune_core::{Counts, Engine, Event, Phase, plan_digest};
use tune_scheduler_hyperband::Hyperband;
use tune_simulation::{Draws, Native, PlanBuilder, SECOND, Simulation, failure, simulate, step};
use tune_space::{Config, Ending, FailureKind, TrialId};

fn plan(max_t: f64, slots: u32, trials: u32, options: &str) -> tune_core::EnginePlan {
    PlanBuilder::maximize("score")
        .trials(trials)
        .slots(slots)
        .max_t(max_t)
        .seed(7)
        .scheduler("hyperband", options)
        .build()
}

/// How many trials ended after how many iterations.
fn ends(engine: &Engine) -> BTreeMap<u64, usize> {
    let mut ends = BTreeMap::new();
    for trial in engine.trials() {
        *ends.entry(trial.iteration).or_default() += 1;
    }
    ends
}

#[test]
fn a_band_of_81_and_3_is_the_papers_whatever_the_slots() {
    for slots in [1, 4, 64, 200] {
        let plan = plan(81.0, slots, 143, "{}");
        let mut deciders = Native::<Draws, Hyperband>::of_plan(&plan).unwrap();
        let mut best = BTreeMap::new();
        let mut curves = |id: TrialId, config: &Config, iteration: u64| {
            let x = config.f64("x").unwrap();
            best.insert(id, x);
            step("score", x - 1.0 / iteration as f64, SECOND)
        };
        let engine = simulate(plan, &mut deciders, &mut curves, &mut |_, _| {}).unwrap();
        // 81-27-9-3-1 at 1..81, 34-12-4-2 from 3, 15-5-2 from 9, 8-3 from 27, 5 at 81.
        let expected = [
            (1, 81 - 27),
            (3, 27 - 9 + 34 - 12),
            (9, 9 - 3 + 12 - 4 + 15 - 5),
            (27, 3 - 1 + 4 - 2 + 5 - 2 + 8 - 3),
            (81, 1 + 2 + 2 + 3 + 5),
        ];
        assert_eq!(ends(&engine), BTreeMap::from(expected), "{slots} slots");
        // The order of curves never changes: the best of the first 81 goes all the way.
        let first = (0..81).max_by(|a, b| best[a].total_cmp(&best[b])).unwrap();
        assert_eq!(engine.trials()[first as usize].iteration, 81);
    }
}

/// What happens in a run, drawn from one number a trial.
#[derive(Clone, Copy, Debug)]
struct Fate {
    /// One of so many trials fails for good, is tried again, ends early; 0: none.
    fails: u32,
    retries: u32,
    ends: u32,
    /// A step is so many iterations of the axis.
    jump: u32,
}

fn hits(one_of: u32, id: TrialId, salt: u32) -> bool {
    let mixed = (id.wrapping_mul(2_654_435_761) ^ salt).wrapping_mul(40_503);
    one_of > 0 && mixed.is_multiple_of(one_of)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_run_stands_still_with_trials_paused(
        max_t in 1_u32..60,
        eta in 11_u32..60,
        slots in 1_u32..9,
        trials in 1_u32..80,
        more in prop::option::of(1_u32..40),
        bohb: bool,
        fate in (0_u32..6, 0_u32..6, 0_u32..6, 1_u32..6)
            .prop_map(|(fails, retries, ends, jump)| Fate { fails, retries, ends, jump }),
        stops in prop::collection::vec((0_u64..200, 0_u32..80), 0..12),
    ) {
        let factor = f64::from(eta) / 10.0;
        let options = format!("{{\"reduction_factor\":{factor},\"bohb\":{bohb}}}");
        let mut plan = plan(f64::from(max_t), slots, trials, &options);
        "t".clone_into(&mut plan.time_attr);
        plan.max_failures = 3;
        let Ok(mut deciders) = Native::<Draws, Hyperband>::of_plan(&plan) else {
            // Too many brackets for so small a factor.
            prop_assert!(factor < 1.1 || max_t > 40);
            return Ok(());
        };
        let mut tried = BTreeMap::<TrialId, u32>::new();
        let mut curves = |id: TrialId, config: &Config, iteration: u64| {
            if hits(fate.fails, id, 1) && iteration > u64::from(id % 5) {
                return failure(FailureKind::Trap);
            }
            let times = tried.entry(id).or_default();
            *times += 1;
            if hits(fate.retries, id, 2) && *times == 2 {
                return failure(FailureKind::Deadline);
            }
            let x = config.f64("x").unwrap();
            let value = if id % 9 == 8 { f64::NAN } else { x * iteration as f64 };
            let mut end = step("score", value, SECOND + u64::from(id % 7));
            if let Ok(report) = &mut end.result {
                let time = iteration * u64::from(if hits(2, id, 3) { fate.jump } else { 1 });
                *report = report.clone().with("t", time as f64);
                report.finished = hits(fate.ends, id, 4) && iteration >= 2;
            }
            end
        };
        let digest = plan_digest(&plan, &[]);
        let mut run = Simulation::new(Engine::new(plan, digest).unwrap());
        let mut more = more;
        let mut next = Some(Event::Opened);
        while let Some(event) = next.take() {
            let handover = run.hand_over(event, &mut deciders, &mut curves);
            prop_assert!(handover.is_ok(), "{handover:?}");
            let sequence = run.engine().sequence();
            for (_, trial) in stops.iter().filter(|(at, _)| *at == sequence) {
                if (*trial as usize) < run.engine().trials().len() && !run.engine().is_finished() {
                    let stopped = run.hand_over(Event::StopTrial { trial: *trial }, &mut deciders, &mut curves);
                    prop_assert!(stopped.is_ok(), "{stopped:?}");
                }
            }
            next = run.next_result();
            if next.is_none() && let Some(more) = more.take() {
                next = Some(Event::Extended { trials: trials + more });
            }
        }
        let engine = run.into_engine();
        prop_assert!(engine.is_finished());
        let Counts { paused, pending, .. } = engine.counts();
        prop_assert_eq!((paused, pending), (0, 0));
        let illegal = engine.trials().iter().filter(|t| !matches!(t.phase, Phase::Ended(_)));
        prop_assert_eq!(illegal.count(), 0);
        let early = engine.trials().iter().filter(|t| t.phase == Phase::Ended(Ending::Stopped));
        prop_assert!(early.count() < engine.trials().len() || !stops.is_empty());
    }
}
