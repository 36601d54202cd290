//! Which trial is best: over all reports of a trial or by its last, failed trials left out, NaN
//! worse than any number, the earlier of equals first.

use tune_core::is_better;
use tune_core::records::Objective;

use crate::{TrialStatus, TrialView};

/// Which reports of a trial count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// The best of all. The default.
    #[default]
    All,
    /// The last.
    Last,
}

/// A report that is best.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BestReport {
    /// Whose report.
    pub trial: u32,
    /// Its iteration. A trial that took over another one's state can come to the same one again.
    pub iteration: u64,
    /// Which of the trial's own reports, from 1.
    pub reports: u64,
    /// The objective's value.
    pub value: f64,
}

/// The report that stands for a trial; none if the objective was never reported.
#[must_use]
pub fn best_of_trial(trial: &TrialView, objective: &Objective, scope: Scope) -> Option<BestReport> {
    let mut reports = trial.reports.iter().enumerate().filter_map(|(i, report)| {
        Some(BestReport {
            trial: trial.id,
            iteration: report.iteration,
            reports: i as u64 + 1,
            value: report.get(&objective.metric)?,
        })
    });
    match scope {
        Scope::Last => reports.next_back(),
        Scope::All => reports.reduce(|best, next| {
            if is_better(next.value, best.value, objective.maximize) {
                next
            } else {
                best
            }
        }),
    }
}

/// All trials that may be best, the best first.
#[must_use]
pub fn ranking(trials: &[TrialView], objective: &Objective, scope: Scope) -> Vec<BestReport> {
    let mut ranked: Vec<BestReport> = trials
        .iter()
        .filter(|t| !matches!(t.status, TrialStatus::Failed(_)))
        .filter_map(|t| best_of_trial(t, objective, scope))
        .collect();
    ranked.sort_by(|a, b| {
        let better = |x: f64, y: f64| is_better(x, y, objective.maximize);
        better(b.value, a.value)
            .cmp(&better(a.value, b.value))
            .then(a.trial.cmp(&b.trial))
    });
    ranked
}

/// The best trial, if any trial that did not fail reported the objective.
#[must_use]
pub fn best_trial(trials: &[TrialView], objective: &Objective, scope: Scope) -> Option<BestReport> {
    ranking(trials, objective, scope).into_iter().next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ReportView;
    use tune_core::records::{Config, FailureKind, Metric};

    fn trial(id: u32, status: TrialStatus, values: &[f64]) -> TrialView {
        TrialView {
            id,
            config: Config::new(),
            first_config: Config::new(),
            first_iteration: 0,
            branches: Vec::new(),
            status,
            reports: (1..)
                .zip(values)
                .map(|(iteration, &value)| ReportView {
                    iteration,
                    metrics: vec![Metric {
                        name: "loss".into(),
                        value,
                    }],
                })
                .collect(),
            failure: None,
            usage: crate::TrialUse::default(),
        }
    }

    fn objective(maximize: bool) -> Objective {
        Objective {
            metric: "loss".to_owned(),
            maximize,
        }
    }

    const DONE: TrialStatus = TrialStatus::Finished;

    #[test]
    fn the_scope_says_which_report_stands_for_a_trial() {
        let trials = [trial(0, DONE, &[0.1, 0.9]), trial(1, DONE, &[0.5, 0.4])];
        let best = |maximize, scope| {
            let best = best_trial(&trials, &objective(maximize), scope).unwrap();
            (best.trial, best.iteration, best.value)
        };
        assert_eq!(best(false, Scope::All), (0, 1, 0.1));
        assert_eq!(best(false, Scope::Last), (1, 2, 0.4));
        assert_eq!(best(true, Scope::All), (0, 2, 0.9));
    }

    #[test]
    fn nan_is_worse_than_any_number_and_equals_go_to_the_earlier() {
        let nan = f64::NAN;
        let trials = [
            trial(0, DONE, &[nan]),
            trial(1, DONE, &[nan, f64::INFINITY]),
            trial(2, DONE, &[3.0, 3.0]),
            trial(3, DONE, &[3.0]),
            trial(4, DONE, &[]),
        ];
        for (maximize, expected) in [(false, [2, 3, 1, 0]), (true, [1, 2, 3, 0])] {
            let ranked = ranking(&trials, &objective(maximize), Scope::All);
            let ids: Vec<_> = ranked.iter().map(|b| b.trial).collect();
            assert_eq!(ids, expected);
            assert!(ranked[1].iteration == 1 || maximize);
        }
    }

    #[test]
    fn failed_trials_are_never_best() {
        let failed = TrialStatus::Failed(FailureKind::Trap);
        let trials = [trial(0, failed, &[0.0]), trial(1, DONE, &[1.0])];
        let best = best_trial(&trials, &objective(false), Scope::All).unwrap();
        assert_eq!(best.trial, 1);
        assert_eq!(
            best_trial(&trials[..1], &objective(false), Scope::All),
            None
        );
    }
}
