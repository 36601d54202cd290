//! The hostile searchers and schedulers of the threat table as run.

use anyhow::Result;
use tune_core::EnginePlan;

use crate::ending::Endings;
use crate::stage::{Stage, plan};
use crate::threats::{Row, reason, stopped};
use crate::ways;

const LIMITS: &str = "[limits]\nfuel_per_call = 500_000_000\nmemory = \"128 MiB\"\n";

/// Every way of the hostile searcher.
pub(crate) fn searchers(stage: &Stage) -> Result<Vec<Row>> {
    let of = |how: &str| {
        plan(&format!(
            "version = 1\nmetric = \"loss\"\nmode = \"min\"\nslots = 1\nseed = 1\ntrials = 3\n\
             scheduler = \"fifo\"\ntrainable = \"trial-noop\"\n\
             [searcher]\nplugin = \"hostile-searcher\"\nhow = {how:?}\n\
             [space]\nx = {{ uniform = [0.0, 1.0] }}\nlist = {{ choice = [[1, 2], [3]] }}\n{LIMITS}",
        ))
    };
    rows(stage, ways::SEARCHER, &of)
}

/// Every way of the hostile scheduler.
pub(crate) fn schedulers(stage: &Stage) -> Result<Vec<Row>> {
    let of = |how: &str| {
        plan(&format!(
            "version = 1\nmetric = \"loss\"\nmode = \"min\"\nslots = 2\nseed = 1\ntrials = 3\n\
             max_t = 110\nsearcher = \"random\"\ntrainable = \"trial-ballast\"\n\
             [scheduler]\nplugin = \"hostile-scheduler\"\nhow = {how:?}\n\
             [space]\nrate = {{ uniform = [0.5, 1.0] }}\n{LIMITS}",
        ))
    };
    rows(stage, ways::SCHEDULER, &of)
}

fn rows(stage: &Stage, ways: &[&str], of: &dyn Fn(&str) -> Result<EnginePlan>) -> Result<Vec<Row>> {
    let good = steps(stage, &of(ways::GOOD)?)?;
    let mut rows = Vec::new();
    for way in ways {
        let plan = of(way)?;
        let trials = plan.trials.unwrap_or(0) as usize;
        let (said, took, run) = stopped(stage, &plan)?;
        let ended = match &said {
            None => "run goes on and finishes",
            Some(_) if way.ends_with("in_init") || way.starts_with("refuse_") => "no run is begun",
            Some(_) => "run stops, can be resumed",
        };
        // It was stopped somewhere: what it gave until then is the beginning of what it gives.
        let equal = (0..trials).all(|trial| {
            let until = run.hashes(trial);
            good.get(trial).is_some_and(|all| all.starts_with(&until))
        });
        rows.push(Row {
            way: (*way).to_owned(),
            ended: ended.to_owned(),
            took,
            said: said.as_deref().map(reason).unwrap_or_default(),
            fuel: None,
            equal,
        });
    }
    Ok(rows)
}

/// The hash of each trial after each of its steps, in a run that nobody stops.
fn steps(stage: &Stage, plan: &EnginePlan) -> Result<Vec<Vec<u64>>> {
    let (said, _, run): (_, _, Endings) = stopped(stage, plan)?;
    anyhow::ensure!(said.is_none(), "the good one was stopped: {said:?}");
    Ok((0..plan.trials.unwrap_or(0) as usize)
        .map(|trial| run.hashes(trial))
        .collect())
}
