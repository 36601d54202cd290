//! One comparison: a table, a number of slots, and what every scheduler found there.

use tune_core::EnginePlan;
use tune_core::records::{Stream, derive_seed};
use tune_simulation::{PlanBuilder, SECOND};
use tune_table::{Mode, Table};

use super::entries::Entry;
use super::incumbent::Incumbent;
use super::peers::Peers;

/// A table and a number of slots.
pub(super) struct Arena<'a> {
    pub(super) table: &'a Table,
    pub(super) slots: u32,
    /// Microseconds of virtual time after which a run is cut.
    pub(super) budget: u64,
    pub(super) standings: Vec<Standing>,
}

/// What one scheduler found, by seed.
pub(super) struct Standing {
    pub(super) name: String,
    /// Its options, a JSON object; none of another program's scheduler.
    pub(super) options: Option<String>,
    pub(super) runs: Vec<Incumbent>,
    /// Reports of all runs.
    pub(super) reports: u64,
    /// Trials of all runs.
    pub(super) trials: u64,
}

/// The end of every trial of a table, in units of its axis.
pub(super) fn max_t(table: &Table) -> f64 {
    let longest = table.curves().iter().map(tune_table::Curve::len).max();
    let about = table.catalogue().about();
    about.max_t.unwrap_or(longest.unwrap_or(1) as f64)
}

/// Microseconds in which these slots do the work of so many whole curves of mean cost.
pub(super) fn budget(table: &Table, slots: u32, trainings: u32) -> u64 {
    let total: f64 = table.curves().iter().map(|curve| curve.cost() as f64).sum();
    let mean = total / table.curves().len().max(1) as f64;
    (mean * f64::from(trainings) / f64::from(slots.max(1))).ceil() as u64
}

/// The rows of a table in the order in which trials of this seed are created: each once.
pub(super) fn order(table: &Table, seed: u32) -> Vec<usize> {
    let mut rows: Vec<usize> = (0..table.catalogue().rows().len()).collect();
    Stream::new(derive_seed(&[b"rows of a table", &seed.to_le_bytes()])).shuffle(&mut rows);
    rows
}

/// The plan of a run: as of an experiment on the table whose `points_to_evaluate` are its rows in
/// this order.
pub(super) fn plan(
    table: &Table,
    slots: u32,
    seed: u32,
    entry: &Entry,
    searcher: &str,
) -> EnginePlan {
    let catalogue = table.catalogue();
    let about = catalogue.about();
    let points = order(table, seed)
        .into_iter()
        .filter_map(|row| catalogue.rows().get(row))
        .map(|row| row.config.clone())
        .collect();
    let builder = match about.mode {
        Mode::Min => PlanBuilder::minimize(&about.metric),
        Mode::Max => PlanBuilder::maximize(&about.metric),
    };
    let mut plan = builder
        .trials(u32::try_from(catalogue.rows().len()).unwrap_or(u32::MAX))
        .slots(slots)
        .seed(u64::from(seed))
        .max_t(max_t(table))
        .time_attr(&about.time_attr)
        .space(catalogue.space().parameters().to_vec())
        .points(points)
        .searcher("random", searcher)
        .scheduler(&entry.plugin, &entry.options)
        .build();
    plan.constants = catalogue.constants().clone();
    plan
}

impl<'a> Arena<'a> {
    pub(super) fn new(table: &'a Table, slots: u32, trainings: u32) -> Self {
        Self {
            table,
            slots,
            budget: budget(table, slots, trainings),
            standings: Vec::new(),
        }
    }

    pub(super) fn maximize(&self) -> bool {
        self.table.catalogue().about().mode == Mode::Max
    }

    pub(super) fn budget_s(&self) -> f64 {
        seconds(self.budget)
    }

    pub(super) fn name(&self) -> &str {
        &self.table.catalogue().about().name
    }

    /// The best value in the whole table.
    pub(super) fn best(&self) -> f64 {
        let mut best = Incumbent::default();
        for row in 0..self.table.curves().len() {
            for value in self.table.objective(row) {
                best.offer(0.0, value, self.maximize());
            }
        }
        best.at(0.0).unwrap_or(f64::NAN)
    }

    /// Adds what other programs found here; notes about those that are left out.
    pub(super) fn join(&mut self, peers: Option<&Peers>, seeds: u32) -> Vec<String> {
        let mut notes = Vec::new();
        for (name, runs) in peers.map_or_else(Vec::new, |p| p.of(self.name(), self.slots)) {
            let wanted: Option<Vec<Incumbent>> =
                (1..=seeds).map(|seed| runs.get(&seed).cloned()).collect();
            match wanted {
                Some(runs) => self.standings.push(Standing {
                    name,
                    options: None,
                    runs,
                    reports: 0,
                    trials: 0,
                }),
                None => notes.push(format!(
                    "warning: {name} has not all of the {seeds} seeds on {} with {} slots, left out",
                    self.name(),
                    self.slots
                )),
            }
        }
        notes
    }
}

/// Virtual seconds.
pub(super) fn seconds(ticks: u64) -> f64 {
    ticks as f64 / SECOND as f64
}
