//! What the deterministic order costs: the same trials, handed over as they come.

use std::time::Duration;

use anyhow::Result;
use tune_core::Order;

use crate::show;
use crate::stage::{Manner, Stage, digits_plan};

/// Runs of each order; they take turns, so that a slow minute of the machine meets both.
const ROUNDS: usize = 3;

/// Prints epochs per second in both orders.
pub(crate) fn run(stage: &Stage) -> Result<bool> {
    let mut plan = digits_plan()?;
    // Configurations that depend on no result, so that both orders do the same work.
    plan.searcher = ("random".to_owned(), "{}".to_owned());
    plan.scheduler = ("fifo".to_owned(), "{}".to_owned());
    plan.stop = Vec::new();
    plan.trials = Some(60);
    plan.max_t = Some(20.0);

    let orders = [Order::Deterministic, Order::Arrival];
    let mut walls = [Vec::new(), Vec::new()];
    let mut work = Vec::new();
    stage.run(&plan, &Manner::threads(2))?;
    for _ in 0..ROUNDS {
        for (order, walls) in orders.iter().zip(&mut walls) {
            plan.order = *order;
            let ran = stage.run(&plan, &Manner::threads(2))?;
            walls.push(ran.wall);
            work.push((ran.tally.reports, ran.tally.suggested));
        }
    }
    let same = work.windows(2).all(|pair| pair.first() == pair.last());
    let epochs = work.first().map_or(0, |(reports, _)| *reports);

    let mut table = show::table(&["order", "median", "fastest", "slowest", "epochs/s (median)"]);
    let mut medians = Vec::new();
    for (name, walls) in ["deterministic", "arrival"].iter().zip(&walls) {
        let median = show::median(walls, Duration::as_secs_f64).unwrap_or_default();
        medians.push(median.as_secs_f64());
        table.rows.push(vec![
            (*name).to_owned(),
            show::seconds(median),
            show::seconds(walls.iter().min().copied().unwrap_or_default()),
            show::seconds(walls.iter().max().copied().unwrap_or_default()),
            show::number(epochs as f64 / median.as_secs_f64()),
        ]);
    }
    show::print(&table);
    if let [deterministic, arrival] = medians.as_slice() {
        println!(
            "deterministic / arrival: {:.3} of the throughput (goal: at least 0.95); \
             {ROUNDS} runs each, taking turns; {epochs} epochs a run, {}",
            arrival / deterministic,
            if same { "the same in all" } else { "NOT the same in all" },
        );
    }
    Ok(same)
}
