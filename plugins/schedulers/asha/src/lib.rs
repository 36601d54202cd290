//! The scheduler `asha`: asynchronous successive halving (Li et al. 2018, arXiv 1810.05934).
//!
//! Trials are compared at rungs, all `grace_period x reduction_factor^k` below `max_t` and then
//! `max_t` itself. `stopping` (as in Ray Tune and Optuna): a trial goes on unless it is strictly
//! worse than the quantile 1 - 1/reduction_factor of what the rung held before it. `promotion` (as
//! in the paper, algorithm 2): a trial pauses at each rung and goes on when it is in the top
//! 1/reduction_factor. Departures from Ray: exact rungs with `max_t` as the last; a result that
//! jumps over rungs counts only at the highest; a result that is not a finite number is the worst.

use std::collections::BTreeMap;

use tune_plugin::{
    Action, Config, Creation, FailureKind, Next, OptionError, Report, Scheduler, Setup, Stream,
    TrialId, Turn,
    schedule::{Goal, Queue, Rung, Score, levels, refused, turn},
};

/// What a `[scheduler]` table may hold.
#[tune_plugin::options]
#[derive(Debug)]
pub struct Options {
    /// `stopping` ends bad trials at once; `promotion` pauses all at every rung and resumes the best.
    #[option(name = "type", default = "stopping", one_of = ["stopping", "promotion"])]
    kind: String,
    /// The first rung, in units of `time_attr`.
    #[option(default = 1.0, exclusive_minimum = 0.0)]
    grace_period: f64,
    /// One of so many trials goes on from a rung; each rung is so many times the one before.
    #[option(default = 4.0, exclusive_minimum = 1.0)]
    reduction_factor: f64,
    /// Brackets; each leaves out one more of the first rungs. More than there are rungs count as those.
    #[option(default = 1, minimum = 1, maximum = 20)]
    brackets: u32,
    /// How trials are spread over brackets: `hyperband` (equal budgets) or `softmax` (as Ray Tune).
    #[option(default = "hyperband", one_of = ["hyperband", "softmax"])]
    bracket_draw: String,
    /// Only true: a trial ends at `max_t`.
    #[option(default = true)]
    stop_last_trials: bool,
}

/// Where a trial is.
#[derive(Debug)]
struct Place {
    bracket: usize,
    /// The first rung that does not hold it yet and that it can still enter.
    next: usize,
}

/// The brackets and who is where.
#[derive(Debug)]
pub struct Asha {
    kind: String,
    goal: Goal,
    brackets: Vec<Vec<Rung>>,
    weights: Vec<f64>,
    stream: Stream,
    places: BTreeMap<TrialId, Place>,
    queue: Queue,
}

impl Asha {
    /// Enters a result at the highest rung that it reaches, unless the trial stands there already.
    fn enter(&mut self, trial: TrialId, report: &Report) -> Option<(&mut Rung, Score)> {
        let (time, score) = self.goal.read(report)?;
        let place = self.places.get_mut(&trial)?;
        let rungs = self.brackets.get_mut(place.bracket)?;
        let reached = rungs.partition_point(|rung| rung.level <= time);
        if reached <= place.next {
            return None;
        }
        place.next = reached;
        Some((rungs.get_mut(reached - 1)?, score))
    }

    /// The best trial of the highest rung that has one to promote. Counted from their ends, the
    /// rungs of all brackets have the same levels.
    fn promote(&mut self) -> Option<TrialId> {
        let rungs = self.brackets.first()?.len();
        (0..rungs).find_map(|from_end| {
            let mut brackets = self.brackets.iter_mut();
            brackets.find_map(|rungs| rungs.iter_mut().rev().nth(from_end)?.promote())
        })
    }
}

impl Scheduler for Asha {
    const NAME: &'static str = "asha";
    const SUMMARY: &'static str =
        "Asynchronous successive halving: stops or pauses trials at rungs";
    const PAUSES: bool = true;
    type Options = Options;

    fn init(setup: &Setup, options: Options) -> Result<Self, Vec<OptionError>> {
        let mut errors = Vec::new();
        if !options.stop_last_trials {
            let message = "a trial always ends at `max_t`";
            errors.push(refused(
                "stop_last_trials",
                message,
                "raise `max_t` instead",
            ));
        }
        let levels = levels(options.grace_period, options.reduction_factor, setup.max_t);
        let goal = Goal::of(setup);
        let ((levels, factor), goal) = match (levels, goal) {
            (Ok(levels), Ok(goal)) if errors.is_empty() => (levels, goal),
            (levels, goal) => {
                errors.extend(levels.err().into_iter().chain(goal.err()));
                return Err(errors);
            }
        };
        let brackets = 0..levels.len().min(options.brackets as usize);
        let left = |bracket: usize| (levels.len() - bracket) as f64;
        let weight = |bracket| match options.bracket_draw.as_str() {
            "softmax" => libm::exp(left(bracket) - left(0)),
            _ => libm::pow(options.reduction_factor, -(bracket as f64)) * left(0) / left(bracket),
        };
        let promotion = options.kind == "promotion";
        let rung = |level: &f64| Rung::new(*level, factor, promotion);
        Ok(Self {
            goal,
            weights: brackets.clone().map(weight).collect(),
            brackets: brackets
                .map(|first| levels.iter().skip(first).map(rung).collect())
                .collect(),
            kind: options.kind,
            stream: Stream::new(setup.seed),
            places: BTreeMap::new(),
            queue: Queue::default(),
        })
    }

    fn on_add(&mut self, trial: TrialId, _: &Config) -> Vec<Action> {
        let bracket = self.stream.weighted(&self.weights).unwrap_or(0);
        self.places.insert(trial, Place { bracket, next: 0 });
        self.queue.add(trial);
        Vec::new()
    }

    fn on_result(&mut self, trial: TrialId, report: &Report) -> Vec<Action> {
        let action = self
            .enter(trial, report)
            .and_then(|(rung, score)| rung.judge(trial, score));
        action.into_iter().collect()
    }

    fn on_complete(&mut self, trial: TrialId, last: Option<&Report>) -> Vec<Action> {
        if let Some((rung, score)) = last.and_then(|report| self.enter(trial, report)) {
            rung.record(trial, score);
        }
        self.places.remove(&trial);
        Vec::new()
    }

    fn on_error(&mut self, trial: TrialId, _: FailureKind, will_retry: bool) -> Vec<Action> {
        if !will_retry {
            self.places.remove(&trial);
        }
        Vec::new()
    }

    fn on_remove(&mut self, trial: TrialId) -> Vec<Action> {
        self.queue.remove(trial);
        self.places.remove(&trial);
        let rungs = self.brackets.iter_mut().flatten();
        rungs.for_each(|rung| rung.leave(trial));
        Vec::new()
    }

    fn next_to_run(&mut self, creation: Creation) -> Turn {
        match self.promote() {
            Some(trial) => turn(Next::Run(trial)),
            None => self.queue.next(creation),
        }
    }

    fn describe(&self) -> String {
        // At most 20 brackets of 10 rungs, so that the text stays far below its bound.
        let lines = self.brackets.iter().map(|rungs| {
            let held = rungs.iter().filter(|rung| !rung.is_empty()).take(10);
            let shown: Vec<String> = held.map(|rung| rung.describe(&self.goal)).collect();
            format!("asha ({}) {}", self.kind, shown.join(" | "))
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

tune_plugin::export_scheduler!(Asha);

#[cfg(test)]
mod tests;
