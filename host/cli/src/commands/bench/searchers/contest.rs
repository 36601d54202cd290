//! All runs of a comparison, on several threads. Which thread does which changes nothing.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tune_study::Problem;

use super::cell::{self, Cell, Terms};
use super::field::Entry;

/// A run that is to be done.
pub(super) struct Job<'a> {
    pub(super) problem: &'a Problem,
    pub(super) entry: &'a Entry,
    pub(super) seed: u32,
    pub(super) batch: u32,
}

/// Every searcher on every problem with every seed and batch.
pub(super) fn jobs<'a>(
    problems: &'a [Problem],
    entries: &'a [Entry],
    seeds: u32,
    batches: &[u32],
) -> Vec<Job<'a>> {
    let mut jobs = Vec::new();
    for seed in 1..=seeds {
        for &batch in batches {
            for entry in entries {
                jobs.extend(problems.iter().map(|problem| Job {
                    problem,
                    entry,
                    seed,
                    batch,
                }));
            }
        }
    }
    jobs
}

/// What came out of them, in their order.
pub(super) fn run(jobs: &[Job<'_>], terms: &Terms, threads: usize) -> Vec<Cell> {
    let next = AtomicUsize::new(0);
    let cells: Mutex<Vec<Option<Cell>>> = Mutex::new(vec![None; jobs.len()]);
    thread::scope(|scope| {
        for _ in 0..threads.clamp(1, jobs.len().max(1)) {
            scope.spawn(|| {
                loop {
                    let place = next.fetch_add(1, Ordering::Relaxed);
                    let Some(job) = jobs.get(place) else {
                        return;
                    };
                    let searcher = (job.entry.name.as_str(), &job.entry.part);
                    let cell = cell::run(searcher, job.problem, job.seed, job.batch, terms);
                    // A thread that panicked has left nothing half done behind this lock.
                    let mut cells = cells.lock().unwrap_or_else(|e| e.into_inner());
                    if let Some(one) = cells.get_mut(place) {
                        *one = Some(cell);
                    }
                }
            });
        }
    });
    let cells = cells.into_inner().unwrap_or_else(|e| e.into_inner());
    cells.into_iter().flatten().collect()
}
