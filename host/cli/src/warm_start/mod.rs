//! Earlier results that a searcher is told before its first suggestion: those of runs, and those of
//! files from elsewhere. They become a part of the plan, so that they are in the digest and a resumed
//! run needs neither again. What does not fit the plan is listed, never bent to fit.

mod results;

use std::path::Path;

use tune_core::records::{Ending, Observation};
use tune_core::{EnginePlan, Phase};
use tune_experiment::{ExperimentPlan, Fitting, Misfit, Recorded};

use crate::failure::Failure;
use crate::history::History;
use crate::{output, runs_dir};

/// Results that a searcher is told of at most, the newest: each is kept in the plan of the run, and
/// no model is the better for more.
const MAX_KNOWN: usize = 10_000;
/// Results of one source that are listed because they do not fit: enough to see what is wrong.
const MAX_LISTED: usize = 5;

/// What became of the results of one source.
#[derive(Debug)]
struct Used {
    source: String,
    fitting: usize,
    misfits: Vec<(String, Misfit)>,
}

/// Puts the results that the experiment names into its plan, and says which do not fit.
///
/// # Errors
/// A run or file that cannot be read, or a file that has no column for a metric of the plan.
pub(crate) fn resolve(experiment: &mut ExperimentPlan, runs: &Path) -> Result<(), Failure> {
    let refuse = |key: &str, message: &str| -> Failure {
        let key = format!("searcher.warm_start.{key}");
        let (message, hint) = message.split_once("\n  hint: ").unwrap_or((message, ""));
        let diagnostic = experiment.diagnostic(&key, message, hint);
        experiment.diagnostics(vec![diagnostic]).into()
    };
    let plan = &experiment.engine;
    let fitting = Fitting::new(plan).map_err(|error| Failure::usage(error.to_string()))?;
    let mut known = Vec::new();
    for wanted in &experiment.warm_start.runs {
        let history = runs_dir::find(runs, wanted)
            .and_then(|path| History::read(&path))
            .map_err(|failure| refuse("runs", &failure.message()))?;
        let used = take(&fitting, wanted, of_run(&history, plan), &mut known);
        used.tell();
    }
    for path in &experiment.warm_start.csv {
        let read = results::read(path, &fitting)
            .map_err(|message| refuse("csv", &format!("{}: {message}", path.display())))?;
        if !read.ignored.is_empty() {
            output::note(&format!(
                "warm start: {}: no parameter or metric of this experiment, and not looked at: {}",
                path.display(),
                tune_report::clean(&read.ignored.join(", "))
            ));
        }
        let source = path.display().to_string();
        take(&fitting, &source, read.results, &mut known).tell();
    }
    experiment.engine.known = newest(known);
    Ok(())
}

/// What a searcher that does not learn makes of earlier results.
pub(crate) fn warning(plan: &EnginePlan, learns: bool) -> Option<String> {
    (!plan.known.is_empty() && !learns).then(|| {
        format!(
            "warning: `{}` does not learn from results: of the earlier ones it can only avoid \
             repetitions\n  hint: choose one that learns, such as auto, tpe or gp",
            plan.searcher.0
        )
    })
}

/// All that a searcher of this run was told and has found out: every trial with a report.
pub(crate) fn known(history: &History) -> Vec<Observation> {
    let of_trials = history.engine.trials().iter().filter_map(|trial| {
        let ending = ending(trial.phase);
        let is_failed = matches!(ending, Ending::Failed(_));
        (trial.last.is_some() || is_failed).then(|| Observation {
            config: trial.suggested.clone(),
            last: trial.last.clone(),
            ending,
        })
    });
    newest(
        history
            .plan
            .known
            .iter()
            .cloned()
            .chain(of_trials)
            .collect(),
    )
}

fn ending(phase: Phase) -> Ending {
    match phase {
        Phase::Ended(ending) => ending,
        // It has not ended there, and does not go on here.
        Phase::Pending | Phase::Running | Phase::Paused => Ending::Stopped,
    }
}

/// The results of a run, with whole configurations.
fn of_run(history: &History, plan: &EnginePlan) -> Vec<Recorded> {
    let before = &history.plan;
    // Its trials had less time than those of the plan: none came to the end that it has here.
    let is_shorter = before.time_attr == plan.time_attr
        && before
            .max_t
            .is_some_and(|t| plan.max_t.is_none_or(|now| t < now));
    let trials = history.engine.trials().iter().filter_map(|trial| {
        let mut ending = ending(trial.phase);
        let is_failed = matches!(ending, Ending::Failed(_));
        let last = trial.last.as_ref();
        if last.is_none() && !is_failed {
            return None;
        }
        let reached = last.and_then(|report| report.get(&before.time_attr));
        let at_its_end = before
            .max_t
            .zip(reached)
            .is_some_and(|(max_t, t)| t >= max_t);
        if ending == Ending::Finished
            && is_shorter
            && at_its_end
            && last.is_some_and(|r| !r.finished)
        {
            ending = Ending::Stopped;
        }
        Some(Recorded {
            place: format!("trial {}", trial.id),
            config: Ok(trial.config.clone()),
            last: trial.last.clone(),
            ending,
        })
    });
    trials.collect()
}

/// Adds what fits.
fn take(
    fitting: &Fitting<'_>,
    source: &str,
    recorded: Vec<Recorded>,
    known: &mut Vec<Observation>,
) -> Used {
    let mut used = Used {
        source: source.to_owned(),
        fitting: 0,
        misfits: Vec::new(),
    };
    for one in recorded {
        let fits = one
            .config
            .and_then(|config| fitting.observation(&config, one.last.as_ref(), one.ending));
        match fits {
            Ok(observation) => {
                known.push(observation);
                used.fitting += 1;
            }
            Err(misfit) => used.misfits.push((one.place, misfit)),
        }
    }
    used
}

/// The newest of them, as many as are told.
fn newest(mut all: Vec<Observation>) -> Vec<Observation> {
    let skip = all.len().saturating_sub(MAX_KNOWN);
    if skip > 0 {
        output::note(&format!(
            "of {} earlier results the first {skip} are left out: {MAX_KNOWN} are told at most",
            all.len()
        ));
    }
    all.split_off(skip)
}

impl Used {
    fn tell(&self) {
        for line in self.lines() {
            output::note(&line);
        }
    }

    /// In words: how many are used, and the first of those that are not.
    fn lines(&self) -> Vec<String> {
        let Self {
            source,
            fitting,
            misfits,
        } = self;
        let all = fitting + misfits.len();
        let source = tune_report::clean(source);
        let mut lines = vec![match (all, misfits.is_empty()) {
            (0, _) => format!("warning: warm start: {source} has no results"),
            (_, true) => format!("warm start: all {all} results of {source} are used"),
            (_, false) => format!(
                "{}warm start: {fitting} of {all} results of {source} are used; these do not fit:",
                if *fitting == 0 { "warning: " } else { "" }
            ),
        }];
        let listed = misfits.iter().take(MAX_LISTED);
        lines.extend(
            listed.map(|(place, misfit)| format!("  {place}: {}", tune_report::clean(&misfit.why))),
        );
        if let Some(more) = misfits
            .len()
            .checked_sub(MAX_LISTED)
            .filter(|more| *more > 0)
        {
            lines.push(format!("  and {more} more"));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use tune_core::records::Config;

    use super::*;

    #[test]
    fn results_that_do_not_fit_are_counted_and_the_first_ones_named() {
        let misfit = |n: usize| Misfit {
            name: "lr".to_owned(),
            why: format!("`lr` is {n}"),
        };
        let used = Used {
            source: "old".to_owned(),
            fitting: 3,
            misfits: (0..7).map(|n| (format!("trial {n}"), misfit(n))).collect(),
        };
        let lines = used.lines();
        assert_eq!(
            lines[0],
            "warm start: 3 of 10 results of old are used; these do not fit:"
        );
        assert_eq!(lines[1], "  trial 0: `lr` is 0");
        assert_eq!(lines[5], "  trial 4: `lr` is 4");
        assert_eq!(lines[6..], ["  and 2 more"]);
    }

    #[test]
    fn the_newest_are_told_if_there_are_too_many() {
        let one = |n: usize| {
            let mut config = Config::new();
            config.insert("n", n as i64);
            Observation {
                config,
                last: None,
                ending: Ending::Stopped,
            }
        };
        let told = newest((0..MAX_KNOWN + 2).map(one).collect());
        assert_eq!(told.len(), MAX_KNOWN);
        assert_eq!(told.first(), Some(&one(2)));
    }
}
