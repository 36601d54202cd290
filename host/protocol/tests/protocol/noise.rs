//! Whatever comes in, one line goes out and nothing panics.

use proptest::prelude::*;
use serde_json::{Value, json};
use tune_protocol::{AskTell, Protocol};
use tune_scheduler_asha::Asha;
use tune_scheduler_hyperband::Hyperband;
use tune_searchers::Tpe;

use crate::talk::{launch, schedule};

fn number() -> impl Strategy<Value = Value> {
    prop_oneof![
        8 => (0u64..6).prop_map(Value::from),
        1 => Just(Value::Null),
        1 => Just(json!(-1)),
        1 => Just(json!(1e300)),
        1 => Just(json!("x")),
    ]
}

fn request() -> impl Strategy<Value = String> {
    let two = (number(), number(), number());
    let line = (0u8..12, two).prop_map(|(kind, (a, b, c))| match kind {
        0 => json!({"cmd":"next"}),
        1 | 2 => json!({"cmd":"next","new_trial":a}),
        3 | 4 => json!({"cmd":"result","trial":a,"t":b,"value":c}),
        5 => json!({"cmd":"complete","trial":a,"value":b}),
        6 => json!({"cmd":"error","trial":a}),
        7 => json!({"cmd":"ask","id":a}),
        8 => json!({"cmd":"tell","id":a,"value":b}),
        9 => json!({"cmd":"report","id":a,"step":b,"value":c}),
        10 => json!({"cmd":"tell","id":a,"params":{"x":b},"value":c}),
        _ => json!({"cmd":"start","direction":"minimize","max_t":b}),
    });
    prop_oneof![
        20 => line.prop_map(|json| json.to_string()),
        1 => ".{0,40}",
        1 => Just(r#"{"cmd":"#.to_owned()),
    ]
}

/// Every line has one reply, which is an object; what is refused is refused again at once.
fn holds(talk: &mut impl Protocol, start: &Value, lines: &[String]) -> Result<(), TestCaseError> {
    let first = start.to_string();
    for line in std::iter::once(&first).chain(lines) {
        let reply = talk.reply(line.as_bytes());
        prop_assert!(!reply.text.contains('\n') && !reply.last);
        let value: Value = serde_json::from_str(&reply.text).unwrap();
        prop_assert!(value.is_object());
        if value.get("error").is_some() {
            let again: Value = serde_json::from_str(&talk.reply(line.as_bytes()).text).unwrap();
            prop_assert!(
                again.get("error").is_some(),
                "{line}: {value}, then {again}"
            );
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_requests_of_schedule_have_one_reply_each(lines in prop::collection::vec(request(), 0..60)) {
        let start = json!({"cmd":"start","direction":"maximize","max_t":5,"slots":2});
        holds(&mut schedule::<Asha>(json!({"type": "promotion"})), &start, &lines)?;
        holds(&mut schedule::<Hyperband>(json!({})), &start, &lines)?;
    }

    #[test]
    fn any_requests_of_ask_tell_have_one_reply_each(lines in prop::collection::vec(request(), 0..60)) {
        let space = json!([{"name":"x","kind":"int","low":0,"high":5}]);
        let start = json!({"cmd":"start","direction":"maximize","max_t":5,"space":space});
        let mut talk = AskTell::new(launch::<Tpe, Asha>(json!({}), json!({})), true);
        holds(&mut talk, &start, &lines)?;
    }
}
