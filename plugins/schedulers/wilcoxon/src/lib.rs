//! The scheduler `wilcoxon`: the results of a trial are those of folds or problem instances, one a
//! step, and it is stopped when they are significantly worse than those of the best trial on the
//! same ones (Wilcoxon signed-rank test, one-sided).
//!
//! Names, defaults and rules are those of Optuna 5's `WilcoxonPruner`: zeros are split, and a trial
//! whose mean is not worse than the best trial's is never stopped. Departures: the best trial is the
//! one with the best mean of those that ran to their end (Optuna: with the best final value); a
//! result that is not a finite number is worse than all others (Optuna judges no such trial).

mod signed_rank;

use std::collections::BTreeMap;

use tune_plugin::{
    OptionError, Setup, TrialId,
    schedule::{ByRule, Goal, Mean, Reading, Rule, Score, Verdict},
};

/// What a `[scheduler]` table may hold.
#[tune_plugin::options]
#[derive(Debug)]
pub struct Options {
    /// A trial is stopped if results this bad have a smaller probability without a difference.
    #[option(default = 0.1, minimum = 0.0, maximum = 1.0)]
    p_threshold: f64,
    /// A trial is judged by at least so many steps that the best trial has too, and at least 2.
    #[option(default = 2, minimum = 0)]
    n_startup_steps: usize,
    /// The metric of a fold or instance. Not set: the metric of the experiment.
    step_metric: Option<String>,
}

/// The rule, what running trials have reported, and the best trial that ran to its end.
#[derive(Debug)]
pub struct Wilcoxon {
    options: Options,
    running: BTreeMap<TrialId, Steps>,
    best: Option<(Score, Steps)>,
}

/// Results by time.
type Steps = Vec<Reading>;

fn mean(steps: &Steps) -> Score {
    let scores = steps.iter().map(|seen| seen.score);
    scores.collect::<Mean>().value()
}

impl Rule for Wilcoxon {
    const NAME: &'static str = "wilcoxon";
    const SUMMARY: &'static str = "Stops trials that are significantly worse on folds or instances";
    type Options = Options;

    fn new(options: Options) -> Result<Self, Vec<OptionError>> {
        Ok(Self {
            options,
            running: BTreeMap::new(),
            best: None,
        })
    }

    fn goal(setup: &Setup, options: &Options) -> Result<Goal, OptionError> {
        let goal = Goal::of(setup)?;
        Ok(match &options.step_metric {
            Some(metric) => goal.looking_at(metric),
            None => goal,
        })
    }

    fn judge(&mut self, trial: TrialId, seen: Reading, _: bool) -> Verdict {
        let steps = self.running.entry(trial).or_default();
        steps.push(seen);
        let Some((best_mean, best)) = &self.best else {
            return Verdict::GoOn;
        };
        if mean(steps) >= *best_mean {
            return Verdict::GoOn;
        }
        let mut others = best.iter().peekable();
        let behind = |seen: &Reading| {
            while others.next_if(|other| other.time < seen.time).is_some() {}
            let other = others.next_if(|other| other.time == seen.time)?;
            // Positive where this trial is worse; NaN, which counts as equal, if both have no number.
            Some(other.score.value() - seen.score.value())
        };
        let differences: Vec<f64> = steps.iter().filter_map(behind).collect();
        let enough = differences.len() >= self.options.n_startup_steps.max(2);
        if enough && signed_rank::p_greater(&differences) < self.options.p_threshold {
            Verdict::Stop
        } else {
            Verdict::GoOn
        }
    }

    fn complete(&mut self, trial: TrialId, last: Option<Reading>) {
        let mut steps = self.running.remove(&trial).unwrap_or_default();
        steps.extend(last.filter(|last| steps.last().is_none_or(|seen| seen.time < last.time)));
        if steps.is_empty() {
            return;
        }
        let mean = mean(&steps);
        if self.best.as_ref().is_none_or(|(best, _)| mean > *best) {
            self.best = Some((mean, steps));
        }
    }

    fn forget(&mut self, trial: TrialId) {
        self.running.remove(&trial);
    }
}

tune_plugin::export_scheduler!(ByRule<Wilcoxon>);

#[cfg(test)]
mod tests {
    use super::*;
    use tune_plugin::{Action, Objective, Report, Scheduler, parse_options};

    fn rule(options: &str) -> ByRule<Wilcoxon> {
        let setup = Setup {
            space: vec![],
            objectives: vec![Objective {
                metric: "loss".to_owned(),
                maximize: false,
            }],
            constraints: vec![],
            time_attr: "t".to_owned(),
            max_t: None,
            trials: None,
            slots: 1,
            seed: 0,
            options: String::new(),
        };
        ByRule::init(&setup, parse_options(options).unwrap()).unwrap()
    }

    fn report(step: usize, loss: f64) -> Report {
        Report::default().with("t", step as f64).with("loss", loss)
    }

    /// A trial with losses 1, 2, .. runs to its end; then one has these losses. At which step is it
    /// stopped?
    fn stopped_at(options: &str, losses: &[f64]) -> Option<usize> {
        let mut rule = rule(options);
        for step in 1..=9 {
            assert_eq!(rule.on_result(0, &report(step, step as f64)), []);
        }
        rule.on_complete(0, Some(&report(10, 10.0)));
        let mut stop = |step, loss| rule.on_result(1, &report(step, loss)) == [Action::Stop(1)];
        let mut steps = (1..).zip(losses);
        let found = steps.find(|(step, loss)| stop(*step, **loss));
        found.map(|(step, _)| step)
    }

    #[test]
    fn a_trial_is_stopped_as_soon_as_it_is_significantly_worse() {
        // Worse on all of three instances has a probability of 1/8, on four of 1/16.
        let worse = [101.0, 102.5, 103.7, 104.9, 105.0];
        assert_eq!(stopped_at("{}", &worse), Some(4));
        assert_eq!(stopped_at(r#"{"p_threshold": 0.2}"#, &worse), Some(3));
        assert_eq!(stopped_at(r#"{"p_threshold": 0.3}"#, &worse), Some(2));
        assert_eq!(stopped_at(r#"{"n_startup_steps": 5}"#, &worse), Some(5));
        assert_eq!(stopped_at(r#"{"p_threshold": 0}"#, &worse), None);
    }

    #[test]
    fn a_trial_with_the_better_mean_goes_on_whatever_the_ranks_say() {
        // Worse than 1, 2, 3, 4 each time, but with a mean below 5.5, that of the best trial.
        assert_eq!(stopped_at("{}", &[1.1, 2.2, 3.3, 4.4, 5.5]), None);
    }

    #[test]
    fn equal_results_stop_nobody() {
        let equal: Vec<f64> = (1..=9).map(f64::from).collect();
        assert_eq!(stopped_at(r#"{"p_threshold": 0.6}"#, &equal), None);
    }

    #[test]
    fn results_that_are_not_numbers_are_the_worst() {
        assert_eq!(stopped_at("{}", &[f64::NAN; 9]), Some(4));
    }

    #[test]
    fn a_trial_is_compared_on_the_steps_that_both_have_and_with_the_best_mean() {
        let mut rule = rule("{}");
        for (trial, offset) in [(0, 0.0), (1, -50.0), (2, 20.0)] {
            for step in [2, 4, 6, 8] {
                rule.on_result(trial, &report(step, offset + step as f64));
            }
            rule.on_complete(trial, None);
        }
        // Trial 3 is better than all but trial 1; half of its steps are nobody else's.
        let stops = (1..=8).map(|step| !rule.on_result(3, &report(step, -1.0)).is_empty());
        let stops: Vec<bool> = stops.collect();
        assert_eq!(
            stops,
            [false, false, false, false, false, false, false, true]
        );
    }

    #[test]
    fn another_metric_can_hold_the_results_of_instances() {
        let mut rule = rule(r#"{"step_metric": "fold"}"#);
        for (trial, fold) in [(0, 1.0), (1, 2.0)] {
            for step in 1..=4 {
                let report = report(step, 0.0).with("fold", fold + step as f64 / 8.0);
                let expected = if trial == 1 && step == 4 {
                    vec![Action::Stop(1)]
                } else {
                    vec![]
                };
                assert_eq!(rule.on_result(trial, &report), expected);
            }
            rule.on_complete(trial, None);
        }
        assert_eq!(rule.on_result(2, &report(1, 0.0)), []);
    }
}
