//! The scheduler `median-stopping` (Golovin et al. 2017, "Google Vizier", section 3.2.2): a trial is
//! stopped when its best result so far is strictly worse than the median of the running means of
//! the other trials that have come as far.
//!
//! Names, defaults and rules are those of Ray Tune's `MedianStoppingRule`, except that a result
//! which is not a finite number makes a trial's mean the worst (Ray leaves such means out), that
//! times are iterations unless the experiment says otherwise (Ray: seconds, grace 60), and that a
//! trial which is not created yet does not count as one that waits.

use std::collections::BTreeMap;

use tune_plugin::{
    OptionError, TrialId,
    schedule::{ByRule, Curves, Mean, Ratio, Reading, Rule, Score, Verdict},
};

/// What a `[scheduler]` table may hold.
#[tune_plugin::options]
pub struct Options {
    /// Results before this time neither count in the means nor stop a trial.
    #[option(default = 5.0, minimum = 0.0)]
    grace_period: f64,
    /// A trial is judged only against at least so many others that have come as far.
    #[option(default = 3, minimum = 1)]
    min_samples_required: usize,
    /// While there are too few others, a trial makes room for a waiting one when it ran longer
    /// than this since its last pause.
    #[option(default = 0.0, minimum = 0.0)]
    min_time_slice: f64,
    /// Stop bad trials for good; if false they are paused, and go on unjudged when nothing else waits.
    #[option(default = true)]
    hard_stop: bool,
}

/// The rule and what it has seen.
pub struct MedianStopping {
    options: Options,
    /// Running means past grace.
    means: Curves,
    trials: BTreeMap<TrialId, Progress>,
}

#[derive(Default)]
struct Progress {
    best: Option<Score>,
    mean: Mean,
    last_pause: Option<f64>,
    /// Found bad; with a soft stop it may go on and is not judged again.
    judged: bool,
}

impl Rule for MedianStopping {
    const NAME: &'static str = "median-stopping";
    const SUMMARY: &'static str = "Stops trials whose best result is below the others' median";
    const PAUSES: bool = true;
    type Options = Options;

    fn new(options: Options) -> Result<Self, Vec<OptionError>> {
        Ok(Self {
            options,
            means: Curves::new(Ratio::HALF),
            trials: BTreeMap::new(),
        })
    }

    fn judge(&mut self, trial: TrialId, seen: Reading, others_wait: bool) -> Verdict {
        let progress = self.trials.entry(trial).or_default();
        progress.best = progress.best.max(Some(seen.score));
        if progress.judged || seen.time < self.options.grace_period {
            return Verdict::GoOn;
        }
        let (others, median) = self.means.others(trial, seen.time);
        let mean = progress.mean.add(seen.score);
        self.means.add(trial, seen.time, mean);
        if others < self.options.min_samples_required {
            let since = seen.time - progress.last_pause.unwrap_or(f64::NEG_INFINITY);
            if since > self.options.min_time_slice && others_wait {
                progress.last_pause = Some(seen.time);
                return Verdict::Pause;
            }
        } else if progress.best < median {
            progress.judged = true;
            return match self.options.hard_stop {
                true => Verdict::Stop,
                false => Verdict::Pause,
            };
        }
        Verdict::GoOn
    }

    fn complete(&mut self, trial: TrialId, last: Option<Reading>) {
        // Only what it adds to the means counts.
        last.map(|seen| self.judge(trial, seen, false));
    }
}

tune_plugin::export_scheduler!(ByRule<MedianStopping>);

#[cfg(test)]
mod tests;
