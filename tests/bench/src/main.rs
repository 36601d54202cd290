//! Every benchmark: `cargo run --release -p tune-bench -- NAME`.
//!
//! Prints tables; asserts nothing about time. What must hold on every machine (equal digests, equal
//! bits) makes the exit code non-zero. The last tables that somebody kept are in
//! `docs/benchmarks.md`.

#![expect(clippy::print_stdout, reason = "printing is what it is for")]

mod ballast;
mod checkpoint;
mod clone;
mod conversation;
mod deciders;
mod decisions;
mod derived;
mod digest;
mod digits;
mod ending;
mod epoch;
mod gpu;
mod limits;
mod machine;
mod nested;
mod order;
mod overhead;
mod paused;
mod pbt;
mod python;
mod show;
mod simulator;
mod soak;
mod stage;
mod suggest;
mod threats;
mod trial;
mod ways;

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use stage::Stage;

/// Runs on the stage; false if something that must hold did not.
type Benchmark = fn(&Stage) -> Result<bool>;

const ALL: [(&str, &str, Benchmark); 17] = [
    ("digits", "tpe + asha against fifo on digits", digits::run),
    (
        "digest",
        "one digest whatever the machine does",
        digest::run,
    ),
    ("order", "deterministic against arrival order", order::run),
    (
        "overhead",
        "trials and reports that do nothing",
        overhead::run,
    ),
    (
        "epoch",
        "an epoch in the sandbox against native code",
        epoch::run,
    ),
    (
        "gpu",
        "the GPU in the sandbox against wgpu itself",
        gpu::run,
    ),
    (
        "clone",
        "keeping and cloning a trial, by size and by what changes",
        clone::run,
    ),
    (
        "checkpoint",
        "states on the disk: their time and their size",
        checkpoint::run,
    ),
    (
        "pbt",
        "population based training: its cost, and what it finds",
        pbt::run,
    ),
    (
        "paused",
        "paused trials in memory, and how soon a long run goes on",
        paused::run,
    ),
    (
        suggest::NAME,
        "a suggestion after many trials: native, sandboxed, and Optuna's (`suggest SEARCHER` for one)",
        suggest::run,
    ),
    (
        "decisions",
        "what schedulers decide in a second: native, sandboxed, and Optuna's",
        decisions::run,
    ),
    (
        "conversation",
        "what a request of ask-tell and schedule costs beside the plugin",
        conversation::run,
    ),
    (
        "simulator",
        "reports of simulated runs in a second, and Syne Tune's",
        simulator::run,
    ),
    (
        "limits",
        "what all limits together cost against fuel alone",
        limits::run,
    ),
    (
        "soak",
        "ten thousand trials, a third of them hostile (`soak NUMBER` for more)",
        soak::run,
    ),
    (
        "threats",
        "how each hostile guest ends, and its neighbours",
        threats::run,
    ),
];

fn main() -> Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let chosen: Vec<_> = match arguments.as_slice() {
        ["all"] => ALL.to_vec(),
        // Not for people: the process that the benchmark `digest` kills.
        [digest::VICTIM, directory] => {
            digest::victim(Path::new(directory))?;
            return Ok(ExitCode::SUCCESS);
        }
        [soak::PEACEFUL, trials] => {
            soak::peaceful(&Stage::new()?, trials.parse()?)?;
            return Ok(ExitCode::SUCCESS);
        }
        [soak::NAME, trials] => {
            let trials = trials.parse().context("the number of trials")?;
            println!("{}", machine::describe());
            let holds = soak::of(&Stage::new()?, trials)?;
            return Ok(exit(holds));
        }
        [suggest::NAME, searcher] => {
            println!("{}", machine::describe());
            let holds = suggest::of(&Stage::new()?, searcher)?;
            return Ok(exit(holds));
        }
        [name] => ALL
            .into_iter()
            .filter(|(known, ..)| known == name)
            .collect(),
        _ => Vec::new(),
    };
    if chosen.is_empty() {
        let names: Vec<String> = ALL
            .iter()
            .map(|(name, what, _)| format!("  {name:<12} {what}"))
            .collect();
        bail!(
            "which benchmark?\n{}\n  all          all of them",
            names.join("\n")
        );
    }
    let stage = Stage::new()?;
    println!("{}", machine::describe());
    let mut holds = true;
    for (name, what, benchmark) in chosen {
        println!("\n## {what}\n`cargo run --release -p tune-bench -- {name}`\n");
        holds &= benchmark(&stage)?;
    }
    Ok(exit(holds))
}

fn exit(holds: bool) -> ExitCode {
    if holds {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
