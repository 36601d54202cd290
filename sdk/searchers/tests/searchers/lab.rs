//! Spaces, functions and runs that several of these tests stand on.

use tune_plugin::{
    Config, Domain, Ending, Objective, Outcome, Parameter, RealRange, Report, Searcher, Setup,
    Space, Suggestion, TrialId, Value, WholeRange, parse_options,
};

pub(crate) fn parameter(name: &str, domain: Domain) -> Parameter {
    Parameter {
        name: name.to_owned(),
        domain,
        conditions: Vec::new(),
    }
}

/// From -5 to 5.
pub(crate) fn real(name: &str) -> Parameter {
    let (low, high, log, step) = (-5.0, 5.0, false, None);
    parameter(
        name,
        Domain::Real(RealRange {
            low,
            high,
            log,
            step,
        }),
    )
}

pub(crate) fn whole(name: &str, low: i64, high: i64) -> Parameter {
    let (log, step) = (false, None);
    parameter(
        name,
        Domain::Whole(WholeRange {
            low,
            high,
            log,
            step,
        }),
    )
}

pub(crate) fn choice(name: &str, values: &[&str]) -> Parameter {
    let values = values.iter().map(|v| Value::from(*v)).collect();
    parameter(name, Domain::Choice(values))
}

/// What a searcher that minimises `loss` is told at its beginning.
pub(crate) fn setup(space: &[Parameter], seed: u64, options: &str) -> Setup {
    Setup {
        space: space.to_vec(),
        objectives: vec![Objective {
            metric: "loss".to_owned(),
            maximize: false,
        }],
        constraints: Vec::new(),
        time_attr: "training_iteration".to_owned(),
        max_t: None,
        trials: None,
        slots: 8,
        seed,
        options: options.to_owned(),
    }
}

/// A searcher that minimises `loss`, or its complaints.
pub(crate) fn try_start<S: Searcher>(
    space: &[Parameter],
    seed: u64,
    options: &str,
) -> Result<S, String> {
    let setup = setup(space, seed, options);
    S::init(&setup, parse_options(options).unwrap()).map_err(|e| format!("{e:?}"))
}

pub(crate) fn start<S: Searcher>(space: &[Parameter], seed: u64, options: &str) -> S {
    try_start(space, seed, options).unwrap()
}

/// The next configuration; none: exhausted.
pub(crate) fn ask(searcher: &mut impl Searcher, trial: TrialId) -> Option<Config> {
    match searcher.suggest(trial, &Config::new()).unwrap() {
        Suggestion::Configure(proposal) => Some(proposal.config),
        Suggestion::Exhausted => None,
        Suggestion::Wait => panic!("it never waits"),
    }
}

pub(crate) fn finished(loss: f64) -> Outcome {
    Outcome {
        ending: Ending::Finished,
        last: Some(
            Report::default()
                .with("loss", loss)
                .with("training_iteration", 1.0),
        ),
    }
}

/// The best loss after so many trials, `slots` at a time: a new one begins when the oldest ends.
pub(crate) fn minimum<S: Searcher>(
    space: &[Parameter],
    options: &str,
    (seed, trials, slots): (u64, u32, usize),
    loss: impl Fn(&Config) -> f64,
) -> f64 {
    let mut searcher: S = start(space, seed, options);
    let checked = Space::new(space.to_vec()).unwrap();
    let mut running = std::collections::VecDeque::new();
    let mut best = f64::INFINITY;
    for trial in 0..trials {
        if running.len() == slots {
            let (trial, loss) = running.pop_front().unwrap();
            searcher.complete(trial, &finished(loss));
        }
        let Some(config) = ask(&mut searcher, trial) else {
            break;
        };
        checked.check(&config).unwrap();
        let value = loss(&config);
        best = best.min(value);
        running.push_back((trial, value));
    }
    best
}

pub(crate) fn number(config: &Config, name: &str) -> f64 {
    config.get(name).and_then(Value::as_f64).unwrap()
}

/// Least at 1.3 in every parameter.
pub(crate) fn sphere(config: &Config) -> f64 {
    let numbers = config.iter().filter_map(|(_, value)| value.as_f64());
    numbers.map(|x| (x - 1.3) * (x - 1.3)).sum()
}

pub(crate) fn reals(n: usize) -> Vec<Parameter> {
    (0..n).map(|i| real(&format!("x{i}"))).collect()
}
