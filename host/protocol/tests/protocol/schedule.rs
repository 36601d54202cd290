//! `schedule`: the scheduler's decisions reach the client, and only what fits the state of a run is
//! taken.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tune_plugin::schedule::{ByRule, Queue};
use tune_plugin::{
    Action, Config, Creation, NoOptions, OptionError, Report, Scheduler, Setup, TrialId, Turn,
};
use tune_protocol::{MAX_LINE, Protocol, Schedule};
use tune_scheduler_asha::Asha;
use tune_scheduler_fifo::Fifo;
use tune_scheduler_hyperband::Hyperband;
use tune_scheduler_median_stopping::MedianStopping;

use crate::talk::{refused, say, schedule};

fn start(max_t: u32) -> Value {
    json!({"cmd":"start","direction":"maximize","max_t":max_t,"reduction_factor":3,"slots":4,"seed":1})
}

fn started<Sc: tune_plugin::Scheduler>(options: Value, max_t: u32) -> Schedule {
    let mut talk = schedule::<Sc>(options);
    assert_eq!(say(&mut talk, start(max_t)), json!({"ok": true}));
    talk
}

fn result(trial: u64, t: u32, value: f64) -> Value {
    json!({"cmd":"result","trial":trial,"t":t,"value":value})
}

/// A client with slots that trains trials step by step until it is told that all is done. The steps
/// of each trial.
fn drive(talk: &mut Schedule, trials: u64, slots: usize) -> BTreeMap<u64, u32> {
    let mut steps: BTreeMap<u64, u32> = BTreeMap::new();
    let (mut running, mut offered) = (Vec::new(), 100);
    for _ in 0..100_000 {
        while running.len() < slots {
            let request = if offered < 100 + trials {
                json!({"cmd":"next","new_trial":offered})
            } else {
                json!({"cmd":"next"})
            };
            let reply = say(talk, request);
            match &reply["run"] {
                Value::String(word) if word == "new" => {
                    running.push(offered);
                    steps.insert(offered, 0);
                    offered += 1;
                }
                Value::String(word) if word == "wait" => {
                    assert!(!running.is_empty(), "it waits though nothing runs");
                    break;
                }
                Value::String(word) if word == "done" => {
                    assert!(running.is_empty(), "done while others run");
                    return steps;
                }
                Value::Number(id) => running.push(id.as_u64().unwrap()),
                other => panic!("{other}: {reply}"),
            }
        }
        let trial = running.remove(0);
        let t = steps.get_mut(&trial).unwrap();
        *t += 1;
        // Later trials are better.
        let reply = say(talk, result(trial, *t, trial as f64));
        if reply["decision"] == "continue" {
            running.push(trial);
        }
        for action in reply["actions"].as_array().into_iter().flatten() {
            running.retain(|id| action["stop"] != json!(id));
        }
    }
    panic!("the run does not end");
}

#[test]
fn hyperband_halves_its_brackets_over_the_protocol() {
    let mut talk = started::<Hyperband>(json!({}), 9);
    let steps = drive(&mut talk, 9, 4);
    let mut reached: Vec<u32> = steps.values().copied().collect();
    reached.sort_unstable();
    // Nine at 1, the three best of them to 3, the best of these to 9.
    assert_eq!(reached, [1, 1, 1, 1, 1, 1, 3, 3, 9]);
    assert_eq!(steps[&108], 9, "the best one: {steps:?}");
}

#[test]
fn promotion_ends_when_nothing_can_be_promoted_and_leaves_the_rest_paused() {
    let mut talk = started::<Asha>(json!({"type": "promotion"}), 9);
    let steps = drive(&mut talk, 12, 3);
    assert_eq!(steps.len(), 12);
    assert!(
        steps.values().any(|t| *t == 9) && steps.values().any(|t| *t == 1),
        "{steps:?}"
    );
}

/// Stops every trial at the first result that it is told, which is none before 3.
struct Third(Queue);

impl Scheduler for Third {
    const NAME: &'static str = "third";
    const SUMMARY: &'static str = "Hears of trials from 3 on";
    type Options = NoOptions;

    fn init(_: &Setup, _: NoOptions) -> Result<Self, Vec<OptionError>> {
        Ok(Self(Queue::default()))
    }
    fn on_add(&mut self, trial: TrialId, _: &Config) -> Vec<Action> {
        self.0.add(trial);
        vec![
            Action::QuietUntil(trial, f64::NAN),
            Action::QuietUntil(trial, 3.0),
        ]
    }
    fn on_result(&mut self, trial: TrialId, _: &Report) -> Vec<Action> {
        vec![Action::Stop(trial)]
    }
    fn next_to_run(&mut self, creation: Creation) -> Turn {
        self.0.next(creation)
    }
}

#[test]
fn results_that_a_scheduler_need_not_hear_go_on() {
    let mut talk = schedule::<Third>(json!({}));
    let start = json!({"cmd":"start","direction":"maximize","max_t":9,"slots":1,"seed":1});
    assert_eq!(say(&mut talk, start), json!({"ok": true}));
    assert_eq!(
        drive(&mut talk, 2, 1).into_values().collect::<Vec<_>>(),
        [3, 3]
    );
}

#[test]
fn fifo_runs_everything_to_max_t_where_the_host_ends_a_trial() {
    let mut talk = started::<Fifo>(json!({}), 3);
    let steps = drive(&mut talk, 5, 2);
    assert!(
        steps.values().all(|t| *t == 3) && steps.len() == 5,
        "{steps:?}"
    );
}

#[test]
fn the_end_at_max_t_may_be_confirmed_once() {
    let mut talk = started::<Fifo>(json!({}), 2);
    assert_eq!(
        say(&mut talk, json!({"cmd":"next","new_trial":7})),
        json!({"run": "new"})
    );
    assert_eq!(
        say(&mut talk, result(7, 2, 0.5)),
        json!({"decision": "stop"})
    );
    let complete = json!({"cmd":"complete","trial":7,"value":0.5});
    assert_eq!(say(&mut talk, complete.clone()), json!({"ok": true}));
    let again = refused(&mut talk, &complete.to_string());
    assert!(again.contains("has ended at `max_t`"), "{again}");
}

#[test]
fn bad_trials_are_stopped_and_an_ended_one_has_no_more_results() {
    let mut talk = started::<ByRule<MedianStopping>>(json!({"grace_period": 1}), 100);
    for trial in 0..5 {
        say(&mut talk, json!({"cmd":"next","new_trial":trial}));
    }
    for trial in 0..4 {
        for t in 1..=3 {
            assert_eq!(
                say(&mut talk, result(trial, t, 1.0)),
                json!({"decision": "continue"})
            );
        }
    }
    assert_eq!(say(&mut talk, result(4, 1, 0.1))["decision"], "stop");
    let late = refused(&mut talk, &result(4, 2, 0.1).to_string());
    assert!(late.contains("trial 4 was stopped"), "{late}");
}

#[test]
fn trials_that_complete_or_fail_leave_their_slot() {
    let mut talk = started::<Fifo>(json!({}), 100);
    say(
        &mut talk,
        json!({"cmd":"next","new_trial":1,"params":{"x":0.5,"k":"rbf"}}),
    );
    say(&mut talk, json!({"cmd":"next","new_trial":2}));
    assert_eq!(
        say(&mut talk, json!({"cmd":"next"})),
        json!({"run": "wait"})
    );
    assert_eq!(
        say(&mut talk, json!({"cmd":"complete","trial":1,"value":null})),
        json!({"ok": true})
    );
    assert_eq!(
        say(&mut talk, json!({"cmd":"next"})),
        json!({"run": "wait"})
    );
    assert_eq!(
        say(&mut talk, json!({"cmd":"error","trial":2})),
        json!({"ok": true})
    );
    assert_eq!(
        say(&mut talk, json!({"cmd":"next"})),
        json!({"run": "done"})
    );
    // More can be created later all the same.
    assert_eq!(
        say(&mut talk, json!({"cmd":"next","new_trial":3})),
        json!({"run": "new"})
    );
}

#[test]
fn a_request_that_is_not_right_names_what_is_wrong_and_changes_nothing() {
    let mut talk = schedule::<Asha>(json!({}));
    let early = refused(&mut talk, r#"{"cmd":"next","new_trial":0}"#);
    assert!(early.contains("send `start` first"), "{early}");
    say(&mut talk, start(9));
    say(&mut talk, json!({"cmd":"next","new_trial":0}));
    say(&mut talk, result(0, 2, 0.5));
    for (line, what) in [
        ("", "not JSON"),
        ("nonsense", "not JSON"),
        ("[1]", "no object"),
        ("{}", "no `cmd`"),
        (r#"{"cmd":5}"#, "must be text"),
        (r#"{"cmd":"dance"}"#, "no command `dance`"),
        (r#"{"cmd":"next","new_trial":-1}"#, "`new_trial` is -1"),
        (r#"{"cmd":"next","new_trial":"a"}"#, "`new_trial` is \"a\""),
        (r#"{"cmd":"next","new_trial":0}"#, "trial 0 is running"),
        (
            r#"{"cmd":"next","new_trail":1}"#,
            "did you mean `new_trial`",
        ),
        (r#"{"cmd":"next","new_trial":1,"params":3}"#, "`params`"),
        (
            r#"{"cmd":"result","trial":5,"t":1,"value":0}"#,
            "no trial 5",
        ),
        (
            r#"{"cmd":"result","trial":0,"value":0}"#,
            "needs the field `t`",
        ),
        (
            r#"{"cmd":"result","trial":0,"t":3}"#,
            "needs the field `value`",
        ),
        (
            r#"{"cmd":"result","trial":0,"t":null,"value":0}"#,
            "`t` is null",
        ),
        (
            r#"{"cmd":"result","trial":0,"t":3,"value":"x"}"#,
            "`value` is \"x\"",
        ),
        (
            r#"{"cmd":"result","trial":0,"t":1,"value":0}"#,
            "went back from 2 to 1",
        ),
        (
            r#"{"cmd":"result","trial":0,"t":3,"value":NaN}"#,
            "written null",
        ),
        (r#"{"cmd":"complete","trial":9}"#, "no trial 9"),
        (r#"{"cmd":"error","trial":9}"#, "no trial 9"),
        (r#"{"cmd":"start"}"#, "needs the field `direction`"),
        (
            r#"{"cmd":"start","direction":"up"}"#,
            "`direction` is \"up\"",
        ),
        (
            r#"{"cmd":"start","direction":"maximize","max_t":0}"#,
            "`max_t` is 0",
        ),
        (
            r#"{"cmd":"start","direction":"maximize","max_t":9,"slots":0}"#,
            "`slots` is 0",
        ),
        (
            r#"{"cmd":"start","direction":["maximize","minimize"]}"#,
            "one objective",
        ),
    ] {
        let error = refused(&mut talk, line);
        assert!(error.contains(what), "{line}: {error}");
    }
    let long = format!("{{\"cmd\":\"{}\"}}", "x".repeat(MAX_LINE));
    assert!(refused(&mut talk, &long).contains("longer than"));
    // The run is as it was.
    assert_eq!(
        say(&mut talk, result(0, 2, 0.5)),
        json!({"decision": "continue"})
    );
}

#[test]
fn numbers_that_are_none_count_as_the_worst() {
    let mut talk = started::<Asha>(json!({}), 9);
    for trial in 0..6 {
        say(&mut talk, json!({"cmd":"next","new_trial":trial}));
        say(&mut talk, result(trial, 1, 0.5));
    }
    say(&mut talk, json!({"cmd":"next","new_trial":6}));
    let lost = json!({"cmd":"result","trial":6,"t":1,"value":null});
    assert_eq!(say(&mut talk, lost), json!({"decision": "stop"}));
}

#[test]
fn a_start_forgets_the_run_before_and_the_same_start_decides_the_same() {
    let mut talk = started::<Asha>(json!({"brackets": 2}), 27);
    let first = drive(&mut talk, 30, 3);
    say(&mut talk, start(27));
    assert_eq!(drive(&mut talk, 30, 3), first);
}

#[test]
fn stop_is_answered_and_is_the_last() {
    let mut talk = schedule::<Asha>(json!({}));
    let reply = talk.reply(br#"{"cmd":"stop"}"#);
    assert_eq!((reply.text.as_str(), reply.last), (r#"{"ok":true}"#, true));
}
