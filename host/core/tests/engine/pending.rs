//! A trial that took over a state and has not stepped since.

use tune_core::records::{Action, Ending, FailureKind};
use tune_core::{Effect, Phase, RetrySeed};

use crate::script::{Lab, cloning, config, effects, exploit, pair, point, refused};

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
