//! The engine under random plugins, random physical timing, crashes and duplicates.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests may panic"
)]

use std::collections::BTreeMap;

use proptest::prelude::*;
use tune_core::records::{
    Action, Config, Creation, Domain, Failure, FailureKind, Next, Observation, Outcome, Parameter,
    Proposal, RealRange, Report, Suggestion, TrialId, TrialState, Turn, Value,
};
use tune_core::{
    Checked, Deciders, Effect, Engine, EnginePlan, Entry, Event, Failed, Limits, Metering, Order,
    Phase, RetrySeed, StepEnd, Stop,
};

/// A small generator for tests: quality does not matter, repeatability does.
#[derive(Clone)]
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

fn plan(slots: u32, trials: u32) -> EnginePlan {
    EnginePlan {
        seed: 7,
        slots,
        trials: Some(trials),
        objectives: vec![tune_core::records::Objective {
            metric: "loss".into(),
            maximize: false,
        }],
        constraints: vec![],
        time_attr: "training_iteration".into(),
        max_t: Some(9.0),
        space: vec![Parameter {
            name: "x".into(),
            domain: Domain::Real(RealRange {
                low: 0.0,
                high: 1.0,
                log: false,
                step: None,
            }),
            conditions: vec![],
        }],
        constants: Config::new(),
        derived: vec![],
        points_to_evaluate: vec![],
        stop: vec![],
        order: Order::Deterministic,
        metering: Metering::Fuel,
        virtual_cost: false,
        max_failures: 2,
        retry_seed: RetrySeed::Same,
        limits: Limits::default(),
        trainable: "t".into(),
        searcher: ("random".into(), "{}".into()),
        scheduler: ("chaos".into(), "{}".into()),
        strict: false,
        clones: false,
        imported: None,
        lineage: None,
        known: Vec::new(),
    }
}

/// A searcher and a scheduler that decide at random, but legally often enough to go on.
#[derive(Clone)]
struct Chaos {
    dice: Dice,
    pending: Vec<TrialId>,
    paused: Vec<TrialId>,
    log: Vec<String>,
    completes: BTreeMap<TrialId, u32>,
    /// Do something impossible once in so many answers; 0 never.
    illegal_every: u64,
}

impl Chaos {
    fn new(seed: u64) -> Self {
        Self {
            dice: Dice(seed),
            pending: vec![],
            paused: vec![],
            log: vec![],
            completes: BTreeMap::new(),
            illegal_every: 0,
        }
    }

    fn forget(&mut self, trial: TrialId) {
        self.pending.retain(|t| *t != trial);
        self.paused.retain(|t| *t != trial);
    }
}

impl Deciders for Chaos {
    fn seed_with(&mut self, _: &[Observation]) -> Result<(), Stop> {
        Ok(())
    }
    fn suggest(&mut self, _: TrialId, _: &Config) -> Result<Result<Suggestion, Failure>, Stop> {
        let mut config = Config::new();
        config.insert("x", self.dice.roll(1000) as f64 / 1000.0);
        Ok(Ok(Suggestion::Configure(Proposal {
            config,
            ..Proposal::default()
        })))
    }

    fn observe(&mut self, t: TrialId, r: &Report, s: TrialState) -> Result<(), Stop> {
        self.log
            .push(format!("observe {t} {:?} {s:?}", r.get("loss")));
        Ok(())
    }

    fn complete(&mut self, t: TrialId, o: &Outcome) -> Result<(), Stop> {
        *self.completes.entry(t).or_default() += 1;
        self.log.push(format!("complete {t} {:?}", o.ending));
        self.forget(t);
        Ok(())
    }

    fn on_add(&mut self, t: TrialId, _: &Config) -> Result<Vec<Action>, Stop> {
        self.pending.push(t);
        Ok(vec![])
    }

    fn on_result(&mut self, t: TrialId, _: &Report) -> Result<Vec<Action>, Stop> {
        if self.illegal_every > 0 && self.dice.roll(self.illegal_every) == 0 {
            return Ok(vec![Action::Stop(9999)]);
        }
        Ok(match self.dice.roll(10) {
            0 => vec![Action::Stop(t)],
            1 | 2 => {
                self.paused.push(t);
                vec![Action::Pause(t)]
            }
            3 if !self.paused.is_empty() => vec![Action::Stop(self.paused[0])],
            _ => vec![],
        })
    }

    fn on_complete(&mut self, t: TrialId, _: Option<&Report>) -> Result<Vec<Action>, Stop> {
        self.forget(t);
        Ok(vec![])
    }

    fn on_error(&mut self, t: TrialId, _: FailureKind, retry: bool) -> Result<Vec<Action>, Stop> {
        if !retry {
            self.forget(t);
        }
        Ok(vec![])
    }

    fn on_remove(&mut self, t: TrialId) -> Result<Vec<Action>, Stop> {
        self.forget(t);
        Ok(vec![])
    }

    fn next_to_run(&mut self, creation: Creation) -> Result<Turn, Stop> {
        let next = if let Some(t) = self.pending.pop() {
            Next::Run(t)
        } else if !self.paused.is_empty()
            && (creation == Creation::Closed || self.dice.roll(2) == 0)
        {
            Next::Run(self.paused.remove(0))
        } else if creation == Creation::Possible {
            Next::Create
        } else {
            Next::Done
        };
        Ok(Turn {
            actions: vec![],
            next,
        })
    }

    fn describe(&mut self) -> Result<String, Stop> {
        Ok(format!("{} paused", self.paused.len()))
    }
}

/// What a step does, whoever runs it and however often: a function of trial and iteration.
fn step(trial: TrialId, iteration: u64, attempt: u32) -> StepEnd {
    let mut dice = Dice(u64::from(trial) * 1_000_003 + iteration * 7919);
    let fuel = dice.roll(300);
    let result = match dice.roll(40) {
        0 => Err(Failed {
            kind: FailureKind::Trap,
            message: "trap".into(),
        }),
        1 if attempt == 0 => Err(Failed {
            kind: FailureKind::Deadline,
            message: "late".into(),
        }),
        2 => Ok(Report::default().with("loss", f64::NAN)),
        3 => Ok(Report::default().with("loss", 0.5).finished()),
        _ => Ok(Report::default().with("loss", dice.roll(1000) as f64)),
    };
    StepEnd {
        result,
        fuel,
        memory_bytes: 65536,
    }
}

struct Outcomes {
    digest: [u8; 32],
    entries: Vec<Entry>,
    log: Vec<String>,
    phases: Vec<Phase>,
}

/// Runs to the end on a machine whose timing is decided by `machine`.
fn simulate(plan: EnginePlan, plugins: u64, machine: u64, stop_after: usize) -> Outcomes {
    let mut engine = Engine::new(plan, [1; 32]).unwrap();
    let mut chaos = Chaos::new(plugins);
    let mut entries = Vec::new();
    drive(&mut engine, &mut chaos, machine, stop_after, &mut entries);
    Outcomes {
        digest: *engine.digest(),
        entries,
        log: chaos.log,
        phases: engine.trials().iter().map(|t| t.phase).collect(),
    }
}

fn drive(
    engine: &mut Engine,
    chaos: &mut Chaos,
    machine: u64,
    stop_after: usize,
    entries: &mut Vec<Entry>,
) {
    let mut dice = Dice(machine);
    let mut running: BTreeMap<TrialId, u64> = engine.in_flight().collect();
    let mut event = (engine.sequence() == 0).then_some(Event::Opened);
    while !engine.is_finished() && entries.len() < stop_after {
        if let Some(event) = event.take().or_else(|| engine.next_result()) {
            let handover = engine.apply(event, chaos).unwrap();
            for effect in &handover.effects {
                match effect {
                    Effect::Start { trial, tick } => {
                        running.insert(*trial, *tick);
                    }
                    Effect::Discard(trial) => {
                        running.remove(trial);
                    }
                    Effect::Keep { .. }
                    | Effect::Clone { .. }
                    | Effect::Park(_)
                    | Effect::Release(_)
                    | Effect::Rebuild(_) => {}
                }
            }
            entries.push(handover.entry);
            continue;
        }
        let ids: Vec<_> = running.keys().copied().collect();
        let trial = ids[dice.roll(ids.len() as u64) as usize];
        let known = engine.trial(trial).unwrap();
        let end = step(trial, known.iteration, known.failures);
        match dice.roll(3) {
            0 => engine.progress(trial, end.fuel / 2),
            1 => engine.progress(trial, end.fuel),
            _ => {
                assert!(engine.arrived(trial, end.clone()));
                assert!(
                    !engine.arrived(trial, end),
                    "a duplicate counts for nothing"
                );
                running.remove(&trial);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn decisions_do_not_depend_on_physical_timing(plugins: u64, a: u64, b: u64, slots in 1u32..9) {
        let one = simulate(plan(slots, 30), plugins, a, usize::MAX);
        let two = simulate(plan(slots, 30), plugins, b, usize::MAX);
        prop_assert_eq!(one.digest, two.digest);
        prop_assert_eq!(one.log, two.log);
    }

    #[test]
    fn the_state_is_the_fold_of_the_journal(plugins: u64, machine: u64, slots in 1u32..9, cut in 1usize..200) {
        let run = simulate(plan(slots, 30), plugins, machine, cut);
        let mut folded = Engine::new(plan(slots, 30), [1; 32]).unwrap();
        for entry in &run.entries {
            folded.fold(entry).unwrap();
        }
        prop_assert_eq!(folded.digest(), &run.digest);
        let phases: Vec<_> = folded.trials().iter().map(|t| t.phase).collect();
        prop_assert_eq!(phases, run.phases);
    }

    #[test]
    fn a_run_that_was_cut_anywhere_ends_as_if_it_had_not_been(plugins: u64, a: u64, b: u64, cut in 1usize..200) {
        let whole = simulate(plan(4, 30), plugins, a, usize::MAX);
        let part = simulate(plan(4, 30), plugins, a, cut);
        let mut engine = Engine::new(plan(4, 30), [1; 32]).unwrap();
        let mut again = Chaos::new(plugins);
        for entry in &part.entries {
            engine.apply(entry.event.clone(), &mut Checked::new(&mut again, &entry.answers)).unwrap();
        }
        let mut entries = part.entries;
        drive(&mut engine, &mut again, b, usize::MAX, &mut entries);
        prop_assert_eq!(engine.digest(), &whole.digest);
        // As bytes: a NaN equals itself there.
        let bytes = |entries: &Vec<Entry>| postcard::to_allocvec(entries).unwrap();
        prop_assert!(bytes(&entries) == bytes(&whole.entries));
    }

    #[test]
    fn every_trial_ends_once_and_the_searcher_hears_of_it_once(plugins: u64, machine: u64) {
        let mut engine = Engine::new(plan(5, 40), [1; 32]).unwrap();
        let mut chaos = Chaos::new(plugins);
        drive(&mut engine, &mut chaos, machine, usize::MAX, &mut Vec::new());
        let ended = engine.trials().iter().filter(|t| t.is_ended()).count();
        prop_assert_eq!(chaos.completes.len(), ended);
        prop_assert!(chaos.completes.values().all(|n| *n == 1));
        let counts = engine.counts();
        prop_assert_eq!(counts.ended(), ended);
        prop_assert_eq!(counts.running, 0);
        prop_assert_eq!(counts.ended() + counts.paused + counts.pending, engine.trials().len());
    }
}

fn open(plan: EnginePlan, deciders: &mut dyn Deciders) -> Result<Engine, Stop> {
    let mut engine = Engine::new(plan, [1; 32]).unwrap();
    engine.apply(Event::Opened, deciders)?;
    Ok(engine)
}

#[test]
fn a_hundred_impossible_actions_stop_the_run() {
    let mut chaos = Chaos::new(1);
    chaos.illegal_every = 1;
    let mut engine = open(plan(1, 1000), &mut chaos).unwrap();
    let error = loop {
        let (trial, _) = engine.in_flight().next().unwrap();
        let end = StepEnd {
            result: Ok(Report::default().with("loss", 1.0)),
            fuel: 1,
            memory_bytes: 0,
        };
        assert!(engine.arrived(trial, end));
        let event = engine.next_result().unwrap();
        match engine.apply(event, &mut chaos) {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert!(matches!(error, Stop::Illegal { count: 100, .. }), "{error}");
    assert!(error.to_string().contains("unknown trial 9999"), "{error}");
}

/// Answers one fixed thing.
struct Fixed {
    suggestion: Result<Suggestion, Failure>,
    next: Next,
}

impl Deciders for Fixed {
    fn seed_with(&mut self, _: &[Observation]) -> Result<(), Stop> {
        Ok(())
    }
    fn suggest(&mut self, _: TrialId, _: &Config) -> Result<Result<Suggestion, Failure>, Stop> {
        Ok(self.suggestion.clone())
    }
    fn observe(&mut self, _: TrialId, _: &Report, _: TrialState) -> Result<(), Stop> {
        Ok(())
    }
    fn complete(&mut self, _: TrialId, _: &Outcome) -> Result<(), Stop> {
        Ok(())
    }
    fn on_add(&mut self, _: TrialId, _: &Config) -> Result<Vec<Action>, Stop> {
        Ok(vec![])
    }
    fn on_result(&mut self, _: TrialId, _: &Report) -> Result<Vec<Action>, Stop> {
        Ok(vec![])
    }
    fn on_complete(&mut self, _: TrialId, _: Option<&Report>) -> Result<Vec<Action>, Stop> {
        Ok(vec![])
    }
    fn on_error(&mut self, _: TrialId, _: FailureKind, _: bool) -> Result<Vec<Action>, Stop> {
        Ok(vec![])
    }
    fn on_remove(&mut self, _: TrialId) -> Result<Vec<Action>, Stop> {
        Ok(vec![])
    }
    fn next_to_run(&mut self, _: Creation) -> Result<Turn, Stop> {
        Ok(Turn {
            actions: vec![],
            next: self.next,
        })
    }
    fn describe(&mut self) -> Result<String, Stop> {
        Ok(String::new())
    }
}

fn propose(x: f64) -> Result<Suggestion, Failure> {
    let mut config = Config::new();
    config.insert("x", x);
    Ok(Suggestion::Configure(Proposal {
        config,
        ..Proposal::default()
    }))
}

#[test]
fn three_suggestions_outside_the_space_stop_the_run_and_name_the_parameter() {
    let mut fixed = Fixed {
        suggestion: propose(1.5),
        next: Next::Create,
    };
    let error = open(plan(2, 5), &mut fixed).unwrap_err();
    assert!(
        matches!(
            error,
            Stop::Rejected {
                count: 3,
                trial: 0,
                ..
            }
        ),
        "{error}"
    );
    assert!(error.to_string().contains("`x`"), "{error}");
}

#[test]
fn a_searcher_that_waits_while_nothing_runs_is_a_deadlock() {
    let mut fixed = Fixed {
        suggestion: Ok(Suggestion::Wait),
        next: Next::Create,
    };
    let error = open(plan(2, 5), &mut fixed).unwrap_err();
    assert!(matches!(error, Stop::Deadlock(_)), "{error}");
}

#[test]
fn a_scheduler_that_idles_while_nothing_runs_is_a_deadlock() {
    let mut fixed = Fixed {
        suggestion: propose(0.5),
        next: Next::Idle,
    };
    let error = open(plan(2, 5), &mut fixed).unwrap_err();
    assert!(error.to_string().contains("says idle"), "{error}");
}

#[test]
fn an_exhausted_searcher_with_no_trials_ends_the_run() {
    let mut fixed = Fixed {
        suggestion: Ok(Suggestion::Exhausted),
        next: Next::Create,
    };
    // The scheduler keeps saying `create`; that is dropped and counted, then nothing is left.
    let engine = open(plan(1, 5), &mut fixed).unwrap();
    assert!(engine.is_finished());
}

fn report_once(report: Report, change: impl FnOnce(&mut EnginePlan)) -> (Engine, Option<Failed>) {
    let mut plan = plan(1, 1);
    change(&mut plan);
    let mut chaos = Chaos::new(3);
    let mut engine = open(plan, &mut chaos).unwrap();
    assert!(engine.arrived(
        0,
        StepEnd {
            result: Ok(report),
            fuel: 10,
            memory_bytes: 1,
        }
    ));
    let event = engine.next_result().unwrap();
    engine.apply(event, &mut chaos).unwrap();
    let failure = engine.trial(0).unwrap().failure.clone();
    (engine, failure)
}

#[test]
fn a_metric_that_is_never_reported_fails_the_trial_and_names_those_that_were() {
    let (_, failure) = report_once(
        Report::default().with("accuracy", 1.0).with("f1", 0.5),
        |_| {},
    );
    let failure = failure.unwrap();
    assert_eq!(failure.kind, FailureKind::BadValue);
    assert!(failure.message.contains("`loss`") && failure.message.contains("accuracy, f1"));
}

#[test]
fn a_reserved_metric_fails_the_trial() {
    let (_, failure) = report_once(
        Report::default().with("loss", 1.0).with("fuel_total", 1.0),
        |_| {},
    );
    assert!(failure.unwrap().message.contains("fuel_total"));
}

#[test]
fn a_cost_without_the_grant_fails_the_trial() {
    let mut report = Report::default().with("loss", 1.0);
    report.cost = Some(5);
    let (_, failure) = report_once(report, |_| {});
    assert_eq!(failure.unwrap().kind, FailureKind::Grant);
}

#[test]
fn a_stop_rule_that_is_met_ends_the_trial_as_finished() {
    let (engine, failure) = report_once(Report::default().with("loss", 0.01), |plan| {
        plan.stop.push(tune_core::StopRule {
            metric: "loss".into(),
            threshold: 0.01,
            at_least: false,
        });
    });
    assert_eq!(failure, None);
    assert_eq!(engine.counts().finished, 1);
}

#[test]
fn the_best_trial_ignores_nan_and_failed_trials() {
    let mut chaos = Chaos::new(11);
    let mut engine = open(plan(3, 3), &mut chaos).unwrap();
    let mut end = |engine: &mut Engine, trial, result| {
        let end = StepEnd {
            result,
            fuel: 10,
            memory_bytes: 1,
        };
        assert!(engine.arrived(trial, end));
        while let Some(event) = engine.next_result() {
            engine.apply(event, &mut chaos).unwrap();
        }
    };
    let loss = |x| Ok(Report::default().with("loss", x).finished());
    end(&mut engine, 0, loss(f64::NAN));
    end(&mut engine, 1, loss(3.0));
    end(
        &mut engine,
        2,
        Err(Failed {
            kind: FailureKind::Trap,
            message: String::new(),
        }),
    );
    assert_eq!(engine.best().map(|t| t.id), Some(1));
}

#[test]
fn constants_and_derived_values_reach_the_trial_but_not_the_searcher() {
    let mut plan = plan(1, 1);
    plan.constants.insert("batch", Value::Integer(32));
    plan.derived.push(tune_core::Derived {
        name: "twice".into(),
        expression: "batch * 2 + x * 0".into(),
    });
    let mut chaos = Chaos::new(3);
    let engine = open(plan, &mut chaos).unwrap();
    let trial = engine.trial(0).unwrap();
    assert_eq!(trial.config.get("twice"), Some(&Value::Number(64.0)));
    assert_eq!(trial.suggested.len(), 1);
}
