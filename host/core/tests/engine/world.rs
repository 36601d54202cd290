//! A toy machine beside the engine: the state of a trial is a hash chain over its setup, steps and
//! changes, and a copy copies the number. What recipes compute is compared with it.

use std::collections::BTreeMap;

use tune_core::records::{Change, Config, Report, TrialId, TrialInfo, derive_seed};
use tune_core::{Base, Effect, Engine, Event, Handover, Point, Recipe, Trial, is_better};

/// The state that a plan imports.
pub(crate) const IMPORTED: u64 = 0x1234_5678;

fn setup(info: &TrialInfo, config: &Config, tick: u64) -> u64 {
    let text = format!("{info:?} {config:?} {tick}");
    derive_seed(&[b"setup", text.as_bytes()])
}

fn step(state: u64, change: Option<&Change>, tick: u64) -> u64 {
    let text = format!("{change:?} {tick}");
    derive_seed(&[b"step", &state.to_le_bytes(), text.as_bytes()])
}

/// The state that a recipe makes.
pub(crate) fn make(recipe: &Recipe, tick: u64, at_hand: &BTreeMap<Point, u64>) -> u64 {
    let begin = recipe.steps.first().map_or(tick, |s| s.start);
    let base = match &recipe.base {
        Base::Setup { info, config } => setup(info, config, begin),
        Base::Snapshot(point) => at_hand[point],
        Base::Imported => IMPORTED,
    };
    recipe.steps.iter().fold(base, |state, replay| {
        step(state, replay.change.as_ref(), replay.start)
    })
}

/// A step in flight.
struct Ahead {
    after: u64,
    config: Config,
}

/// An own report of a trial.
pub(crate) struct Seen {
    pub(crate) report: Report,
    config: Config,
    own_fuel: u64,
}

/// What really happens to trials, by copying states.
#[derive(Default)]
pub(crate) struct World {
    /// The present state of every trial that has one.
    live: BTreeMap<TrialId, u64>,
    ahead: BTreeMap<TrialId, Ahead>,
    /// States that were kept.
    kept: BTreeMap<Point, u64>,
    /// Every state that there was.
    pub(crate) states: BTreeMap<Point, u64>,
    pub(crate) seen: BTreeMap<TrialId, Vec<Seen>>,
    pub(crate) exploits: usize,
}

impl World {
    pub(crate) fn hand_over(&mut self, engine: &Engine, handover: &Handover) {
        if let Event::StepEnded { trial, end } = &handover.entry.event {
            let ahead = self.ahead.remove(trial).unwrap();
            if let Some(report) = &handover.report {
                self.live.insert(*trial, ahead.after);
                let seen = self.seen.entry(*trial).or_default();
                seen.push(Seen {
                    report: report.clone(),
                    config: ahead.config,
                    own_fuel: end.fuel + seen.last().map_or(0, |s| s.own_fuel),
                });
                let point = Point {
                    trial: *trial,
                    reports: seen.len() as u64,
                };
                assert_eq!(self.states.insert(point, ahead.after), None);
            }
        }
        for effect in &handover.effects {
            match effect {
                Effect::Keep { trial, point } => {
                    let state = self.live[trial];
                    if let Some(same) = self.kept.insert(*point, state) {
                        assert_eq!(same, state, "{point} is one state");
                    }
                }
                Effect::Clone { target, source } => {
                    self.exploits += 1;
                    self.live.insert(*target, self.kept[source]);
                }
                Effect::Start { trial, tick } => self.begin(engine.trial(*trial).unwrap(), *tick),
                Effect::Discard(trial) | Effect::Release(trial) => {
                    self.ahead.remove(trial);
                }
                Effect::Park(_) | Effect::Rebuild(_) => {}
            }
        }
    }

    fn begin(&mut self, trial: &Trial, tick: u64) {
        let change = trial.pending_change().map(|c| c.change.clone());
        let before = match self.live.get(&trial.id) {
            Some(state) => *state,
            None if trial.id == 0 && trial.segments[0].origin == tune_core::Origin::Imported => {
                IMPORTED
            }
            None => {
                let info = TrialInfo {
                    trial: trial.id,
                    seed: trial.setup_seed,
                    workers: 1,
                    restoring: false,
                };
                setup(&info, &trial.setup_config, tick)
            }
        };
        let ahead = Ahead {
            after: step(before, change.as_ref(), tick),
            config: change.map_or_else(|| trial.config.clone(), |c| c.config),
        };
        assert_eq!(
            ahead.config, trial.config,
            "a step has the trial's configuration"
        );
        self.ahead.insert(trial.id, ahead);
    }

    /// Every state by recipe, with some of all states at hand.
    pub(crate) fn check_recipes(&self, engine: &Engine, at_hand: &dyn Fn(Point) -> bool) {
        for (to, state) in &self.states {
            let recipe = engine.recipe(*to, at_hand).unwrap();
            assert_eq!(make(&recipe, 0, &self.states), *state, "{to}");
            assert_eq!(recipe.steps.is_empty(), at_hand(*to));
            for replay in &recipe.steps {
                assert!(!at_hand(replay.point), "{} was at hand", replay.point);
                assert!(self.states.contains_key(&replay.point));
            }
            let seen = &self.seen[&to.trial][to.reports as usize - 1];
            assert_eq!(recipe.own_fuel, seen.own_fuel);
        }
        for trial in engine.trials() {
            if let Some(state) = self.live.get(&trial.id) {
                let recipe = engine.recipe(trial.point(), at_hand).unwrap();
                assert_eq!(make(&recipe, 0, &self.states), *state, "trial {}", trial.id);
            }
        }
    }

    /// What a trial says of its own reports is what was handed over.
    pub(crate) fn check_reports(&self, engine: &Engine) {
        for (id, seen) in &self.seen {
            let trial = engine.trial(*id).unwrap();
            assert_eq!(trial.reports(), seen.len() as u64);
            for (n, seen) in (1..).zip(seen) {
                let of = |name: &str| seen.report.get(name).unwrap() as u64;
                assert_eq!(trial.iteration_at(n), of("training_iteration"));
                assert_eq!(trial.fuel_total_at(n), of("fuel_total"));
                assert_eq!(trial.own_fuel_at(n), seen.own_fuel);
                assert_eq!(trial.config_at(n), &seen.config);
            }
        }
    }

    /// The best report of all trials that did not fail: the earlier trial, then the earlier report
    /// of equals.
    pub(crate) fn best(&self, engine: &Engine, maximize: bool) -> Option<(Point, f64)> {
        let mut best: Option<(Point, f64)> = None;
        for (id, seen) in &self.seen {
            if engine.trial(*id).unwrap().failure.is_some() {
                continue;
            }
            for (n, seen) in (1..).zip(seen) {
                let value = seen.report.get("loss").unwrap();
                if best.is_none_or(|(_, b)| is_better(value, b, maximize)) {
                    let point = Point {
                        trial: *id,
                        reports: n,
                    };
                    best = Some((point, value));
                }
            }
        }
        best
    }
}
