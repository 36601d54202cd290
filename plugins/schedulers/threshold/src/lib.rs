//! The scheduler `threshold`: a trial is stopped when its metric leaves a range.
//!
//! Names, defaults and rules are those of Optuna 5's `ThresholdPruner`, except that an infinite
//! result stops a trial whichever bound is given, as NaN does. Against trials that diverge; the
//! bounds are on the metric as it is reported, whatever `mode` is.

use tune_plugin::{
    OptionError, TrialId,
    schedule::{ByRule, Interval, Reading, Rule, Verdict, refused},
};

/// What a `[scheduler]` table may hold.
#[tune_plugin::options]
#[derive(Debug)]
pub struct Options {
    /// A smaller result stops its trial. Not set: no lower bound.
    lower: Option<f64>,
    /// A larger result stops its trial. Not set: no upper bound.
    upper: Option<f64>,
    /// Results before this time stop no trial.
    #[option(default = 0.0, minimum = 0.0)]
    n_warmup_steps: f64,
    /// A trial is looked at once in so much time, at its first result.
    #[option(default = 1.0, exclusive_minimum = 0.0)]
    interval_steps: f64,
}

/// The bounds.
#[derive(Debug)]
pub struct Threshold {
    lower: f64,
    upper: f64,
    interval: Interval,
}

impl Rule for Threshold {
    const NAME: &'static str = "threshold";
    const SUMMARY: &'static str = "Stops trials whose metric leaves a range";
    type Options = Options;

    fn new(options: Options) -> Result<Self, Vec<OptionError>> {
        let wrong = match (options.lower, options.upper) {
            (None, None) => "neither it nor `upper` is given".to_owned(),
            (Some(lower), Some(upper)) if lower > upper => {
                format!("{lower} is above `upper`, which is {upper}")
            }
            _ => {
                return Ok(Self {
                    lower: options.lower.unwrap_or(f64::NEG_INFINITY),
                    upper: options.upper.unwrap_or(f64::INFINITY),
                    interval: Interval::new(options.n_warmup_steps, options.interval_steps),
                });
            }
        };
        let hint = "give the range that good trials stay in: upper = 10.0, or lower, or both";
        Err(vec![refused("lower", wrong, hint)])
    }

    fn judge(&mut self, trial: TrialId, seen: Reading, _: bool) -> Verdict {
        let good = seen.value.is_finite() && (self.lower..=self.upper).contains(&seen.value);
        if self.interval.due(trial, seen.time) && !good {
            Verdict::Stop
        } else {
            Verdict::GoOn
        }
    }

    fn forget(&mut self, trial: TrialId) {
        self.interval.forget(trial);
    }
}

tune_plugin::export_scheduler!(ByRule<Threshold>);

#[cfg(test)]
mod tests {
    use super::*;
    use tune_plugin::{parse_options, schedule::Score};

    fn judge(options: &str, results: &[f64]) -> Vec<f64> {
        let mut rule = Threshold::new(parse_options(options).unwrap()).unwrap();
        let results = results.iter().enumerate();
        results
            .filter(|(step, value)| {
                let seen = Reading {
                    time: *step as f64,
                    score: Score::new(**value),
                    value: **value,
                };
                rule.judge(0, seen, false) == Verdict::Stop
            })
            .map(|(_, value)| *value)
            .collect()
    }

    #[test]
    fn results_outside_the_bounds_stop_and_the_bounds_themselves_do_not() {
        // The streams of Optuna's documentation.
        assert_eq!(judge(r#"{"upper": 1}"#, &[0.0, 0.1, 0.2, 0.5, 1.2]), [1.2]);
        let falling = [100.0, 90.0, 0.1, 0.0, -1.0];
        assert_eq!(judge(r#"{"lower": 0}"#, &falling), [-1.0]);
        assert_eq!(
            judge(r#"{"lower": 0, "upper": 90}"#, &falling),
            [100.0, -1.0]
        );
    }

    #[test]
    fn what_is_not_a_number_stops_whichever_bound_is_given() {
        for options in [r#"{"lower": 0}"#, r#"{"upper": 0}"#] {
            for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
                assert_eq!(judge(options, &[0.0, value]).len(), 1, "{options} {value}");
            }
        }
    }

    #[test]
    fn before_the_warm_up_and_between_intervals_nothing_stops() {
        let options = r#"{"upper": 0, "n_warmup_steps": 2, "interval_steps": 3}"#;
        let results = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0];
        assert_eq!(judge(options, &results), [3.0, 6.0]);
    }

    #[test]
    fn a_range_that_holds_nothing_or_everything_is_refused() {
        for (options, part) in [
            ("{}", "neither"),
            (r#"{"lower": 2, "upper": 1}"#, "2 is above `upper`"),
        ] {
            let errors = Threshold::new(parse_options(options).unwrap()).unwrap_err();
            assert!(errors[0].message.contains(part), "{errors:?}");
        }
    }
}
