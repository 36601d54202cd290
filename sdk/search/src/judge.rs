//! How good a trial is, as search algorithms learn from it: the direction of the objective,
//! constraints, failures and values that are no number are dealt with here and nowhere else.

use tune_space::{Constraint, Ending, Objective, Report};

/// How a report is judged.
#[derive(Clone, Debug)]
pub struct Judge {
    /// What is improved.
    pub objective: Objective,
    /// What must hold.
    pub constraints: Vec<Constraint>,
    /// The resource by which trials that did not end are ranked.
    pub time_attr: String,
    /// Failures count as the worst; else they are forgotten.
    pub failures_count: bool,
}

/// Where a trial stands: class, then two numbers, the smaller the better.
#[derive(Clone, Copy, Debug)]
pub struct Rank {
    class: Class,
    first: f64,
    second: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    /// Ran to its end: by value.
    Finished,
    /// Stopped or paused: by resource, more is better, then value.
    Stopped,
    /// Breaks a constraint: by total violation, then value.
    Infeasible,
    /// Failed, or its value is no finite number.
    Worst,
}

impl Eq for Rank {}

impl PartialOrd for Rank {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Rank {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.class
            .cmp(&other.class)
            .then(self.first.total_cmp(&other.first))
            .then(self.second.total_cmp(&other.second))
    }
}

impl Judge {
    /// The rank of an ended trial; none if it says nothing of its configuration.
    pub fn ended(&self, ending: Ending, last: Option<&Report>) -> Option<Rank> {
        match (ending, last) {
            (Ending::Failed(_), _) => self.failures_count.then_some(Rank::WORST),
            (_, None) => None,
            (Ending::Finished, Some(report)) => Some(self.rank(report, Class::Finished)),
            (Ending::Stopped, Some(report)) => Some(self.rank(report, Class::Stopped)),
        }
    }

    /// The rank of a paused trial.
    pub fn paused(&self, report: &Report) -> Rank {
        self.rank(report, Class::Stopped)
    }

    fn rank(&self, report: &Report, class: Class) -> Rank {
        let finite = |name: &str| report.get(name).filter(|x| x.is_finite());
        let Some(value) = finite(&self.objective.metric) else {
            return Rank::WORST;
        };
        let loss = if self.objective.maximize {
            -value
        } else {
            value
        };
        let violation: f64 = self
            .constraints
            .iter()
            .map(|c| violation(c, finite(&c.metric)))
            .sum();
        let (class, first, second) = match class {
            _ if violation > 0.0 => (Class::Infeasible, violation, loss),
            Class::Stopped => {
                let resource = finite(&self.time_attr).unwrap_or(f64::MIN);
                (Class::Stopped, -resource, loss)
            }
            _ => (class, loss, 0.0),
        };
        Rank {
            class,
            first,
            second,
        }
    }
}

impl Rank {
    /// Of a failure, or of a value that is no finite number.
    pub const WORST: Self = Self {
        class: Class::Worst,
        first: 0.0,
        second: 0.0,
    };

    /// It is [`Self::WORST`]: it tells nothing but that the configuration is bad.
    #[must_use]
    pub fn is_worst(self) -> bool {
        self.class == Class::Worst
    }

    /// How far a trial came that did not run to its end, and what is to be minimised; of one that
    /// broke no constraint and has a value.
    #[must_use]
    pub fn reached(self) -> Option<(Option<f64>, f64)> {
        match self.class {
            Class::Finished => Some((None, self.first)),
            Class::Stopped => Some((Some(-self.first), self.second)),
            Class::Infeasible | Class::Worst => None,
        }
    }

    /// What is to be minimised, of a trial that ran to its end within the constraints.
    #[must_use]
    pub fn loss(self) -> Option<f64> {
        (self.class == Class::Finished).then_some(self.first)
    }
}

impl PartialEq for Rank {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

/// By how much a bound is broken; endlessly if the metric is no number.
fn violation(constraint: &Constraint, value: Option<f64>) -> f64 {
    let Some(value) = value else {
        return f64::INFINITY;
    };
    let below = constraint.at_least.map_or(0.0, |bound| bound - value);
    let above = constraint.at_most.map_or(0.0, |bound| value - bound);
    below.max(0.0) + above.max(0.0)
}

#[cfg(test)]
mod tests {
    use tune_space::FailureKind;

    use super::*;

    fn judge() -> Judge {
        Judge {
            objective: Objective {
                metric: "accuracy".into(),
                maximize: true,
            },
            constraints: vec![Constraint {
                metric: "bytes".into(),
                at_least: None,
                at_most: Some(10.0),
            }],
            time_attr: "t".into(),
            failures_count: true,
        }
    }

    fn report(accuracy: f64, t: f64, bytes: f64) -> Report {
        Report::default()
            .with("accuracy", accuracy)
            .with("t", t)
            .with("bytes", bytes)
    }

    #[test]
    fn finished_come_before_stopped_before_infeasible_before_failed() {
        let j = judge();
        let ended = |e, a, t, b| j.ended(e, Some(&report(a, t, b))).unwrap();
        let order = [
            ended(Ending::Finished, 0.9, 9.0, 1.0),
            ended(Ending::Finished, 0.5, 9.0, 1.0),
            ended(Ending::Stopped, 0.2, 3.0, 1.0),
            j.paused(&report(0.1, 3.0, 1.0)),
            ended(Ending::Stopped, 0.8, 1.0, 1.0),
            ended(Ending::Finished, 0.1, 9.0, 12.0),
            ended(Ending::Finished, 0.99, 9.0, 13.0),
            ended(Ending::Finished, 0.99, 9.0, f64::NAN),
            ended(Ending::Finished, f64::NAN, 9.0, 1.0),
        ];
        for (i, pair) in order.windows(2).enumerate() {
            assert!(pair[0].cmp(&pair[1]).is_lt(), "{i}");
        }
        let failed = j.ended(Ending::Failed(FailureKind::Trap), None);
        assert_eq!(failed, Some(Rank::WORST));
        assert_eq!(order[8], Rank::WORST);
        assert_eq!(
            ended(Ending::Finished, f64::INFINITY, 9.0, 1.0),
            Rank::WORST
        );
        assert_eq!(j.ended(Ending::Stopped, None), None);
    }
}
