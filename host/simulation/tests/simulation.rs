//! Simulated runs: order and time, failures, users, seeds.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic")]

use proptest::prelude::*;
use tune_core::{Engine, Event, Phase, plan_digest};
use tune_plugin::{NoOptions, Scheduler, schedule::Queue};
use tune_simulation::{Draws, Native, PlanBuilder, SECOND, Simulation, failure, simulate, step};
use tune_space::{
    Action, Config, Creation, Ending, FailureKind, Next, OptionError, Report, Setup, TrialId, Turn,
};

/// Stops a trial after two reports if its value is above 0.5; pauses every trial at its first.
struct Halver {
    queue: Queue,
    paused: Vec<TrialId>,
    seed: u64,
}

impl Scheduler for Halver {
    const NAME: &'static str = "halver";
    const SUMMARY: &'static str = "For tests";
    type Options = NoOptions;

    fn init(setup: &Setup, _: NoOptions) -> Result<Self, Vec<OptionError>> {
        Ok(Self {
            queue: Queue::default(),
            paused: Vec::new(),
            seed: setup.seed,
        })
    }

    fn on_add(&mut self, trial: TrialId, _: &Config) -> Vec<Action> {
        self.queue.add(trial);
        Vec::new()
    }

    fn on_result(&mut self, trial: TrialId, report: &Report) -> Vec<Action> {
        match report.get("training_iteration").unwrap() as u64 {
            1 => {
                self.paused.push(trial);
                vec![Action::Pause(trial)]
            }
            2 if report.get("loss").unwrap() > 0.5 => vec![Action::Stop(trial)],
            _ => Vec::new(),
        }
    }

    fn on_remove(&mut self, trial: TrialId) -> Vec<Action> {
        self.queue.remove(trial);
        self.paused.retain(|t| *t != trial);
        Vec::new()
    }

    fn next_to_run(&mut self, creation: Creation) -> Turn {
        let turn = self.queue.next(creation);
        if matches!(turn.next, Next::Idle | Next::Done) && !self.paused.is_empty() {
            return Turn {
                actions: Vec::new(),
                next: Next::Run(self.paused.remove(0)),
            };
        }
        turn
    }
}

fn curve(_: TrialId, config: &Config, iteration: u64) -> tune_core::StepEnd {
    step("loss", config.f64("x").unwrap(), iteration * SECOND)
}

fn plan(seed: u64) -> PlanBuilder {
    PlanBuilder::minimize("loss")
        .trials(20)
        .slots(3)
        .max_t(4.0)
        .seed(seed)
}

#[test]
fn trials_pause_stop_and_finish_as_the_scheduler_says() {
    let plan = plan(5).build();
    let mut deciders = Native::<Draws, Halver>::of_plan(&plan).unwrap();
    let engine = simulate(plan, &mut deciders, &mut curve, &mut |_, _| {}).unwrap();
    assert!(engine.is_finished());
    assert_eq!(engine.trials().len(), 20);
    let mut finished = 0;
    for trial in engine.trials() {
        let x = trial.config.f64("x").unwrap();
        let (ending, reports) = if x > 0.5 {
            (Ending::Stopped, 2)
        } else {
            finished += 1;
            (Ending::Finished, 4)
        };
        assert_eq!(trial.phase, Phase::Ended(ending), "x = {x}");
        assert_eq!(trial.reports(), reports, "x = {x}");
    }
    assert!((1..20).contains(&finished), "both ends are reached");
    let smallest = engine
        .trials()
        .iter()
        .map(|t| t.config.f64("x").unwrap())
        .fold(1.0, f64::min);
    assert_eq!(engine.best().unwrap().best.unwrap().value, smallest);
}

#[test]
fn virtual_time_is_what_the_steps_cost_on_so_many_slots() {
    // One slot: 20 trials of 1 + 2 s, and of 3 + 4 s more where x is small.
    let plan = plan(5).slots(1).build();
    let mut deciders = Native::<Draws, Halver>::of_plan(&plan).unwrap();
    let engine = simulate(plan, &mut deciders, &mut curve, &mut |_, _| {}).unwrap();
    let long = engine.trials().iter().filter(|t| t.reports() == 4).count();
    assert_eq!(engine.now(), (20 * 3 + long as u64 * 7) * SECOND);
}

#[test]
fn a_step_that_fails_is_tried_again_and_a_reproducible_failure_ends_the_trial() {
    let plan = plan(1).trials(3).build();
    let mut deciders = Native::<Draws, Halver>::of_plan(&plan).unwrap();
    let mut tries = 0;
    let mut curves = |trial: TrialId, config: &Config, iteration: u64| match (trial, iteration) {
        (0, 1) => {
            tries += 1;
            if tries == 1 {
                failure(FailureKind::Deadline)
            } else {
                curve(trial, config, iteration)
            }
        }
        (1, 2) => failure(FailureKind::Trap),
        _ => curve(trial, config, iteration),
    };
    let engine = simulate(plan, &mut deciders, &mut curves, &mut |_, _| {}).unwrap();
    assert_eq!(tries, 2);
    assert_eq!(engine.counts().failed, 1);
    assert_eq!(
        engine.trial(1).unwrap().phase,
        Phase::Ended(Ending::Failed(FailureKind::Trap))
    );
}

#[test]
fn a_user_stops_a_trial_and_extends_a_run_that_has_finished() {
    let plan = plan(9).trials(4).build();
    let digest = plan_digest(&plan, &[]);
    let mut deciders = Native::<Draws, Halver>::of_plan(&plan).unwrap();
    let mut run = Simulation::new(Engine::new(plan, digest).unwrap());
    run.hand_over(Event::Opened, &mut deciders, &mut curve)
        .unwrap();
    run.hand_over(Event::StopTrial { trial: 2 }, &mut deciders, &mut curve)
        .unwrap();
    while let Some(event) = run.next_result() {
        run.hand_over(event, &mut deciders, &mut curve).unwrap();
    }
    assert!(run.engine().is_finished());
    assert_eq!(run.engine().trial(2).unwrap().reports(), 0);
    run.hand_over(Event::Extended { trials: 6 }, &mut deciders, &mut curve)
        .unwrap();
    while let Some(event) = run.next_result() {
        run.hand_over(event, &mut deciders, &mut curve).unwrap();
    }
    let engine = run.into_engine();
    assert!(engine.is_finished());
    assert_eq!(engine.trials().len(), 6);
}

#[test]
fn searcher_and_scheduler_get_seeds_of_their_own_as_in_a_run() {
    let plan = plan(77).build();
    let deciders = Native::<Draws, Halver>::of_plan(&plan).unwrap();
    assert_eq!(
        deciders.scheduler.seed,
        tune_core::seeds::role(77, "scheduler")
    );
    let setup = Setup {
        seed: 77,
        ..plan.scheduler_setup()
    };
    let same = Native::<Draws, Halver>::new(&setup, "", "{}").unwrap();
    assert_eq!(same.scheduler.seed, deciders.scheduler.seed);
    let wrong = Native::<Draws, Halver>::new(&setup, "", r#"{"eta": 3}"#);
    assert!(wrong.is_err_and(|errors| errors.iter().any(|e| e.message.contains("eta"))));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_same_seed_gives_the_same_decisions_and_the_journal_folds_to_the_same_state(
        seed: u64,
        slots in 1_u32..9,
        trials in 1_u32..30,
    ) {
        let run = || {
            let plan = plan(seed).slots(slots).trials(trials).build();
            let mut deciders = Native::<Draws, Halver>::of_plan(&plan).unwrap();
            let mut entries = Vec::new();
            let engine = simulate(plan, &mut deciders, &mut curve, &mut |handover, _| {
                entries.push(handover.entry.clone());
            })
            .unwrap();
            (engine, entries)
        };
        let (one, entries) = run();
        let (two, _) = run();
        prop_assert_eq!(one.digest(), two.digest());
        let mut folded = Engine::new(one.plan().clone(), plan_digest(one.plan(), &[])).unwrap();
        for entry in &entries {
            folded.fold(entry).unwrap();
        }
        prop_assert_eq!(folded.digest(), one.digest());
        let reports: u64 = one.trials().iter().map(tune_core::Trial::reports).sum();
        prop_assert_eq!(reports + 1, entries.len() as u64);
    }
}
