//! Keeping and copying states, rule by rule: what is legal when, and what a trial is afterwards.

use tune_core::records::{
    Action, Ending, Exploit, FailureKind, Observation, Proposal, Report, TrialId,
};
use tune_core::{
    Base, Effect, Engine, Event, Imported, Lineage, Note, Origin, Phase, Point, RetrySeed,
};

use crate::script::{Lab, Script, cloning, config, dropped, effects};

fn exploit(target: TrialId, source: TrialId, x: f64) -> Action {
    Action::Exploit(Exploit {
        target,
        source,
        config: config(x),
    })
}

fn point(trial: TrialId, reports: u64) -> Point {
    Point { trial, reports }
}

/// Trial 1 was kept after its first report; trial 0 has reported twice.
fn pair() -> Lab {
    let mut lab = Lab::of(cloning(2));
    lab.report(1, vec![Action::Keep(1)]);
    lab.report(0, vec![]);
    lab.report(0, vec![]);
    lab
}

/// The only reason for which an action was dropped.
fn refused(lab: &mut Lab, reporter: TrialId, action: Action) -> String {
    let handover = lab.report(reporter, vec![action]);
    let why = dropped(&handover);
    assert_eq!(why.len(), 1, "{why:?}");
    assert!(effects(&handover).is_empty(), "{:?}", handover.effects);
    why[0].to_owned()
}

#[test]
fn a_trial_is_kept_at_its_report() {
    let mut lab = Lab::of(cloning(2));
    lab.report(1, vec![]);
    let handover = lab.report(1, vec![Action::Keep(1)]);
    let keep = Effect::Keep {
        trial: 1,
        point: point(1, 2),
    };
    assert_eq!(effects(&handover), [keep]);
    assert_eq!(handover.notes, [Note::Kept(1)]);
    let kept = lab.trial(1).kept.unwrap();
    assert_eq!(
        (kept.point, kept.iteration, kept.fuel_total),
        (point(1, 2), 2, 20)
    );
    assert_eq!(lab.engine.sources(), [point(1, 2)].into());
    lab.report(1, vec![]);
    assert_eq!(
        lab.trial(1).kept.unwrap().point,
        point(1, 2),
        "until it is kept again"
    );
}

#[test]
fn a_paused_trial_is_kept_and_may_be_kept_again() {
    let mut lab = Lab::of(cloning(2));
    let handover = lab.report(0, vec![Action::Pause(0)]);
    let keep = Effect::Keep {
        trial: 0,
        point: point(0, 1),
    };
    assert_eq!(effects(&handover), [keep.clone(), Effect::Park(0)]);
    assert_eq!(handover.notes, [Note::Paused(0)]);
    let handover = lab.report(1, vec![Action::Keep(0)]);
    assert_eq!(effects(&handover), [keep]);
}

#[test]
fn nothing_is_kept_where_nothing_is_cloned() {
    let mut plan = cloning(2);
    plan.clones = false;
    let mut lab = Lab::of(plan);
    let handover = lab.report(0, vec![Action::Pause(0)]);
    assert_eq!(effects(&handover), [Effect::Park(0)]);
    assert_eq!(lab.trial(0).kept, None);
    for (action, name) in [(Action::Keep(1), "keep"), (exploit(1, 0, 0.1), "exploit")] {
        assert_eq!(
            refused(&mut lab, 1, action),
            format!(
                "{name} of trial 1: the scheduler `chaos` does not say in its manifest that it \
                 clones trials; set `clones`"
            )
        );
    }
}

#[test]
fn a_step_in_flight_is_not_touched() {
    let mut lab = pair();
    lab.report(0, vec![Action::Keep(0)]);
    let actions = [
        (Action::Keep(1), "keep"),
        (exploit(1, 0, 0.1), "exploit"),
        (Action::SetConfig(1, config(0.1)), "set-config"),
    ];
    for (action, name) in actions {
        assert_eq!(
            refused(&mut lab, 0, action),
            format!(
                "{name} of trial 1, whose step is in flight: answer its own report with it, or \
                 pause the trial first"
            )
        );
    }
}

/// Trial 1 was created and has not run; trial 0 runs.
fn one_waits() -> Lab {
    let script = Script {
        held: vec![1],
        ..Script::default()
    };
    Lab::open(cloning(2), script).0
}

#[test]
fn a_trial_that_has_not_run_has_nothing_to_keep() {
    let mut lab = one_waits();
    assert_eq!(
        refused(&mut lab, 0, Action::Keep(1)),
        "keep of trial 1, which has not run: keep it at one of its reports"
    );
    let why = refused(&mut lab, 0, exploit(0, 1, 0.1));
    assert!(
        why.contains("trial 1, which was never kept or paused"),
        "{why}"
    );
}

#[test]
fn a_trial_that_has_not_run_may_be_exploited_and_is_never_set_up() {
    let mut lab = one_waits();
    let handover = lab.report(
        0,
        vec![Action::Keep(0), exploit(1, 0, 0.75), Action::Keep(1)],
    );
    let source = point(0, 1);
    let keep = |trial| Effect::Keep {
        trial,
        point: source,
    };
    let clone = Effect::Clone { target: 1, source };
    assert_eq!(effects(&handover), [keep(0), clone, keep(1)]);
    let trial = lab.trial(1);
    assert_eq!((trial.phase, trial.segments.len()), (Phase::Pending, 1));
    assert_eq!(trial.pending_change().unwrap().change.config, config(0.75));
    lab.script.held.clear();
    lab.report(0, vec![]);
    let report = lab.report(1, vec![]).report.unwrap();
    assert_eq!(report.get("training_iteration"), Some(2.0));
    let recipe = lab.engine.recipe(point(1, 1), &|_| false).unwrap();
    let points: Vec<_> = recipe.steps.iter().map(|s| s.point).collect();
    assert_eq!(points, [source, point(1, 1)]);
}

#[test]
fn a_change_of_a_trial_that_has_not_run_is_what_it_is_set_up_with() {
    let mut lab = one_waits();
    let seed = lab.trial(1).setup_seed;
    lab.report(0, vec![Action::SetConfig(1, config(0.75))]);
    let trial = lab.trial(1);
    assert_eq!(
        (&trial.setup_config, trial.setup_seed),
        (&config(0.75), seed)
    );
    assert_eq!(trial.pending_change(), None);
}

#[test]
fn what_waits_cannot_be_paused_and_what_runs_cannot_be_run() {
    let mut lab = one_waits();
    assert_eq!(
        refused(&mut lab, 0, Action::Pause(1)),
        "pause of trial 1, which does not run: it waits until `next-to-run` names it"
    );
    lab.script.resume.push_back(0);
    let handover = lab.report(0, vec![]);
    assert_eq!(
        dropped(&handover),
        ["run of trial 0, which does not wait: name a pending or paused one"]
    );
}

#[test]
fn an_exploit_makes_the_target_what_the_source_was_when_it_was_kept() {
    let mut lab = pair();
    lab.report(1, vec![]);
    let before = lab.trial(0).clone();
    let handover = lab.report(0, vec![exploit(0, 1, 0.75)]);
    let source = point(1, 1);
    assert_eq!(effects(&handover), [Effect::Clone { target: 0, source }]);
    let exploited = Note::Exploited {
        target: 0,
        source,
        iteration: 1,
    };
    assert_eq!(handover.notes, [exploited]);
    // What was handed over is still the trial's own report.
    let report = handover.report.unwrap();
    assert_eq!(report.get("training_iteration"), Some(3.0));
    assert_eq!(report.get("fuel_total"), Some(30.0));
    let trial = lab.trial(0);
    assert_eq!(
        (trial.iteration, trial.fuel_total, trial.own_fuel),
        (1, 10, 30)
    );
    assert_eq!((trial.reports(), trial.point()), (3, source));
    assert_eq!(trial.config, config(0.75));
    let change = trial.pending_change().unwrap();
    assert_eq!(
        (change.before_step, &change.change.config),
        (3, &config(0.75))
    );
    assert_ne!(change.change.seed, before.setup_seed);
    assert_eq!(trial.generation, before.generation + 1);
    let segment = *trial.segments.last().unwrap();
    assert_eq!(segment.origin, Origin::Clone(source));
    assert_eq!(
        (segment.from, segment.iteration, segment.fuel_total),
        (3, 1, 10)
    );
    assert_eq!(segment.sequence, handover.sequence);
    // From now on it counts from the donor's state.
    let report = lab.report(0, vec![]).report.unwrap();
    assert_eq!(report.get("training_iteration"), Some(2.0));
    assert_eq!(report.get("fuel_total"), Some(20.0));
    let trial = lab.trial(0);
    assert_eq!((trial.own_fuel, trial.point()), (40, point(0, 4)));
    assert_eq!((trial.iteration_at(3), trial.iteration_at(4)), (3, 2));
    assert_eq!((trial.fuel_total_at(3), trial.fuel_total_at(4)), (30, 20));
    assert_eq!(
        (trial.config_at(3), trial.config_at(4)),
        (&config(0.5), &config(0.75))
    );
}

#[test]
fn a_recipe_goes_through_donors_and_stops_at_what_is_at_hand() {
    let mut lab = pair();
    lab.report(0, vec![exploit(0, 1, 0.75)]);
    lab.report(0, vec![]);
    let recipe = lab.engine.recipe(point(0, 4), &|_| false).unwrap();
    let Base::Setup { info, .. } = &recipe.base else {
        panic!("{recipe:?}");
    };
    assert_eq!((info.trial, info.seed), (1, lab.trial(1).setup_seed));
    let points: Vec<_> = recipe.steps.iter().map(|s| s.point).collect();
    assert_eq!(points, [point(1, 1), point(0, 4)]);
    assert_eq!(recipe.steps[0].change, None);
    assert_eq!(
        recipe.steps[1].change.as_ref(),
        lab.trial(0).change_before(3)
    );
    assert_eq!(recipe.own_fuel, 40);
    let near = lab.engine.recipe(point(0, 4), &|p| p.trial == 1).unwrap();
    assert_eq!(near.base, Base::Snapshot(point(1, 1)));
    assert_eq!(near.steps.len(), 1);
    // The branch that was given up can still be made.
    let old = lab.engine.recipe(point(0, 3), &|_| false).unwrap();
    assert_eq!(old.steps.len(), 3);
}

#[test]
fn a_state_that_never_was_has_no_recipe() {
    let lab = pair();
    let error = lab.engine.recipe(point(0, 3), &|_| true).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("trial 0 has 2 reports: there is no state after report 3"),
        "{error}"
    );
    let error = lab.engine.recipe(point(7, 0), &|_| true).unwrap_err();
    assert!(error.to_string().contains("there is no trial 7"), "{error}");
}

#[test]
fn an_exploit_needs_a_state_that_was_kept_or_paused() {
    let mut lab = Lab::of(cloning(2));
    lab.report(1, vec![]);
    assert_eq!(
        refused(&mut lab, 0, exploit(0, 1, 0.1)),
        "exploit of trial 0 from trial 1, which was never kept or paused: keep it at one of its \
         reports"
    );
    lab.report(1, vec![Action::Pause(1)]);
    let handover = lab.report(0, vec![exploit(0, 1, 0.1)]);
    assert_eq!(lab.trial(0).point(), point(1, 2), "{:?}", handover.notes);
}

#[test]
fn nobody_exploits_itself() {
    let mut lab = pair();
    assert_eq!(
        refused(&mut lab, 1, exploit(1, 1, 0.1)),
        "exploit of trial 1 from itself: to change its configuration alone, use set-config"
    );
    // Trial 0 is kept as what it took over from trial 1.
    lab.report(0, vec![exploit(0, 1, 0.1), Action::Keep(0)]);
    assert_eq!(lab.trial(0).kept.unwrap().point, point(1, 1));
    assert_eq!(
        refused(&mut lab, 1, exploit(1, 0, 0.1)),
        "exploit of trial 1 from trial 0, whose kept state is trial 1 after report 1, the \
         target's own: exploit another trial"
    );
}

#[test]
fn an_exploit_of_or_from_a_trial_that_is_not_there_is_dropped() {
    let mut lab = pair();
    assert_eq!(
        refused(&mut lab, 0, exploit(9, 1, 0.1)),
        "exploit of the unknown trial 9: name one that `on-add` told of"
    );
    assert_eq!(
        refused(&mut lab, 0, exploit(0, 9, 0.1)),
        "exploit of trial 0 from the unknown trial 9: name one that `on-add` told of"
    );
    lab.report(0, vec![Action::Stop(0)]);
    for (action, name) in [(exploit(0, 1, 0.1), "exploit"), (Action::Keep(0), "keep")] {
        assert_eq!(
            refused(&mut lab, 1, action),
            format!(
                "{name} of trial 0, which has ended: forget a trial when `on-complete`, \
                 `on-error` or `on-remove` is called or it is stopped"
            )
        );
    }
}

#[test]
fn an_ended_trial_can_still_be_a_source() {
    let mut lab = pair();
    lab.report(1, vec![Action::Stop(1)]);
    assert_eq!(
        lab.trial(1).history.len(),
        2,
        "its steps are kept for replays"
    );
    lab.report(0, vec![exploit(0, 1, 0.1)]);
    assert_eq!(lab.trial(0).point(), point(1, 1));
}

#[test]
fn an_exploit_outside_the_space_is_dropped_and_names_the_parameter() {
    let mut lab = pair();
    let why = refused(&mut lab, 0, exploit(0, 1, 1.5));
    assert!(
        why.starts_with("exploit of trial 0 from trial 1: "),
        "{why}"
    );
    assert!(
        why.contains("`x`") && why.contains("give every active parameter"),
        "{why}"
    );
    let why = refused(&mut lab, 0, Action::SetConfig(0, config(-1.0)));
    assert!(
        why.starts_with("set-config of trial 0: ") && why.contains("`x`"),
        "{why}"
    );
}

#[test]
fn an_exploited_configuration_is_completed() {
    let mut plan = cloning(2);
    plan.derived.push(tune_core::Derived {
        name: "twice".into(),
        expression: "x * 2".into(),
    });
    let mut lab = Lab::of(plan);
    lab.report(1, vec![Action::Keep(1)]);
    lab.report(0, vec![exploit(0, 1, 0.25)]);
    let twice = lab.trial(0).config.get("twice").cloned();
    assert_eq!(twice, Some(tune_core::records::Value::Number(0.5)));
    assert_eq!(lab.trial(0).suggested, config(0.25));
}

#[test]
fn workers_cannot_be_set_yet() {
    let mut lab = pair();
    assert_eq!(
        refused(&mut lab, 0, Action::SetWorkers(0, 4)),
        "set-workers of trial 0: this version of tune-host cannot do it yet, a trial has one worker"
    );
}

#[test]
fn a_pending_clone_may_be_exploited_again() {
    let mut lab = Lab::of(cloning(3));
    lab.report(1, vec![Action::Keep(1)]);
    lab.report(2, vec![]);
    lab.report(2, vec![Action::Keep(2)]);
    let handover = lab.report(0, vec![exploit(0, 1, 0.1), exploit(0, 2, 0.2)]);
    let clone = |source| Effect::Clone { target: 0, source };
    assert_eq!(effects(&handover), [clone(point(1, 1)), clone(point(2, 2))]);
    let trial = lab.trial(0);
    assert_eq!((trial.point(), trial.iteration), (point(2, 2), 2));
    assert_eq!((trial.segments.len(), trial.changes.len()), (2, 1));
    assert_eq!(trial.pending_change().unwrap().change.config, config(0.2));
}

#[test]
fn a_pending_clone_is_kept_as_the_state_that_it_took_over() {
    let mut lab = pair();
    let handover = lab.report(0, vec![exploit(0, 1, 0.1), Action::Keep(0)]);
    let keep = Effect::Keep {
        trial: 0,
        point: point(1, 1),
    };
    assert_eq!(effects(&handover)[1], keep);
    let kept = lab.trial(0).kept.unwrap();
    assert_eq!(
        (kept.point, kept.iteration, kept.fuel_total),
        (point(1, 1), 1, 10)
    );
}

#[test]
fn a_pending_clone_may_be_paused_and_goes_on_as_one() {
    let mut lab = pair();
    lab.report(0, vec![exploit(0, 1, 0.1), Action::Pause(0)]);
    let trial = lab.trial(0);
    assert_eq!((trial.phase, trial.point()), (Phase::Paused, point(1, 1)));
    assert_eq!(trial.kept.unwrap().point, point(1, 1));
    lab.script.resume.push_back(0);
    lab.report(1, vec![]);
    assert_eq!(lab.trial(0).phase, Phase::Running);
    let report = lab.report(0, vec![]).report.unwrap();
    assert_eq!(report.get("training_iteration"), Some(2.0));
}

#[test]
fn a_paused_trial_that_is_exploited_rests_on_what_it_took_over() {
    let mut lab = Lab::of(cloning(3));
    lab.report(1, vec![Action::Keep(1)]);
    lab.report(0, vec![Action::Pause(0)]);
    lab.report(1, vec![exploit(0, 1, 0.1)]);
    assert_eq!(lab.trial(0).kept.unwrap().point, point(1, 1));
    lab.report(2, vec![exploit(2, 0, 0.2)]);
    assert_eq!(lab.trial(2).point(), point(1, 1));
}

#[test]
fn a_change_of_a_pending_clone_takes_the_place_of_the_exploits() {
    let mut lab = pair();
    lab.report(
        0,
        vec![exploit(0, 1, 0.1), Action::SetConfig(0, config(0.9))],
    );
    let trial = lab.trial(0);
    assert_eq!(trial.point(), point(1, 1));
    assert_eq!((trial.generation, trial.changes.len()), (2, 1));
    assert_eq!(trial.pending_change().unwrap().change.config, config(0.9));
    // And the other way round.
    lab.report(
        0,
        vec![Action::SetConfig(0, config(0.9)), exploit(0, 1, 0.2)],
    );
    let change = lab.trial(0).pending_change().unwrap();
    assert_eq!(
        (change.before_step, &change.change.config),
        (4, &config(0.2))
    );
}

#[test]
fn a_pending_clone_may_be_stopped() {
    let mut lab = pair();
    let handover = lab.report(0, vec![exploit(0, 1, 0.1), Action::Stop(0)]);
    assert_eq!(effects(&handover)[1], Effect::Release(0));
    assert_eq!(lab.script.completed, [(0, Ending::Stopped)]);
    assert_eq!(lab.engine.sources(), [point(1, 1)].into());
}

#[test]
fn a_pending_clone_that_was_never_kept_is_a_source_as_what_it_took_over() {
    let mut lab = Lab::of(cloning(3));
    lab.report(1, vec![Action::Keep(1)]);
    lab.report(0, vec![exploit(0, 1, 0.1)]);
    lab.report(2, vec![exploit(2, 0, 0.2)]);
    assert_eq!(lab.trial(2).point(), point(1, 1));
    // Once it stepped it is none any more.
    lab.report(0, vec![]);
    let why = refused(&mut lab, 1, exploit(1, 0, 0.3));
    assert!(
        why.contains("trial 0, which was never kept or paused"),
        "{why}"
    );
}

#[test]
fn a_failed_step_of_a_clone_is_tried_again_from_where_it_began() {
    let mut lab = pair();
    lab.report(0, vec![exploit(0, 1, 0.1)]);
    let change = lab.trial(0).pending_change().cloned();
    let handover = lab.fail(0, FailureKind::Deadline);
    assert_eq!(effects(&handover), [Effect::Rebuild(0)]);
    let trial = lab.trial(0);
    assert_eq!(trial.point(), point(1, 1));
    assert_eq!(trial.pending_change().cloned(), change);
    assert_eq!((trial.iteration, trial.own_fuel), (1, 30));
}

#[test]
fn a_fresh_seed_of_a_retry_reaches_a_clone_by_its_change() {
    let mut plan = cloning(2);
    plan.retry_seed = RetrySeed::Fresh;
    let mut lab = Lab::of(plan);
    lab.report(1, vec![Action::Keep(1)]);
    lab.report(0, vec![exploit(0, 1, 0.1)]);
    let (setup, first) = (lab.trial(0).setup_seed, lab.trial(0).changes[0].clone());
    lab.fail(0, FailureKind::Trap);
    let trial = lab.trial(0);
    assert_eq!(trial.setup_seed, setup);
    assert_eq!(trial.changes.len(), 1);
    assert_eq!(trial.changes[0].change.config, first.change.config);
    assert_ne!(trial.changes[0].change.seed, first.change.seed);
}

#[test]
fn of_a_trial_that_will_be_tried_again_nothing_is_kept_or_replaced() {
    let mut lab = pair();
    lab.script.actions = vec![Action::Keep(0), exploit(0, 1, 0.1)];
    let handover = lab.fail(0, FailureKind::Deadline);
    assert_eq!(effects(&handover), [Effect::Rebuild(0)]);
    assert!(dropped(&handover).is_empty(), "information, not an offence");
    assert_eq!(lab.trial(0).kept, None);
}

#[test]
fn a_resource_may_go_back_to_the_donors_and_no_further() {
    let mut plan = cloning(2);
    plan.time_attr = "epochs".into();
    let mut lab = Lab::of(plan);
    let epochs = |n: f64| Ok(Report::default().with("loss", 1.0).with("epochs", n));
    lab.script.actions = vec![Action::Keep(1)];
    lab.end(1, epochs(3.0));
    lab.script.actions = vec![exploit(0, 1, 0.1)];
    lab.end(0, epochs(8.0));
    lab.end(0, epochs(4.0));
    assert_eq!(lab.trial(0).failures, 0);
    lab.script.actions = vec![exploit(0, 1, 0.1)];
    lab.end(0, epochs(9.0));
    lab.end(0, epochs(2.0));
    let failure = lab.trial(0).failure.clone().unwrap();
    assert!(
        failure
            .message
            .contains("trial 0: `epochs` went back from 3 to 2"),
        "{}",
        failure.message
    );
}

#[test]
fn the_best_report_is_told_apart_when_an_iteration_comes_twice() {
    let mut lab = Lab::of(cloning(2));
    let loss = |x: f64| Ok(Report::default().with("loss", x));
    lab.script.actions = vec![Action::Keep(1)];
    lab.end(1, loss(5.0));
    lab.end(0, loss(4.0));
    lab.script.actions = vec![exploit(0, 1, 0.125)];
    lab.end(0, loss(3.0));
    // Iteration 2 again, and better.
    lab.end(0, loss(2.0));
    let best = lab.engine.best().unwrap();
    let report = best.best.unwrap();
    assert_eq!((best.id, report.iteration, report.reports), (0, 2, 3));
    assert_eq!(best.config_at(report.reports), &config(0.125));
    // A clone takes no best over: those are of the trial's own reports.
    lab.script.actions = vec![exploit(1, 0, 0.5)];
    lab.end(1, loss(6.0));
    assert_eq!(lab.trial(1).best.unwrap().value, 5.0);
}

#[test]
fn a_trial_ends_when_the_donors_resource_and_its_own_together_reach_the_end() {
    let mut plan = cloning(2);
    plan.max_t = Some(3.0);
    let mut lab = Lab::of(plan);
    lab.report(1, vec![]);
    lab.report(1, vec![Action::Keep(1)]);
    lab.report(0, vec![exploit(0, 1, 0.1)]);
    lab.report(0, vec![]);
    assert_eq!(lab.trial(0).phase, Phase::Ended(Ending::Finished));
}

fn starting_from(source: TrialId) -> Proposal {
    Proposal {
        config: config(0.25),
        start_from: Some(source),
        ..Proposal::default()
    }
}

/// Trial 0 ends at a budget of 2 under `fifo`; then this is suggested.
fn after_a_budget(next: Vec<Proposal>) -> (Lab, tune_core::Handover) {
    let mut plan = cloning(2);
    plan.slots = 1;
    plan.scheduler.0 = "fifo".into();
    let first = Proposal {
        config: config(0.5),
        budget: Some(2.0),
        ..Proposal::default()
    };
    let script = Script {
        proposals: [first].into_iter().chain(next).collect(),
        ..Script::default()
    };
    let (mut lab, _) = Lab::open(plan, script);
    lab.report(0, vec![]);
    let handover = lab.report(0, vec![]);
    (lab, handover)
}

#[test]
fn a_trial_that_reached_its_budget_is_kept_and_another_starts_from_it() {
    let (mut lab, handover) = after_a_budget(vec![Proposal {
        seed: Some(99),
        ..starting_from(0)
    }]);
    let source = point(0, 2);
    let keep = Effect::Keep {
        trial: 0,
        point: source,
    };
    let clone = Effect::Clone { target: 1, source };
    assert_eq!(effects(&handover), [keep, Effect::Release(0), clone]);
    assert!(handover.notes.contains(&Note::Exploited {
        target: 1,
        source,
        iteration: 2
    }));
    let trial = lab.trial(1);
    assert_eq!(
        (trial.point(), trial.iteration, trial.own_fuel),
        (source, 2, 0)
    );
    let change = &trial.pending_change().unwrap().change;
    assert_eq!((change.seed, &change.config), (99, &config(0.25)));
    let report = lab.report(1, vec![]).report.unwrap();
    assert_eq!(report.get("training_iteration"), Some(3.0));
    let recipe = lab.engine.recipe(point(1, 1), &|_| false).unwrap();
    assert_eq!(recipe.steps.len(), 3);
}

#[test]
fn a_trial_that_starts_from_no_state_is_refused() {
    let (lab, handover) = after_a_budget(vec![starting_from(7), starting_from(1)]);
    let rejected: Vec<_> = handover
        .notes
        .iter()
        .filter_map(|n| match n {
            Note::Rejected(why) => Some(why.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(
        rejected,
        [
            "suggestion for trial 1: it starts from the unknown trial 7: name one that was created",
            "suggestion for trial 1: it starts from the unknown trial 1: name one that was created",
        ]
    );
    assert_eq!(lab.trial(1).segments[0].origin, Origin::Setup);

    let mut plan = cloning(3);
    plan.slots = 2;
    let script = Script {
        proposals: [starting_from(0), starting_from(0)].into_iter().collect(),
        ..Script::default()
    };
    let (mut lab, handover) = Lab::open(plan.clone(), script);
    assert_eq!(handover.created.len(), 2);
    lab.script.proposals.push_back(starting_from(1));
    let handover = lab.report(0, vec![Action::Stop(0)]);
    assert!(
        handover
            .notes
            .iter()
            .any(|n| matches!(n, Note::Rejected(why) if why.contains(
                "it starts from trial 1, which was never kept or paused nor reached a budget"
            )))
    );

    plan.clones = false;
    let (mut lab, _) = Lab::open(plan, Script::default());
    lab.script.proposals.push_back(starting_from(1));
    let handover = lab.report(0, vec![Action::Stop(0)]);
    assert!(
        handover
            .notes
            .iter()
            .any(|n| matches!(n, Note::Rejected(why) if why.contains(
                "the searcher `random` does not say in its manifest"
            )))
    );
}

#[test]
fn trial_0_goes_on_from_an_imported_state() {
    let mut plan = cloning(2);
    plan.imported = Some(Imported {
        iteration: 40,
        fuel_total: 4_000,
        config: config(0.125),
        last: Some(Report::default().with("training_iteration", 40.0)),
        state: [7; 32],
    });
    let mut lab = Lab::of(plan);
    let trial = lab.trial(0);
    assert_eq!(
        (trial.iteration, trial.fuel_total, trial.axis),
        (40, 4_000, Some(40.0))
    );
    assert_eq!(trial.segments[0].origin, Origin::Imported);
    let change = &trial.pending_change().unwrap().change;
    assert_eq!(change.config, config(0.5));
    assert_ne!(change.seed, lab.trial(1).setup_seed);
    let report = lab.report(0, vec![]).report.unwrap();
    assert_eq!(report.get("training_iteration"), Some(41.0));
    assert_eq!(report.get("fuel_total"), Some(4_010.0));
    let recipe = lab.engine.recipe(point(0, 1), &|_| false).unwrap();
    assert_eq!((recipe.base, recipe.steps.len()), (Base::Imported, 1));
    assert_eq!(lab.trial(1).segments[0].origin, Origin::Setup);
}

#[test]
fn a_lineage_is_repeated_with_its_seeds() {
    let mut plan = cloning(2);
    plan.lineage = Some(Lineage {
        seed: 11,
        changes: vec![(1, 12), (3, 13)],
    });
    let mut lab = Lab::of(plan);
    assert_eq!(lab.trial(0).setup_seed, 11);
    assert_ne!(lab.trial(1).setup_seed, 11);
    let seed = |lab: &Lab, id| lab.trial(id).pending_change().unwrap().change.seed;
    lab.report(0, vec![Action::SetConfig(0, config(0.1))]);
    assert_eq!(seed(&lab, 0), 12);
    lab.report(0, vec![Action::SetConfig(0, config(0.2))]);
    assert!(![11, 12, 13].contains(&seed(&lab, 0)), "not in the lineage");
    lab.report(0, vec![Action::SetConfig(0, config(0.3))]);
    assert_eq!(seed(&lab, 0), 13);
    lab.report(1, vec![Action::SetConfig(1, config(0.3))]);
    assert_ne!(seed(&lab, 1), 12);
}

#[test]
fn the_searcher_is_told_what_is_known_a_thousand_at_a_time() {
    let mut plan = cloning(2);
    let known = Observation {
        config: config(0.5),
        last: Some(Report::default().with("loss", 1.0)),
        ending: Ending::Finished,
    };
    plan.known = vec![known; 2_001];
    let mut lab = Lab::of(plan);
    assert_eq!(lab.script.told, [1_000, 1_000, 1]);
    lab.report(0, vec![]);
    assert_eq!(lab.script.told.len(), 3, "once");
}

#[test]
fn numbers_that_json_cannot_write_survive_in_a_plan() {
    let mut plan = cloning(2);
    let last = Report::default()
        .with("loss", f64::NAN)
        .with("high", f64::INFINITY)
        .with("low", f64::NEG_INFINITY)
        .with("plain", 0.1 + 0.2);
    plan.known.push(Observation {
        config: config(0.5),
        last: Some(last),
        ending: Ending::Finished,
    });
    let text = serde_json::to_string(&plan).unwrap();
    let again: tune_core::EnginePlan = serde_json::from_str(&text).unwrap();
    let digest = |plan| tune_core::plan_digest(plan, &[]);
    assert_eq!(digest(&again), digest(&plan));
    let last = again.known[0].last.as_ref().unwrap();
    assert!(last.get("loss").unwrap().is_nan());
    assert_eq!(last.get("low"), Some(f64::NEG_INFINITY));
}

#[test]
fn a_change_of_build_marks_the_digest_and_changes_nothing_else() {
    let changed = |what: &str| {
        let mut lab = pair();
        let before = (lab.engine.now(), format!("{:?}", lab.engine.trials()));
        let handover = lab.apply(Event::Changed { what: what.into() });
        assert!(handover.entry.answers.is_empty() && handover.effects.is_empty());
        assert_eq!(
            before,
            (lab.engine.now(), format!("{:?}", lab.engine.trials()))
        );
        assert_eq!(lab.engine.sequence(), handover.sequence + 1);
        *lab.engine.digest()
    };
    assert_ne!(changed("wasmtime 48"), changed("wasmtime 49"));
    assert_ne!(changed("wasmtime 48"), *pair().engine.digest());
    let mut engine = Engine::new(cloning(2), [1; 32]).unwrap();
    let what = String::new();
    let error = engine
        .apply(Event::Changed { what }, &mut Script::default())
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("a run is opened once, first of all"),
        "{error}"
    );
}
