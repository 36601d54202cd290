//! What the GPU costs in the sandbox beside the same program on wgpu itself: calls, submissions, transfers,
//! and an epoch of `gpu-mlp`.

use std::time::{Duration, Instant};

use anyhow::Result;
use tune_core::records::{Config, Report, Value};
use tune_core::{GpuCosts, Metering};
use tune_plugin::Trainable as _;
use tune_runtime::{Adapters, GpuGrant, Grants};
use tune_test_guests::{DISPATCHES, GpuBench, GpuWork};
use tune_trainable_gpu_mlp::GpuMlp;

use crate::show;
use crate::stage::{Stage, workspace};
use crate::trial::{SEED, Trial};

/// Both ways take turns so often; the fastest turn counts, which nothing disturbed.
const ROUNDS: usize = 7;
/// Pieces of work of a turn: some milliseconds at least, so that the step around them does not count.
const PIECES: [(GpuWork, usize, &str); 5] = [
    (GpuWork::Call, 2_000, "a call that asks the device nothing"),
    (GpuWork::Wait, 50, "submit one dispatch and wait"),
    (GpuWork::Batch, 3, "submit 1,000 dispatches and wait"),
    (GpuWork::Write, 20, "write a MiB"),
    (GpuWork::Read, 20, "read a MiB"),
];
/// Hidden units of `gpu-mlp`: its default, and one that keeps a device busy.
const HIDDEN: [i64; 2] = [64, 512];
const EPOCHS: usize = 5;

/// Prints the times; false if the numbers of both ways differ.
pub(crate) fn run(stage: &Stage) -> Result<bool> {
    let adapters = Adapters::chosen(None);
    let Some(adapter) = adapters.first() else {
        println!("skipped: there is no GPU, in hardware or software");
        return Ok(true);
    };
    println!("{} ({})\n", adapter.name, adapter.driver);
    let grants = Grants {
        gpu: Some(GpuGrant {
            adapters,
            required: true,
            costs: GpuCosts::default(),
        }),
        ..Grants::default()
    };
    pieces(stage, &grants)?;
    Ok(epochs(stage, &grants)? & exploits(stage, &grants)?)
}

fn pieces(stage: &Stage, grants: &Grants) -> Result<()> {
    let bytes = std::fs::read(tune_test_artifacts::TRIAL_GPU_WORK)?;
    let plugin = stage.load("trial-gpu-work", &bytes, Metering::Fuel)?;
    let here = GpuBench::new()?;
    let mut table = show::table(&["", "native", "sandbox", "/ native"]);
    for (what, count, name) in PIECES {
        let config = [
            ("what".to_owned(), Value::Text(what.name().to_owned())),
            ("count".to_owned(), Value::Integer(count as i64)),
        ];
        let mut trial = Trial::new(&plugin, &stage.data(), grants, config.into_iter().collect())?;
        let mut fastest = [Duration::MAX; 2];
        for _ in 0..ROUNDS {
            let began = Instant::now();
            here.work(what, count)?;
            let native = began.elapsed();
            let (sandbox, _) = trial.step()?;
            for (fastest, time) in fastest.iter_mut().zip([native, sandbox]) {
                *fastest = time.min(*fastest);
            }
        }
        let [native, sandbox] = fastest.map(|time| time / count as u32);
        table.rows.push(vec![
            name.to_owned(),
            show::milliseconds(native),
            show::milliseconds(sandbox),
            show::ratio(sandbox.as_secs_f64() / native.as_secs_f64()),
        ]);
    }
    show::print(&table);
    println!(
        "fastest of {ROUNDS} turns; goal: at most 1.2 x native for batched work ({DISPATCHES} \
         dispatches)\n"
    );
    Ok(())
}

fn epochs(stage: &Stage, grants: &Grants) -> Result<bool> {
    tune_plugin::data::native::mount("digits", workspace().join("data/digits"));
    let plugin = stage.plugin("gpu-mlp", Metering::Fuel)?;
    let mut table = show::table(&["an epoch of gpu-mlp", "native", "sandbox", "/ native"]);
    let mut same = true;
    for hidden in HIDDEN {
        let mut there = Trial::new(&plugin, &stage.data(), grants, config(hidden))?;
        let info = tune_plugin::TrialInfo {
            trial: 0,
            seed: SEED,
            workers: 1,
            restoring: false,
        };
        let config = [("hidden".to_owned(), hidden.into())].into_iter().collect();
        let mut here = GpuMlp::setup(&info, &config).map_err(|e| anyhow::anyhow!("{e}"))?;
        let mut fastest = [Duration::MAX; 2];
        for _ in 0..EPOCHS {
            let began = Instant::now();
            let report = here.step().map_err(|e| anyhow::anyhow!("{e}"))?;
            let native = began.elapsed();
            let (sandbox, theirs) = there.step()?;
            let ours = report.metrics.iter().map(|m| m.value.to_bits());
            same &= ours.eq(theirs.metrics.iter().map(|m| m.value.to_bits()));
            for (fastest, time) in fastest.iter_mut().zip([native, sandbox]) {
                *fastest = time.min(*fastest);
            }
        }
        let [native, sandbox] = fastest;
        table.rows.push(vec![
            format!("hidden {hidden}"),
            show::milliseconds(native),
            show::milliseconds(sandbox),
            show::ratio(sandbox.as_secs_f64() / native.as_secs_f64()),
        ]);
    }
    show::print(&table);
    println!(
        "fastest of {EPOCHS} epochs; reports {}",
        if same {
            "equal in every bit"
        } else {
            "DIFFERENT"
        }
    );
    Ok(same)
}

fn config(hidden: i64) -> Config {
    Config::from_iter([("hidden".to_owned(), Value::Integer(hidden))])
}

/// A member of a population gives up its state for that of a better one, again and again.
fn exploits(stage: &Stage, grants: &Grants) -> Result<bool> {
    let plugin = stage.plugin("gpu-mlp", Metering::Fuel)?;
    let mut table = show::table(&[
        "gpu-mlp",
        "on the GPU",
        "keep",
        "exploit",
        "next step",
        "winner's",
    ]);
    let mut same = true;
    for hidden in HIDDEN {
        let member = || Trial::new(&plugin, &stage.data(), grants, config(hidden));
        let (mut winner, mut loser) = (member()?, member()?);
        let mut times: [Vec<Duration>; 4] = Default::default();
        let mut bytes = 0;
        for _ in 0..ROUNDS {
            winner.step()?;
            let (keep, state) = winner.keep()?;
            bytes = state.header().gpu_bytes();
            let exploit = loser.exploit(&state)?;
            let (its_own, expected) = winner.step()?;
            let (step, found) = loser.step()?;
            let bits = |report: &Report| -> Vec<u64> {
                report.metrics.iter().map(|m| m.value.to_bits()).collect()
            };
            same &= bits(&expected) == bits(&found);
            for (times, time) in times.iter_mut().zip([keep, exploit, step, its_own]) {
                times.push(time);
            }
        }
        let mut row = vec![format!("hidden {hidden}"), show::number(bytes as f64)];
        row.extend(times.iter().map(|times| {
            show::milliseconds(show::median(times, Duration::as_secs_f64).unwrap_or_default())
        }));
        table.rows.push(row);
    }
    show::print(&table);
    println!(
        "middle of {ROUNDS}; bytes on the GPU; the loser is live and restored over, its device made anew with the \
         first call of its next step; the winner's next step {}",
        if same {
            "is equal in every bit"
        } else {
            "is DIFFERENT"
        }
    );
    Ok(same)
}
