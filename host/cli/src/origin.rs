//! Which state of a trial `3@17` means: the last one in which the trial itself was at iteration 17.

use tune_core::Point;
use tune_report::{RunView, TrialView};

use crate::args::TrialAt;
use crate::failure::Failure;

/// A state of a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    /// Which state: a trial and its own reports.
    pub(crate) point: Point,
    /// Its `training_iteration`.
    pub(crate) iteration: u64,
}

impl Origin {
    /// Finds what was asked for.
    ///
    /// # Errors
    /// There is no such trial or iteration; says which there are.
    pub(crate) fn find(run: &RunView, at: TrialAt) -> Result<Self, Failure> {
        let trial = run.trial(at.trial).ok_or_else(|| {
            let hint = match run.trials.len() {
                0 => "it has none yet".to_owned(),
                count => format!("its trials are 0 to {}", count - 1),
            };
            Failure::usage(format!(
                "run {} has no trial {}\n  hint: {hint}",
                run.name, at.trial
            ))
        })?;
        let last = trial.reports.len() as u64;
        let Some(wanted) = at.iteration else {
            return Ok(Self {
                point: Point {
                    trial: trial.id,
                    reports: last,
                },
                iteration: trial.iteration_of(last),
            });
        };
        let found = (0..=last).rev().find(|&n| trial.iteration_of(n) == wanted);
        let reports = found.ok_or_else(|| {
            Failure::usage(format!(
                "trial {} has no iteration {wanted}\n  hint: it has {}",
                trial.id,
                ranges(trial)
            ))
        })?;
        Ok(Self {
            point: Point {
                trial: trial.id,
                reports,
            },
            iteration: wanted,
        })
    }
}

/// The iterations of a trial in words: `0 to 8, then 13 to 20 from a state of trial 5`.
fn ranges(trial: &TrialView) -> String {
    let last = trial.reports.len() as u64;
    let mut parts = Vec::new();
    let mut begin = 0;
    let mut whose = None;
    let sources = trial.branches.iter().filter_map(|branch| {
        let source = branch.source?;
        Some((branch.reports, Some(source.trial)))
    });
    for (end, next) in sources.chain([(last, None)]) {
        // What was taken over is a state of the other trial; the first one after it is this one's.
        let first = if whose.is_some() { begin + 1 } else { begin };
        if first <= end {
            let (from, to) = (trial.iteration_of(first), trial.iteration_of(end));
            let span = if from == to {
                from.to_string()
            } else {
                format!("{from} to {to}")
            };
            parts.push(match whose {
                None => span,
                Some(source) => format!("{span} from a state of trial {source}"),
            });
        }
        (begin, whose) = (end, next);
    }
    parts.join(", then ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use tune_core::records::Config;
    use tune_report::{Branch, ReportView, Source, TrialStatus};

    /// Trial 3: iterations 1 to 3, then a copy of trial 5 at 1, and 2 to 4.
    fn run() -> RunView {
        let reports = [1, 2, 3, 2, 3, 4].map(|iteration| ReportView {
            iteration,
            metrics: Vec::new(),
        });
        let trial = |id, reports: Vec<ReportView>, branches| TrialView {
            id,
            config: Config::new(),
            first_config: Config::new(),
            first_iteration: 0,
            branches,
            status: TrialStatus::Finished,
            reports,
            failure: None,
            usage: tune_report::TrialUse::default(),
        };
        let clone = Branch {
            reports: 3,
            source: Some(Source {
                trial: 5,
                reports: 1,
                iteration: 1,
                sequence: 9,
            }),
            config: Config::new(),
        };
        RunView {
            name: "toy".to_owned(),
            path: "runs/toy".to_owned(),
            parent: None,
            status: "finished".to_owned(),
            reason: String::new(),
            objective: None,
            trials: vec![
                trial(0, Vec::new(), Vec::new()),
                trial(1, reports.to_vec(), vec![clone]),
            ],
            handovers: 0,
            digest: String::new(),
            limits: tune_core::Limits::default(),
            searcher_limits: tune_core::Limits::default(),
            scheduler_limits: tune_core::Limits::default(),
            searcher: tune_report::DeciderUse::default(),
            scheduler: tune_report::DeciderUse::default(),
        }
    }

    fn find(trial: u32, iteration: Option<u64>) -> Result<(u64, u64), String> {
        let found = Origin::find(&run(), TrialAt { trial, iteration });
        found
            .map(|origin| (origin.point.reports, origin.iteration))
            .map_err(|failure| failure.message())
    }

    #[test]
    fn the_last_state_is_meant_where_nothing_is_said_or_several_fit() {
        assert_eq!(find(1, None), Ok((6, 4)));
        assert_eq!(find(1, Some(3)), Ok((5, 3)));
        assert_eq!(find(1, Some(1)), Ok((1, 1)));
        assert_eq!(find(1, Some(0)), Ok((0, 0)));
        assert_eq!(find(0, None), Ok((0, 0)));
    }

    #[test]
    fn what_is_not_there_is_answered_with_what_is() {
        assert_eq!(
            find(1, Some(9)).unwrap_err(),
            "trial 1 has no iteration 9\n  hint: it has 0 to 3, then 2 to 4 from a state of trial 5"
        );
        assert_eq!(
            find(0, Some(1)).unwrap_err(),
            "trial 0 has no iteration 1\n  hint: it has 0"
        );
        assert_eq!(
            find(7, None).unwrap_err(),
            "run toy has no trial 7\n  hint: its trials are 0 to 1"
        );
    }
}
