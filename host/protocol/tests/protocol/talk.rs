//! A conversation with native plugins.

use serde_json::{Value, json};
use tune_plugin::{Scheduler, Searcher};
use tune_protocol::{AskTell, Launch, Protocol, Schedule};
use tune_scheduler_fifo::Fifo;
use tune_searcher_random::Random;
use tune_simulation::Native;

/// Starts native plugins with these options.
pub(crate) fn launch<Se: Searcher, Sc: Scheduler>(searcher: Value, scheduler: Value) -> Launch {
    Box::new(move |setup| {
        let mut options = scheduler.clone();
        let asked: Value = serde_json::from_str(&setup.options).unwrap();
        let takes = Sc::NAME != Fifo::NAME && Sc::NAME != "median-stopping";
        if let (true, Value::Object(asked)) = (takes, asked) {
            options.as_object_mut().unwrap().extend(asked);
        }
        let native = Native::<Se, Sc>::new(setup, &searcher.to_string(), &options.to_string());
        match native {
            Ok(native) => Ok(Box::new(native)),
            Err(errors) => Err(errors[0].message.clone()),
        }
    })
}

pub(crate) fn schedule<Sc: Scheduler>(options: Value) -> Schedule {
    Schedule::new(launch::<Random, Sc>(json!({}), options))
}

pub(crate) fn ask_tell<Se: Searcher>(options: Value) -> AskTell {
    AskTell::new(launch::<Se, Fifo>(options, json!({})), false)
}

/// What is answered to a request.
pub(crate) fn say(protocol: &mut impl Protocol, request: Value) -> Value {
    let reply = protocol.reply(request.to_string().as_bytes());
    assert!(!reply.text.contains('\n'), "one line: {}", reply.text);
    serde_json::from_str(&reply.text).unwrap()
}

/// The error that a line is answered with.
pub(crate) fn refused(protocol: &mut impl Protocol, line: &str) -> String {
    let reply = protocol.reply(line.as_bytes());
    let value: Value = serde_json::from_str(&reply.text).unwrap();
    match value["error"].as_str() {
        Some(error) => error.to_owned(),
        None => panic!("{line} was answered {value}"),
    }
}
