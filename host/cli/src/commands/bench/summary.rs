//! What came out, as text for people and as JSON.

use serde_json::{Value, json};
use tune_report::{Column, Table, clean, short};

use super::arena::Arena;
use super::incumbent::{Incumbent, spread};
use super::peers::Peers;
use crate::args::BenchSchedulersArgs;
use crate::output::Page;

/// Shares of the budget at which results are compared.
pub(super) const SHARES: [f64; 3] = [0.25, 0.5, 1.0];
/// Points at which it is looked when a scheduler is as good as `fifo` at its end.
const LOOKS: u32 = 1_000;

/// How fast it went.
pub(super) struct Speed {
    pub(super) reports: u64,
    pub(super) seconds: f64,
    pub(super) threads: usize,
}

/// The mean rank of every entry at a share of the budget: by seed, equals share their ranks.
pub(super) fn ranks(arena: &Arena<'_>, share: f64) -> Vec<f64> {
    let time = share * arena.budget_s();
    let count = arena.standings.len();
    let seeds = arena.standings.first().map_or(0, |s| s.runs.len());
    let mut sums = vec![0.0; count];
    for seed in 0..seeds {
        let value = |run: &Incumbent| {
            let value = run.at(time).unwrap_or(f64::INFINITY);
            if arena.maximize() && value.is_finite() {
                -value
            } else {
                value
            }
        };
        let values: Vec<f64> = arena
            .standings
            .iter()
            .map(|s| s.runs.get(seed).map_or(f64::INFINITY, value))
            .collect();
        for (sum, own) in sums.iter_mut().zip(&values) {
            let better = values.iter().filter(|v| *v < own).count();
            let equal = values.iter().filter(|v| *v == own).count();
            *sum += better as f64 + (equal as f64 + 1.0) / 2.0;
        }
    }
    sums.into_iter()
        .map(|sum| sum / seeds.max(1) as f64)
        .collect()
}

/// The share of the budget after which the median is as good as that of `fifo` at its end.
fn as_fifo(arena: &Arena<'_>, runs: &[Incumbent]) -> Option<f64> {
    let fifo = arena.standings.iter().find(|s| s.name == "fifo")?;
    let goal = spread(&fifo.runs, arena.budget_s(), arena.maximize()).median;
    (1..=LOOKS)
        .map(|i| f64::from(i) / f64::from(LOOKS))
        .find(|share| {
            let median = spread(runs, share * arena.budget_s(), arena.maximize()).median;
            median == goal || tune_core::is_better(median, goal, arena.maximize())
        })
}

fn shown(value: f64) -> String {
    if value.is_finite() {
        short(value)
    } else {
        "-".to_owned()
    }
}

/// Tables for people.
pub(super) fn lines(
    arenas: &[Arena<'_>],
    args: &BenchSchedulersArgs,
    speed: &Speed,
    page: Page,
) -> Vec<String> {
    let mut lines = Vec::new();
    for arena in arenas {
        let about = arena.table.catalogue().about();
        lines.push(format!(
            "{}, {} slots: {} ({} is better), median of {} seeds; best of the table {}, budget {} s",
            clean(&about.name),
            arena.slots,
            clean(&about.metric),
            if arena.maximize() { "more" } else { "less" },
            args.seeds,
            short(arena.best()),
            short(arena.budget_s()),
        ));
        let mut table = Table::new(vec![
            Column::text("scheduler", 0),
            Column::number("25 %", 0),
            Column::number("50 %", 0),
            Column::number("100 %", 0),
            Column::number("rank 25 %", 0),
            Column::number("50 %", 0),
            Column::number("100 %", 0),
            Column::number("like fifo at", 1),
            Column::number("quartiles 25 %", 3),
            Column::number("quartiles 100 %", 2),
            Column::number("trials", 4),
        ]);
        let all = SHARES.map(|share| ranks(arena, share));
        let mut rows: Vec<(f64, Vec<String>)> = Vec::new();
        for (index, standing) in arena.standings.iter().enumerate() {
            let ranks = all
                .each_ref()
                .map(|r| r.get(index).copied().unwrap_or(f64::NAN));
            let at = SHARES
                .map(|share| spread(&standing.runs, share * arena.budget_s(), arena.maximize()));
            let [first, _, last] = at;
            let quartiles =
                |s: super::incumbent::Spread| format!("{} .. {}", shown(s.better), shown(s.worse));
            let mut row = vec![standing.name.clone()];
            row.extend(at.map(|s| shown(s.median)));
            row.extend(ranks.map(|rank| format!("{rank:.1}")));
            row.push(match as_fifo(arena, &standing.runs) {
                Some(share) => format!("{:.0} %", share * 100.0),
                None => "-".to_owned(),
            });
            row.push(quartiles(first));
            row.push(quartiles(last));
            row.push(match standing.trials {
                0 => "-".to_owned(),
                trials => (trials / u64::from(args.seeds)).to_string(),
            });
            rows.push((ranks.iter().sum(), row));
        }
        rows.sort_by(|a, b| a.0.total_cmp(&b.0));
        table.rows = rows.into_iter().map(|(_, row)| row).collect();
        lines.extend(table.render(page.width, page.color));
        lines.push(String::new());
    }
    lines.push(format!(
        "{} reports in {:.1} s on {} threads: {} a second",
        speed.reports,
        speed.seconds,
        speed.threads,
        (speed.reports as f64 / speed.seconds.max(1e-9)) as u64
    ));
    lines
}

/// The same for programs; with every incumbent if `whole`.
pub(super) fn json(
    arenas: &[Arena<'_>],
    args: &BenchSchedulersArgs,
    speed: &Speed,
    peers: Option<&Peers>,
    whole: bool,
) -> Value {
    let arenas = arenas.iter().map(|arena| {
        let all = SHARES.map(|share| ranks(arena, share));
        let standings = arena.standings.iter().enumerate().map(|(index, standing)| {
            let at = SHARES.iter().zip(&all).map(|(share, ranks)| {
                let s = spread(&standing.runs, share * arena.budget_s(), arena.maximize());
                json!({
                    "share": share, "median": s.median, "better_quartile": s.better,
                    "worse_quartile": s.worse, "rank": ranks.get(index),
                })
            });
            let options = standing.options.as_ref();
            let mut value = json!({
                "scheduler": standing.name,
                "options": options.and_then(|o| serde_json::from_str::<Value>(o).ok()),
                "at": at.collect::<Vec<_>>(),
                "like_fifo_at": as_fifo(arena, &standing.runs),
                "reports": standing.reports,
                "trials": standing.trials,
            });
            if whole && let Some(object) = value.as_object_mut() {
                let runs = standing.runs.iter().map(|run| json!(run.points));
                object.insert("incumbents".to_owned(), runs.collect());
            }
            value
        });
        let about = arena.table.catalogue().about();
        json!({
            "table": about.name,
            "metric": about.metric,
            "mode": if arena.maximize() { "max" } else { "min" },
            "slots": arena.slots,
            "budget_s": arena.budget_s(),
            "best": arena.best(),
            "schedulers": standings.collect::<Vec<_>>(),
        })
    });
    json!({
        "seeds": args.seeds,
        "trainings": args.trainings,
        "peers": peers.map(|p| &p.versions),
        "results": arenas.collect::<Vec<_>>(),
        "reports": speed.reports,
        "seconds": speed.seconds,
        "threads": speed.threads,
    })
}
