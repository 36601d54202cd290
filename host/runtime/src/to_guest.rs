//! The plain records as the generated types, for calls into a guest.

use tune_core::records as plain;

use crate::bindings::{scheduler, types as wit};

pub(crate) fn config(config: &plain::Config) -> wit::Config {
    let mut told = wit::Config::new();
    config_over(&mut told, config);
    told
}

/// A configuration in the place, and in the memory, of an earlier one, which mostly has the same names.
pub(crate) fn config_over(told: &mut wit::Config, config: &plain::Config) {
    told.truncate(config.len());
    for ((place, old), (name, new)) in told.iter_mut().zip(config.iter()) {
        name.clone_into(place);
        match (old, new) {
            (wit::Value::Text(old), plain::Value::Text(new)) => new.clone_into(old),
            (old, new) => *old = value(new),
        }
    }
    let more = config.iter().skip(told.len());
    told.extend(more.map(|(name, v)| (name.to_owned(), value(v))));
}

fn value(value: &plain::Value) -> wit::Value {
    match value {
        plain::Value::Boolean(b) => wit::Value::Boolean(*b),
        plain::Value::Integer(i) => wit::Value::Integer(*i),
        plain::Value::Number(x) => wit::Value::Number(*x),
        plain::Value::Text(t) => wit::Value::Text(t.clone()),
        plain::Value::Structured(j) => wit::Value::Structured(j.clone()),
    }
}

pub(crate) fn trial_info(info: &plain::TrialInfo) -> wit::TrialInfo {
    wit::TrialInfo {
        trial: info.trial,
        seed: info.seed,
        workers: info.workers,
        restoring: info.restoring,
    }
}

pub(crate) fn change(change: &plain::Change) -> wit::Change {
    wit::Change {
        config: config(&change.config),
        seed: change.seed,
        workers: change.workers,
    }
}

/// A report of nothing, which needs no memory.
pub(crate) const fn no_report() -> wit::Report {
    wit::Report {
        metrics: Vec::new(),
        finished: false,
        cost: None,
    }
}

pub(crate) fn report(report: &plain::Report) -> wit::Report {
    let mut told = no_report();
    report_over(&mut told, report);
    told
}

/// A report in the place, and in the memory, of an earlier one.
pub(crate) fn report_over(told: &mut wit::Report, report: &plain::Report) {
    let metrics = &report.metrics;
    told.metrics.truncate(metrics.len());
    for (place, metric) in told.metrics.iter_mut().zip(metrics) {
        metric.name.as_str().clone_into(&mut place.name);
        place.value = metric.value;
    }
    let more = metrics
        .iter()
        .skip(told.metrics.len())
        .map(|m| wit::Metric {
            name: m.name.to_string(),
            value: m.value,
        });
    told.metrics.extend(more);
    told.finished = report.finished;
    told.cost = report.cost;
}

pub(crate) fn trial_state(state: plain::TrialState) -> wit::TrialState {
    match state {
        plain::TrialState::Running => wit::TrialState::Running,
        plain::TrialState::Paused => wit::TrialState::Paused,
        plain::TrialState::Ended => wit::TrialState::Ended,
    }
}

pub(crate) fn failure_kind(kind: plain::FailureKind) -> wit::FailureKind {
    use plain::FailureKind as P;
    use wit::FailureKind as W;
    match kind {
        P::Reported => W::Reported,
        P::Trap => W::Trap,
        P::OutOfFuel => W::OutOfFuel,
        P::Memory => W::Memory,
        P::Deadline => W::Deadline,
        P::Grant => W::Grant,
        P::BadValue => W::BadValue,
        P::Reconfigure => W::Reconfigure,
        P::HostMemory => W::HostMemory,
        P::DeviceLost => W::DeviceLost,
        P::WorkerLost => W::WorkerLost,
        P::HostBug => W::HostBug,
    }
}

fn ending(ending: plain::Ending) -> wit::Ending {
    match ending {
        plain::Ending::Finished => wit::Ending::Finished,
        plain::Ending::Stopped => wit::Ending::Stopped,
        plain::Ending::Failed(kind) => wit::Ending::Failed(failure_kind(kind)),
    }
}

/// An outcome; its report is in the memory of an earlier one.
pub(crate) fn outcome_over(mut told: wit::Report, outcome: &plain::Outcome) -> wit::Outcome {
    wit::Outcome {
        ending: ending(outcome.ending),
        last: outcome.last.as_ref().map(|last| {
            report_over(&mut told, last);
            told
        }),
    }
}

pub(crate) fn observation(known: &plain::Observation) -> wit::Observation {
    wit::Observation {
        config: config(&known.config),
        last: known.last.as_ref().map(report),
        ending: ending(known.ending),
    }
}

pub(crate) fn creation(creation: plain::Creation) -> scheduler::Creation {
    match creation {
        plain::Creation::Possible => scheduler::Creation::Possible,
        plain::Creation::Waiting => scheduler::Creation::Waiting,
        plain::Creation::Closed => scheduler::Creation::Closed,
    }
}

pub(crate) fn setup(setup: &plain::Setup) -> wit::Setup {
    wit::Setup {
        space: setup.space.iter().map(parameter).collect(),
        objectives: setup
            .objectives
            .iter()
            .map(|o| wit::Objective {
                metric: o.metric.clone(),
                maximize: o.maximize,
            })
            .collect(),
        constraints: setup
            .constraints
            .iter()
            .map(|c| wit::Constraint {
                metric: c.metric.clone(),
                at_least: c.at_least,
                at_most: c.at_most,
            })
            .collect(),
        time_attr: setup.time_attr.clone(),
        max_t: setup.max_t,
        trials: setup.trials,
        slots: setup.slots,
        seed: setup.seed,
        options: setup.options.clone(),
    }
}

fn parameter(parameter: &plain::Parameter) -> wit::Parameter {
    use plain::Domain as P;
    use wit::Domain as W;
    let values = |values: &[plain::Value]| values.iter().map(value).collect();
    let domain = match &parameter.domain {
        P::Real(r) => W::Real(wit::RealRange {
            low: r.low,
            high: r.high,
            log: r.log,
            step: r.step,
        }),
        P::Whole(r) => W::Whole(wit::WholeRange {
            low: r.low,
            high: r.high,
            log: r.log,
            step: r.step,
        }),
        P::Gaussian(g) => W::Gaussian(wit::GaussianSpread {
            mean: g.mean,
            sd: g.sd,
            step: g.step,
        }),
        P::Choice(v) => W::Choice(values(v)),
        P::Ordered(v) => W::Ordered(values(v)),
    };
    wit::Parameter {
        name: parameter.name.clone(),
        domain,
        conditions: parameter
            .conditions
            .iter()
            .map(|c| wit::Condition {
                parent: c.parent.clone(),
                among: values(&c.among),
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plain::Value;

    #[test]
    fn a_configuration_over_any_other_is_as_if_it_were_the_first() {
        let of = |pairs: &[(&str, Value)]| -> plain::Config {
            let pairs = pairs.iter();
            pairs.map(|(n, v)| ((*n).to_owned(), v.clone())).collect()
        };
        let all = [
            of(&[]),
            of(&[
                ("lr", Value::Number(0.5)),
                ("opt", Value::Text("sgd".into())),
            ]),
            of(&[
                ("lr", Value::Text("high".into())),
                ("opt", Value::Text("adamw".into())),
            ]),
            of(&[
                ("a", Value::Boolean(true)),
                ("lr", Value::Integer(3)),
                ("z", Value::Structured("[1]".into())),
            ]),
            of(&[("opt", Value::Structured("{}".into()))]),
        ];
        let mut told = wit::Config::new();
        for (first, second) in all.iter().flat_map(|a| all.iter().map(move |b| (a, b))) {
            config_over(&mut told, first);
            config_over(&mut told, second);
            assert_eq!(format!("{told:?}"), format!("{:?}", config(second)));
            assert_eq!(told.len(), second.len());
        }
    }
}
