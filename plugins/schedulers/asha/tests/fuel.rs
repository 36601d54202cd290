//! Successive halving along `fuel_total`, under the true engine: equal budgets for trials whose steps
//! cost differently.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic")]

use std::collections::BTreeMap;

use tune_core::{Effect, EnginePlan, Event, Metering, Phase};
use tune_scheduler_asha::Asha;
use tune_simulation::{Draws, Native, PlanBuilder, simulate, step};
use tune_space::{Config, Ending, TrialId};

fn plan(options: &str) -> EnginePlan {
    let mut plan = PlanBuilder::maximize("score")
        .trials(27)
        .slots(3)
        .max_t(900.0)
        .time_attr("fuel_total")
        .scheduler("asha", options)
        .build();
    plan.metering = Metering::Fuel;
    plan.virtual_cost = false;
    plan
}

/// What a step of a trial costs.
fn cost(trial: TrialId) -> u64 {
    match trial % 3 {
        0 => 30,
        1 => 70,
        _ => 100,
    }
}

/// The fuel that each trial had used whenever it was paused, and how it ended.
fn run(options: &str) -> BTreeMap<TrialId, (Vec<u64>, Option<Ending>, u64)> {
    let plan = plan(options);
    let mut deciders = Native::<Draws, Asha>::of_plan(&plan).unwrap();
    let mut curves = |id: TrialId, _: &Config, _: u64| {
        let mut end = step("score", f64::from(id * 10 % 27), 0);
        end.fuel = cost(id);
        if let Ok(report) = &mut end.result {
            report.cost = None;
        }
        end
    };
    let mut paused: BTreeMap<TrialId, Vec<u64>> = BTreeMap::new();
    let engine = simulate(plan, &mut deciders, &mut curves, &mut |handover, engine| {
        assert!(!matches!(handover.entry.event, Event::Changed { .. }));
        for effect in &handover.effects {
            if let Effect::Park(id) = effect {
                let fuel = engine.trial(*id).unwrap().fuel_total;
                paused.entry(*id).or_default().push(fuel);
            }
        }
    })
    .unwrap();
    let trials = engine.trials().iter().map(|trial| {
        let ending = match trial.phase {
            Phase::Ended(ending) => Some(ending),
            _ => None,
        };
        let pauses = paused.remove(&trial.id).unwrap_or_default();
        (trial.id, (pauses, ending, trial.fuel_total))
    });
    trials.collect()
}

/// The fuel of the first step that reaches a level.
fn reached(trial: TrialId, level: u64) -> u64 {
    level.div_ceil(cost(trial)) * cost(trial)
}

#[test]
fn promotion_pauses_every_trial_at_the_same_fuel_whatever_its_steps_cost() {
    let trials = run(r#"{"type":"promotion","grace_period":100,"reduction_factor":3}"#);
    let mut finished = 0;
    for (id, (pauses, ending, fuel)) in trials {
        let levels = [100, 300].map(|level| reached(id, level));
        assert_eq!(pauses, levels[..pauses.len()], "trial {id}");
        finished += usize::from(ending == Some(Ending::Finished));
        if ending.is_some() {
            assert_eq!((pauses.len(), fuel), (2, reached(id, 900)), "trial {id}");
        }
    }
    assert!(finished >= 2, "{finished} reached the end");
}

#[test]
fn stopping_ends_the_worse_ones_at_the_same_fuel_whatever_their_steps_cost() {
    let trials = run(r#"{"grace_period":100,"reduction_factor":3}"#);
    let (mut finished, mut stopped) = (0, 0);
    for (id, (pauses, ending, fuel)) in trials {
        assert!(pauses.is_empty());
        let levels = [100, 300, 900].map(|level| reached(id, level));
        match ending {
            Some(Ending::Finished) => {
                assert_eq!(fuel, levels[2], "trial {id}");
                finished += 1;
            }
            Some(Ending::Stopped) => {
                assert!(levels[..2].contains(&fuel), "trial {id}: {fuel}");
                stopped += 1;
            }
            other => panic!("trial {id}: {other:?}"),
        }
    }
    assert!(finished >= 2 && stopped >= 10, "{finished} and {stopped}");
}
