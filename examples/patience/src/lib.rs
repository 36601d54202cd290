//! A scheduler: stops a trial whose metric has not become better for a number of reports.

use std::collections::{BTreeMap, VecDeque};

use tune_plugin::{
    Action, Config, Creation, FailureKind, Next, OptionError, Report, Scheduler, Setup, TrialId,
    Turn,
};

#[tune_plugin::options]
struct Options {
    /// Reports without a better one after which a trial is stopped.
    #[option(default = 5, minimum = 1)]
    patience: u32,
}

/// The best result of a trial and how many reports came after it.
struct Progress {
    best: f64,
    since: u32,
}

struct Patience {
    metric: String,
    /// 1 if larger is better, else -1.
    sign: f64,
    patience: u32,
    /// Created and not yet started, oldest first.
    pending: VecDeque<TrialId>,
    running: BTreeMap<TrialId, Progress>,
    stopped: u32,
}

impl Scheduler for Patience {
    const NAME: &'static str = "patience";
    const SUMMARY: &'static str = "Stops trials that have not become better for some reports";
    type Options = Options;

    fn init(setup: &Setup, options: Options) -> Result<Self, Vec<OptionError>> {
        let Some(objective) = setup.objectives.first() else {
            return Err(vec![OptionError {
                key: "metric".to_owned(),
                message: "patience needs a metric".to_owned(),
                hint: "set `metric` and `mode` in the experiment".to_owned(),
            }]);
        };
        Ok(Self {
            metric: objective.metric.clone(),
            sign: if objective.maximize { 1.0 } else { -1.0 },
            patience: options.patience,
            pending: VecDeque::new(),
            running: BTreeMap::new(),
            stopped: 0,
        })
    }

    fn on_add(&mut self, trial: TrialId, _: &Config) -> Vec<Action> {
        self.pending.push_back(trial);
        Vec::new()
    }

    fn on_result(&mut self, trial: TrialId, report: &Report) -> Vec<Action> {
        // A missing metric and a NaN are never better.
        let value = report
            .get(&self.metric)
            .map_or(f64::NEG_INFINITY, |v| self.sign * v);
        let progress = self.running.entry(trial).or_insert(Progress {
            best: f64::NEG_INFINITY,
            since: 0,
        });
        if value > progress.best {
            *progress = Progress {
                best: value,
                since: 0,
            };
            return Vec::new();
        }
        progress.since += 1;
        if progress.since < self.patience {
            return Vec::new();
        }
        self.running.remove(&trial);
        self.stopped += 1;
        vec![Action::Stop(trial)]
    }

    fn on_complete(&mut self, trial: TrialId, _: Option<&Report>) -> Vec<Action> {
        self.running.remove(&trial);
        Vec::new()
    }

    fn on_error(&mut self, trial: TrialId, _: FailureKind, will_retry: bool) -> Vec<Action> {
        if !will_retry {
            self.running.remove(&trial);
        }
        Vec::new()
    }

    fn on_remove(&mut self, trial: TrialId) -> Vec<Action> {
        self.pending.retain(|t| *t != trial);
        Vec::new()
    }

    fn next_to_run(&mut self, creation: Creation) -> Turn {
        let next = match (self.pending.pop_front(), creation) {
            (Some(trial), _) => Next::Run(trial),
            (None, Creation::Possible) => Next::Create,
            (None, Creation::Waiting) => Next::Idle,
            (None, Creation::Closed) => Next::Done,
        };
        Turn {
            actions: Vec::new(),
            next,
        }
    }

    fn describe(&self) -> String {
        format!(
            "patience {}: {} trials stopped, {} in progress",
            self.patience,
            self.stopped,
            self.running.len()
        )
    }
}

tune_plugin::export_scheduler!(Patience);

#[cfg(test)]
mod tests {
    use super::*;

    fn scheduler(patience: u32) -> Patience {
        let setup = Setup {
            space: vec![],
            objectives: vec![tune_plugin::Objective {
                metric: "loss".to_owned(),
                maximize: false,
            }],
            constraints: vec![],
            time_attr: "training_iteration".to_owned(),
            max_t: None,
            trials: None,
            slots: 1,
            seed: 0,
            options: String::new(),
        };
        Patience::init(&setup, Options { patience }).unwrap()
    }

    #[test]
    fn a_trial_is_stopped_after_so_many_reports_without_a_better_one() {
        let mut scheduler = scheduler(2);
        let stops: Vec<bool> = [3.0, 2.0, 2.5, 1.0, 1.0, f64::NAN]
            .map(|loss| scheduler.on_result(7, &Report::default().with("loss", loss)))
            .map(|actions| actions == [Action::Stop(7)])
            .into();
        assert_eq!(stops, [false, false, false, false, false, true]);
    }
}
