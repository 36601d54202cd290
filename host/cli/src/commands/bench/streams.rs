//! The streams of trials as JSON, for programs that are compared on the same ones: `docs/tables.md`
//! describes the form.

use serde_json::{Map, Value, json};
use tune_table::{Mode, Table};

use super::arena::{budget, max_t, order, seconds};

/// Curves, budgets and orders of configurations of all tables.
pub(super) fn text(tables: &[Table], slots: &[u32], seeds: u32, trainings: u32) -> String {
    let tables = tables.iter().map(|table| {
        let catalogue = table.catalogue();
        let budgets: Map<String, Value> = slots
            .iter()
            .map(|n| (n.to_string(), json!(seconds(budget(table, *n, trainings)))))
            .collect();
        let rows = catalogue.rows().iter().enumerate();
        let curves: Vec<Value> = rows
            .map(|(index, row)| {
                let curve = table.curves().get(index);
                let steps = 1..=curve.map_or(0, tune_table::Curve::len) as u64;
                let cost = steps.filter_map(|t| Some(seconds(curve?.step(t)?.cost)));
                json!({
                    "id": row.id,
                    "cost_s": cost.collect::<Vec<f64>>(),
                    // What is not finite becomes null.
                    "value": table.objective(index).collect::<Vec<f64>>(),
                })
            })
            .collect();
        let streams: Vec<Value> = (1..=seeds)
            .map(|seed| {
                let ids = order(table, seed).into_iter();
                let ids = ids.filter_map(|row| Some(catalogue.rows().get(row)?.id));
                json!({ "seed": seed, "configurations": ids.collect::<Vec<u32>>() })
            })
            .collect();
        json!({
            "table": catalogue.about().name,
            "metric": catalogue.about().metric,
            "mode": match catalogue.about().mode { Mode::Min => "min", Mode::Max => "max" },
            // Some programs know whole numbers of steps only.
            "max_t": whole(max_t(table)),
            "budget_s": budgets,
            "curves": curves,
            "streams": streams,
        })
    });
    let all = json!({
        "version": 1,
        "slots": slots,
        "tables": tables.collect::<Vec<_>>(),
    });
    format!("{all}\n")
}

fn whole(number: f64) -> Value {
    // Below 2^53 a whole number is exact.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if number.fract() == 0.0 && number.abs() < EXACT {
        json!(number as i64)
    } else {
        json!(number)
    }
}
