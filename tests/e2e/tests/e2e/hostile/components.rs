//! What a compiler would not write: start functions, allocators and answers made to hurt whoever
//! reads them. Where it is in the step, every other trial of the run is good and must finish.

use serde_json::Value;

use super::text::Text;
use crate::{experiment::Experiment, lab::Lab, outcome};

fn lab(text: &Text) -> (Lab, Experiment) {
    let lab = Lab::new();
    lab.write("mine.wasm", text.component());
    // All begin at the same virtual time: when another one ends cannot be seen.
    let experiment = Experiment::of("./mine.wasm").top("slots = 4").table(
        "[limits]\nfuel_per_step = 20_000_000\nmemory = \"4 MiB\"\ntable_elements = 1_000\n\
         handles = 100\nhostcall_bytes = \"1 MiB\"",
    );
    (lab, experiment)
}

/// The trials of these statuses; the story of the second holds these parts.
#[track_caller]
fn ends(text: &Text, statuses: [&str; 4], parts: &[&str]) -> Lab {
    let (lab, experiment) = lab(text);
    let said = lab.run(&experiment, &[]).exits(1);
    assert_eq!(lab.statuses("exp"), statuses, "{said}");
    let trial = lab.trial("exp", 1);
    let story = trial["failure"].as_str().unwrap();
    for part in parts {
        assert!(story.contains(part), "no {part:?} in {story}");
    }
    lab
}

/// All that two trials leave, without what the clock said.
fn of_even_trials(lab: &Lab) -> [(Value, String); 2] {
    [0, 2].map(|id| {
        let mut trial = lab.trial("exp", id);
        outcome::strip(&mut trial);
        (
            trial,
            lab.tune(&["show", "exp", &id.to_string(), "--log"]).stdout,
        )
    })
}

/// Nobody can use it.
#[track_caller]
fn all(text: &Text, kind: &str, parts: &[&str]) {
    ends(text, [kind; 4], parts);
}

/// The others are not touched: what they leave is what they leave where no trial does it.
#[track_caller]
pub(super) fn odd(step: &'static str, more: &'static str, kind: &str, parts: &[&str]) {
    odd_of(
        &Text {
            step,
            more,
            ..Text::default()
        },
        kind,
        parts,
    );
}

#[track_caller]
pub(super) fn odd_of(text: &Text, kind: &str, parts: &[&str]) {
    let hostile = ends(text, ["finished", kind, "finished", kind], parts);
    let peaceful = Text {
        peaceful: true,
        ..text.clone()
    };
    let (lab, experiment) = lab(&peaceful);
    lab.run(&experiment, &[]).exits(0);
    assert_eq!(of_even_trials(&hostile), of_even_trials(&lab));
}

const SPIN: &str = "(loop $again (br $again))";
pub(super) const FUEL: &[&str] = &["20000000", "fuel_per_step", "hint"];

#[test]
fn nothing_hostile_finishes() {
    let (lab, experiment) = lab(&Text::default());
    lab.run(&experiment, &[]).exits(0);
    assert_eq!(lab.statuses("exp"), ["finished"; 4]);
}

// --- start code and allocators -------------------------------------------------------------------

#[test]
fn spin_in_start_function() {
    let text = Text {
        more: "(func $start (loop $again (br $again))) (start $start)",
        ..Text::default()
    };
    all(&text, "out-of-fuel", FUEL);
}

#[test]
fn trap_in_start_function() {
    let text = Text {
        more: "(func $start unreachable) (start $start)",
        ..Text::default()
    };
    all(&text, "trap", &["hint"]);
}

#[test]
fn take_memory_in_start_function() {
    let text = Text {
        more: "(func $start (loop $again (drop (memory.grow (i32.const 1))) (br $again)))
            (start $start)",
        ..Text::default()
    };
    all(&text, "memory", &["4194304 allowed", "hint"]);
}

#[test]
fn spin_in_realloc() {
    let text = Text {
        realloc: SPIN,
        ..Text::default()
    };
    all(&text, "out-of-fuel", FUEL);
}

#[test]
fn trap_in_realloc() {
    let text = Text {
        realloc: "unreachable",
        ..Text::default()
    };
    all(&text, "trap", &["hint"]);
}

#[test]
fn call_the_host_in_realloc() {
    let text = Text {
        realloc: "(call $log (i32.const 0) (i32.const 4112) (i32.const 4))",
        ..Text::default()
    };
    all(&text, "trap", &["hint"]);
}

#[test]
fn realloc_outside_memory() {
    let text = Text {
        realloc: "(return (i32.const -8))",
        ..Text::default()
    };
    all(&text, "trap", &["hint"]);
}

// --- memory, tables, stack -----------------------------------------------------------------------

#[test]
fn memory_larger_than_allowed_from_the_start() {
    let text = Text {
        more: "(memory 1000)",
        ..Text::default()
    };
    all(&text, "memory", &["4194304 allowed", "hint", "`memory`"]);
}

#[test]
fn many_memories_within_their_number_share_one_limit() {
    // Each alone is below the limit.
    let text = Text {
        more: "(memory 20) (memory 20) (memory 20) (memory 20)",
        ..Text::default()
    };
    all(&text, "memory", &["4194304 allowed", "hint"]);
}

#[test]
fn more_memories_than_allowed() {
    // No instance of it could ever be made.
    let text = Text {
        more: "(memory 0) (memory 0) (memory 0) (memory 0) (memory 0) (memory 0) (memory 0)
            (memory 0) (memory 0) (memory 0) (memory 0) (memory 0) (memory 0) (memory 0)
            (memory 0) (memory 0) (memory 0) (memory 0) (memory 0) (memory 0)",
        ..Text::default()
    };
    let (lab, experiment) = lab(&text);
    lab.run(&experiment, &[])
        .exits(3)
        .says(&["mine", "21 memories, 16 are allowed", "hint"]);
}

#[test]
fn grow_a_table_for_ever() {
    odd(
        "(loop $again
            (drop (table.grow $t (ref.null func) (i32.const 10)))
            (br $again))",
        "(table $t 1 funcref)",
        "memory",
        &["elements of tables wanted, 1000 allowed", "hint"],
    );
}

#[test]
fn recurse_on_the_stack_of_the_machine() {
    odd(
        "(drop (call $deeper (i32.const 0)))",
        "(func $deeper (param i32) (result i32)
            (i32.add (call $deeper (i32.add (local.get 0) (i32.const 1))) (i32.const 1)))",
        "trap",
        &["call stack exhausted", "512 KiB"],
    );
}

// --- answers -------------------------------------------------------------------------------------

#[test]
fn list_longer_than_memory() {
    odd(
        "(i32.store (i32.const 2060) (i32.const -1))",
        "",
        "trap",
        &["hint"],
    );
}

#[test]
fn one_string_a_hundred_thousand_times() {
    // Each metric's name is the same 60,000 bytes: 6 GB for whoever copies them.
    odd(
        "(drop (memory.grow (i32.const 40)))
        (loop $next
            (i32.store offset=65536 (i32.shl (local.get $i) (i32.const 4)) (i32.const 0))
            (i32.store offset=65540 (i32.shl (local.get $i) (i32.const 4)) (i32.const 60000))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $next (i32.lt_u (local.get $i) (i32.const 100000))))
        (i32.store (i32.const 2056) (i32.const 65536))
        (i32.store (i32.const 2060) (i32.const 100000))",
        "",
        "bad-value",
        &["hostcall_bytes", "hint"],
    );
}

#[test]
fn name_that_is_no_text() {
    odd(
        "(i32.store (i32.const 4112) (i32.const -1))",
        "",
        "trap",
        &["utf-8", "hint"],
    );
}

#[test]
fn answer_of_no_case() {
    odd(
        "(i32.store8 (i32.const 2048) (i32.const 77))",
        "",
        "trap",
        &["hint"],
    );
}

#[test]
fn answer_at_no_place() {
    odd("(return (i32.const -16))", "", "trap", &["hint"]);
}

#[test]
fn answer_between_places() {
    odd("(return (i32.const 2049))", "", "trap", &["hint"]);
}

// --- portable state ------------------------------------------------------------------------------

#[test]
fn portable_state_without_end() {
    let text = Text {
        more: r#"(@custom "tune:manifest" "{\"mutable_parameters\":[\"rate\"]}")
            (func $start (i32.store8 (i32.const 2064) (i32.const 0))) (start $start)
            (func (export "tune:plugin/portable-state@0.1.0#save-chunk")
                (param i64 i32) (result i32)
                (i32.store8 (i32.const 3072) (i32.const 0))
                (i32.store (i32.const 3076) (i32.const 0))
                (i32.store (i32.const 3080) (i32.const 65536))
                i32.const 3072)
            (func (export "tune:plugin/portable-state@0.1.0#restore-chunk")
                (param i64 i32 i32) (result i32) i32.const 1024)"#,
        // It cannot follow a change: its state is to be carried to a new instance.
        reconfigure: "(i32.store8 (i32.const 3092) (i32.const 1)) i32.const 3088",
        world: "export portable-state;",
        ..Text::default()
    };
    let (lab, experiment) = lab(&text);
    let experiment = experiment
        .trials(2)
        .top("max_t = 6")
        .space("rate = { uniform = [0.5, 1.0] }")
        .table(&format!(
            "[scheduler]\nplugin = {:?}\nscript = [\"0@4 keep\", \"1@2 pause\", \
             \"0@5 exploit 1 0 0.75\"]",
            tune_test_artifacts::SCHEDULER_SCRIPT
        ));
    let said = lab.run(&experiment, &[]).exits(1);
    assert_eq!(lab.statuses("exp"), ["finished", "bad-value"], "{said}");
    said.says(&["save-chunk", "no end", "4194304 allowed", "hint"]);
}
