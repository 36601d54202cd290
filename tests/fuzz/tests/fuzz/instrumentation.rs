//! The pass over a component, on components that a generator of WebAssembly wrote: what comes out
//! is valid and computes what the original does, and a state of it goes on anywhere as it did; or the
//! pass refuses, with the reason.

use std::borrow::Cow;

use tune_fuzz::{Generated, Outcome, Target, generate};
use tune_snapshot::{Copying, Layout, Snapshotable, Tracking, features, instrument};
use wasmparser::Validator;

use crate::machine::{Ended, Program, assert_images_equal};

/// Calls of one instance.
const CALLS: usize = 8;

#[test]
fn what_is_instrumented_is_valid_and_goes_on_from_any_state() {
    let target = Target {
        name: "instrumentation",
        iterations: 250,
        seeds: Vec::new(),
        words: Vec::new(),
        scratch: crate::scratch(),
    };
    let summary = target.run(|entropy| match generate(entropy, features()) {
        None => Outcome::refused("the random bytes are no component"),
        Some(component) => check(&component, entropy),
    });
    assert!(summary.taken * 4 > summary.executions, "{summary:?}");
}

fn check(component: &Generated, entropy: &[u8]) -> Outcome {
    let valid = |bytes: &[u8]| Validator::new_with_features(features()).validate_all(bytes);
    valid(&component.bytes).unwrap();
    let made = instrument(&component.bytes).unwrap_or_else(|error| panic!("{error}"));
    let layout = match (&made.survey.snapshotable, &made.layout) {
        (Snapshotable::Yes, Some(layout)) => layout,
        (Snapshotable::No { constructs }, None) => {
            assert!(!constructs.is_empty());
            assert!(matches!(made.bytes, Cow::Borrowed(_)));
            return Outcome::refused(&constructs.join(", "));
        }
        (said, layout) => panic!("{said:?}, but {layout:?}"),
    };
    valid(&made.bytes).unwrap();
    let numbers: Vec<u64> = (entropy.rchunks_exact(8).take(CALLS))
        .map(|bytes| {
            bytes
                .iter()
                .fold(0, |number, byte| number << 8 | u64::from(*byte))
        })
        .collect();
    let tracking = Tracking::ALL[entropy[0] as usize % Tracking::ALL.len()];
    let copying = if entropy[0] < 128 {
        Copying::Map
    } else {
        Copying::Eager
    };
    compare(
        component,
        &made.bytes,
        layout,
        &numbers,
        (tracking, copying),
    )
}

fn compare(
    component: &Generated,
    instrumented: &[u8],
    layout: &Layout,
    numbers: &[u64],
    (tracking, copying): (Tracking, Copying),
) -> Outcome {
    let original = Program::new(&component.bytes, None, Tracking::Copy);
    let program = Program::new(instrumented, Some(layout), tracking);
    let (original, program) = match (original, program) {
        (Ok(original), Ok(program)) => (original, program),
        (Err(error), Err(_)) => return Outcome::refused(&error),
        (original, program) => panic!("{:?}, but {:?}", original.err(), program.err()),
    };
    let (mut original, mut straight) = match (original.start(), program.start()) {
        (Ok(original), Ok(program)) => (original, program),
        (Err(error), Err(again)) => {
            assert_eq!(error, again);
            return Outcome::refused(&error);
        }
        (original, program) => panic!("{:?}, but {:?}", original.err(), program.err()),
    };
    if component.functions.is_empty() {
        return Outcome::taken("nothing to call");
    }
    let mut wanted: Vec<Ended> = Vec::new();
    let mut states = vec![straight.capture()];
    for number in numbers {
        let ended = original.call(component, *number);
        assert_eq!(
            straight.call(component, *number),
            ended,
            "instrumented and original"
        );
        let over = ended.trapped();
        wanted.push(ended);
        if over {
            break;
        }
        states.push(straight.capture());
    }
    let trapped = wanted.last().is_some_and(Ended::trapped);
    let end = straight.images();
    assert_images_equal(&original.images(), &end);

    // From every state, in a fresh instance and over one that has gone on.
    let mut live = program.start().unwrap();
    for (from, state) in states.iter().enumerate() {
        let mut fresh = program.start().unwrap();
        fresh.restore(state, copying);
        fresh.capture().assert_equals(state);
        for (number, wanted) in numbers.iter().zip(&wanted).skip(from) {
            assert_eq!(&fresh.call(component, *number), wanted, "from state {from}");
        }
        assert_images_equal(&fresh.images(), &end);
        if live.fits(state) {
            live.restore(state, copying);
            live.capture().assert_equals(state);
            if let Some((number, wanted)) = numbers.iter().zip(&wanted).nth(from) {
                assert_eq!(
                    &live.call(component, *number),
                    wanted,
                    "over a live one, {from}"
                );
                if wanted.trapped() {
                    break;
                }
            }
        }
    }
    Outcome::taken(format!(
        "{} memories, {} globals, {} calls{}",
        layout.memories.len(),
        layout.globals.len().min(3),
        wanted.len(),
        if trapped { ", then a trap" } else { "" }
    ))
}
