//! The experiment of the README: what it finds, and what early stopping saves.

use anyhow::Result;

use crate::show;
use crate::stage::{Manner, Stage, digits_plan};

/// Prints both runs.
pub(crate) fn run(stage: &Stage) -> Result<bool> {
    let plan = digits_plan()?;
    let asha = stage.run(&plan, &Manner::threads(2))?;
    // The same configurations, each trained to the end. They are given, so the searcher's work is
    // none; the cheapest one is taken, in favour of fifo.
    let mut whole = plan.clone();
    whole.points_to_evaluate = asha.tally.suggested.clone();
    whole.searcher = ("random".to_owned(), "{}".to_owned());
    whole.scheduler = ("fifo".to_owned(), "{}".to_owned());
    let fifo = stage.run(&whole, &Manner::threads(2))?;

    let mut table = show::table(&[
        "examples/digits.toml",
        "tpe + asha",
        "fifo, same trials",
        "fifo / asha",
    ]);
    let pair = |ran: &crate::stage::Ran| {
        (
            ran.tally.best.unwrap_or(f64::NAN),
            ran.tally.reports as f64,
            ran.wall.as_secs_f64(),
            ran.cpu.as_secs_f64(),
        )
    };
    let (a, f) = (pair(&asha), pair(&fifo));
    let accuracy = |x: f64| format!("{:.2} %", x * 100.0);
    let mut row = |name: &str, a: String, f: String, ratio: String| {
        table.rows.push(vec![name.to_owned(), a, f, ratio]);
    };
    row(
        "best validation accuracy",
        accuracy(a.0),
        accuracy(f.0),
        String::new(),
    );
    row(
        "epochs",
        show::number(a.1),
        show::number(f.1),
        show::ratio(f.1 / a.1),
    );
    row(
        "wall time",
        show::seconds(asha.wall),
        show::seconds(fifo.wall),
        show::ratio(f.2 / a.2),
    );
    row(
        "CPU time",
        show::seconds(asha.cpu),
        show::seconds(fifo.cpu),
        show::ratio(f.3 / a.3),
    );
    let failed = |ran: &crate::stage::Ran| show::number(ran.tally.failed as f64);
    row("failed trials", failed(&asha), failed(&fifo), String::new());
    show::print(&table);
    let trials = asha.tally.suggested.len();
    println!(
        "{trials} trials, {} slots, 2 threads; goal: above 97 %",
        plan.slots
    );
    Ok(a.0 > 0.97)
}
