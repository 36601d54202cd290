//! One search: a searcher that is asked and told natively, every suggestion held to the space.

use std::collections::VecDeque;

use tune_plugin::{
    Config, Ending, FailureKind, Objective, OptionError, Outcome, Parameter, Report, Searcher,
    Setup, Space, Suggestion, TrialId, TrialState, parse_options,
};

/// The resource of a trial.
const TIME_ATTR: &str = "training_iteration";
/// Of that, as much as a trial without a budget of its own uses.
pub const MAX_T: f64 = 9.0;

/// What trials tell of themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// A smooth function of the numbers and of the place of alternatives.
    Bowl,
    /// The same value for all.
    Constant,
    /// NaN.
    NoNumber,
    /// Infinity, above or below, in turn.
    Infinite,
    /// Every trial fails.
    Failing,
    /// All of these in turn, and trials that report nothing, are stopped or paused on the way.
    Wild,
}

/// A search that goes on.
#[derive(Debug)]
pub struct Search<S> {
    /// Whom to ask.
    pub searcher: S,
    space: Space,
    told: Told,
    /// Of each trial that was asked for.
    budgets: Vec<Option<f64>>,
    /// The oldest first.
    running: VecDeque<(TrialId, Config)>,
    next: TrialId,
}

/// The setup of a search for the least `loss`.
#[must_use]
pub fn setup(space: &[Parameter], seed: u64, options: &str) -> Setup {
    let metric = "loss".to_owned();
    let maximize = false;
    Setup {
        space: space.to_vec(),
        objectives: vec![Objective { metric, maximize }],
        constraints: Vec::new(),
        time_attr: TIME_ATTR.to_owned(),
        max_t: Some(MAX_T),
        trials: None,
        slots: 4,
        seed,
        options: options.to_owned(),
    }
}

impl<S: Searcher> Search<S> {
    /// A search that has not begun.
    ///
    /// # Errors
    /// Options or a space that are wrong.
    pub fn new(
        space: &[Parameter],
        seed: u64,
        options: &str,
        told: Told,
    ) -> Result<Self, Vec<OptionError>> {
        let setup = setup(space, seed, options);
        Ok(Self {
            searcher: S::init(&setup, parse_options(options)?)?,
            space: Space::new(space.to_vec()).map_err(|error| vec![error.into()])?,
            told,
            budgets: Vec::new(),
            running: VecDeque::new(),
            next: 0,
        })
    }

    /// The next configuration; none if there is none left.
    ///
    /// # Errors
    /// A suggestion outside the space, other values than pinned ones, a failure, or waiting while
    /// nothing runs.
    pub fn ask(&mut self, pinned: &Config) -> Result<Option<Config>, String> {
        loop {
            let suggestion = self.searcher.suggest(self.next, pinned);
            match suggestion.map_err(|failure| failure.to_string())? {
                Suggestion::Exhausted => return Ok(None),
                Suggestion::Wait if self.tell() => {}
                Suggestion::Wait => return Err("it waits, and nothing runs".to_owned()),
                Suggestion::Configure(proposal) => {
                    let config = proposal.config;
                    self.space
                        .check(&config)
                        .map_err(|error| error.to_string())?;
                    if let Some((name, _)) = pinned.iter().find(|(k, v)| config.get(k) != Some(v)) {
                        return Err(format!("`{name}` is not as it was pinned"));
                    }
                    self.budgets.push(proposal.budget);
                    self.running.push_back((self.next, config.clone()));
                    self.next += 1;
                    return Ok(Some(config));
                }
            }
        }
    }

    /// The oldest trial ends. False if none runs.
    pub fn tell(&mut self) -> bool {
        let Some((trial, config)) = self.running.pop_front() else {
            return false;
        };
        let (mut outcome, pauses) = self.outcome(trial, &config);
        // It comes as far as its budget.
        let budget = self.budgets.get(trial as usize).copied().flatten();
        let metrics = outcome.last.iter_mut().flat_map(|last| &mut last.metrics);
        for metric in metrics.filter(|metric| metric.name == TIME_ATTR) {
            if let Some(budget) = budget
                && metric.value > budget
            {
                metric.value = budget;
            }
        }
        if let Some(report) = &outcome.last {
            let state = match (pauses, outcome.ending) {
                (true, _) => TrialState::Paused,
                (false, Ending::Failed(_)) => TrialState::Running,
                (false, _) => TrialState::Ended,
            };
            self.searcher.observe(trial, report, state);
        }
        self.searcher.complete(trial, &outcome);
        true
    }

    /// Asks and tells until so many trials were asked for, so many running at once; the
    /// configurations in their order.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub fn go(&mut self, trials: usize, slots: usize) -> Result<Vec<Config>, String> {
        let mut asked = Vec::new();
        while asked.len() < trials {
            if self.running.len() >= slots {
                self.tell();
            }
            match self.ask(&Config::new())? {
                Some(config) => asked.push(config),
                None => break,
            }
        }
        while self.tell() {}
        Ok(asked)
    }

    /// The budget of each trial that was asked for, where the searcher gives them.
    #[must_use]
    pub fn budgets(&self) -> &[Option<f64>] {
        &self.budgets
    }

    /// How a trial ended, and whether it paused before.
    #[must_use]
    pub fn outcome(&self, trial: TrialId, config: &Config) -> (Outcome, bool) {
        let coordinates = self.space.encode(config);
        let bowl = coordinates
            .iter()
            .flatten()
            .map(|u| (u - 0.3) * (u - 0.3))
            .sum();
        let finished = |loss: f64| (Ending::Finished, Some(report(loss, MAX_T)));
        let failed = (Ending::Failed(FailureKind::Trap), None);
        let infinite = match trial % 2 {
            0 => f64::INFINITY,
            _ => f64::NEG_INFINITY,
        };
        let (ending, last) = match (self.told, trial % 9) {
            (Told::Bowl, _) => finished(bowl),
            (Told::Constant, _) => finished(1.0),
            (Told::NoNumber, _) | (Told::Wild, 1) => finished(f64::NAN),
            (Told::Infinite, _) | (Told::Wild, 2) => finished(infinite),
            (Told::Failing, _) | (Told::Wild, 3) => failed,
            (Told::Wild, 4) => (Ending::Finished, None),
            (Told::Wild, 5) => (Ending::Stopped, Some(report(bowl, 3.0))),
            (Told::Wild, 6) => (Ending::Stopped, Some(report(f64::MAX, f64::NAN))),
            (Told::Wild, _) => finished(bowl),
        };
        (Outcome { ending, last }, trial % 9 == 5)
    }
}

fn report(loss: f64, t: f64) -> Report {
    let report = Report::default().with("loss", loss);
    report.with(TIME_ATTR, t)
}
