//! Between the generated types of the contract and the plain records of `tune-space`, field by
//! field. Never decides anything.

use tune_space::{
    Action, Change, Condition, Config, Constraint, Creation, Domain, Ending, Failure, FailureKind,
    GaussianSpread, Metric, Next, Objective, Observation, OptionError, Outcome, Parameter,
    RealRange, Reconfigured, Report, Setup, Suggestion, TrialInfo, TrialState, Turn, Value,
    WholeRange,
};

use crate::bindings::{
    scheduler::exports::tune::plugin::scheduler as wit_scheduler,
    searcher::exports::tune::plugin::searcher as wit_searcher,
    trainable::tune::plugin::types as wit,
};

/// A list of the one type as a list of the other.
pub(crate) fn list<A, B: From<A>>(items: Vec<A>) -> Vec<B> {
    items.into_iter().map(B::from).collect()
}

/// A configuration of the contract as a plain one.
pub(crate) fn config(pairs: wit::Config) -> Config {
    pairs.into_iter().map(|(k, v)| (k, v.into())).collect()
}

fn pairs(config: Config) -> wit::Config {
    config.into_iter().map(|(k, v)| (k, v.into())).collect()
}

impl From<wit::Value> for Value {
    fn from(value: wit::Value) -> Self {
        match value {
            wit::Value::Boolean(b) => Self::Boolean(b),
            wit::Value::Integer(i) => Self::Integer(i),
            wit::Value::Number(x) => Self::Number(x),
            wit::Value::Text(t) => Self::Text(t),
            wit::Value::Structured(json) => Self::Structured(json),
        }
    }
}

impl From<Value> for wit::Value {
    fn from(value: Value) -> Self {
        match value {
            Value::Boolean(b) => Self::Boolean(b),
            Value::Integer(i) => Self::Integer(i),
            Value::Number(x) => Self::Number(x),
            Value::Text(t) => Self::Text(t),
            Value::Structured(json) => Self::Structured(json),
        }
    }
}

impl From<wit::Report> for Report {
    fn from(report: wit::Report) -> Self {
        let metric = |m: wit::Metric| Metric {
            name: m.name.into(),
            value: m.value,
        };
        Self {
            metrics: report.metrics.into_iter().map(metric).collect(),
            finished: report.finished,
            cost: report.cost,
        }
    }
}

impl From<Report> for wit::Report {
    fn from(report: Report) -> Self {
        let metric = |m: Metric| wit::Metric {
            name: m.name.into(),
            value: m.value,
        };
        Self {
            metrics: report.metrics.into_iter().map(metric).collect(),
            finished: report.finished,
            cost: report.cost,
        }
    }
}

impl From<wit::TrialInfo> for TrialInfo {
    fn from(info: wit::TrialInfo) -> Self {
        Self {
            trial: info.trial,
            seed: info.seed,
            workers: info.workers,
            restoring: info.restoring,
        }
    }
}

impl From<wit::Change> for Change {
    fn from(change: wit::Change) -> Self {
        Self {
            config: config(change.config),
            seed: change.seed,
            workers: change.workers,
        }
    }
}

impl From<Failure> for wit::Failure {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::BadConfig(m) => Self::BadConfig(m),
            Failure::BadData(m) => Self::BadData(m),
            Failure::Other(m) => Self::Other(m),
        }
    }
}

impl From<Reconfigured> for wit::Reconfigured {
    fn from(reconfigured: Reconfigured) -> Self {
        match reconfigured {
            Reconfigured::Applied => Self::Applied,
            Reconfigured::Unsupported => Self::Unsupported,
        }
    }
}

impl From<OptionError> for wit::OptionError {
    fn from(error: OptionError) -> Self {
        Self {
            key: error.key,
            message: error.message,
            hint: error.hint,
        }
    }
}

impl From<wit::FailureKind> for FailureKind {
    fn from(kind: wit::FailureKind) -> Self {
        match kind {
            wit::FailureKind::Reported => Self::Reported,
            wit::FailureKind::Trap => Self::Trap,
            wit::FailureKind::OutOfFuel => Self::OutOfFuel,
            wit::FailureKind::Memory => Self::Memory,
            wit::FailureKind::Deadline => Self::Deadline,
            wit::FailureKind::Grant => Self::Grant,
            wit::FailureKind::BadValue => Self::BadValue,
            wit::FailureKind::Reconfigure => Self::Reconfigure,
            wit::FailureKind::HostMemory => Self::HostMemory,
            wit::FailureKind::DeviceLost => Self::DeviceLost,
            wit::FailureKind::WorkerLost => Self::WorkerLost,
            wit::FailureKind::HostBug => Self::HostBug,
        }
    }
}

impl From<wit::TrialState> for TrialState {
    fn from(state: wit::TrialState) -> Self {
        match state {
            wit::TrialState::Running => Self::Running,
            wit::TrialState::Paused => Self::Paused,
            wit::TrialState::Ended => Self::Ended,
        }
    }
}

impl From<wit::Ending> for Ending {
    fn from(ending: wit::Ending) -> Self {
        match ending {
            wit::Ending::Finished => Self::Finished,
            wit::Ending::Stopped => Self::Stopped,
            wit::Ending::Failed(kind) => Self::Failed(kind.into()),
        }
    }
}

impl From<wit::Outcome> for Outcome {
    fn from(outcome: wit::Outcome) -> Self {
        Self {
            ending: outcome.ending.into(),
            last: outcome.last.map(Report::from),
        }
    }
}

impl From<wit::Observation> for Observation {
    fn from(observation: wit::Observation) -> Self {
        Self {
            config: config(observation.config),
            last: observation.last.map(Report::from),
            ending: observation.ending.into(),
        }
    }
}

impl From<wit::Domain> for Domain {
    fn from(domain: wit::Domain) -> Self {
        match domain {
            wit::Domain::Real(r) => Self::Real(RealRange {
                low: r.low,
                high: r.high,
                log: r.log,
                step: r.step,
            }),
            wit::Domain::Whole(r) => Self::Whole(WholeRange {
                low: r.low,
                high: r.high,
                log: r.log,
                step: r.step,
            }),
            wit::Domain::Gaussian(g) => Self::Gaussian(GaussianSpread {
                mean: g.mean,
                sd: g.sd,
                step: g.step,
            }),
            wit::Domain::Choice(values) => Self::Choice(list(values)),
            wit::Domain::Ordered(values) => Self::Ordered(list(values)),
        }
    }
}

impl From<wit::Condition> for Condition {
    fn from(condition: wit::Condition) -> Self {
        Self {
            parent: condition.parent,
            among: list(condition.among),
        }
    }
}

impl From<wit::Parameter> for Parameter {
    fn from(parameter: wit::Parameter) -> Self {
        Self {
            name: parameter.name,
            domain: parameter.domain.into(),
            conditions: list(parameter.conditions),
        }
    }
}

impl From<wit::Objective> for Objective {
    fn from(objective: wit::Objective) -> Self {
        Self {
            metric: objective.metric,
            maximize: objective.maximize,
        }
    }
}

impl From<wit::Constraint> for Constraint {
    fn from(constraint: wit::Constraint) -> Self {
        Self {
            metric: constraint.metric,
            at_least: constraint.at_least,
            at_most: constraint.at_most,
        }
    }
}

impl From<wit::Setup> for Setup {
    fn from(setup: wit::Setup) -> Self {
        Self {
            space: list(setup.space),
            objectives: list(setup.objectives),
            constraints: list(setup.constraints),
            time_attr: setup.time_attr,
            max_t: setup.max_t,
            trials: setup.trials,
            slots: setup.slots,
            seed: setup.seed,
            options: setup.options,
        }
    }
}

impl From<Suggestion> for wit_searcher::Suggestion {
    fn from(suggestion: Suggestion) -> Self {
        match suggestion {
            Suggestion::Configure(proposal) => Self::Configure(wit_searcher::Proposal {
                config: pairs(proposal.config),
                budget: proposal.budget,
                start_from: proposal.start_from,
                seed: proposal.seed,
            }),
            Suggestion::Wait => Self::Wait,
            Suggestion::Exhausted => Self::Exhausted,
        }
    }
}

impl From<Action> for wit_scheduler::Action {
    fn from(action: Action) -> Self {
        match action {
            Action::Pause(trial) => Self::Pause(trial),
            Action::Stop(trial) => Self::Stop(trial),
            Action::Keep(trial) => Self::Keep(trial),
            Action::Exploit(exploit) => Self::Exploit(wit_scheduler::Exploit {
                target: exploit.target,
                source: exploit.source,
                config: pairs(exploit.config),
            }),
            Action::SetConfig(trial, config) => Self::SetConfig((trial, pairs(config))),
            Action::SetWorkers(trial, workers) => Self::SetWorkers((trial, workers)),
            Action::QuietUntil(trial, until) => Self::QuietUntil((trial, until)),
        }
    }
}

impl From<wit_scheduler::Creation> for Creation {
    fn from(creation: wit_scheduler::Creation) -> Self {
        match creation {
            wit_scheduler::Creation::Possible => Self::Possible,
            wit_scheduler::Creation::Waiting => Self::Waiting,
            wit_scheduler::Creation::Closed => Self::Closed,
        }
    }
}

impl From<Turn> for wit_scheduler::Turn {
    fn from(turn: Turn) -> Self {
        Self {
            actions: list(turn.actions),
            next: match turn.next {
                Next::Run(trial) => wit_scheduler::Next::Run(trial),
                Next::Create => wit_scheduler::Next::Create,
                Next::Idle => wit_scheduler::Next::Idle,
                Next::Done => wit_scheduler::Next::Done,
            },
        }
    }
}
