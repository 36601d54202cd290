//! What may be kept, copied and changed when, and what a scheduler is told that tries it otherwise.

use tune_core::Effect;
use tune_core::records::{Action, FailureKind};

use crate::script::{
    Lab, cloning, config, dropped, effects, exploit, one_waits, pair, point, refused,
};

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
fn workers_cannot_be_set_yet() {
    let mut lab = pair();
    assert_eq!(
        refused(&mut lab, 0, Action::SetWorkers(0, 4)),
        "set-workers of trial 0: this version of tune-host cannot do it yet, a trial has one worker"
    );
}

#[test]
fn a_trial_is_quiet_until_a_number_and_only_while_it_lives() {
    let mut lab = pair();
    assert_eq!(
        refused(&mut lab, 0, Action::QuietUntil(0, f64::NAN)),
        "quiet-until of trial 0: NaN is no resource; give a number that it can come to"
    );
    let why = refused(&mut lab, 0, Action::QuietUntil(7, 3.0));
    assert!(
        why.starts_with("quiet-until of the unknown trial 7"),
        "{why}"
    );
    lab.report(1, vec![Action::Stop(1)]);
    let why = refused(&mut lab, 0, Action::QuietUntil(1, 3.0));
    assert!(
        why.starts_with("quiet-until of trial 1, which has ended"),
        "{why}"
    );
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
