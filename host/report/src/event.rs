//! One plain line an event: what `run` prints when its output is not a terminal.

use std::borrow::Cow;

use tune_core::records::{Config, Metric};

use crate::lineage::{ValueChange, change_line};
use crate::text::{clean, cut};
use crate::trials::{config_line, is_host_metric};
use crate::{TrialStatus, short};

/// A longer line helps nobody, and a guest must not be able to fill the output.
const MAX_COLUMNS: usize = 300;

/// Something that happened in a run.
#[derive(Clone, Debug, PartialEq)]
pub enum LiveEvent<'a> {
    /// A trial was created.
    Created {
        /// Which trial.
        trial: u32,
        /// Its configuration.
        config: &'a Config,
    },
    /// A trial reported.
    Report {
        /// Which trial.
        trial: u32,
        /// From 1.
        iteration: u64,
        /// All its metrics; the host's own are not printed.
        metrics: &'a [Metric],
        /// It is the best report so far.
        is_best: bool,
    },
    /// A trial was paused.
    Paused {
        /// Which trial.
        trial: u32,
    },
    /// A paused trial goes on.
    Resumed {
        /// Which trial.
        trial: u32,
    },
    /// A trial goes on from a state of another one.
    Cloned {
        /// Which trial.
        trial: u32,
        /// Whose state.
        source: u32,
        /// The iteration of that state.
        iteration: u64,
        /// What is different from the configuration that led to it.
        changes: &'a [ValueChange],
    },
    /// A failed step is tried again.
    Retried {
        /// Which trial.
        trial: u32,
        /// Why it failed.
        why: &'a str,
    },
    /// A trial is over.
    Ended {
        /// Which trial.
        trial: u32,
        /// How it ended.
        status: TrialStatus,
        /// Reports that it made.
        reports: u64,
        /// Why it failed, if it did.
        why: Option<&'a str>,
    },
    /// Anything else that people should know.
    Remark(&'a str),
}

/// The line of an event, without an end of line. Only the first line of a longer text is in it.
#[must_use]
pub fn line(event: &LiveEvent<'_>) -> String {
    let text = match event {
        LiveEvent::Created { trial, config } => {
            format!("trial {trial} created: {}", config_line(config))
        }
        LiveEvent::Report {
            trial,
            iteration,
            metrics,
            is_best,
        } => format!(
            "trial {trial} iteration {iteration}: {}{}",
            metrics_line(metrics),
            if *is_best { " (best so far)" } else { "" }
        ),
        LiveEvent::Paused { trial } => format!("trial {trial} paused"),
        LiveEvent::Resumed { trial } => format!("trial {trial} goes on"),
        LiveEvent::Cloned {
            trial,
            source,
            iteration,
            changes,
        } => {
            let parts: Vec<String> = changes.iter().map(change_line).collect();
            format!(
                "trial {trial} goes on from trial {source} iteration {iteration}: {}",
                if parts.is_empty() {
                    "same configuration".to_owned()
                } else {
                    parts.join(", ")
                }
            )
        }
        LiveEvent::Retried { trial, why } => {
            format!(
                "trial {trial} is tried again from its last state: {}",
                first_line(why)
            )
        }
        LiveEvent::Ended {
            trial,
            status,
            reports,
            why,
        } => {
            let word = if *reports == 1 { "report" } else { "reports" };
            let why = why.map(|why| format!(": {}", first_line(why)));
            format!(
                "trial {trial} {status} after {reports} {word}{}",
                why.unwrap_or_default()
            )
        }
        LiveEvent::Remark(text) => first_line(text).into_owned(),
    };
    cut(&text, MAX_COLUMNS).into_owned()
}

/// The guest's metrics in one line.
pub(crate) fn metrics_line(metrics: &[Metric]) -> String {
    metrics
        .iter()
        .filter(|m| !is_host_metric(&m.name))
        .map(|m| format!("{}={}", clean(&m.name), short(m.value)))
        .collect::<Vec<_>>()
        .join(" ")
}

fn first_line(text: &str) -> Cow<'_, str> {
    clean(text.lines().next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value_changes;
    use tune_core::records::FailureKind;

    #[test]
    fn every_event_is_one_plain_line() {
        let mut config = Config::new();
        config.insert("lr", 0.012_345_6);
        config.insert("optimizer", "sgd\nx");
        let mut other = config.clone();
        other.insert("lr", 0.5);
        let metrics = [
            ("training_iteration", 3.0),
            ("accuracy", 0.912_345),
            ("loss", f64::NAN),
        ]
        .map(|(name, value)| Metric {
            name: name.into(),
            value,
        });
        let report = |is_best| LiveEvent::Report {
            trial: 12,
            iteration: 3,
            metrics: &metrics,
            is_best,
        };
        let ended = |status, why| LiveEvent::Ended {
            trial: 4,
            status,
            reports: 1,
            why,
        };
        for (event, expected) in [
            (
                LiveEvent::Created {
                    trial: 12,
                    config: &config,
                },
                "trial 12 created: lr=0.01235 optimizer=sgd\u{fffd}x",
            ),
            (
                report(false),
                "trial 12 iteration 3: accuracy=0.9123 loss=NaN",
            ),
            (
                report(true),
                "trial 12 iteration 3: accuracy=0.9123 loss=NaN (best so far)",
            ),
            (
                ended(TrialStatus::Stopped, None),
                "trial 4 stopped after 1 report",
            ),
            (
                ended(
                    TrialStatus::Failed(FailureKind::OutOfFuel),
                    Some("digits: step: out of fuel\n  hint: raise it"),
                ),
                "trial 4 failed (out-of-fuel) after 1 report: digits: step: out of fuel",
            ),
            (
                LiveEvent::Cloned {
                    trial: 4,
                    source: 7,
                    iteration: 12,
                    changes: &value_changes(&config, &other),
                },
                "trial 4 goes on from trial 7 iteration 12: lr 0.01235 → 0.5",
            ),
            (LiveEvent::Remark("a\u{1b}b"), "a\u{fffd}b"),
        ] {
            assert_eq!(line(&event), expected);
        }
        let long = "x".repeat(10_000);
        assert_eq!(line(&LiveEvent::Remark(&long)).chars().count(), MAX_COLUMNS);
    }
}
