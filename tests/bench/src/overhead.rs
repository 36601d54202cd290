//! Trials and reports that do nothing: what is left is the tuner itself.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tune_report::Outputs;

use crate::python::Python;
use crate::show;
use crate::stage::{Manner, Ran, Stage, plan};

const OPTUNA: &str = include_str!("overhead.py");

/// Runs of each row; the one with the median wall time is shown.
const ROUNDS: usize = 5;

/// Figures of other tuners for the same shapes of work, measured on a machine of the same kind (Linux
/// VM, 2 virtual cores); the better one where a quiet and a loaded machine were measured. Those of Optuna
/// in memory hold where no Python with it is named; else its speed is measured in the same call.
mod others {
    /// Ray Tune 2.60.0, no-op trials of one report, 2 at a time, a new actor each: the default.
    pub(super) const RAY_TRIALS: f64 = 0.58;
    /// The same with `reuse_actors=True`.
    pub(super) const RAY_TRIALS_REUSED: f64 = 26.0;
    /// Ray Tune 2.60.0, 10 trials of 1,000 reports, 2 at a time.
    pub(super) const RAY_REPORTS: f64 = 231.0;
    /// Ray Tune 2.60.0: unique memory of driver, helpers and 2 actors, in bytes.
    pub(super) const RAY_MEMORY: f64 = 1.13e9;
    /// Ray Tune 2.60.0: bytes on disk of a trial of one report.
    pub(super) const RAY_TRIAL_BYTES: f64 = 10_900.0;
    /// Ray Tune 2.60.0: bytes on disk of a report, in trials of 1,000.
    pub(super) const RAY_REPORT_BYTES: f64 = 900.0;
    /// Optuna 5.0.0 in memory, random sampler, no-op trials: median of three runs (5,500 to 11,500).
    pub(super) const OPTUNA_TRIALS: f64 = 7_070.0;
    /// The same by CPU time: trials per CPU second.
    pub(super) const OPTUNA_TRIALS_CPU: f64 = 7_080.0;
    /// The same, journalled to a file.
    pub(super) const OPTUNA_TRIALS_FILE: f64 = 119.0;
    /// Optuna 5.0.0 in memory: `report` and `should_prune` without a pruner.
    pub(super) const OPTUNA_REPORTS: f64 = 87_200.0;
    /// Optuna 5.0.0: resident memory after 10,000 trials.
    pub(super) const OPTUNA_MEMORY: f64 = 135e6;
}

/// Two numbers, as the other tuners were given.
const SPACE: &str = "
[space]
x = { uniform = [0.0, 1.0] }
y = { uniform = [0.0, 1.0] }
";

struct Case {
    name: &'static str,
    plan: String,
    trials: u64,
    reports: u64,
}

fn cases() -> [Case; 2] {
    let head = "version = 1\nmetric = \"loss\"\nmode = \"min\"\nslots = 8\nseed = 1\n\
                searcher = \"random\"\nscheduler = \"fifo\"\n";
    [
        Case {
            name: "1,000 trials x 1 report",
            plan: format!("{head}trainable = \"trial-noop\"\ntrials = 1000\n{SPACE}"),
            trials: 1_000,
            reports: 1_000,
        },
        Case {
            name: "10 trials x 10,000 reports",
            plan: format!("{head}trainable = \"trial-steps\"\ntrials = 10\n{SPACE}steps = 10000\n"),
            trials: 10,
            reports: 100_000,
        },
    ]
}

/// Prints the tables.
pub(crate) fn run(stage: &Stage) -> Result<bool> {
    let mut table = show::table(&[
        "work (8 slots, 2 threads)",
        "files",
        "wall",
        "CPU",
        "trials/s",
        "reports/s",
        "peak memory",
        "journal",
        "B/report",
        "files, B/report",
    ]);
    let mut plain = Vec::new();
    for case in cases() {
        let plan = plan(&case.plan)?;
        for (files, outputs) in [("none", Outputs::NONE), ("all three", Outputs::ALL)] {
            let manner = Manner {
                outputs,
                ..Manner::threads(2)
            };
            let ran = median_of(stage, &plan, &manner, &case)?;
            let wall = ran.wall.as_secs_f64();
            table.rows.push(vec![
                case.name.to_owned(),
                files.to_owned(),
                show::seconds(ran.wall),
                show::seconds(ran.cpu),
                show::number(case.trials as f64 / wall),
                show::number(case.reports as f64 / wall),
                show::megabytes(ran.peak_memory),
                show::megabytes(ran.journal_bytes),
                show::number(ran.journal_bytes as f64 / case.reports as f64),
                show::number(ran.derived_bytes as f64 / case.reports as f64),
            ]);
            if outputs.is_none() {
                plain.push((case.trials as f64 / wall, case.reports as f64 / wall, ran));
            }
        }
    }
    show::print(&table);
    println!(
        "median of {ROUNDS} by wall time, from the making of the run directory until all is durable; \
         CPU time is the mean\n"
    );
    if let [trials, reports] = plain.as_slice() {
        let optuna = match Python::named("Optuna") {
            Some(python) => Optuna::measured(&python)?,
            None => Optuna::default(),
        };
        compare(trials, reports, &optuna);
    }
    Ok(true)
}

/// What Optuna does in memory.
struct Optuna {
    trials: f64,
    trials_cpu: f64,
    reports: f64,
}

impl Default for Optuna {
    fn default() -> Self {
        Self {
            trials: others::OPTUNA_TRIALS,
            trials_cpu: others::OPTUNA_TRIALS_CPU,
            reports: others::OPTUNA_REPORTS,
        }
    }
}

impl Optuna {
    fn measured(python: &Python) -> Result<Self> {
        let said = python.json(OPTUNA, &[])?;
        let version = said.get("version").and_then(Value::as_str);
        println!("Optuna {}, in memory, in this call", version.unwrap_or("?"));
        let number = |key: &str| said.get(key).and_then(Value::as_f64).context("no number");
        Ok(Self {
            trials: number("trials")?,
            trials_cpu: number("trials_cpu")?,
            reports: number("reports")?,
        })
    }
}

fn median_of(
    stage: &Stage,
    plan: &tune_core::EnginePlan,
    manner: &Manner,
    case: &Case,
) -> Result<Ran> {
    let mut runs = Vec::new();
    for _ in 0..ROUNDS {
        let ran = stage.run(plan, manner)?;
        ensure!(
            ran.tally.reports == case.reports && ran.tally.failed == 0,
            "{}: {} reports, {} failed",
            case.name,
            ran.tally.reports,
            ran.tally.failed
        );
        runs.push(ran);
    }
    // The system counts in hundredths of a second: one run is too short.
    let cpu = runs.iter().map(|ran| ran.cpu).sum::<Duration>() / ROUNDS as u32;
    runs.sort_by_key(|ran| ran.wall);
    let mut median = runs.swap_remove(ROUNDS / 2);
    median.cpu = cpu;
    Ok(median)
}

/// Rate of trials, rate of reports, run.
type Figures = (f64, f64, Ran);

fn compare(trials: &Figures, reports: &Figures, optuna: &Optuna) {
    let mut table = show::table(&[
        "beside others (their figures)",
        "theirs",
        "ours",
        "ours / theirs",
    ]);
    let mut row = |name: &str, theirs: f64, ours: f64| {
        table.rows.push(vec![
            name.to_owned(),
            show::number(theirs),
            show::number(ours),
            show::ratio(ours / theirs),
        ]);
    };
    let memory = trials.2.peak_memory.max(reports.2.peak_memory) as f64 / 1e6;
    row("Ray Tune, trials/s", others::RAY_TRIALS, trials.0);
    row(
        "Ray Tune, reused, trials/s",
        others::RAY_TRIALS_REUSED,
        trials.0,
    );
    row("Ray Tune, reports/s", others::RAY_REPORTS, reports.1);
    row("Ray Tune, memory, MB", others::RAY_MEMORY / 1e6, memory);
    row(
        "Ray Tune, B of a 1-report trial",
        others::RAY_TRIAL_BYTES,
        trials.2.journal_bytes as f64 / 1_000.0,
    );
    row(
        "Ray Tune, B of a report",
        others::RAY_REPORT_BYTES,
        reports.2.journal_bytes as f64 / 100_000.0,
    );
    row("Optuna in memory, trials/s", optuna.trials, trials.0);
    let per_cpu_second = 1_000.0 / trials.2.cpu.as_secs_f64();
    row(
        "Optuna in memory, trials/CPU s",
        optuna.trials_cpu,
        per_cpu_second,
    );
    row(
        "Optuna with journal, trials/s",
        others::OPTUNA_TRIALS_FILE,
        trials.0,
    );
    row("Optuna in memory, reports/s", optuna.reports, reports.1);
    row("Optuna, memory, MB", others::OPTUNA_MEMORY / 1e6, memory);
    show::print(&table);
    println!(
        "ours: journalled, no files for other tools; goals: 100 x Ray Tune, 1 x Optuna in memory"
    );
}
