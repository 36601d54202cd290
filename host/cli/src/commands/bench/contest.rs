//! All runs of a comparison, on several threads. Which thread does which changes nothing.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tune_core::{Engine, Event, plan_digest};
use tune_simulation::{Recorded, Simulation};

use super::arena::{self, Arena, Standing, seconds};
use super::entries::{Entry, Field};
use super::incumbent::Incumbent;
use crate::failure::Failure;

/// What came out of one run.
struct Outcome {
    incumbent: Incumbent,
    reports: u64,
    trials: u64,
}

/// Fills in the standings of the arenas. Returns the number of reports of all runs.
pub(super) fn run(
    arenas: &mut [Arena<'_>],
    field: &Field,
    seeds: u32,
    threads: usize,
) -> Result<u64, Failure> {
    let mut jobs = Vec::new();
    for arena in 0..arenas.len() {
        for entry in 0..field.entries.len() {
            jobs.extend((1..=seeds).map(|seed| (arena, entry, seed)));
        }
    }
    let next = AtomicUsize::new(0);
    let results: Mutex<Vec<Option<Result<Outcome, Failure>>>> =
        Mutex::new(std::iter::repeat_with(|| None).take(jobs.len()).collect());
    thread::scope(|scope| {
        for _ in 0..threads.clamp(1, jobs.len().max(1)) {
            scope.spawn(|| {
                while let Some((place, job)) = take(&next, &jobs) {
                    let (arena, entry, seed) = *job;
                    let (Some(arena), Some(entry)) = (arenas.get(arena), field.entries.get(entry))
                    else {
                        return;
                    };
                    let outcome = one(arena, field, entry, seed);
                    let failed = outcome.is_err();
                    // A thread that panicked has left nothing half done behind this lock.
                    let mut results = results.lock().unwrap_or_else(|e| e.into_inner());
                    if let Some(result) = results.get_mut(place) {
                        *result = Some(outcome);
                    }
                    if failed {
                        next.store(jobs.len(), Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap_or_else(|e| e.into_inner());
    if let Some(failed) = results.iter_mut().find(|r| matches!(r, Some(Err(_))))
        && let Some(Err(failure)) = failed.take()
    {
        return Err(failure);
    }
    let mut all = 0;
    let mut results = results.into_iter().flatten().flatten();
    for arena in arenas {
        for entry in &field.entries {
            let mut standing = Standing {
                name: entry.name.clone(),
                options: Some(entry.options.clone()),
                runs: Vec::new(),
                reports: 0,
                trials: 0,
            };
            for outcome in results.by_ref().take(seeds as usize) {
                standing.runs.push(outcome.incumbent);
                standing.reports += outcome.reports;
                standing.trials += outcome.trials;
            }
            all += standing.reports;
            arena.standings.push(standing);
        }
    }
    Ok(all)
}

fn take<'a, T>(next: &AtomicUsize, jobs: &'a [T]) -> Option<(usize, &'a T)> {
    let place = next.fetch_add(1, Ordering::Relaxed);
    jobs.get(place).map(|job| (place, job))
}

/// One run, cut when the budget is used up.
fn one(arena: &Arena<'_>, field: &Field, entry: &Entry, seed: u32) -> Result<Outcome, Failure> {
    let failed = |why: String| {
        Failure::rejected(anyhow::anyhow!(
            "{} on {} with {} slots and seed {seed}: {why}",
            entry.name,
            arena.name(),
            arena.slots
        ))
    };
    let plan = arena::plan(
        arena.table,
        arena.slots,
        seed,
        entry,
        &field.searcher_options,
    );
    let mut deciders = tune_runner::deciders(&field.searcher, &entry.loaded(field)?, &plan)
        .map_err(|(role, error)| {
            failed(format!("the {role} does not start: {}", error.details()))
        })?;
    let digest = plan_digest(&plan, &[]);
    let maximize = arena.maximize();
    let metric = &arena.table.catalogue().about().metric;
    let mut simulation = Simulation::new(Engine::new(plan, digest)?);
    let mut curves = Recorded::new(arena.table);
    let mut outcome = Outcome {
        incumbent: Incumbent::default(),
        reports: 0,
        trials: 0,
    };
    let mut next = Some(Event::Opened);
    while let Some(event) = next {
        let handover = simulation
            .hand_over(event, deciders.as_mut(), &mut curves)
            .map_err(|stop| failed(stop.to_string()))?;
        if handover.tick > arena.budget {
            break;
        }
        if let Some(value) = handover.report.as_ref().and_then(|r| r.get(metric)) {
            outcome.reports += 1;
            let time = seconds(handover.tick);
            outcome.incumbent.offer(time, value, maximize);
        }
        next = simulation.next_result();
    }
    outcome.trials = simulation.engine().trials().len() as u64;
    Ok(outcome)
}
