//! What a scheduler reads in a report: how far the trial is and how good it is.
//!
//! `mode` is handled here and nowhere else: a [`Score`] is always maximised.

use std::cmp::Ordering;

use tune_space::{OptionError, Report, Setup};

use super::refused;

/// How good a result is: larger is better, never NaN. A result that is not a finite number is the
/// worst of all.
#[derive(Clone, Copy, Debug)]
pub struct Score(f64);

impl Score {
    /// The score of a result that is NaN or infinite.
    pub const WORST: Self = Self(f64::NEG_INFINITY);

    /// The score of a value that is to be maximised.
    #[must_use]
    pub fn new(value: f64) -> Self {
        // Plus 0, so that -0 and 0 are equal in the total order too.
        if value.is_finite() {
            Self(value + 0.0)
        } else {
            Self::WORST
        }
    }

    /// The number itself; negative infinity for [`Score::WORST`].
    #[must_use]
    pub fn value(self) -> f64 {
        self.0
    }
}

impl Ord for Score {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl PartialOrd for Score {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Score {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Score {}

/// The metrics that a scheduler looks at.
#[derive(Clone, Debug)]
pub struct Goal {
    metric: String,
    sign: f64,
    time_attr: String,
}

impl Goal {
    /// The first objective of the experiment and its resource axis.
    ///
    /// # Errors
    /// If the experiment has no objective.
    pub fn of(setup: &Setup) -> Result<Self, OptionError> {
        let Some(objective) = setup.objectives.first() else {
            return Err(refused(
                "metric",
                "this scheduler compares trials by a metric, and the experiment names none",
                "add `metric = \"...\"` and `mode = \"max\"` or `\"min\"` to the experiment",
            ));
        };
        Ok(Self {
            metric: objective.metric.clone(),
            sign: if objective.maximize { 1.0 } else { -1.0 },
            time_attr: setup.time_attr.clone(),
        })
    }

    /// Time and score; none for a report without the metric or without a finite time.
    #[must_use]
    pub fn read(&self, report: &Report) -> Option<(f64, Score)> {
        let time = report.get(&self.time_attr).filter(|t| t.is_finite())?;
        Some((time, Score::new(self.sign * report.get(&self.metric)?)))
    }

    /// The same for another metric, better in the same direction.
    #[must_use]
    pub fn looking_at(self, metric: &str) -> Self {
        Self {
            metric: metric.to_owned(),
            ..self
        }
    }

    /// The metric as it was reported; none for a report without it.
    #[must_use]
    pub fn value(&self, report: &Report) -> Option<f64> {
        report.get(&self.metric)
    }

    /// A score as the user knows it: the value of the metric, to four decimals.
    #[must_use]
    pub fn show(&self, score: Score) -> String {
        if score == Score::WORST {
            "not a number".to_owned()
        } else {
            // Plus 0 again: the negated zero of a minimised metric.
            format!("{:.4}", self.sign * score.value() + 0.0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_a_finite_number_is_the_worst_in_either_mode() {
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            for sign in [1.0, -1.0] {
                assert_eq!(Score::new(sign * value), Score::WORST);
            }
        }
        assert!(Score::new(f64::MIN) > Score::WORST);
        assert_eq!(Score::new(-0.0), Score::new(0.0));
    }

    #[test]
    fn a_minimised_metric_is_negated_once_and_shown_as_it_is() {
        let goal = Goal {
            metric: "loss".to_owned(),
            sign: -1.0,
            time_attr: "t".to_owned(),
        };
        let report = Report::default().with("loss", 0.25).with("t", 3.0);
        let (time, score) = goal.read(&report).unwrap();
        assert_eq!((time, score.value()), (3.0, -0.25));
        assert_eq!(goal.show(score), "0.2500");
        assert_eq!(goal.show(Score::new(-0.0)), "0.0000");
        assert_eq!(goal.read(&Report::default().with("loss", 1.0)), None);
        let nowhen = Report::default().with("loss", 1.0).with("t", f64::NAN);
        assert_eq!(goal.read(&nowhen), None);
    }
}
