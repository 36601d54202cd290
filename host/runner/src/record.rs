//! Where handovers go: into the journal of a run, or into a comparison with one.

use std::time::{SystemTime, UNIX_EPOCH};

use tune_core::records::TrialId;
use tune_core::{Engine, Entry, Event, Handover, RowUsage, Stop};
use tune_store::{Attachments, Journal, Row};

use crate::{Difference, RunError, Wall};

/// Where handovers go.
pub(crate) enum Record<'a> {
    /// They are new.
    Journal(&'a Journal),
    /// They were handed over before: every row must come out the same.
    Rows(Box<Comparison<'a>>),
}

/// A run that is done again.
pub(crate) struct Comparison<'a> {
    rows: &'a [Row],
    pub(crate) difference: Option<Difference>,
}

/// It cannot be computed again: it came from the wall clock, the user or the machine.
pub(crate) fn is_external(event: &Event) -> bool {
    match event {
        Event::StepEnded { end, .. } => end
            .result
            .as_ref()
            .is_err_and(|failed| !failed.kind.is_reproducible()),
        Event::Opened => false,
        Event::StopTrial { .. }
        | Event::Extended { .. }
        | Event::TimeBudgetSpent
        | Event::Changed { .. } => true,
    }
}

/// What a row holds.
pub(crate) fn entry(row: &Row) -> Result<Entry, Stop> {
    postcard::from_bytes(&row.body).map_err(|e| Stop::Damaged(format!("row {}: {e}", row.sequence)))
}

impl Record<'_> {
    /// Takes a handover. `external`: it is durable when this returns.
    pub(crate) fn take(
        &mut self,
        handover: &Handover,
        trial: Option<TrialId>,
        attachments: Attachments,
        (wall, usage): (Wall, RowUsage),
        external: bool,
    ) -> Result<(), RunError> {
        match self {
            Self::Journal(journal) => {
                let sequence = handover.sequence;
                let body = postcard::to_allocvec(&handover.entry)
                    .map_err(|e| Stop::Damaged(format!("row {sequence}: {e}")))?;
                let row = Row {
                    sequence,
                    tick: handover.tick,
                    trial,
                    kind: handover.entry.event.kind().to_owned(),
                    body,
                    wall_ms: wall.timestamp_ms,
                    step_us: wall.step_us,
                    log_end: 0,
                    usage: usage.to_bytes(),
                    digest: handover.digest,
                };
                journal.append(row, attachments)?;
                if external {
                    journal.wait_committed(sequence)?;
                }
                Ok(())
            }
            Self::Rows(comparison) => comparison.compare(handover),
        }
    }

    /// Nothing is to come: everything was compared, or something differs.
    pub(crate) fn is_over(&self, engine: &Engine) -> bool {
        match self {
            Self::Journal(_) => false,
            Self::Rows(comparison) => {
                comparison.difference.is_some() || comparison.row(engine.sequence()).is_none()
            }
        }
    }

    /// What the next handover must be, because it cannot be computed.
    pub(crate) fn dictated(&self, engine: &Engine) -> Result<Option<Event>, RunError> {
        let Self::Rows(comparison) = self else {
            return Ok(None);
        };
        let Some(row) = comparison.row(engine.sequence()) else {
            return Ok(None);
        };
        let event = entry(row)?.event;
        Ok(is_external(&event).then_some(event))
    }

    /// The journal cannot be written any more.
    pub(crate) fn check(&self) -> Result<(), RunError> {
        match self {
            Self::Journal(journal) => journal.failed().map_or(Ok(()), |e| Err(e.into())),
            Self::Rows(_) => Ok(()),
        }
    }

    /// Makes everything durable.
    pub(crate) fn flush(&self) -> Result<(), RunError> {
        match self {
            Self::Journal(journal) => Ok(journal.flush()?),
            Self::Rows(_) => Ok(()),
        }
    }
}

impl<'a> Comparison<'a> {
    pub(crate) fn new(rows: &'a [Row]) -> Self {
        Self {
            rows,
            difference: None,
        }
    }

    fn row(&self, sequence: u64) -> Option<&'a Row> {
        self.rows.get(usize::try_from(sequence).ok()?)
    }

    fn compare(&mut self, handover: &Handover) -> Result<(), RunError> {
        let Some(row) = self.row(handover.sequence) else {
            return Ok(());
        };
        let (journal, again) = (entry(row)?, &handover.entry);
        // A row is as it was written only if both agree: what it says, and the digest of that.
        if row.digest != handover.digest || canonical(&journal) != canonical(again) {
            self.difference = Some(Difference {
                sequence: handover.sequence,
                journal,
                again: again.clone(),
            });
        }
        Ok(())
    }
}

/// The bytes of what an entry says of the run: not what failures say to people.
fn canonical(entry: &Entry) -> Option<Vec<u8>> {
    let mut entry = entry.clone();
    if let Event::StepEnded { end, .. } = &mut entry.event
        && let Err(failed) = &mut end.result
    {
        failed.message.clear();
    }
    postcard::to_allocvec(&entry).ok()
}

pub(crate) fn unix_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX))
}
