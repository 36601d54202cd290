//! How many results a scheduler judges in a second: native code, the same in the sandbox of a run, and
//! Optuna where a Python with it is named.
//!
//! Both forms get the same calls, recorded from a simulated run. That they answer the same must hold
//! everywhere.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tune_algorithms::{Course, Kind};
use tune_core::{Deciders, EnginePlan, Metering};
use tune_plugin::{Scheduler, schedule::ByRule};
use tune_simulation::{Draws, Native, PlanBuilder, Tape};

use crate::python::Python;
use crate::show;
use crate::stage::Stage;

/// The same measurement of Optuna's pruners.
const OPTUNA: &str = include_str!("decisions.py");
/// Trials that Optuna's pruners have seen.
const OPTUNA_TRIALS: u32 = 1_000;
/// A tape is played until so much time has gone, and of each part the fastest counts: others use the machine.
const ENOUGH: Duration = Duration::from_secs(2);
/// So many calls are copied before they are made: in a run a report was made just now, while most of
/// a long tape has left the processor's cache.
const PART: usize = 64;
const SLOTS: u32 = 16;
/// More than any tape needs: what ends a run is the number of its results.
const MANY_TRIALS: u32 = 200_000;
const SEED: u64 = 1;

/// What a scheduler decides on.
struct Subject {
    name: &'static str,
    options: &'static str,
    trials: u32,
    /// Numbers of results.
    sizes: [usize; 2],
    native: fn(&EnginePlan) -> Result<Box<dyn Deciders>>,
    clones: bool,
}

impl Subject {
    fn new<Sc: Scheduler + 'static>(options: &'static str) -> Self {
        Self {
            name: Sc::NAME,
            options,
            trials: MANY_TRIALS,
            sizes: [1_000, 100_000],
            native: |plan| {
                let native = Native::<Draws, Sc>::of_plan(plan);
                Ok(Box::new(
                    native.map_err(|errors| anyhow::anyhow!("{errors:?}"))?,
                ))
            },
            clones: Sc::CLONES,
        }
    }

    /// Members of a population. It would be as large as the run is long otherwise.
    fn trials(mut self, trials: u32) -> Self {
        self.trials = trials;
        self
    }

    fn sizes(mut self, sizes: [usize; 2]) -> Self {
        self.sizes = sizes;
        self
    }

    /// Members of a population train on; other trials end at 27 as everywhere in the tests.
    fn plan(&self) -> EnginePlan {
        let plan = PlanBuilder::minimize("loss").trials(self.trials);
        let plan = plan.slots(SLOTS).seed(SEED).clones(self.clones);
        let plan = plan.max_t(if self.trials == MANY_TRIALS {
            27.0
        } else {
            1e6
        });
        plan.searcher("random", "{}")
            .scheduler(self.name, self.options)
            .build()
    }
}

fn subjects() -> Vec<Subject> {
    vec![
        Subject::new::<tune_scheduler_fifo::Fifo>("{}"),
        Subject::new::<tune_scheduler_asha::Asha>("{}"),
        Subject::new::<tune_scheduler_asha::Asha>(r#"{"type":"promotion"}"#),
        Subject::new::<tune_scheduler_hyperband::Hyperband>("{}"),
        Subject::new::<tune_scheduler_pasha::Pasha>("{}"),
        Subject::new::<tune_scheduler_hyper_tune::HyperTune>("{}"),
        Subject::new::<ByRule<tune_scheduler_median_stopping::MedianStopping>>("{}"),
        Subject::new::<ByRule<tune_scheduler_percentile::Percentile>>("{}"),
        Subject::new::<ByRule<tune_scheduler_patient::Patient>>("{}"),
        Subject::new::<ByRule<tune_scheduler_threshold::Threshold>>(r#"{"upper":1.5}"#),
        Subject::new::<ByRule<tune_scheduler_wilcoxon::Wilcoxon>>("{}"),
        Subject::new::<tune_scheduler_pbt::Pbt>("{}").trials(SLOTS),
        // A model of 400 observations is asked for each state that is taken over; more results
        // change nothing but how long this takes.
        Subject::new::<tune_scheduler_pb2::Pb2>("{}")
            .trials(SLOTS)
            .sizes([1_000, 4_000]),
        Subject::new::<tune_scheduler_pbt_replay::PbtReplay>(
            r#"{"steps":[{"iteration":3,"config":{"x":0.25}}]}"#,
        ),
    ]
}

/// Optuna's pruners, and whose namesake each is.
const PRUNERS: [(&str, &str); 3] = [
    ("sha", "SuccessiveHalvingPruner"),
    ("hyperband", "HyperbandPruner"),
    ("median", "MedianPruner"),
];

/// Prints the rates.
pub(crate) fn run(stage: &Stage) -> Result<bool> {
    let optuna = optuna()?;
    let of = |name: &str| {
        let pruner = match name {
            "asha" | "pasha" | "hyper-tune" => "sha",
            "hyperband" => "hyperband",
            "median-stopping" | "percentile" => "median",
            _ => return None,
        };
        optuna
            .iter()
            .find(|(name, _)| *name == pruner)
            .map(|(_, r)| *r)
    };
    let mut table = show::table(&[
        "results a second",
        "results",
        "told",
        "native",
        "sandbox",
        "native / sandbox",
        "native / Optuna",
        "sandbox / Optuna",
    ]);
    let mut same = true;
    for subject in subjects() {
        let promotes = subject.options.contains("promotion");
        let title = format!(
            "{}{}",
            subject.name,
            if promotes { ", promotion" } else { "" }
        );
        for size in subject.sizes {
            let rates = rates(stage, &subject, size)
                .with_context(|| format!("{title} with {size} results"))?;
            same &= rates.equal;
            let beside = |rate: f64| {
                of(subject.name).map_or_else(String::new, |optuna| show::ratio(rate / optuna))
            };
            table.rows.push(vec![
                title.clone(),
                show::number(rates.results as f64),
                show::number(rates.told as f64),
                show::number(rates.native),
                show::number(rates.sandboxed),
                show::ratio(rates.native / rates.sandboxed),
                beside(rates.native),
                beside(rates.sandboxed),
            ]);
        }
    }
    show::print(&table);
    let word = if same { "OK: equal" } else { "NOT EQUAL" };
    println!("{word}: every answer natively and in the sandbox");
    Ok(same)
}

struct Rates {
    results: usize,
    /// Of those, that the scheduler wanted to hear.
    told: usize,
    /// Results a second.
    native: f64,
    sandboxed: f64,
    equal: bool,
}

fn rates(stage: &Stage, subject: &Subject, results: usize) -> Result<Rates> {
    let plan = subject.plan();
    let mut native = (subject.native)(&plan)?;
    let mut curves = Course::new(Kind::Tame, SEED);
    let tape = Tape::record(plan.clone(), native.as_mut(), &mut curves, results)
        .map_err(|stop| anyhow::anyhow!("{stop}"))?;
    ensure!(tape.results() >= results, "only {} results", tape.results());
    let searcher = stage.plugin(&plan.searcher.0, Metering::Fuel)?;
    let scheduler = stage.plugin(&plan.scheduler.0, Metering::Fuel)?;
    let mut inside = || {
        tune_runner::deciders(&searcher, &scheduler, &plan)
            .map_err(|(role, error)| anyhow::anyhow!("the {role}: {}", error.details()))
    };
    let (natively, _) = fastest(&tape, &mut || (subject.native)(&plan))?;
    let (sandboxed, equal) = fastest(&tape, &mut inside)?;
    let rate = |time: Duration| tape.results() as f64 / time.as_secs_f64().max(1e-9);
    Ok(Rates {
        results: tape.results(),
        told: tape.told(),
        native: rate(natively),
        sandboxed: rate(sandboxed),
        equal,
    })
}

/// The time of a whole tape, of each part the shortest, and whether every answer was that of the tape.
fn fastest(
    tape: &Tape,
    start: &mut dyn FnMut() -> Result<Box<dyn Deciders>>,
) -> Result<(Duration, bool)> {
    let failed = |stop| anyhow::anyhow!("{stop}");
    let mut shortest = vec![Duration::MAX; tape.calls.len().div_ceil(PART)];
    let (mut equal, mut played) = (true, false);
    let began = Instant::now();
    while !played || began.elapsed() < ENOUGH {
        let mut deciders = start()?;
        for (part, shortest) in tape.calls.chunks(PART).zip(&mut shortest) {
            let fresh = part.to_vec();
            let mut answers = Vec::with_capacity(PART);
            let once = Instant::now();
            for (call, _) in &fresh {
                answers.push(call.make(deciders.as_mut()).map_err(failed)?);
            }
            *shortest = once.elapsed().min(*shortest);
            equal &= answers.iter().eq(part.iter().map(|(_, answer)| answer));
        }
        played = true;
    }
    Ok((shortest.iter().sum(), equal))
}

/// Results a second of each pruner; empty without a Python.
fn optuna() -> Result<Vec<(&'static str, f64)>> {
    let Some(python) = Python::named("Optuna") else {
        return Ok(Vec::new());
    };
    let mut rates = Vec::new();
    for (short, pruner) in PRUNERS {
        let trials = OPTUNA_TRIALS.to_string();
        let said: Value = python.json(OPTUNA, &[short, &trials])?;
        let rate = said.get("per_second").and_then(Value::as_f64);
        let rate = rate.context("no rate")?;
        let version = said.get("version").and_then(Value::as_str).unwrap_or("?");
        println!(
            "Optuna {version}, {pruner} after {OPTUNA_TRIALS} trials: {} results a second",
            show::number(rate)
        );
        rates.push((short, rate));
    }
    println!();
    Ok(rates)
}
