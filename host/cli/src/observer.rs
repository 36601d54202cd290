//! Watches a run while it goes on: the live view or plain lines for people, records for derived
//! files, and the best result so far. Runs on the coordinator's thread and never makes it wait.

use std::io::{self, BufWriter, IsTerminal, Stderr, Write};
use std::time::Instant;

use tune_core::records::{Config, Ending, FailureKind, Objective, TrialId};
use tune_core::{Engine, Handover, Note, Point, Trial};
use tune_report::{
    Candidate, Counts, DerivedRecord, LiveBest, LiveEvent, LiveTrial, LiveView, ValueChange, line,
    render, trials_that_matter,
};
use tune_runner::{Observer, Wall};

use crate::feed::Feed;
use crate::history::{WallClock, status_of};
use crate::screen::Screen;

/// How progress is shown, on the standard error output.
#[derive(Debug)]
pub(crate) enum Progress {
    /// Not at all.
    Quiet,
    /// A line an event.
    Lines(BufWriter<Stderr>),
    /// A picture in place.
    Live(Box<Screen>),
}

impl Progress {
    /// Whatever suits the standard error output.
    pub(crate) fn choose(quiet: bool) -> Self {
        let stderr = io::stderr();
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        if quiet {
            Self::Quiet
        } else if stderr.is_terminal() && !is_dumb {
            Self::Live(Box::new(Screen::new()))
        } else {
            Self::Lines(BufWriter::new(stderr))
        }
    }

    fn event(&mut self, event: &LiveEvent<'_>) {
        if let Self::Lines(out) = self {
            // A reader that has gone away misses nothing.
            drop(writeln!(out, "{}", line(event)));
        }
    }

    fn flush(&mut self) {
        if let Self::Lines(out) = self {
            drop(out.flush());
        }
    }
}

/// The best report so far.
#[derive(Clone, Debug)]
pub(crate) struct BestSoFar {
    /// Whose.
    pub(crate) trial: TrialId,
    /// From 1.
    pub(crate) iteration: u64,
    /// Which of the trial's own reports, from 1.
    pub(crate) reports: u64,
    /// Of the objective.
    pub(crate) value: f64,
    /// The configuration that led to it.
    pub(crate) config: Config,
}

/// Watches a run.
pub(crate) struct Watcher {
    name: String,
    plugins: String,
    objective: Option<Objective>,
    progress: Progress,
    feed: Option<Feed>,
    clock: WallClock,
    /// Changes of each trial that its last report came after.
    changes_told: Vec<usize>,
    began: Instant,
    best: Option<BestSoFar>,
    reports: u64,
    reports_now: u64,
    ended_now: usize,
    first_failure: Option<(TrialId, FailureKind, String)>,
    remark: String,
}

impl Watcher {
    /// Of a run that is about to begin or to go on.
    pub(crate) fn new(
        name: String,
        plugins: String,
        objective: Option<Objective>,
        progress: Progress,
        feed: Option<Feed>,
    ) -> Self {
        Self {
            name,
            plugins,
            objective,
            progress,
            feed,
            clock: WallClock::default(),
            changes_told: Vec::new(),
            began: Instant::now(),
            best: None,
            reports: 0,
            reports_now: 0,
            ended_now: 0,
            first_failure: None,
            remark: String::new(),
        }
    }

    /// Wipes the live view away and gives back what is to be completed and told.
    pub(crate) fn finish(mut self) -> Watched {
        match &mut self.progress {
            Progress::Live(screen) => screen.clear(),
            other => other.flush(),
        }
        Watched {
            feed: self.feed,
            best: self.best,
            first_failure: self.first_failure,
        }
    }

    /// What a handover means for files and for the best result, whenever it was made.
    fn take(&mut self, engine: &Engine, handover: &Handover, wall: Wall) {
        let report = self.clock.report(engine, handover, wall);
        let changed = report.as_ref().and_then(|(trial, _)| {
            let config = self.changed_config(engine.trial(*trial)?)?;
            let trial = *trial;
            Some(DerivedRecord::Config { trial, config })
        });
        self.reports += u64::from(report.is_some());
        let mut ended = Vec::new();
        for note in &handover.notes {
            let Note::Ended(trial, ending) = note else {
                continue;
            };
            ended.push(DerivedRecord::Ended { trial: *trial });
            if let Ending::Failed(kind) = ending
                && self.first_failure.is_none()
            {
                let failure = engine.trial(*trial).and_then(|t| t.failure.as_ref());
                let message = failure.map(|f| f.message.clone()).unwrap_or_default();
                self.first_failure = Some((*trial, *kind, message));
            }
        }
        self.note_best(engine);
        if let Some(feed) = &self.feed {
            let created = handover
                .created
                .iter()
                .map(|(trial, config)| DerivedRecord::Config {
                    trial: *trial,
                    config: config.clone(),
                });
            let report = report.map(|(trial, report)| DerivedRecord::Report { trial, report });
            feed.send(
                handover.sequence,
                changed
                    .into_iter()
                    .chain(report)
                    .chain(ended)
                    .chain(created),
            );
        }
    }

    /// The configuration of a trial that reported, if it is another one than that of its last
    /// report.
    fn changed_config(&mut self, trial: &Trial) -> Option<Config> {
        let reports = trial.reports();
        let changes = trial.changes.partition_point(|c| c.before_step < reports);
        let index = trial.id as usize;
        if self.changes_told.len() <= index {
            self.changes_told.resize(index + 1, 0);
        }
        let told = self.changes_told.get_mut(index)?;
        let is_new = std::mem::replace(told, changes) != changes;
        is_new.then(|| trial.config_at(reports).clone())
    }

    fn note_best(&mut self, engine: &Engine) {
        let Some((trial, best)) = engine.best().and_then(|t| Some((t, t.best?))) else {
            self.best = None;
            return;
        };
        let is_known = self
            .best
            .as_ref()
            .is_some_and(|known| known.trial == trial.id && known.reports == best.reports);
        if !is_known {
            self.best = Some(BestSoFar {
                trial: trial.id,
                iteration: best.iteration,
                reports: best.reports,
                value: best.value,
                config: trial.config_at(best.reports).clone(),
            });
        }
    }

    fn tell(&mut self, engine: &Engine, handover: &Handover) {
        if let (Some(report), Some(trial)) = (&handover.report, handover.entry.event.trial()) {
            let reports = engine.trial(trial).map_or(0, tune_core::Trial::reports);
            // Not the trial's present one: it may have taken over another state in this handover.
            let iteration = engine.trial(trial).map_or(0, |t| t.iteration_at(reports));
            let is_best = self
                .best
                .as_ref()
                .is_some_and(|b| b.trial == trial && b.reports == reports);
            self.progress.event(&LiveEvent::Report {
                trial,
                iteration,
                metrics: &report.metrics,
                is_best,
            });
        }
        for note in &handover.notes {
            let changes: Vec<ValueChange>;
            let event = match note {
                // Why it failed comes with its end.
                Note::Failed(..) | Note::Kept(_) => continue,
                Note::Exploited {
                    target,
                    source,
                    iteration,
                } => {
                    changes = changes_of_clone(engine, *target, *source);
                    LiveEvent::Cloned {
                        trial: *target,
                        source: source.trial,
                        iteration: *iteration,
                        changes: &changes,
                    }
                }
                Note::Created(trial) => match engine.trial(*trial) {
                    Some(created) => LiveEvent::Created {
                        trial: *trial,
                        config: &created.config,
                    },
                    None => continue,
                },
                Note::Paused(trial) => LiveEvent::Paused { trial: *trial },
                Note::Resumed(trial) => LiveEvent::Resumed { trial: *trial },
                Note::Retried(trial, failed) => LiveEvent::Retried {
                    trial: *trial,
                    why: &failed.message,
                },
                Note::Rejected(text) | Note::Dropped(text) | Note::EndedByRule(text) => {
                    LiveEvent::Remark(text)
                }
                Note::Ended(id, ending) => {
                    self.ended_now += 1;
                    let trial = engine.trial(*id);
                    LiveEvent::Ended {
                        trial: *id,
                        status: status_of(tune_core::Phase::Ended(*ending)),
                        reports: trial.map_or(0, Trial::reports),
                        why: trial
                            .and_then(|t| t.failure.as_ref())
                            .map(|f| f.message.as_str()),
                    }
                }
            };
            if matches!(
                event,
                LiveEvent::Remark(_)
                    | LiveEvent::Retried { .. }
                    | LiveEvent::Ended { why: Some(_), .. }
            ) && matches!(self.progress, Progress::Live(_))
            {
                self.remark = line(&event);
            }
            self.progress.event(&event);
        }
    }

    fn paint_if_due(&mut self, engine: &Engine) {
        let Progress::Live(screen) = &mut self.progress else {
            return;
        };
        if !screen.is_due() {
            return;
        }
        let maximize = self.objective.as_ref().is_some_and(|o| o.maximize);
        let color = screen.color;
        let chosen = trials_that_matter(
            engine.trials().iter().map(|trial| Candidate {
                id: trial.id,
                status: status_of(trial.phase),
                iteration: trial.iteration,
                best: trial.best.map(|b| b.value),
            }),
            maximize,
        );
        let counts = engine.counts();
        let view = LiveView {
            name: &self.name,
            plugins: &self.plugins,
            objective: self.objective.as_ref(),
            counts: Counts {
                pending: counts.pending,
                running: counts.running,
                paused: counts.paused,
                finished: counts.finished,
                stopped: counts.stopped,
                failed: counts.failed,
                interrupted: 0,
            },
            total: engine.plan().trials.map(|n| n as usize),
            reports: self.reports,
            reports_now: self.reports_now,
            ended_now: self.ended_now,
            elapsed: self.began.elapsed(),
            best: self.best.as_ref().map(|best| LiveBest {
                trial: best.trial,
                iteration: best.iteration,
                value: best.value,
                config: &best.config,
            }),
            trials: chosen
                .into_iter()
                .filter_map(|id| engine.trial(id))
                .map(|trial| LiveTrial {
                    id: trial.id,
                    status: status_of(trial.phase),
                    iteration: trial.iteration,
                    best: trial.best.map(|b| b.value),
                    config: &trial.config,
                    metrics: trial.last.as_ref().map_or(&[], |r| r.metrics.as_slice()),
                })
                .collect(),
            description: engine.description(),
            remark: &self.remark,
        };
        screen.paint(|width, height| render(&view, width, height, color));
    }
}

/// What is different from the configuration that led to the state that a trial took over.
fn changes_of_clone(engine: &Engine, target: TrialId, source: Point) -> Vec<ValueChange> {
    let donor = engine.trial(source.trial);
    let (Some(donor), Some(trial)) = (donor, engine.trial(target)) else {
        return Vec::new();
    };
    tune_report::value_changes(donor.config_at(source.reports), &trial.config)
}

impl Observer for Watcher {
    fn handed_over(&mut self, engine: &Engine, handover: &Handover, wall: Wall) {
        self.take(engine, handover, wall);
        if handover.report.is_some() {
            self.reports_now += 1;
        }
        self.tell(engine, handover);
        self.paint_if_due(engine);
    }

    fn restored(&mut self, engine: &Engine, handover: &Handover, wall: Wall) {
        self.take(engine, handover, wall);
    }

    fn tick(&mut self, engine: &Engine) {
        self.progress.flush();
        self.paint_if_due(engine);
    }

    fn remark(&mut self, text: &str) {
        text.clone_into(&mut self.remark);
        self.progress.event(&LiveEvent::Remark(text));
        self.progress.flush();
    }
}

/// What is left when a run has ended.
#[derive(Debug)]
pub(crate) struct Watched {
    /// The derived files, to be completed.
    pub(crate) feed: Option<Feed>,
    /// The best result.
    pub(crate) best: Option<BestSoFar>,
    /// The first trial that failed, and why.
    pub(crate) first_failure: Option<(TrialId, FailureKind, String)>,
}
