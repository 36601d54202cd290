//! Tables of handles in any shape: a guest that makes and drops handles in an order of the test's
//! choosing, and writes their numbers into its memory, goes on the same in another instance.

use std::fmt::Write as _;

use tune_core::{Limits, Metering};
use tune_runtime::{Plugin, Trial};

use crate::guests::{ZEROS, component_with, trainable_text};
use crate::{load, start};

/// The part of WASI that the guest uses.
const WASI: [(&str, &str); 4] = [
    (
        "io",
        "package wasi:io@0.2.6;
        interface poll { resource pollable { block: func(); } }
        interface streams {
            use poll.{pollable};
            resource output-stream { subscribe: func() -> pollable; }
            resource input-stream { subscribe: func() -> pollable; }
        }",
    ),
    (
        "cli",
        "package wasi:cli@0.2.6;
        interface stdout { use wasi:io/streams@0.2.6.{output-stream};
            get-stdout: func() -> output-stream; }
        interface stderr { use wasi:io/streams@0.2.6.{output-stream};
            get-stderr: func() -> output-stream; }
        interface stdin { use wasi:io/streams@0.2.6.{input-stream};
            get-stdin: func() -> input-stream; }",
    ),
    (
        "clocks",
        "package wasi:clocks@0.2.6;
        interface monotonic-clock { use wasi:io/poll@0.2.6.{pollable};
            now: func() -> u64;
            subscribe-duration: func(when: u64) -> pollable; }",
    ),
    (
        "random",
        "package wasi:random@0.2.6;
        interface random { get-random-u64: func() -> u64; }
        interface insecure { get-insecure-random-u64: func() -> u64; }",
    ),
];

const WORLD: &str = "world handles {
    include trainable-plugin;
    import wasi:io/poll@0.2.6;
    import wasi:io/streams@0.2.6;
    import wasi:cli/stdout@0.2.6;
    import wasi:cli/stderr@0.2.6;
    import wasi:cli/stdin@0.2.6;
    import wasi:clocks/monotonic-clock@0.2.6;
    import wasi:random/random@0.2.6;
    import wasi:random/insecure@0.2.6;
}";

/// With a global beside: not all state is memory.
const IMPORTS: &str = r#"
    (import "wasi:cli/stdout@0.2.6" "get-stdout" (func $out (result i32)))
    (import "wasi:cli/stderr@0.2.6" "get-stderr" (func $err (result i32)))
    (import "wasi:cli/stdin@0.2.6" "get-stdin" (func $in (result i32)))
    (import "wasi:clocks/monotonic-clock@0.2.6" "now" (func $now (result i64)))
    (import "wasi:clocks/monotonic-clock@0.2.6" "subscribe-duration"
        (func $sleep (param i64) (result i32)))
    (import "wasi:io/streams@0.2.6" "[method]output-stream.subscribe"
        (func $wait_out (param i32) (result i32)))
    (import "wasi:io/streams@0.2.6" "[method]input-stream.subscribe"
        (func $wait_in (param i32) (result i32)))
    (import "wasi:io/streams@0.2.6" "[resource-drop]output-stream" (func $drop_out (param i32)))
    (import "wasi:io/streams@0.2.6" "[resource-drop]input-stream" (func $drop_in (param i32)))
    (import "wasi:io/poll@0.2.6" "[method]pollable.block" (func $block (param i32)))
    (import "wasi:io/poll@0.2.6" "[resource-drop]pollable" (func $drop_poll (param i32)))
    (import "wasi:random/random@0.2.6" "get-random-u64" (func $random (result i64)))
    (import "wasi:random/insecure@0.2.6" "get-insecure-random-u64"
        (func $insecure (result i64)))
    (global $steps (mut f64) (f64.const 0.5))
"#;

/// What the guest does in one step. A number is the place where it keeps a handle.
#[derive(Clone, Copy, Debug)]
enum Move {
    Out(usize),
    Err(usize),
    In(usize),
    Sleep(usize),
    /// The wait for the stream in the second place.
    WaitOut(usize, usize),
    WaitIn(usize, usize),
    DropOut(usize),
    DropIn(usize),
    DropPoll(usize),
}

fn place(place: usize) -> usize {
    600 + 4 * place
}

/// A move, and the use of what it touched.
fn text(step: Move) -> String {
    let keep = |at, make: &str| format!("(i32.store (i32.const {}) {make})", place(at));
    let held = |at| format!("(i32.load (i32.const {}))", place(at));
    let block = |at| format!("(call $block {})", held(at));
    match step {
        Move::Out(at) => keep(at, "(call $out)"),
        Move::Err(at) => keep(at, "(call $err)"),
        Move::In(at) => keep(at, "(call $in)"),
        Move::Sleep(at) => keep(at, "(call $sleep (i64.const 1234567))"),
        Move::WaitOut(at, of) => keep(at, &format!("(call $wait_out {})", held(of))) + &block(at),
        Move::WaitIn(at, of) => keep(at, &format!("(call $wait_in {})", held(of))) + &block(at),
        Move::DropOut(at) => format!("(call $drop_out {})", held(at)),
        Move::DropIn(at) => format!("(call $drop_in {})", held(at)),
        Move::DropPoll(at) => block(at) + &format!("(call $drop_poll {})", held(at)),
    }
}

fn plugin(moves: &[Move]) -> Plugin {
    let mut step = String::from(
        "(local.set $i (i32.load (i32.const 512)))
        (i32.store (i32.const 512) (i32.add (local.get $i) (i32.const 1)))
        (i64.store (i32.const 520) (call $random))
        (i64.store (i32.const 528) (call $insecure))
        (i64.store (i32.const 536) (call $now))
        (global.set $steps (f64.mul (global.get $steps) (f64.const 1.25)))
        (f64.store (i32.const 544) (global.get $steps))\n",
    );
    for (i, made) in moves.iter().enumerate() {
        let text = text(*made);
        writeln!(
            step,
            "(if (i32.eq (local.get $i) (i32.const {i})) (then {text}))"
        )
        .unwrap();
    }
    step.push_str(ZEROS);
    let module = trainable_text(&step, IMPORTS, "0.1.0");
    let bytes = component_with(&module, "handles", "0.1.0", WORLD, &WASI);
    load(&bytes, Metering::Fuel).unwrap()
}

fn step(trial: &mut Trial) -> [u8; 32] {
    trial.step(0).unwrap();
    trial.snapshot().unwrap().state_hash().unwrap()
}

/// After every move the state goes on the same in a new instance and over every other state.
fn goes_on_after_every_move(moves: &[Move]) {
    let plugin = plugin(moves);
    let mut trial = plugin.trial(start(&Limits::default())).unwrap();
    trial.setup(0).unwrap();
    let states: Vec<_> = moves
        .iter()
        .map(|_| {
            trial.step(0).unwrap();
            trial.snapshot().unwrap()
        })
        .collect();
    let hashes: Vec<_> = states.iter().map(|s| s.state_hash().unwrap()).collect();
    for (i, state) in states.iter().enumerate() {
        let mut fresh = plugin
            .restore_trial(start(&Limits::default()), state, 0)
            .unwrap();
        for (j, expected) in hashes.iter().enumerate().skip(i + 1) {
            assert_eq!(step(&mut fresh), *expected, "{i} to {j} of {moves:?}");
        }
        // Now it is at the end; back to every state, then one step on.
        for (j, other) in states.iter().enumerate() {
            fresh.restore_over(other, 0).unwrap();
            let back = fresh.snapshot().unwrap().state_hash().unwrap();
            assert_eq!(Some(&back), hashes.get(j), "back to {j} of {moves:?}");
            fresh.restore_over(state, 0).unwrap();
            if let Some(expected) = hashes.get(i + 1) {
                assert_eq!(step(&mut fresh), *expected, "{j} to {i} of {moves:?}");
            }
        }
    }
}

#[test]
fn gaps_between_handles_are_given_out_in_the_same_order() {
    use Move::{DropIn, DropOut, DropPoll, Err, In, Out, Sleep, WaitIn, WaitOut};
    goes_on_after_every_move(&[
        Sleep(0),
        Sleep(1),
        Out(2),
        WaitOut(3, 2),
        DropPoll(0),
        DropPoll(1),
        In(4),
        WaitIn(5, 4),
        Err(6),
        DropPoll(3),
        DropOut(2),
        Sleep(7),
        DropPoll(5),
        DropIn(4),
        Out(8),
        Out(9),
        WaitOut(10, 8),
        DropOut(9),
        DropPoll(7),
        DropOut(6),
        Sleep(0),
        Sleep(1),
        DropPoll(10),
        DropOut(8),
        DropPoll(0),
        DropPoll(1),
        Err(0),
    ]);
}

#[test]
fn any_history_of_handles_goes_on() {
    // Xorshift64: moves of every kind in an order of no meaning.
    let mut seed = 0x9E37_79B9_7F4A_7C15_u64;
    let mut draw = |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed >> 33) as usize % below
    };
    for _ in 0..4 {
        let (mut moves, mut next) = (Vec::new(), 0);
        // Streams with their waits, and sleeps, by the place of each.
        let mut streams: Vec<(usize, bool, Vec<usize>)> = Vec::new();
        let mut sleeps = Vec::new();
        while moves.len() < 30 {
            let (drop, pick) = (draw(2) == 0, draw(100));
            if drop && !sleeps.is_empty() && pick < 40 {
                moves.push(Move::DropPoll(sleeps.remove(pick % sleeps.len())));
            } else if drop && !streams.is_empty() {
                let at = pick % streams.len();
                let (stream, is_out, waits) = &mut streams[at];
                moves.push(match waits.pop() {
                    Some(wait) => Move::DropPoll(wait),
                    None if *is_out => Move::DropOut(*stream),
                    None => Move::DropIn(*stream),
                });
                if matches!(moves.last(), Some(Move::DropOut(_) | Move::DropIn(_))) {
                    streams.remove(at);
                }
            } else if !drop {
                match pick % 5 {
                    0 => moves.push(Move::Out(next)),
                    1 => moves.push(Move::Err(next)),
                    2 => moves.push(Move::In(next)),
                    3 => moves.push(Move::Sleep(next)),
                    _ if streams.is_empty() => continue,
                    _ => {
                        let at = pick % streams.len();
                        let (stream, is_out, waits) = &mut streams[at];
                        waits.push(next);
                        moves.push(if *is_out {
                            Move::WaitOut(next, *stream)
                        } else {
                            Move::WaitIn(next, *stream)
                        });
                    }
                }
                match moves.last() {
                    Some(Move::Sleep(_)) => sleeps.push(next),
                    Some(Move::Out(_) | Move::Err(_)) => streams.push((next, true, Vec::new())),
                    Some(Move::In(_)) => streams.push((next, false, Vec::new())),
                    _ => {}
                }
                next += 1;
            }
        }
        goes_on_after_every_move(&moves);
    }
}
