//! `ask-tell`: suggestions within the space, results of all kinds, and a scheduler beside.

use serde_json::{Value, json};
use tune_protocol::{AskTell, config_from_json, space_to_json};
use tune_scheduler_asha::Asha;
use tune_scheduler_hyperband::Hyperband;
use tune_searcher_random::Random;
use tune_searchers::Tpe;
use tune_space::{
    Condition, Config, Domain, GaussianSpread, Parameter, RealRange, Space, Stream, WholeRange,
};

use crate::talk::{ask_tell, launch, refused, say};

fn space() -> Value {
    json!([
        {"name":"p0","kind":"cat","choices":["linear","rbf"]},
        {"name":"p1","kind":"float","low":1e-3,"high":1e3,"log":true},
        {"name":"p2","kind":"int","low":2,"high":5,"when":{"param":"p0","in":["rbf"]}},
        {"name":"p3","kind":"float","low":0,"high":1,"step":0.25},
    ])
}

fn start() -> Value {
    json!({"cmd":"start","direction":"minimize","seed":3,"budget":40,"space":space()})
}

fn started() -> AskTell {
    let mut talk = ask_tell::<Tpe>(json!({}));
    assert_eq!(say(&mut talk, start()), json!({"ok": true}));
    talk
}

#[test]
fn only_active_parameters_are_suggested_and_within_their_bounds() {
    let mut talk = started();
    let mut seen = [0, 0];
    for id in 0..40 {
        let reply = say(&mut talk, json!({"cmd":"ask","id":id}));
        let params = &reply["params"];
        let rbf = params["p0"] == "rbf";
        seen[usize::from(rbf)] += 1;
        assert_eq!(params.get("p2").is_some(), rbf, "{params}");
        let p1 = params["p1"].as_f64().unwrap();
        assert!((1e-3..=1e3).contains(&p1), "{params}");
        assert_eq!(
            (params["p3"].as_f64().unwrap() * 4.0).fract(),
            0.0,
            "{params}"
        );
        let tell = json!({"cmd":"tell","id":id,"params":params,"value":(p1 - 0.5).abs()});
        assert_eq!(say(&mut talk, tell), json!({"ok": true}));
    }
    assert!(seen[0] > 0 && seen[1] > 0, "{seen:?}");
    // The budget is used up.
    assert_eq!(
        say(&mut talk, json!({"cmd":"ask","id":40})),
        json!({"exhausted": true})
    );
}

#[test]
fn results_from_elsewhere_are_learned_from() {
    let one = json!([{"name":"x","kind":"float","low":0,"high":1}]);
    let near = |told: bool| {
        let mut talk = ask_tell::<Tpe>(json!({}));
        say(
            &mut talk,
            json!({"cmd":"start","direction":"minimize","seed":1,"space":one}),
        );
        if told {
            for id in 0..60 {
                let x = f64::from(id) / 59.0;
                let tell =
                    json!({"cmd":"tell","id":1000 + id,"params":{"x":x},"value":(x - 0.7).abs()});
                assert_eq!(say(&mut talk, tell), json!({"ok": true}));
            }
        }
        let asked = (0..8).map(|id| say(&mut talk, json!({"cmd":"ask","id":id})));
        asked
            .filter(|r| (r["params"]["x"].as_f64().unwrap() - 0.7).abs() < 0.1)
            .count()
    };
    assert!(
        near(true) > near(false) + 2,
        "{} {}",
        near(true),
        near(false)
    );
}

#[test]
fn failures_and_several_objectives_are_told() {
    let mut talk = started();
    say(&mut talk, json!({"cmd":"ask","id":5}));
    assert_eq!(
        say(&mut talk, json!({"cmd":"tell","id":5,"value":null})),
        json!({"ok": true})
    );
    let two = json!({"cmd":"start","direction":["minimize","maximize"],"space":space()});
    let mut talk = ask_tell::<Random>(json!({}));
    assert_eq!(say(&mut talk, two), json!({"ok": true}));
    say(&mut talk, json!({"cmd":"ask","id":0}));
    let one = refused(&mut talk, r#"{"cmd":"tell","id":0,"value":1}"#);
    assert!(one.contains("there are 2 objectives"), "{one}");
    assert!(refused(&mut talk, r#"{"cmd":"tell","id":0,"values":[1]}"#).contains("2 numbers"));
    let both = json!({"cmd":"tell","id":0,"values":[1, null]});
    assert_eq!(say(&mut talk, both), json!({"ok": true}));
}

#[test]
fn a_finite_space_is_exhausted() {
    let mut talk = ask_tell::<tune_searchers::Grid>(json!({}));
    let space = json!([{"name":"k","kind":"cat","choices":[1, "b", true]}]);
    say(
        &mut talk,
        json!({"cmd":"start","direction":"minimize","space":space}),
    );
    let asked: Vec<Value> = (0..4)
        .map(|id| say(&mut talk, json!({"cmd":"ask","id":id})))
        .collect();
    assert_eq!(asked[0], json!({"params": {"k": 1}}));
    assert_eq!(asked[2], json!({"params": {"k": true}}));
    assert_eq!(asked[3], json!({"exhausted": true}));
}

#[test]
fn a_scheduler_beside_stops_what_is_not_worth_going_on_with() {
    let mut talk = AskTell::new(launch::<Random, Asha>(json!({}), json!({})), true);
    let mut start = start();
    start["max_t"] = json!(16);
    say(&mut talk, start);
    let report = |id: u64, step: u32, value: Value| json!({"cmd":"report","id":id,"step":step,"value":value});
    for id in 0..8 {
        say(&mut talk, json!({"cmd":"ask","id":id}));
        let reply = say(&mut talk, report(id, 1, json!(0.0)));
        assert_eq!(reply, json!({"decision": "continue"}));
    }
    say(&mut talk, json!({"cmd":"ask","id":8}));
    assert_eq!(
        say(&mut talk, report(8, 1, json!(9.0))),
        json!({"decision": "stop"})
    );
    // A client that did not listen hears it again.
    assert_eq!(
        say(&mut talk, report(8, 2, json!(9.0))),
        json!({"decision": "stop"})
    );
    assert_eq!(
        say(&mut talk, json!({"cmd":"tell","id":8,"value":9.0})),
        json!({"ok": true})
    );
    assert_eq!(
        say(&mut talk, report(0, 16, json!(0.0))),
        json!({"decision": "stop"})
    );
    assert_eq!(
        say(&mut talk, json!({"cmd":"tell","id":0,"value":0.0})),
        json!({"ok": true})
    );
    let back = refused(&mut talk, r#"{"cmd":"report","id":1,"step":0,"value":1}"#);
    assert!(back.contains("went back"), "{back}");
    let twice = refused(&mut talk, r#"{"cmd":"report","id":8,"step":3,"value":1}"#);
    assert!(twice.contains("was told before"), "{twice}");
}

#[test]
fn a_scheduler_that_pauses_is_told_from_one_that_stops() {
    let mut talk = AskTell::new(launch::<Random, Hyperband>(json!({}), json!({})), true);
    let mut start = start();
    start["max_t"] = json!(9);
    say(&mut talk, start.clone());
    say(&mut talk, json!({"cmd":"ask","id":0}));
    let error = refused(&mut talk, r#"{"cmd":"report","id":0,"step":1,"value":1}"#);
    assert!(
        error.contains("pauses trials") && error.contains("send `start`"),
        "{error}"
    );
    let over = refused(&mut talk, r#"{"cmd":"ask","id":1}"#);
    assert!(
        over.contains("pauses trials") && over.contains("send `start` first"),
        "{over}"
    );
    assert_eq!(say(&mut talk, start), json!({"ok": true}));
}

#[test]
fn a_request_that_is_not_right_names_what_is_wrong_and_changes_nothing() {
    let mut talk = ask_tell::<Tpe>(json!({}));
    assert!(refused(&mut talk, r#"{"cmd":"ask","id":0}"#).contains("send `start` first"));
    say(&mut talk, start());
    say(&mut talk, json!({"cmd":"ask","id":0}));
    for (line, what) in [
        (r#"{"cmd":"ask"}"#, "needs the field `id`"),
        (r#"{"cmd":"ask","id":1.5}"#, "`id` is 1.5"),
        (r#"{"cmd":"ask","id":0}"#, "used before"),
        (r#"{"cmd":"tell","id":7,"value":1}"#, "never asked"),
        (r#"{"cmd":"tell","id":0}"#, "needs the field `value`"),
        (r#"{"cmd":"tell","id":0,"value":"x"}"#, "`value` is \"x\""),
        (
            r#"{"cmd":"tell","id":0,"value":1,"params":{"p0":"linear","p1":1,"p3":0.5}}"#,
            "are not those",
        ),
        (
            r#"{"cmd":"tell","id":9,"value":1,"params":{"p0":"x"}}"#,
            "`p0` is \"x\"",
        ),
        (
            r#"{"cmd":"tell","id":9,"value":1,"params":{"q":1}}"#,
            "`q` is no parameter",
        ),
        (
            r#"{"cmd":"tell","id":9,"value":1,"params":{"p0":"linear","p1":1}}"#,
            "`p3` is missing",
        ),
        (
            r#"{"cmd":"tell","id":9,"value":1,"params":{"p0":"linear","p1":1e4,"p3":0}}"#,
            "`p1` is 10000",
        ),
        (
            r#"{"cmd":"report","id":0,"step":1,"value":1}"#,
            "without a scheduler",
        ),
        (
            r#"{"cmd":"start","direction":"minimize"}"#,
            "needs the field `space`",
        ),
        (
            r#"{"cmd":"start","direction":"minimize","space":3}"#,
            "it is a list",
        ),
        (
            r#"{"cmd":"start","direction":"minimize","space":[{"kind":"cat"}]}"#,
            "`name` is missing",
        ),
        (
            r#"{"cmd":"start","direction":"minimize","space":[{"name":"a","kind":"x"}]}"#,
            "`kind` must be",
        ),
        (
            r#"{"cmd":"start","direction":"minimize","space":[{"name":"a","kind":"float","low":1,"high":0}]}"#,
            "`a`",
        ),
        (
            r#"{"cmd":"start","direction":"minimize","space":[{"name":"a","kind":"int","low":1.5,"high":3}]}"#,
            "whole number",
        ),
        (
            r#"{"cmd":"start","direction":"minimize","space":[{"name":"a","kind":"cat","choices":[]}]}"#,
            "`a`",
        ),
        (
            r#"{"cmd":"start","direction":"minimize","space":[{"name":"a","kind":"int","low":1,"high":3,"when":{"param":"b","in":[1]}}]}"#,
            "no earlier parameter",
        ),
    ] {
        let error = refused(&mut talk, line);
        assert!(error.contains(what), "{line}: {error}");
    }
    assert_eq!(
        say(&mut talk, json!({"cmd":"tell","id":0,"value":1.5})),
        json!({"ok": true})
    );
    assert!(refused(&mut talk, r#"{"cmd":"tell","id":0,"value":1}"#).contains("told before"));
}

#[test]
fn a_written_space_is_the_one_that_start_reads_and_configurations_come_back_equal() {
    let parameter = |name: &str, domain: Domain| Parameter {
        name: name.to_owned(),
        domain,
        conditions: Vec::new(),
    };
    let real = |log, step| {
        Domain::Real(RealRange {
            low: 0.5,
            high: 8.0,
            log,
            step,
        })
    };
    let mut child = parameter(
        "child",
        Domain::Whole(WholeRange {
            low: 1,
            high: 64,
            log: true,
            step: None,
        }),
    );
    child.conditions.push(Condition {
        parent: "kind".to_owned(),
        among: vec!["a".into()],
    });
    let space = Space::new(vec![
        parameter(
            "kind",
            Domain::Choice(vec!["a".into(), 3.into(), true.into()]),
        ),
        parameter("size", Domain::Ordered(vec![8.into(), 16.into()])),
        parameter("rate", real(true, None)),
        parameter("share", real(false, Some(0.25))),
        child,
    ])
    .unwrap();
    let written = space_to_json(&space).unwrap();
    let mut talk = ask_tell::<Random>(json!({}));
    let start = json!({"cmd":"start","direction":"minimize","space":written});
    assert_eq!(say(&mut talk, start), json!({"ok": true}));
    for id in 0..50 {
        let reply = say(&mut talk, json!({"cmd":"ask","id":id}));
        let config = config_from_json(&space, &reply["params"]).unwrap();
        assert_eq!(config.to_json(), reply["params"]);
    }
    let mut stream = Stream::new(1);
    for _ in 0..50 {
        let config = space.sample(&mut stream, &Config::new()).unwrap();
        assert_eq!(config_from_json(&space, &config.to_json()), Ok(config));
    }
    let normal = GaussianSpread {
        mean: 0.0,
        sd: 1.0,
        step: None,
    };
    let normal = Space::new(vec![parameter("x", Domain::Gaussian(normal))]).unwrap();
    assert_eq!(space_to_json(&normal), None);
}
