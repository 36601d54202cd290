//! What hostile trials took is given back when they end: a process that runs many of them has no
//! more memory at its peak than one that runs a few.

use std::{cell::Cell, fs};

use super::{calls::with_stdout, text::Text};
use crate::{experiment::Experiment, lab::Lab};

/// More than the noise of an allocator and of threads that begin at other times, and far less than
/// what the trials of the longer run take together.
const MARGIN_KIB: u64 = 64 << 10;

const LIMITS: &str = "[limits]\nfuel_per_step = 50_000_000\nmemory = \"16 MiB\"\nhostcall_bytes = \"1 MiB\"\n\
     table_elements = 1_000_000\nhandles = 1000\nlog_bytes = \"1 MiB\"\n\
     artifact_bytes = \"1 MiB\"\nartifact_count = 10000";

/// The most resident memory, and the most address space, of a process that runs this.
fn peak(experiment: &Experiment, wasm: Option<&[u8]>) -> [u64; 2] {
    let lab = Lab::new();
    if let Some(wasm) = wasm {
        lab.write("mine.wasm", wasm);
    }
    lab.write("data/a.bin", [1]);
    let file = lab.file(experiment);
    let mut run = lab.start(&["run", &file, "--threads", "2", "--quiet"]);
    let status = format!("/proc/{}/status", run.id());
    let most = Cell::new([0; 2]);
    run.until(|| {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let of = |key: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(key));
            let number = line.and_then(|line| line.split_whitespace().next());
            number.and_then(|n| n.parse().ok()).unwrap_or(0)
        };
        let [resident, mapped] = most.get();
        most.set([resident.max(of("VmHWM:")), mapped.max(of("VmPeak:"))]);
        false
    });
    let said = run.wait();
    assert!(matches!(said.code, Some(0 | 1)), "{said}");
    most.get()
}

/// A few and many of them.
fn is_returned(of: impl Fn(u32) -> Experiment, wasm: Option<&[u8]>) {
    let few = peak(&of(4), wasm);
    let many = peak(&of(48), wasm);
    assert!(
        many[0] < few[0] + MARGIN_KIB,
        "resident: {few:?} and {many:?} KiB"
    );
    // A memory that stays mapped is 4 GiB of addresses; some are on their way to be given back.
    let memory = 4 << 20;
    assert!(
        many[1] < few[1] + 8 * memory,
        "mapped: {few:?} and {many:?} KiB"
    );
}

fn of_way(way: &str) {
    let of = |trials| {
        Experiment::of(tune_test_artifacts::HOSTILE_TRAINABLE)
            .trials(trials)
            .top("slots = 4")
            .space(&format!(
                "hostile = {way:?}\nx = {{ uniform = [0.0, 1.0] }}"
            ))
            .table("[grants]\nartifact = true")
            .table("[[data]]\nname = \"numbers\"\npath = \"data\"")
            .table(LIMITS)
    };
    is_returned(of, None);
}

fn of_text(text: &Text) {
    let wasm = text.component();
    let of = |trials| {
        Experiment::of("./mine.wasm")
            .trials(trials)
            .top("slots = 4")
            .table(LIMITS)
    };
    is_returned(of, Some(&wasm));
}

#[test]
fn memory_of_trials() {
    of_way("take_memory_in_step");
}

#[test]
fn logs_of_trials() {
    of_way("print_for_ever");
}

#[test]
fn artifacts_of_trials() {
    of_way("too_large_artifacts");
    of_way("too_many_artifacts");
}

#[test]
fn huge_lists_of_trials() {
    of_way("huge_report");
}

#[test]
fn tables_of_trials() {
    of_text(&Text {
        step: "(loop $again
            (drop (table.grow $t (ref.null func) (i32.const 10000)))
            (br $again))",
        more: "(table $t 1 funcref)",
        ..Text::default()
    });
}

#[test]
fn handles_of_trials() {
    of_text(&with_stdout("(loop $again (drop (call $out)) (br $again))"));
}
