//! Carries a run out, from its beginning or from where it stopped, and ends it in order: status,
//! journal, derived files, and last what people are told.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};
use tune_core::{Counts, EnginePlan, hex};
use tune_report::BestReport;
use tune_runner::{How, RunError, RunOptions, Shutdown, Summary};
use tune_store::{Header, Journal, Row, RunState, RunStatus};

use crate::args::{FormatArg, MachineArgs};
use crate::failure::{Failure, Verdict, message_of};
use crate::feed::Feed;
use crate::history::{History, name_of};
use crate::observer::{Progress, Watched, Watcher};
use crate::prepare::Prepared;
use crate::settings::Settings;
use crate::{machine, outcome, output, runs_dir};

/// The key under which a run keeps how long it has been running, in milliseconds.
const ELAPSED: &str = "elapsed_ms";
/// The key under which a run keeps the hashes of plugins and data that took the place of those that
/// it began with.
const ACCEPTED: &str = "accepted";

/// A run that is about to begin or to go on.
pub(crate) struct Session<'a> {
    /// Its directory.
    pub(crate) path: &'a Path,
    /// Its journal.
    pub(crate) journal: Journal,
    /// What it was created with.
    pub(crate) header: &'a Header,
    /// What changes no decision.
    pub(crate) settings: &'a Settings,
    /// Plan, plugins, data.
    pub(crate) prepared: Prepared,
    /// What is in the journal already.
    pub(crate) rows: &'a [Row],
    /// The new total of trials.
    pub(crate) extend: Option<u32>,
    /// As of [`options`].
    pub(crate) options: RunOptions,
    /// Running time of earlier processes.
    pub(crate) elapsed_before: Duration,
    /// Plugins and data that are not those it began with, by role: accepted hashes.
    pub(crate) accepted: Map<String, Value>,
    /// No progress is shown.
    pub(crate) quiet: bool,
    /// As asked for on the command line.
    pub(crate) format: FormatArg,
}

/// How long a run has been running, as far as it says.
pub(crate) fn elapsed(status: &RunStatus, header: &Header, rows: &[Row]) -> Duration {
    let noted = status.summary.get(ELAPSED).and_then(Value::as_u64);
    // It was killed: the time between its creation and its last row is the best that is known.
    let known = noted.or_else(|| Some(rows.last()?.wall_ms.saturating_sub(header.created_ms)));
    Duration::from_millis(known.unwrap_or(0))
}

/// The hashes of what took the place of plugins and data that the run began with, by role.
pub(crate) fn accepted(status: &RunStatus) -> Map<String, Value> {
    let accepted = status.summary.get(ACCEPTED).and_then(Value::as_object);
    accepted.cloned().unwrap_or_default()
}

/// A run that goes on, with what was accepted before.
pub(crate) fn running(accepted: &Map<String, Value>) -> RunStatus {
    let mut status = RunStatus::running();
    if !accepted.is_empty() {
        let value = Value::Object(accepted.clone());
        status.summary.insert(ACCEPTED.to_owned(), value);
    }
    status
}

/// Unix time in milliseconds.
pub(crate) fn now_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX))
}

/// How a run is carried out here. Asked for before anything is written.
///
/// # Errors
/// There is no memory for a single trial.
pub(crate) fn options(
    plan: &EnginePlan,
    settings: &Settings,
    machine: MachineArgs,
) -> Result<RunOptions, Failure> {
    let memory_bytes = plan.limits.memory_bytes.max(1);
    let run_memory = settings
        .run_memory
        .unwrap_or_else(machine::default_run_memory);
    let by_memory = usize::try_from(run_memory / memory_bytes).unwrap_or(usize::MAX);
    if by_memory == 0 {
        return Err(Failure::usage(format!(
            "one trial may use {memory_bytes} bytes of memory, all trials together {run_memory}\n  \
             hint: lower `memory` in [limits], or raise `run_memory`"
        )));
    }
    let wanted = machine.threads.or(settings.threads);
    let threads = wanted.map_or_else(machine::cores, |threads| threads as usize);
    let threads = threads.min(crate::gpu::trials_at_once(settings.gpu_share));
    Ok(RunOptions {
        time_budget: settings.time_budget,
        snapshots: settings.snapshot_policy(),
        ..RunOptions::new(
            threads.min(by_memory).min(plan.slots as usize).max(1),
            run_memory,
        )
    })
}

impl Session<'_> {
    /// Runs it to its end, or to where it has to stop.
    pub(crate) fn carry_out(self) -> Result<Verdict, Failure> {
        let shutdown = on_request()?;
        let began = Instant::now();
        let plan = &self.prepared.plan;
        let objective = plan.objectives.first().cloned();
        let quiet = self.quiet;
        if !quiet {
            self.introduce();
        }
        let feed = Feed::start(
            self.path,
            self.settings.report_outputs(),
            self.header.created_ms,
            &self.journal,
        )
        .unwrap_or_else(|error| {
            output::note(&format!("warning: {error}"));
            None
        });
        let plugins = format!(
            "{}, {}, {}",
            plan.trainable, plan.searcher.0, plan.scheduler.0
        );
        let mut watcher = Watcher::new(
            name_of(self.path),
            plugins,
            objective,
            Progress::choose(quiet),
            feed,
        );
        let result = tune_runner::resume(
            plan.clone(),
            self.prepared.digest,
            &self.prepared.parts,
            RunOptions {
                time_budget: self
                    .options
                    .time_budget
                    .map(|budget| budget.saturating_sub(self.elapsed_before)),
                ..self.options.clone()
            },
            self.rows,
            self.extend,
            &self.journal,
            &mut watcher,
            &shutdown,
        );
        let watched = watcher.finish();
        let elapsed = self.elapsed_before + began.elapsed();
        self.end(result, watched, elapsed)
    }

    fn introduce(&self) {
        let plan = &self.prepared.plan;
        let drawn = if self.settings.seed_drawn {
            " (drawn)"
        } else {
            ""
        };
        let verb = if self.rows.is_empty() {
            "run"
        } else {
            "going on with"
        };
        output::note(&format!(
            "{verb} {} · seed {}{drawn}",
            runs_dir::quoted(self.path),
            plan.seed
        ));
        if let Some(granted) = self.settings.granted(&self.header.plugins) {
            output::note(&granted);
        }
    }

    /// Status, journal, derived files, message.
    fn end(
        self,
        result: Result<Summary, RunError>,
        watched: Watched,
        elapsed: Duration,
    ) -> Result<Verdict, Failure> {
        let Self {
            path,
            journal,
            prepared,
            accepted,
            format,
            ..
        } = self;
        let (state, reason) = match &result {
            Ok(summary) => match summary.how {
                How::Finished => (RunState::Finished, String::new()),
                How::Interrupted => (RunState::Stopped, "interrupted".to_owned()),
            },
            Err(error) => (RunState::Stopped, message_of(error)),
        };
        let objective = prepared.plan.objectives.first();
        let mut summary = Map::new();
        if !accepted.is_empty() {
            summary.insert(ACCEPTED.to_owned(), accepted.into());
        }
        summary.insert(
            ELAPSED.to_owned(),
            json!(u64::try_from(elapsed.as_millis()).unwrap_or(0)),
        );
        if let Ok(ended) = &result {
            summary.insert("trials".to_owned(), json!(trials(&ended.counts)));
        }
        if let (Some(best), Some(objective)) = (&watched.best, objective) {
            summary.insert("metric".to_owned(), json!(objective.metric));
            summary.insert("best".to_owned(), json!(best.value));
        }
        // The files come before the status: a run that was killed between the two has not ended, and a
        // resume makes them.
        let flushed = journal.flush();
        let completed = watched.feed.map(|feed| {
            output::while_waiting("completing the files of the trials", || feed.finish())
        });
        if let Some(Err(error)) = completed {
            output::note(&format!("warning: {error}"));
        }
        let stored = flushed
            .and(journal.set_status(RunStatus {
                state,
                reason,
                digest: result.as_ref().map(|s| hex(&s.digest)).unwrap_or_default(),
                at_ms: now_ms(),
                summary,
            }))
            .and(journal.close());
        // Without its status the run has not ended, whatever happened in it.
        let ended = result.and_then(|summary| Ok(stored.map(|()| summary)?));
        if format.is_json() {
            print_json(path, elapsed)?;
        }
        let ended = ended.map_err(|error| {
            let command = runs_dir::resume_command(path);
            Failure::resumable(anyhow::anyhow!(
                "{}\ngo on with\n{command}",
                message_of(&error)
            ))
        })?;
        if !format.is_json() {
            let counts = counted(&ended.counts, ended.how);
            let word = match ended.how {
                How::Finished => "finished",
                How::Interrupted => "stopped",
            };
            let mut lines = vec![format!(
                "{} {word} after {}: {counts}",
                name_of(path),
                outcome::time(elapsed.as_secs_f64())
            )];
            if let (Some(best), Some(objective)) = (&watched.best, objective) {
                let report = BestReport {
                    trial: best.trial,
                    iteration: best.iteration,
                    reports: best.reports,
                    value: best.value,
                };
                lines.extend(outcome::best_lines(path, objective, &report, &best.config));
            } else {
                lines.push("no best trial: all of them failed or reported nothing".to_owned());
            }
            lines.push(format!("digest {}", hex(&ended.digest)));
            output::lines(lines)?;
        }
        if let Some((trial, kind, message)) = &watched.first_failure {
            output::note(&format!(
                "{} failed; the first was trial {trial} ({kind}):\n{}\nmore: tune-host show {} {trial}",
                plural(ended.counts.failed, "trial"),
                message
                    .lines()
                    .map(tune_report::clean)
                    .collect::<Vec<_>>()
                    .join("\n"),
                runs_dir::quoted(path)
            ));
        }
        match ended.how {
            How::Interrupted => {
                output::note(&format!("go on with\n{}", runs_dir::resume_command(path)));
                Ok(Verdict::Resumable)
            }
            How::Finished if ended.counts.failed > 0 => Ok(Verdict::SomeFailed),
            How::Finished => Ok(Verdict::Done),
        }
    }
}

/// The object of `show --format json`, with `elapsed_s` and `resume`: the command that goes on with
/// the run, or null if it has finished.
pub(crate) fn print_json(path: &Path, elapsed: Duration) -> Result<(), Failure> {
    let history = History::read(path)?;
    let granted = Settings::from_header(&history.header)?.granted_list(&history.header.plugins);
    let mut value = tune_report::run_json(&history.view, &granted);
    if let Some(object) = value.as_object_mut() {
        object.insert("elapsed_s".to_owned(), json!(elapsed.as_secs_f64()));
        let resume = (history.view.status != "finished").then(|| runs_dir::resume_command(path));
        object.insert("resume".to_owned(), json!(resume));
    }
    Ok(output::json(&value)?)
}

fn trials(counts: &Counts) -> usize {
    counts.pending + counts.running + counts.paused + counts.ended()
}

/// How many trials stand where; none runs any more.
fn counted(counts: &Counts, how: How) -> String {
    let interrupted = match how {
        How::Finished => "running",
        How::Interrupted => "interrupted",
    };
    let parts: Vec<String> = [
        (counts.finished, "finished"),
        (counts.stopped, "stopped"),
        (counts.failed, "failed"),
        (counts.paused, "paused"),
        (counts.running, interrupted),
        (counts.pending, "pending"),
    ]
    .iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, word)| format!("{count} {word}"))
    .collect();
    format!("{} ({})", plural(trials(counts), "trial"), parts.join(", "))
}

/// `1 trial`, `2 trials`.
pub(crate) fn plural(count: usize, word: &str) -> String {
    if count == 1 {
        format!("1 {word}")
    } else {
        format!("{count} {word}s")
    }
}

/// What Ctrl-C, and a request of the system to end, ask for.
pub(crate) fn on_request() -> Result<Arc<Shutdown>, Failure> {
    let shutdown = Arc::new(Shutdown::default());
    let theirs = Arc::clone(&shutdown);
    ctrlc::set_handler(move || {
        /// A trusted plugin without metering cannot be stopped from outside.
        const PATIENCE: u8 = 3;
        if theirs.request() >= PATIENCE {
            leave();
        }
    })?;
    Ok(shutdown)
}

#[expect(
    clippy::exit,
    reason = "the last resort against a plugin without metering that never returns; the journal \
              survives it as it survives a crash"
)]
fn leave() {
    std::process::exit(Verdict::Resumable.code().into());
}
