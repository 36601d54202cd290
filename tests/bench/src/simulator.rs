//! How many reports of simulated runs the simulator hands over in a second, and Syne Tune's on the same
//! table where a Python with it is named.
//!
//! As `tune-host bench schedulers` simulates, on one thread: every configuration of the shipped table is
//! a trial, and the plugins decide in the sandbox.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::Value;
use tune_core::{Deciders, EnginePlan, Metering};
use tune_simulation::{PlanBuilder, Recorded, simulate};
use tune_table::Table;

use crate::python::Python;
use crate::show;
use crate::stage::{Stage, workspace};

const SYNE_TUNE: &str = include_str!("../../peers/simulator.py");
/// As the script has it.
const SLOTS: u32 = 4;
/// A run is made until so much time has gone, and the fastest counts: others use the machine.
const ENOUGH: Duration = Duration::from_secs(5);
/// Seconds that Syne Tune may simulate, for each scheduler.
const SYNE_TUNE_SECONDS: &str = "20";
/// Ours, and the scheduler of Syne Tune that is called the same.
const SCHEDULERS: [(&str, &str); 2] = [("fifo", "fifo"), ("asha", "asha")];

/// Prints the rates.
pub(crate) fn run(stage: &Stage) -> Result<bool> {
    let folder = workspace().join("data/tables/digits-mlp");
    let read = |name: &str| {
        let path = folder.join(name);
        std::fs::read(&path).with_context(|| path.display().to_string())
    };
    let table = Table::parse(
        &read("table.json")?,
        &read("configurations.csv")?,
        &read("curves.csv")?,
    )?;
    let python = Python::named("Syne Tune");
    let mut rows = show::table(&[
        "one thread, 4 slots",
        "reports",
        "reports a second",
        "Syne Tune's reports",
        "reports a second",
        "ours / Syne Tune's",
    ]);
    for (name, namesake) in SCHEDULERS {
        let (reports, time) = ours(stage, &table, name)?;
        let rate = reports as f64 / time.as_secs_f64();
        let mut row = vec![
            name.to_owned(),
            show::number(reports as f64),
            show::number(rate),
        ];
        if let Some(python) = &python {
            let folder = folder.to_string_lossy();
            let said = python.json(SYNE_TUNE, &[&folder, SYNE_TUNE_SECONDS, namesake])?;
            let number = |key: &str| said.get(key).and_then(Value::as_f64).context("no number");
            let theirs = number("reports")? / number("seconds")?;
            row.extend([
                show::number(number("reports")?),
                show::number(theirs),
                show::ratio(rate / theirs),
            ]);
            let version = said.get("version").and_then(Value::as_str);
            println!("Syne Tune {}, {name}", version.unwrap_or("?"));
        }
        rows.rows.push(row);
    }
    println!();
    show::print(&rows);
    Ok(true)
}

/// Reports of one run, and the shortest time that it took.
fn ours(stage: &Stage, table: &Table, scheduler: &str) -> Result<(u64, Duration)> {
    let plan = plan(table, scheduler);
    let (mut reports, mut shortest) = (0, Duration::MAX);
    let began = Instant::now();
    while shortest == Duration::MAX || began.elapsed() < ENOUGH {
        let mut deciders = deciders(stage, &plan)?;
        let mut curves = Recorded::new(table);
        let (once, mut counted) = (Instant::now(), 0);
        simulate(
            plan.clone(),
            deciders.as_mut(),
            &mut curves,
            &mut |handover, _| counted += u64::from(handover.report.is_some()),
        )
        .map_err(|stop| anyhow::anyhow!("{stop}"))?;
        shortest = shortest.min(once.elapsed());
        reports = counted;
    }
    Ok((reports, shortest))
}

fn deciders(stage: &Stage, plan: &EnginePlan) -> Result<Box<dyn Deciders>> {
    let searcher = stage.plugin(&plan.searcher.0, Metering::Fuel)?;
    let scheduler = stage.plugin(&plan.scheduler.0, Metering::Fuel)?;
    tune_runner::deciders(&searcher, &scheduler, plan)
        .map_err(|(role, error)| anyhow::anyhow!("the {role}: {}", error.details()))
}

fn plan(table: &Table, scheduler: &str) -> EnginePlan {
    let catalogue = table.catalogue();
    let about = catalogue.about();
    let points: Vec<_> = catalogue.rows().iter().map(|r| r.config.clone()).collect();
    let plan = PlanBuilder::minimize(&about.metric)
        .trials(u32::try_from(points.len()).unwrap_or(u32::MAX))
        .slots(SLOTS)
        .time_attr(&about.time_attr)
        .space(catalogue.space().parameters().to_vec())
        .points(points)
        .searcher("random", "{}")
        .scheduler(scheduler, "{}");
    let mut plan = match about.max_t {
        Some(max_t) => plan.max_t(max_t).build(),
        None => plan.build(),
    };
    plan.constants = catalogue.constants().clone();
    plan
}
