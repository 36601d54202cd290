//! The threat table as run: how each hostile guest ended, in how long, what it used, and whether the
//! trials beside it were as without it. Prints Markdown, so that the page in `docs/` is its output.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tune_core::records::{Config, FailureKind, Value};
use tune_core::{EnginePlan, GpuCosts};
use tune_runtime::{Adapters, GpuGrant, Grants};

use crate::ending::Endings;
use crate::stage::{Manner, Stage, plan};
use crate::{deciders, show, ways};

/// A line of the table.
pub(crate) struct Row {
    pub(crate) way: String,
    pub(crate) ended: String,
    pub(crate) took: Duration,
    /// What the host said of it: use against the limit.
    pub(crate) said: String,
    /// Units of fuel; none where nobody counts it for one call.
    pub(crate) fuel: Option<u64>,
    /// The other trials gave the same results, bit for bit.
    pub(crate) equal: bool,
}

/// Prints all tables; false if a way ended otherwise than it must or a neighbour differed.
pub(crate) fn run(stage: &Stage) -> Result<bool> {
    let mut holds = true;
    for (title, rows) in [
        (
            "Trainables: `hostile_trainable`",
            trainables(stage, "hostile-trainable", ways::TRAINABLE, LIMITS)?,
        ),
        (
            "Trainables: `hostile_gpu`",
            trainables(stage, "hostile-gpu", ways::GPU, GPU_LIMITS)?,
        ),
        (
            "Trainables: `hostile_growth` and `hostile_observed`",
            others(stage)?,
        ),
        ("Searchers: `hostile_searcher`", deciders::searchers(stage)?),
        (
            "Schedulers: `hostile_scheduler`",
            deciders::schedulers(stage)?,
        ),
    ] {
        println!("### {title}\n");
        println!("| Way | Ended | Time | Fuel | Use against the limit | Neighbours |");
        println!("|---|---|---:|---:|---|---|");
        for row in rows {
            holds &= row.equal && !row.ended.contains("NOT AS IT MUST");
            println!(
                "| `{}` | {} | {} | {} | {} | {} |",
                row.way,
                row.ended,
                show::milliseconds(row.took),
                row.fuel
                    .map_or(String::new(), |fuel| show::number(fuel as f64)),
                row.said.replace('|', "\\|"),
                if row.equal { "equal" } else { "DIFFERENT" },
            );
        }
        println!();
    }
    Ok(holds)
}

/// Kinds of failures, as the host writes them.
const KINDS: [&str; 5] = ["out-of-fuel", "memory", "trap", "bad-value", "reported"];
/// Bytes of what the host said that are shown.
const SAID: usize = 160;

/// The sentence of a story that says why: behind plugin, operation and kind, without what follows.
pub(crate) fn reason(story: &str) -> String {
    let line = story.lines().next().unwrap_or_default();
    // Where a plugin failed, its name, the call and the kind stand in front.
    let behind = |kind: &str| line.split_once(&format!(": {kind}: ")).map(|parts| parts.1);
    let text = KINDS.iter().find_map(|kind| behind(kind)).unwrap_or(line);
    let text: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    match text.char_indices().nth(SAID) {
        Some((end, _)) => format!("{} ...", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

// --- trainables ----------------------------------------------------------------------------------

/// The trial that is hostile among good ones; two run at once.
const HOSTILE: usize = 1;
const TRIALS: usize = 4;

const LIMITS: &str = "[limits]\nfuel_per_step = 50_000_000\nmemory = \"16 MiB\"\n\
    hostcall_bytes = \"1 MiB\"\nlog_bytes = \"64 KiB\"\nartifact_bytes = \"64 KiB\"\n\
    artifact_count = 4\n";

const GPU_LIMITS: &str = "[limits]\nfuel_per_step = 5_000_000_000\ngpu_buffers = \"16 MiB\"\n\
    gpu_buffer = \"8 MiB\"\ngpu_objects = 500\ngpu_transfer_per_step = \"1 MiB\"\n";

fn trainables(stage: &Stage, guest: &str, all: &[ways::Way], limits: &str) -> Result<Vec<Row>> {
    let names: Vec<&str> = all.iter().map(|way| way.0).collect();
    let mut plan = plan(&format!(
        "version = 1\nmetric = \"loss\"\nmode = \"min\"\nslots = 2\nseed = 1\ntrials = {TRIALS}\n\
         searcher = \"random\"\nscheduler = \"fifo\"\ntrainable = {guest:?}\n\
         [space]\nhostile = {{ choice = {:?} }}\n{limits}",
        [&[ways::GOOD], names.as_slice()].concat()
    ))?;
    let mut among = |how: &str| {
        let point = |trial: usize| {
            let how = if trial == HOSTILE { how } else { ways::GOOD };
            text("hostile", how)
        };
        plan.points_to_evaluate = (0..TRIALS).map(point).collect();
        carried_out(stage, &plan)
    };
    let good = among(ways::GOOD)?;
    let mut rows = Vec::new();
    for (way, kind) in all {
        let run = among(way)?;
        let as_it_must = run.get(HOSTILE).failure == *kind;
        rows.push(Row {
            way: (*way).to_owned(),
            equal: neighbours_equal(&run, &good),
            ..row(&run, as_it_must)
        });
    }
    Ok(rows)
}

fn text(name: &str, value: &str) -> Config {
    Config::from_iter([(name.to_owned(), Value::Text(value.to_owned()))])
}

fn carried_out(stage: &Stage, plan: &EnginePlan) -> Result<Endings> {
    let endings = Endings::of(TRIALS);
    let manner = Manner {
        grants: Grants {
            artifact: true,
            // Checks everything and computes nothing, as every machine can.
            gpu: Some(GpuGrant {
                adapters: Adapters::that_compute_nothing(),
                required: true,
                costs: GpuCosts::default(),
            }),
            ..Grants::default()
        },
        watch: Some(endings.watch()),
        ..Manner::threads(2)
    };
    stage.run(plan, &manner)?;
    Ok(endings)
}

fn row(run: &Endings, as_it_must: bool) -> Row {
    let ending = run.get(HOSTILE);
    let (mut ended, said) = match ending.failure {
        Some(kind) => (
            format!("trial fails, `{kind}`"),
            reason(&run.story(HOSTILE)),
        ),
        None => ("trial goes on and finishes".to_owned(), String::new()),
    };
    if !as_it_must {
        ended.push_str(", NOT AS IT MUST");
    }
    Row {
        way: String::new(),
        ended,
        took: run.took(HOSTILE),
        said,
        fuel: Some(ending.fuel),
        equal: true,
    }
}

fn neighbours_equal(run: &Endings, good: &Endings) -> bool {
    (0..TRIALS)
        .filter(|trial| *trial != HOSTILE)
        .all(|trial| run.get(trial) == good.get(trial) && run.get(trial).steps > 0)
}

/// A state that grows until it is too large, among small ones; and a guest that looks for a watcher.
fn others(stage: &Stage) -> Result<Vec<Row>> {
    let mut plan = plan(&format!(
        "version = 1\nmetric = \"loss\"\nmode = \"min\"\nslots = 2\nseed = 1\ntrials = {TRIALS}\n\
         max_t = 6\nsearcher = \"random\"\nscheduler = \"fifo\"\ntrainable = \"hostile-growth\"\n\
         [space]\nmb = {{ choice = [1, 8] }}\n[limits]\nmemory = \"20 MiB\"\n",
    ))?;
    let mut growth = |mb: i64| {
        let point = |trial| {
            let mb = Value::Integer(if trial == HOSTILE { mb } else { 1 });
            Config::from_iter([("mb".to_owned(), mb)])
        };
        plan.points_to_evaluate = (0..TRIALS).map(point).collect();
        carried_out(stage, &plan)
    };
    let (good, run) = (growth(1)?, growth(8)?);
    let by_memory = run.get(HOSTILE).failure == Some(FailureKind::Memory);
    let mut rows = vec![Row {
        way: "ends_at_the_memory_of_a_trial".to_owned(),
        equal: neighbours_equal(&run, &good),
        ..row(&run, by_memory)
    }];

    let plan = crate::stage::plan(
        "version = 1\nmetric = \"loss\"\nmode = \"min\"\nslots = 2\nseed = 1\ntrials = 4\nmax_t = 8\n\
         searcher = \"random\"\nscheduler = \"fifo\"\ntrainable = \"hostile-observed\"\n\
         [space]\nx = { uniform = [0.0, 1.0] }\n",
    )?;
    let (first, second) = (carried_out(stage, &plan)?, carried_out(stage, &plan)?);
    let finished = second.get(HOSTILE).failure.is_none();
    rows.push(Row {
        way: "sees_the_same_whoever_runs_it".to_owned(),
        equal: (0..TRIALS).all(|trial| first.get(trial) == second.get(trial)),
        ..row(&second, finished)
    });
    Ok(rows)
}

/// Runs a plan that a searcher or scheduler may stop: what the host said of it, and its trials.
pub(crate) fn stopped(
    stage: &Stage,
    plan: &EnginePlan,
) -> Result<(Option<String>, Duration, Endings)> {
    let endings = Endings::of(plan.trials.context("trials without number")? as usize);
    let manner = Manner {
        watch: Some(endings.watch()),
        ..Manner::threads(2)
    };
    let began = Instant::now();
    let result = stage.run(plan, &manner);
    let took = began.elapsed();
    let said = match result {
        Ok(_) => None,
        Err(error) => {
            let run = error.downcast_ref::<tune_runner::RunError>();
            ensure!(run.is_some(), "{error:#}");
            Some(error.to_string())
        }
    };
    Ok((said, took, endings))
}
