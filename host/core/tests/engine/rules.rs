//! One rule a test.

use tune_core::records::{
    Action, Config, Creation, Ending, Failure, FailureKind, Next, Observation, Outcome, Proposal,
    Report, Suggestion, TrialId, TrialState, Turn, Value,
};
use tune_core::{
    Answer, Deciders, Effect, Engine, EnginePlan, Event, ExperimentPlateau, Failed, Handover, Note,
    Phase, StepEnd, Stop, Trial, TrialPlateau,
};

use crate::chaos::Chaos;
use crate::plan;
use crate::script::{Lab, Script, cloning};

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
    fn regret_bound(&mut self) -> Result<Option<f64>, Stop> {
        Ok(None)
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

#[test]
fn a_trial_on_a_plateau_ends_as_finished() {
    let mut plan = cloning(1);
    plan.plateaus.trial = Some(TrialPlateau {
        metric: "loss".into(),
        std: 0.01,
        num_results: 3,
        grace_period: 3,
        threshold: None,
    });
    let mut lab = Lab::of(plan);
    lab.report(0, vec![]);
    lab.report(0, vec![]);
    assert!(!lab.trial(0).is_ended());
    lab.report(0, vec![]);
    assert_eq!(lab.trial(0).phase, Phase::Ended(Ending::Finished));
}

#[test]
fn the_metric_of_a_plateau_must_be_reported() {
    let (_, failure) = report_once(Report::default().with("loss", 1.0), |plan| {
        plan.plateaus.trial = Some(TrialPlateau {
            metric: "acuracy".into(),
            std: 0.01,
            num_results: 3,
            grace_period: 3,
            threshold: None,
        });
    });
    let message = failure.unwrap().message;
    assert!(message.contains("the stop rule `acuracy` was not reported; it reported loss"));
}

#[test]
fn a_plateau_of_the_best_trials_stops_every_trial_at_its_last_report_and_closes_the_run() {
    let mut plan = cloning(5);
    plan.trials = Some(9);
    plan.plateaus.experiment = Some(ExperimentPlateau {
        std: 0.0,
        top: 3,
        patience: 0,
    });
    let script = Script {
        held: vec![4],
        ..Script::default()
    };
    let (mut lab, _) = Lab::open(plan, script);
    lab.report(0, vec![Action::Pause(0)]);
    lab.report(1, vec![]);
    let handover = lab.report(2, vec![]);
    assert!(
        handover
            .notes
            .iter()
            .any(|n| matches!(n, Note::EndedByRule(_)))
    );
    assert!(lab.engine.is_finished());
    // Trial 0 was paused, 4 pending, 2 reported and the others ran; nobody goes on, none is created.
    let phases: Vec<_> = lab.engine.trials().iter().map(|t| t.phase).collect();
    assert!(
        phases
            .iter()
            .all(|phase| *phase == Phase::Ended(Ending::Stopped))
    );
    let mut told = lab.script.completed.clone();
    told.sort_by_key(|(trial, _)| *trial);
    let all = (0..phases.len() as TrialId).map(|t| (t, Ending::Stopped));
    assert_eq!(told, all.collect::<Vec<_>>());
    assert_eq!(lab.trial(2).reports(), 1);
    assert!(
        handover
            .effects
            .iter()
            .all(|e| !matches!(e, Effect::Start { .. }))
    );
}

#[test]
fn a_bound_on_regret_ends_the_run_once_it_is_small_enough() {
    let mut plan = cloning(4);
    plan.trials = Some(9);
    plan.plateaus.regret = Some(0.1);
    let script = Script {
        // Nothing is known; rubbish; too much; enough.
        bounds: [f64::NAN, -1.0, 0.2, 0.1].into(),
        ..Script::default()
    };
    let (mut lab, _) = Lab::open(plan, script);
    for trial in 0..3 {
        let handover = lab.report(trial, vec![Action::Stop(trial)]);
        assert!(
            !handover
                .notes
                .iter()
                .any(|n| matches!(n, Note::EndedByRule(_)))
        );
    }
    let handover = lab.report(3, vec![Action::Stop(3)]);
    let said = handover.notes.iter().find_map(|note| match note {
        Note::EndedByRule(text) => Some(text.as_str()),
        _ => None,
    });
    assert!(said.unwrap().contains("more than 0.1"), "{said:?}");
    // It is asked after each `complete`, and not once the run is over.
    let asked = |handover: &Handover| {
        let answers = handover.entry.answers.iter();
        answers.filter(|a| matches!(a, Answer::Bound(_))).count()
    };
    assert_eq!(asked(&handover), 1);
    assert!(lab.engine.is_finished());
    assert!(lab.engine.trials().iter().all(Trial::is_ended));
    assert_eq!(lab.engine.trials().len(), 7);
}

#[test]
fn nobody_is_asked_for_a_bound_without_the_rule() {
    let script = Script {
        bounds: [0.0].into(),
        ..Script::default()
    };
    let (mut lab, _) = Lab::open(cloning(2), script);
    lab.report(0, vec![Action::Stop(0)]);
    assert_eq!(lab.script.bounds.len(), 1);
    assert!(!lab.engine.is_finished());
}

#[test]
fn a_plan_without_the_rule_is_written_as_before_there_was_one() {
    let mut plan = plan(1, 1);
    plan.plateaus.experiment = Some(ExperimentPlateau {
        std: 0.0,
        top: 3,
        patience: 0,
    });
    let json = serde_json::to_value(&plan).unwrap();
    assert!(json["plateaus"].get("regret").is_none());
    assert_eq!(serde_json::from_value::<EnginePlan>(json).unwrap(), plan);
    let without = tune_core::plan_digest(&plan, &[]);
    plan.plateaus.regret = Some(0.1);
    assert_ne!(tune_core::plan_digest(&plan, &[]), without);
}

#[test]
fn a_quiet_trial_is_heard_of_from_its_resource_on() {
    let mut lab = Lab::of(cloning(2));
    lab.report(0, vec![Action::QuietUntil(0, 4.0)]);
    for _ in 2..=5 {
        lab.report(0, vec![]);
        lab.report(1, vec![]);
    }
    let heard = |lab: &Lab, trial| lab.script.heard.iter().filter(|t| **t == trial).count();
    // The first, the fourth and the fifth; all of the other one.
    assert_eq!((heard(&lab, 0), heard(&lab, 1)), (3, 4));
    // The latest counts, also one that takes the silence back.
    lab.report(0, vec![Action::QuietUntil(0, f64::INFINITY)]);
    lab.report(0, vec![]);
    assert_eq!(heard(&lab, 0), 4);
    lab.report(1, vec![Action::QuietUntil(0, 0.0)]);
    lab.report(0, vec![]);
    assert_eq!(heard(&lab, 0), 5);
}

#[test]
fn a_quiet_trial_is_paused_as_was_asked_and_its_end_is_told() {
    let mut plan = cloning(2);
    plan.max_t = Some(3.0);
    let mut lab = Lab::of(plan);
    lab.report(0, vec![Action::QuietUntil(0, f64::INFINITY)]);
    lab.report(1, vec![Action::Pause(0)]);
    lab.report(0, vec![]);
    assert_eq!(lab.trial(0).phase, Phase::Paused);
    lab.script.resume.push_back(0);
    lab.report(1, vec![Action::QuietUntil(1, f64::INFINITY)]);
    lab.report(1, vec![]);
    lab.report(0, vec![]);
    assert_eq!(
        lab.script.completed,
        [(1, Ending::Finished), (0, Ending::Finished)]
    );
}
