//! What the GPU costs in the sandbox beside the same program on wgpu itself: calls, submissions, transfers,
//! and an epoch of `gpu-mlp`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tune_core::records::{Config, TrialInfo, Value};
use tune_core::{GpuCosts, Limits, Metering};
use tune_plugin::Trainable as _;
use tune_runtime::{Adapters, Control, GpuGrant, Grants, Plugin, TrialStart};
use tune_test_guests::{DISPATCHES, GpuBench, GpuWork};
use tune_trainable_gpu_mlp::GpuMlp;

use crate::show;
use crate::stage::{Stage, workspace};

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
const SEED: u64 = 1;

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
    epochs(stage, &grants)
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
        let mut trial = Trial::new(&plugin, stage, grants, config.into_iter().collect())?;
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
    let embedded = tune_embedded::all().iter().find(|p| p.name == "gpu-mlp");
    let bytes = embedded.context("no gpu-mlp in the binary")?.bytes;
    let plugin = stage.load("gpu-mlp", bytes, Metering::Fuel)?;
    let mut table = show::table(&["an epoch of gpu-mlp", "native", "sandbox", "/ native"]);
    let mut same = true;
    for hidden in HIDDEN {
        let config: Config = [("hidden".to_owned(), Value::Integer(hidden))]
            .into_iter()
            .collect();
        let mut there = Trial::new(&plugin, stage, grants, config)?;
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
            let (sandbox, losses) = there.step()?;
            let ours: Vec<u64> = report.metrics.iter().map(|m| m.value.to_bits()).collect();
            same &= ours == losses;
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

/// A trial without a run around it.
struct Trial {
    trial: tune_runtime::Trial,
    control: Arc<Control>,
}

impl Trial {
    fn new(plugin: &Plugin, stage: &Stage, grants: &Grants, config: Config) -> Result<Self> {
        let control = Arc::new(Control::new());
        let mut trial = plugin.trial(TrialStart {
            info: TrialInfo {
                trial: 0,
                seed: SEED,
                workers: 1,
                restoring: false,
            },
            config,
            limits: Limits::default(),
            data: stage.data(),
            grants: grants.clone(),
            control: Arc::clone(&control),
        })?;
        control.arm(Duration::from_secs(600));
        trial.setup(0)?;
        Ok(Self { trial, control })
    }

    /// The time of a step, and what it reported.
    fn step(&mut self) -> Result<(Duration, Vec<u64>)> {
        self.control.arm(Duration::from_secs(600));
        let began = Instant::now();
        let report = self.trial.step(0)?;
        let time = began.elapsed();
        ensure!(!report.metrics.is_empty(), "nothing was reported");
        let values = report.metrics.iter().map(|m| m.value.to_bits());
        Ok((time, values.collect()))
    }
}
