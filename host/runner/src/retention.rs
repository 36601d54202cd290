//! Which snapshots stay on the disk: what live, kept and best states would be built from, and the
//! newest. What goes costs at most the replay that its place in this list is meant to spare.

use std::collections::BTreeSet;

use tune_core::records::{Ending, TrialId};
use tune_core::{Base, Engine, Phase, Point, is_better};

use crate::coordinator::Coordinator;
use crate::states::States;
use crate::vault::Pair;
use crate::writer::Order;

impl Coordinator<'_> {
    /// Lets files go that nobody will need.
    pub(crate) fn retain(&mut self) {
        let Some(writer) = &self.saving.writer else {
            return;
        };
        let policy = &self.saving.policy;
        let keep = policy.keep.max(1) as usize;
        // What is being written has a number already, but is not known yet.
        if !self.saving.grown || self.saving.errands > 0 || writer.queued() > 0 {
            return;
        }
        self.saving.grown = false;
        if !self.states.vault.is_sweep_due(keep) {
            return;
        }
        let mut ids = BTreeSet::new();
        for point in durable_points(&self.engine, policy.keep_best) {
            ids.extend(ancestor(&self.engine, &self.states, point));
        }
        for trial in self.engine.trials().iter().filter(|t| !t.is_ended()) {
            ids.extend(self.states.vault.newest(trial.id).take(keep));
        }
        ids.extend(self.states.vault.imported().map(|s| s.id));
        for Pair {
            searcher,
            scheduler,
            ..
        } in self.states.vault.pairs().into_iter().take(keep)
        {
            ids.extend([searcher, scheduler]);
        }
        let horizon = self.states.vault.sweep(&ids);
        writer.push(Order::Retain { keep: ids, horizon });
    }
}

/// The states whose nearest written ancestors must stay.
fn durable_points(engine: &Engine, keep_best: u32) -> BTreeSet<Point> {
    let mut points = States::needed(engine);
    for id in best(engine, keep_best) {
        if let Some(trial) = engine.trial(id) {
            let reports = trial.best.map_or(0, |best| best.reports);
            for reports in [reports, trial.reports()] {
                points.insert(Point { trial: id, reports });
            }
        }
    }
    points
}

/// The snapshot that a state would be built from.
fn ancestor(engine: &Engine, states: &States, point: Point) -> Option<u64> {
    let recipe = engine.recipe(point, &|p| states.vault.has(p)).ok()?;
    match recipe.base {
        Base::Snapshot(base) => states.vault.get(base).map(|stored| stored.id),
        Base::Setup { .. } | Base::Imported => None,
    }
}

/// The trials with the best reports by the first objective, the best first; failed ones are left
/// out.
pub(crate) fn best(engine: &Engine, count: u32) -> Vec<TrialId> {
    match count {
        0 => Vec::new(),
        1 => engine.best().map(|trial| trial.id).into_iter().collect(),
        count => {
            let maximize = engine.plan().objectives.first().is_some_and(|o| o.maximize);
            let mut values: Vec<_> = engine
                .trials()
                .iter()
                .filter(|t| !matches!(t.phase, Phase::Ended(Ending::Failed(_))))
                .filter_map(|t| Some((t.best?.value, t.id)))
                .collect();
            values.sort_by(|(a, i), (b, j)| {
                if is_better(*a, *b, maximize) {
                    std::cmp::Ordering::Less
                } else if is_better(*b, *a, maximize) {
                    std::cmp::Ordering::Greater
                } else {
                    i.cmp(j)
                }
            });
            values.truncate(count as usize);
            values.into_iter().map(|(_, id)| id).collect()
        }
    }
}
