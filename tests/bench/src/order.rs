//! What the deterministic order costs: the same trials, handed over as they come.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use tune_core::Order;

use crate::show;
use crate::stage::{Manner, Stage, digits_plan};

/// Runs of each order; they take turns, so that a slow minute of the machine meets both.
const ROUNDS: usize = 3;

/// A file system in memory: what is left is the order, without the disk.
const MEMORY: &str = "/dev/shm";

/// Prints epochs per second in both orders.
pub(crate) fn run(stage: &Stage) -> Result<bool> {
    let mut plan = digits_plan()?;
    // Configurations that depend on no result, so that both orders do the same work.
    plan.searcher = ("random".to_owned(), "{}".to_owned());
    plan.scheduler = ("fifo".to_owned(), "{}".to_owned());
    plan.stop = Vec::new();
    plan.trials = Some(60);
    plan.max_t = Some(20.0);

    let mut table = show::table(&[
        "run directory",
        "deterministic",
        "arrival",
        "arrival / deterministic",
        "epochs/s",
        "epochs/s",
    ]);
    let temporary = std::env::temp_dir();
    let memory = Path::new(MEMORY);
    let places = [("on disk", temporary.as_path()), ("in memory", memory)];
    let mut work = Vec::new();
    for (name, place) in places.into_iter().filter(|(_, place)| place.is_dir()) {
        let folder = tempfile::tempdir_in(place)?;
        let mut walls = [Vec::new(), Vec::new()];
        for round in 0..ROUNDS {
            for (order, walls) in [Order::Deterministic, Order::Arrival]
                .iter()
                .zip(&mut walls)
            {
                plan.order = *order;
                let path = folder.path().join(format!("{round}-{order:?}"));
                let ran = stage.run_in(&path, &plan, &Manner::threads(2))?;
                walls.push(ran.wall);
                work.push((ran.tally.reports, ran.tally.suggested));
            }
        }
        let [deterministic, arrival] =
            walls.map(|walls| show::median(&walls, Duration::as_secs_f64).unwrap_or_default());
        let epochs = work.first().map_or(0, |(reports, _)| *reports) as f64;
        table.rows.push(vec![
            name.to_owned(),
            show::seconds(deterministic),
            show::seconds(arrival),
            show::ratio(arrival.as_secs_f64() / deterministic.as_secs_f64()),
            show::number(epochs / deterministic.as_secs_f64()),
            show::number(epochs / arrival.as_secs_f64()),
        ]);
    }
    let same = work.windows(2).all(|pair| pair.first() == pair.last());
    show::print(&table);
    println!(
        "median of {ROUNDS} runs each, taking turns; epochs and configurations {}; goal: at least \
         0.95 x.\nIn arrival order every handover waits for the disk, as it cannot be computed again.",
        if same {
            "the same in all"
        } else {
            "NOT the same in all"
        },
    );
    Ok(same)
}
