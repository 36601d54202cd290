//! Stop rules with a memory: a trial, or the whole run, that does not get better any more, or that
//! the searcher says cannot get much better.
//!
//! Names and defaults are Ray Tune's. Here is what they compare; when they are asked and what
//! follows is the handover's. What they remember is derived from reports alone, so that a journal
//! folds to the same state.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use tune_space::{Report, TrialId};

use crate::engine::is_better;

/// Ends a trial as finished when the last values of a metric hardly differ.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrialPlateau {
    /// A reported or reserved metric.
    pub metric: String,
    /// Met when their standard deviation (of the population) is below this.
    pub std: f64,
    /// How many last values, at least 2.
    pub num_results: u32,
    /// Not met before so many reports of the trial.
    pub grace_period: u32,
    /// Met only if the last value has reached this: the bound, and whether from below.
    pub threshold: Option<(f64, bool)>,
}

impl TrialPlateau {
    /// Notes a report and answers whether the rule is met.
    pub(crate) fn met(&self, recent: &mut VecDeque<f64>, report: &Report, reports: u64) -> bool {
        let Some(value) = report.get(&self.metric) else {
            return false;
        };
        recent.push_back(value);
        if recent.len() > self.num_results as usize {
            recent.pop_front();
        }
        let reached = self.threshold.is_none_or(|(bound, at_least)| {
            if at_least {
                value >= bound
            } else {
                value <= bound
            }
        });
        reached
            && reports >= u64::from(self.grace_period)
            && recent.len() >= self.num_results as usize
            && deviation(recent.iter().copied()) < self.std
    }
}

/// Ends the run when the best trials hardly differ.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExperimentPlateau {
    /// Met when the standard deviation of their best values of the first objective is at most this.
    pub std: f64,
    /// How many trials, at least 2.
    pub top: u32,
    /// So many reports in a row may meet it before the run ends at the next.
    pub patience: u32,
}

/// What [`ExperimentPlateau`] remembers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Top {
    /// The best trials with their best values, best first.
    best: Vec<(f64, TrialId)>,
    /// Reports in a row that met the rule.
    met: u64,
}

impl ExperimentPlateau {
    /// Notes a value and answers whether the run ends. Of equals the earlier value stays.
    pub(crate) fn met(&self, top: &mut Top, trial: TrialId, value: f64, maximize: bool) -> bool {
        let own = top.best.iter().position(|(_, id)| *id == trial);
        let better = |than: f64| is_better(value, than, maximize);
        let known = own.and_then(|i| top.best.get(i)).map(|(best, _)| *best);
        if value.is_finite() && known.is_none_or(better) {
            if let Some(own) = own {
                top.best.remove(own);
            }
            let place = top.best.partition_point(|(best, _)| !better(*best));
            top.best.insert(place, (value, trial));
            top.best.truncate(self.top as usize);
        }
        let full = top.best.len() >= self.top as usize;
        let met = full && deviation(top.best.iter().map(|(value, _)| *value)) <= self.std;
        top.met = if met { top.met + 1 } else { 0 };
        top.met > u64::from(self.patience)
    }
}

/// Rules with a memory.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Plateaus {
    /// Ends a trial.
    pub trial: Option<TrialPlateau>,
    /// Ends the run.
    pub experiment: Option<ExperimentPlateau>,
    /// Ends the run when the searcher bounds the regret of the best result by at most this, in units
    /// of the first objective.
    /// By default none; then it is not in the digest, which is older than this rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regret: Option<f64>,
}

impl Plateaus {
    /// There are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Standard deviation of the population; NaN if a value is not finite.
fn deviation(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let n = values.clone().map(|_| 1.0).sum::<f64>();
    let mean = values.clone().sum::<f64>() / n;
    libm::sqrt(values.map(|v| (v - mean) * (v - mean)).sum::<f64>() / n)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(rule: &TrialPlateau, values: &[f64]) -> Vec<usize> {
        let mut recent = VecDeque::new();
        let reports = (1..).zip(values);
        let met = reports.filter(|(n, value)| {
            let report = Report::default().with("loss", **value);
            rule.met(&mut recent, &report, *n as u64)
        });
        met.map(|(n, _)| n).collect()
    }

    #[test]
    fn a_trial_has_a_plateau_when_its_last_values_hardly_differ() {
        let mut rule = TrialPlateau {
            metric: "loss".into(),
            std: 0.01,
            num_results: 4,
            grace_period: 4,
            threshold: None,
        };
        assert_eq!(ends(&rule, &[1.0, 0.5, 0.5, 0.5, 0.5, 0.4, 0.4]), [5]);
        assert_eq!(ends(&rule, &[1.0; 5]), [4, 5]);
        // 0, 0, 0, 0.02 has 0.00866; 0, 0, 0.02, 0.02 has 0.01, which is not below.
        assert_eq!(ends(&rule, &[0.0, 0.0, 0.0, 0.02, 0.02]), [4]);
        assert_eq!(ends(&rule, &[f64::NAN; 9]), [] as [usize; 0]);
        rule.grace_period = 6;
        assert_eq!(ends(&rule, &[1.0; 7]), [6, 7]);
        rule.threshold = Some((0.5, false));
        assert_eq!(ends(&rule, &[1.0; 9]), [] as [usize; 0]);
        assert_eq!(ends(&rule, &[0.5; 6]), [6]);
    }

    #[test]
    fn the_run_has_a_plateau_when_the_best_of_its_best_trials_hardly_differ() {
        let mut rule = ExperimentPlateau {
            std: 0.001,
            top: 3,
            patience: 0,
        };
        let ends = |rule: &ExperimentPlateau, values: &[(TrialId, f64)]| -> Vec<bool> {
            let mut top = Top::default();
            let values = values.iter();
            values
                .map(|(t, v)| rule.met(&mut top, *t, *v, true))
                .collect()
        };
        // One trial alone is no plateau, however often it reports.
        assert_eq!(ends(&rule, &[(0, 0.9); 5]), [false; 5]);
        let mut seen = vec![
            (0, 0.1),
            (0, 0.9),
            (1, 0.9),
            (2, 0.5),
            (3, f64::NAN),
            (4, 0.9),
            (4, 0.8),
        ];
        let expected = [false, false, false, false, false, true, true];
        assert_eq!(ends(&rule, &seen), expected);
        rule.patience = 1;
        assert_eq!(ends(&rule, &seen)[5..], [false, true]);
        seen.insert(6, (5, 1.5));
        assert_eq!(ends(&rule, &seen)[5..], [false, false, false]);
    }
}
