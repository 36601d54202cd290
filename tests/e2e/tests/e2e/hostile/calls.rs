//! Calls of the host with rubbish in them, or too many: made by every other trial of a run, and the
//! others must finish.

use super::{
    components::{FUEL, odd, odd_of},
    text::Text,
};

#[test]
fn log_line_that_is_no_text() {
    odd(
        "(i32.store (i32.const 6000) (i32.const -1))
        (call $log (i32.const 0) (i32.const 6000) (i32.const 4))",
        "",
        "trap",
        &["utf-8", "hint"],
    );
}

#[test]
fn log_line_longer_than_memory() {
    odd(
        "(call $log (i32.const 0) (i32.const 16) (i32.const -1))",
        "",
        "trap",
        &["hint"],
    );
}

#[test]
fn log_at_a_level_that_is_none() {
    odd(
        "(call $log (i32.const 99) (i32.const 4112) (i32.const 4))",
        "",
        "trap",
        &["hint"],
    );
}

pub(crate) fn with_stdout(step: &'static str) -> Text {
    Text {
        step,
        more: r#"(import "wasi:cli/stdout@0.2.6" "get-stdout" (func $out (result i32)))
            (import "wasi:io/streams@0.2.6" "[method]output-stream.check-write"
                (func $write (param i32 i32)))"#,
        world: "import wasi:io/error@0.2.6; import wasi:io/streams@0.2.6; import wasi:cli/stdout@0.2.6;",
        ..Text::default()
    }
}

#[test]
fn take_handles_for_ever() {
    let text = with_stdout("(loop $again (drop (call $out)) (br $again))");
    odd_of(
        &text,
        "bad-value",
        &["100 handles", "`handles` in [limits]", "hint"],
    );
}

#[test]
fn use_a_handle_that_was_never_given() {
    odd_of(
        &with_stdout("(call $write (i32.const 12345) (i32.const 6000))"),
        "trap",
        &["handle", "hint"],
    );
}

pub(crate) fn with_random(step: &'static str) -> Text {
    Text {
        step,
        more: r#"(import "wasi:random/random@0.2.6" "get-random-bytes"
                (func $random (param i64 i32)))"#,
        world: "import wasi:random/random@0.2.6;",
        ..Text::default()
    }
}

#[test]
fn ask_for_more_random_bytes_than_there_are() {
    let text = with_random("(call $random (i64.const -1) (i32.const 6000))");
    odd_of(
        &text,
        "bad-value",
        &[
            "18446744073709551615",
            "1048576 allowed",
            "`random_bytes`",
            "hint",
        ],
    );
}

#[test]
fn ask_for_random_bytes_for_ever() {
    let text = with_random(
        "(loop $again
            (global.set $heap (i32.const 8192))
            (call $random (i64.const 10000) (i32.const 6000))
            (br $again))",
    );
    odd_of(&text, "out-of-fuel", FUEL);
}
