//! A scheduler: stops a trial whose result is among the worst of what the others had at that time.

use tune_plugin::{
    OptionError, TrialId,
    schedule::{ByRule, Curves, Ratio, Reading, Rule, Verdict, refused},
};

/// What a `[scheduler]` table may hold.
#[tune_plugin::options]
#[derive(Debug)]
pub struct Options {
    /// So many per cent, the worst, are stopped.
    #[option(default = 25.0, exclusive_minimum = 0.0, maximum = 100.0)]
    worst: f64,
    /// A trial is judged only against so many others that have come as far.
    #[option(default = 4, minimum = 1)]
    others: usize,
}

/// The rule and what it has seen.
#[derive(Debug)]
pub struct Laggards {
    others: usize,
    scores: Curves,
}

impl Rule for Laggards {
    const NAME: &'static str = "laggards";
    const SUMMARY: &'static str = "Stops trials that are among the worst at their time";
    type Options = Options;

    fn new(options: Options) -> Result<Self, Vec<OptionError>> {
        let Some(share) = Ratio::from_percent(options.worst) else {
            let hint = "write it with fewer digits: worst = 25";
            return Err(vec![refused("worst", "it is no share in per cent", hint)]);
        };
        Ok(Self {
            others: options.others,
            scores: Curves::new(share),
        })
    }

    fn judge(&mut self, trial: TrialId, seen: Reading, _others_wait: bool) -> Verdict {
        let (others, bar) = self.scores.others(trial, seen.time);
        self.scores.add(trial, seen.time, seen.score);
        if others >= self.others && Some(seen.score) < bar {
            Verdict::Stop
        } else {
            Verdict::GoOn
        }
    }
}

tune_plugin::export_scheduler!(ByRule<Laggards>);

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use tune_plugin::{Config, parse_options, schedule::Score};
    use tune_simulation::{Draws, Native, PlanBuilder, SECOND, simulate, step};

    use super::*;

    /// Trials 0, 1, 2.. report these at the same time, one after another: who is stopped?
    fn stopped(options: &str, scores: &[f64]) -> Vec<TrialId> {
        let mut rule = Laggards::new(parse_options(options).unwrap()).unwrap();
        let judged = (0..).zip(scores).filter(|(trial, value)| {
            let (score, value) = (Score::new(**value), **value);
            let time = 1.0;
            let seen = Reading { time, score, value };
            rule.judge(*trial, seen, false) == Verdict::Stop
        });
        judged.map(|(trial, _)| trial).collect()
    }

    #[test]
    fn a_trial_below_the_worst_quarter_of_enough_others_is_stopped() {
        assert_eq!(stopped("{}", &[4.0, 3.0, 2.0, 1.0, 0.0]), [4]);
        assert!(stopped("{}", &[4.0, 3.0, 2.0, 1.0]).is_empty(), "too few");
        assert!(stopped("{}", &[1.0; 9]).is_empty(), "as good as the bar");
        assert_eq!(stopped("{}", &[1.0, 1.0, 1.0, 1.0, f64::NAN]), [4]);
    }

    #[test]
    fn in_a_whole_run_the_best_trial_ends_and_bad_ones_do_not() {
        let plan = PlanBuilder::minimize("loss").trials(40).slots(4).max_t(9.0);
        let plan = plan.scheduler("laggards", r#"{"worst": 50}"#).build();
        let mut deciders = Native::<Draws, ByRule<Laggards>>::of_plan(&plan).unwrap();
        // Loss and number of steps of every trial.
        let mut trials = BTreeMap::new();
        let mut curves = |trial: TrialId, config: &Config, iteration: u64| {
            let x = config.f64("x").unwrap();
            trials.insert(trial, (x, iteration));
            step("loss", x / iteration as f64, SECOND)
        };
        let engine = simulate(plan, &mut deciders, &mut curves, &mut |_, _| ()).unwrap();
        assert!(engine.is_finished());
        let best = trials.values().min_by(|a, b| a.0.total_cmp(&b.0)).unwrap();
        assert_eq!(best.1, 9);
        // The first ones had too few others to be judged against.
        let judged = || trials.iter().filter(|trial| *trial.0 >= 8);
        let worst = judged().max_by(|a, b| a.1.0.total_cmp(&b.1.0)).unwrap();
        assert_eq!(worst.1.1, 1, "{trials:?}");
    }
}
