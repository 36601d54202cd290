//! What all limits together cost: runs with the default limits against runs in which fuel alone
//! bounds a trial.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tune_core::{EnginePlan, Limits, Metering};

use crate::show;
use crate::stage::{Manner, Ran, Stage, digits_plan, plan};

/// Turns of each way; the middle one by CPU time counts.
const TURNS: usize = 7;
/// Runs of a turn of the no-op trials: the system counts CPU time in hundredths of a second, which is
/// too coarse for one.
const RUNS: usize = 5;

/// A way to bound a trial.
struct Way {
    name: &'static str,
    metering: Metering,
    limits: Limits,
}

/// Far above all that these trials use: what is checked is never near.
fn widest() -> Limits {
    Limits {
        fuel_per_step: u64::MAX / 4,
        fuel_per_trial: u64::MAX / 4,
        fuel_per_call: u64::MAX / 4,
        wall_per_step: Duration::from_secs(1 << 30),
        wall_per_trial: Duration::from_secs(1 << 30),
        memory_bytes: 64 << 30,
        table_elements: 1 << 40,
        handles: u32::MAX,
        hostcall_bytes: 1 << 40,
        log_bytes: 1 << 40,
        log_line_bytes: 1 << 30,
        metrics: u32::MAX,
        name_bytes: u32::MAX,
        text_bytes: u32::MAX,
        parameters: u32::MAX,
        actions: u32::MAX,
        random_bytes: 1 << 40,
        artifact_bytes: 1 << 40,
        artifact_count: u32::MAX,
        ..Limits::default()
    }
}

fn all_ways() -> [Way; 3] {
    [
        Way {
            name: "fuel alone",
            metering: Metering::Fuel,
            limits: widest(),
        },
        Way {
            name: "all limits",
            metering: Metering::Fuel,
            limits: Limits::default(),
        },
        Way {
            name: "all, and epochs",
            metering: Metering::Full,
            limits: Limits::default(),
        },
    ]
}

/// Prints the table.
pub(crate) fn run(stage: &Stage) -> Result<bool> {
    let head = "version = 1\nmetric = \"loss\"\nmode = \"min\"\nslots = 8\nseed = 1\n\
                searcher = \"random\"\nscheduler = \"fifo\"\n";
    let space = "[space]\nx = { uniform = [0.0, 1.0] }\ny = { uniform = [0.0, 1.0] }\n";
    let noop = plan(&format!(
        "{head}trainable = \"trial-noop\"\ntrials = 1000\n{space}"
    ))?;
    let mut table = show::table(&[
        "limits (8 slots, 2 threads)",
        "CPU",
        "/ fuel alone",
        "wall",
        "/ fuel alone",
    ]);
    let mut same = true;
    for (work, plan, runs) in [
        ("1,000 no-ops", noop, RUNS),
        ("digits.toml", digits_plan()?, 1),
    ] {
        let ways = all_ways();
        let mut times = vec![Vec::new(); ways.len()];
        let mut best = None;
        for _ in 0..TURNS {
            for (way, times) in ways.iter().zip(&mut times) {
                let plan = EnginePlan {
                    metering: way.metering,
                    limits: way.limits.clone(),
                    ..plan.clone()
                };
                let (cpu, wall, ran) = turn(stage, &plan, runs)?;
                ensure!(ran.tally.failed == 0, "{work}: {} failed", ran.tally.failed);
                same &= *best.get_or_insert(ran.tally.best) == ran.tally.best;
                times.push((cpu, wall));
            }
        }
        let middle = |times: &[(Duration, Duration)]| {
            let cpu = show::median(times, |t| t.0.as_secs_f64());
            let wall = show::median(times, |t| t.1.as_secs_f64());
            Some((cpu?.0.as_secs_f64(), wall?.1.as_secs_f64()))
        };
        let first = times.first().and_then(|t| middle(t)).context("no turn")?;
        for (way, times) in ways.iter().zip(&times) {
            let (cpu, wall) = middle(times).context("no turn")?;
            table.rows.push(vec![
                format!("{work}: {}", way.name),
                show::milliseconds(Duration::from_secs_f64(cpu)),
                show::ratio(cpu / first.0),
                show::milliseconds(Duration::from_secs_f64(wall)),
                show::ratio(wall / first.1),
            ]);
        }
    }
    show::print(&table);
    println!(
        "middle of {TURNS} turns, all ways taking turns; results {}. Fuel alone: every other limit is far \
         out of reach and no epochs are compiled in; what is checked at each host call and growth is \
         checked all the same, the runtime cannot be built without.",
        if same { "equal" } else { "DIFFERENT" }
    );
    Ok(same)
}

/// Mean CPU and wall time of some runs, and the last one.
fn turn(stage: &Stage, plan: &EnginePlan, runs: usize) -> Result<(Duration, Duration, Ran)> {
    let (mut cpu, mut wall) = (Duration::ZERO, Duration::ZERO);
    let mut last = None;
    for _ in 0..runs {
        let ran = stage.run(plan, &Manner::threads(2))?;
        cpu += ran.cpu;
        wall += ran.wall;
        last = Some(ran);
    }
    let count = runs as u32;
    Ok((cpu / count, wall / count, last.context("no run")?))
}
