//! Feeds the files for other tools from a run, as the command line does.

use std::path::Path;

use anyhow::Result;
use tune_core::{Engine, Handover, Note};
use tune_report::{DerivedFiles, DerivedRecord, Outputs, ReportView};
use tune_runner::{Observer, Wall};

use crate::stage::{Tally, Watch};

/// Counts, and writes derived files if they are wanted.
pub(crate) struct Derived {
    tally: Tally,
    files: Option<DerivedFiles>,
    watch: Option<Watch>,
}

impl Derived {
    pub(crate) fn new(
        tally: Tally,
        run: &Path,
        outputs: Outputs,
        watch: Option<Watch>,
    ) -> Result<Self> {
        let files = if outputs.is_none() {
            None
        } else {
            // Names the event files; no benchmark depends on when it ran.
            const CREATED_S: u64 = 1_700_000_000;
            Some(DerivedFiles::start(run.join("trials"), outputs, CREATED_S)?)
        };
        Ok(Self {
            tally,
            files,
            watch,
        })
    }

    /// Completes the files.
    pub(crate) fn finish(self) -> Result<Tally> {
        if let Some(files) = self.files {
            files.finish()?;
        }
        Ok(self.tally)
    }
}

impl Observer for Derived {
    fn handed_over(&mut self, engine: &Engine, handover: &Handover, wall: Wall) {
        self.tally.handed_over(engine, handover, wall);
        if let Some(watch) = &self.watch {
            watch(engine, handover, wall);
        }
        let Some(files) = &self.files else {
            return;
        };
        for (trial, config) in &handover.created {
            files.send(DerivedRecord::Config {
                trial: *trial,
                config: config.clone(),
            });
        }
        if let (Some(trial), Some(report)) = (handover.entry.event.trial(), &handover.report) {
            files.send(DerivedRecord::Report {
                trial,
                report: ReportView {
                    iteration: engine.trial(trial).map_or(0, |t| t.iteration),
                    metrics: report.metrics.clone(),
                },
            });
        }
        for note in &handover.notes {
            if let Note::Ended(trial, _) = note {
                files.send(DerivedRecord::Ended { trial: *trial });
            }
        }
    }

    fn restored(&mut self, engine: &Engine, handover: &Handover, wall: Wall) {
        self.tally.restored(engine, handover, wall);
    }
}
