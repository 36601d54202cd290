//! `replay RUN [TRIAL]`: does a run, or one of its trials, again and says whether it came out the
//! same, or which step first did not. Writes nothing.

use std::path::Path;

use serde_json::{Map, Value, json};
use tune_core::records::Report;
use tune_core::{Entry, Event, Point, hex};
use tune_report::clean;
use tune_runner::{
    How, Replayed, RunOptions, SnapshotCheck, StepDifference, TrialReplay, Verdict as Compared,
    replay_run, replay_trial,
};
use tune_store::{ChunkStore, RunReader, SnapshotOf};

use crate::args::{ReplayArgs, TrialAt};
use crate::catalog::Catalog;
use crate::failure::{Failure, Verdict};
use crate::history::{History, name_of};
use crate::observer::{Progress, Watcher};
use crate::old_run::{Changes, old_run};
use crate::origin::Origin;
use crate::prepare::Prepared;
use crate::settings::Settings;
use crate::{output, prepare, runs_dir, session, version};

pub(crate) fn replay(args: &ReplayArgs) -> Result<Verdict, Failure> {
    let path = runs_dir::find(&args.runs.dir, &args.run)?;
    let history = History::read(&path)?;
    let settings = Settings::from_header(&history.header)?;
    let options = session::options(&history.plan, &settings, args.machine)?;
    let catalog = Catalog::open(args.plugins.dir.as_deref(), None)?;
    let runtime = prepare::runtime(&settings.host_limits)?;
    let refused = Changes::Refused(None);
    let none = Map::new();
    let old = old_run(&history, &settings, &catalog, &runtime, &none, &refused)?;
    let prepared = old.prepared;
    version::is_builder(&history.header.build);
    for row in history.rows.iter().filter(|row| row.kind == "changed") {
        output::note(&format!(
            "warning: from row {} on another build or plugin carried the run out; what follows may \
             not come out the same",
            row.sequence
        ));
    }
    let bench = Bench {
        history: &history,
        prepared: &prepared,
        chunks: RunReader::open(&path)?.chunks()?,
    };
    let outcome = match args.trial {
        Some(trial) => Outcome {
            run: None,
            trials: vec![(trial, bench.trial(trial)?)],
        },
        None => bench.run(&path, options, args)?,
    };
    if args.format.is_json() {
        output::json(&outcome.json(&history))?;
    } else {
        output::lines(outcome.lines(&history))?;
    }
    Ok(outcome.verdict())
}

/// What a run is done again with.
struct Bench<'a> {
    history: &'a History,
    prepared: &'a Prepared,
    chunks: ChunkStore,
}

impl Bench<'_> {
    /// The whole run, then each trial of which there are snapshots to compare with.
    fn run(&self, path: &Path, options: RunOptions, args: &ReplayArgs) -> Result<Outcome, Failure> {
        let plan = &self.prepared.plan;
        let mut watcher = Watcher::new(
            name_of(path),
            format!("replay of {}", plan.trainable),
            plan.objectives.first().cloned(),
            Progress::choose(args.machine.quiet),
            None,
        );
        let run = replay_run(
            plan.clone(),
            self.prepared.digest,
            &self.prepared.parts,
            RunOptions {
                chunks: Some(self.chunks.clone()),
                ..options
            },
            &self.history.rows,
            &mut watcher,
            &session::on_request()?,
        );
        drop(watcher.finish());
        let run = run?;
        let mut trials = Vec::new();
        if run.difference.is_none() && run.how == How::Finished {
            let mut ids: Vec<u32> = self
                .chunks
                .list()
                .iter()
                .filter_map(|info| match info.key.of {
                    SnapshotOf::Trial { trial, .. } => Some(trial),
                    _ => None,
                })
                .collect();
            ids.sort_unstable();
            ids.dedup();
            for id in ids {
                trials.push((id, self.trial(id)?));
            }
        }
        Ok(Outcome {
            run: Some(run),
            trials,
        })
    }

    fn trial(&self, trial: u32) -> Result<TrialReplay, Failure> {
        // Says which trials there are.
        let iteration = None;
        Origin::find(&self.history.view, TrialAt { trial, iteration })?;
        let replayed = output::while_waiting(&format!("doing trial {trial} again"), || {
            replay_trial(
                self.prepared.plan.clone(),
                self.prepared.digest,
                &self.prepared.parts,
                Some(&self.chunks),
                &self.history.rows,
                trial,
            )
        });
        Ok(replayed?)
    }
}

/// What came out.
struct Outcome {
    /// Of the whole run, if it was done again.
    run: Option<Replayed>,
    /// Of trials.
    trials: Vec<(u32, TrialReplay)>,
}

fn is_equal(trial: &TrialReplay) -> bool {
    let same = |check: &SnapshotCheck| check.verdict != Compared::Differs;
    trial.difference.is_none() && trial.snapshots.iter().all(same)
}

impl Outcome {
    fn verdict(&self) -> Verdict {
        let run = self.run.as_ref();
        if run.is_some_and(|run| run.difference.is_some())
            || !self.trials.iter().all(|(_, trial)| is_equal(trial))
        {
            Verdict::Different
        } else if run.is_some_and(|run| run.how == How::Interrupted) {
            Verdict::Resumable
        } else {
            Verdict::Done
        }
    }

    fn lines(&self, history: &History) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(run) = &self.run {
            match &run.difference {
                Some(difference) => {
                    lines.push(format!(
                        "not equal: {} came out the same, then row {} did not",
                        handovers(run.same),
                        difference.sequence
                    ));
                    lines.extend(entry_lines(&difference.journal, &difference.again));
                }
                None if run.how == How::Interrupted => lines.push(format!(
                    "stopped: {} of {} came out the same so far",
                    run.same,
                    handovers(history.rows.len() as u64)
                )),
                None => lines.push(format!(
                    "equal: {} of {}, digest {}",
                    handovers(run.same),
                    session::plural(history.view.trials.len(), "trial"),
                    history.view.digest
                )),
            }
        }
        for (id, trial) in &self.trials {
            lines.extend(trial_lines(history, *id, trial));
        }
        lines
    }

    fn json(&self, history: &History) -> Value {
        let trials = self.trials.iter().map(|(id, trial)| {
            json!({
                "trial": id,
                "equal": is_equal(trial),
                "steps": trial.same,
                "difference": trial.difference.as_ref().map(|d| json!({
                    "trial": d.point.trial,
                    "iteration": iteration_of(history, d.point),
                    "journal": metrics_json(&d.journal),
                    "again": d.again.as_ref().map_or_else(|why| json!(why), metrics_json),
                })),
                "snapshots": trial.snapshots.iter().map(|check| json!({
                    "id": check.id,
                    "trial": check.point.trial,
                    "iteration": iteration_of(history, check.point),
                    "verdict": verdict_word(&check.verdict),
                })).collect::<Vec<_>>(),
                "state_hash": trial.state_hash.map(|hash| hex(&hash)),
            })
        });
        let run = self.run.as_ref();
        let difference = run.and_then(|run| run.difference.as_ref());
        json!({
            "equal": self.verdict() == Verdict::Done,
            "handovers": run.map(|run| run.same),
            "difference": difference.map(|d| json!({
                "sequence": d.sequence,
                "what": entry_lines(&d.journal, &d.again),
            })),
            "trials": trials.collect::<Vec<_>>(),
        })
    }
}

fn handovers(count: u64) -> String {
    session::plural(usize::try_from(count).unwrap_or(usize::MAX), "handover")
}

fn trial_lines(history: &History, id: u32, trial: &TrialReplay) -> Vec<String> {
    let mut lines = Vec::new();
    let word = if is_equal(trial) {
        "equal"
    } else {
        "not equal"
    };
    let hash = trial.state_hash.map(|hash| hex(&hash));
    let state = hash.map_or_else(String::new, |hash| {
        let short = hash.get(..16).unwrap_or_default();
        format!(", state {short}")
    });
    lines.push(format!(
        "trial {id}: {word}, {}{}{state}",
        session::plural(usize::try_from(trial.same).unwrap_or(usize::MAX), "step"),
        match trial.snapshots.len() {
            0 => String::new(),
            1 => ", 1 snapshot".to_owned(),
            count => format!(", {count} snapshots"),
        }
    ));
    for check in &trial.snapshots {
        let what = match &check.verdict {
            Compared::Same => continue,
            Compared::Differs => "holds another state".to_owned(),
            Compared::Damaged(why) => format!("cannot be compared: {}", clean(why)),
        };
        lines.push(format!(
            "  snapshot {} (trial {} iteration {}) {what}",
            check.id,
            check.point.trial,
            iteration_of(history, check.point)
        ));
    }
    if let Some(StepDifference {
        point,
        journal,
        again,
    }) = &trial.difference
    {
        lines.push(format!(
            "  first different: trial {} iteration {}",
            point.trial,
            iteration_of(history, *point)
        ));
        match again {
            Ok(again) => lines.extend(report_lines(journal, again)),
            Err(why) => {
                lines.push(format!("  journal  {}", metrics_text(journal)));
                lines.push("  again    it failed:".to_owned());
                lines.extend(why.lines().map(|line| format!("    {}", clean(line))));
            }
        }
    }
    lines
}

fn iteration_of(history: &History, point: Point) -> u64 {
    let trial = history.view.trial(point.trial);
    trial.map_or(point.reports, |trial| trial.iteration_of(point.reports))
}

fn verdict_word(verdict: &Compared) -> &'static str {
    match verdict {
        Compared::Same => "same",
        Compared::Differs => "different",
        Compared::Damaged(_) => "damaged",
    }
}

/// Longest line of an answer: whoever needs more looks into the journal.
const MAX_ANSWER: usize = 300;

/// What two handovers differ in.
fn entry_lines(journal: &Entry, again: &Entry) -> Vec<String> {
    if let (Event::StepEnded { trial: a, end: x }, Event::StepEnded { trial: b, end: y }) =
        (&journal.event, &again.event)
        && a == b
        && let (Ok(then), Ok(now)) = (&x.result, &y.result)
        && then != now
    {
        let mut lines = vec![format!("  trial {a} reported something else")];
        lines.extend(report_lines(then, now));
        return lines;
    }
    let debug = |what: &dyn std::fmt::Debug| {
        let text = format!("{what:?}");
        tune_report::cut(&clean(&text), MAX_ANSWER).into_owned()
    };
    if journal.event != again.event {
        return vec![
            format!("  journal  {}", debug(&journal.event)),
            format!("  again    {}", debug(&again.event)),
        ];
    }
    let mut pairs = journal.answers.iter().zip(&again.answers);
    match pairs.find(|(then, now)| then != now) {
        Some((then, now)) => vec![
            "  the searcher or the scheduler answered something else".to_owned(),
            format!("  journal  {}", debug(then)),
            format!("  again    {}", debug(now)),
        ],
        None if journal.answers.len() != again.answers.len() => vec![format!(
            "  the searcher and the scheduler were called {} times, now {} times",
            journal.answers.len(),
            again.answers.len()
        )],
        None => vec![
            "  the same happened, but the digest in the journal is another one: the plan, the \
             journal or the build is not what it was"
                .to_owned(),
        ],
    }
}

/// The metrics that two reports differ in, exactly.
fn report_lines(journal: &Report, again: &Report) -> Vec<String> {
    let of = |report: &Report, name: &str| {
        let value = report.get(name);
        value.map_or_else(|| "not reported".to_owned(), |value| format!("{value:?}"))
    };
    let mut names: Vec<&str> = journal
        .metrics
        .iter()
        .chain(&again.metrics)
        .map(|metric| metric.name.as_str())
        .filter(|name| of(journal, name) != of(again, name))
        .collect();
    names.sort_unstable();
    names.dedup();
    if names.is_empty() {
        return vec![
            "  the metrics are equal; whether it has finished, or its cost, is not".to_owned(),
        ];
    }
    names
        .into_iter()
        .map(|name| {
            format!(
                "  {}: journal {}, again {}",
                clean(name),
                of(journal, name),
                of(again, name)
            )
        })
        .collect()
}

fn metrics_text(report: &Report) -> String {
    let all = report.metrics.iter();
    let all = all.map(|m| format!("{}={:?}", clean(&m.name), m.value));
    all.collect::<Vec<_>>().join(" ")
}

fn metrics_json(report: &Report) -> Value {
    let all = report.metrics.iter();
    all.map(|m| (m.name.to_string(), json!(m.value)))
        .collect::<Map<_, _>>()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tune_core::StepEnd;

    fn entry(loss: f64) -> Entry {
        Entry {
            event: Event::StepEnded {
                trial: 3,
                end: StepEnd {
                    result: Ok(Report::default().with("loss", loss).with("steps", 5.0)),
                    fuel: 1,
                    memory_bytes: 1,
                },
            },
            answers: Vec::new(),
        }
    }

    #[test]
    fn reports_that_differ_are_shown_to_the_last_digit() {
        let (then, now) = (0.3, 0.1 + 0.2);
        assert_eq!(
            entry_lines(&entry(then), &entry(now)),
            [
                "  trial 3 reported something else",
                "  loss: journal 0.3, again 0.30000000000000004",
            ]
        );
    }

    #[test]
    fn equal_entries_with_another_digest_say_so() {
        let lines = entry_lines(&entry(1.0), &entry(1.0));
        assert!(lines[0].contains("the digest in the journal"), "{lines:?}");
    }

    #[test]
    fn a_step_that_differs_makes_a_trial_unequal_and_a_damaged_snapshot_does_not() {
        let check = |verdict| SnapshotCheck {
            id: 1,
            point: Point {
                trial: 0,
                reports: 1,
            },
            verdict,
        };
        let trial = |snapshots, difference| TrialReplay {
            same: 1,
            difference,
            snapshots,
            state_hash: None,
        };
        let damaged = Compared::Damaged("bad chunk".to_owned());
        assert!(is_equal(&trial(
            vec![check(Compared::Same), check(damaged)],
            None
        )));
        assert!(!is_equal(&trial(vec![check(Compared::Differs)], None)));
        let difference = StepDifference {
            point: Point {
                trial: 0,
                reports: 1,
            },
            journal: Report::default(),
            again: Err("trap".to_owned()),
        };
        assert!(!is_equal(&trial(Vec::new(), Some(difference))));
    }
}
