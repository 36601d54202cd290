//! A run from its beginning, or from where it was left.

use std::sync::Arc;

use tune_core::{Counts, Engine, EnginePlan, Event, Stop};
use tune_runtime::{InitError, Snapshotable};
use tune_store::{Journal, Row, StoreError};

use crate::coordinator::{Coordinator, Outfit};
use crate::executor::Executor;
use crate::factory::Factory;
use crate::fold::{Folded, fold};
use crate::record::{Comparison, Record};
use crate::saving::Saving;
use crate::states::States;
use crate::upkeep::Upkeep;
use crate::vault::Vault;
use crate::writer::Writer;
use crate::{Observer, RunOptions, RunParts, Shutdown, Verify};

/// Why a run ended without an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// It came to its end.
    Finished,
    /// It was asked to stop and can be resumed.
    Interrupted,
}

/// How a run ended.
#[derive(Clone, Debug)]
pub struct Summary {
    /// Why.
    pub how: How,
    /// The decision digest.
    pub digest: [u8; 32],
    /// How many trials stand where.
    pub counts: Counts,
}

/// Why a run cannot begin or go on. What was committed stays, and can be resumed.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The searcher or scheduler refuses its options, or failed while it started.
    #[error("the {role} does not start: {error}")]
    Init {
        /// Which of the two.
        role: &'static str,
        /// Why.
        #[source]
        error: InitError,
    },
    /// The engine stopped.
    #[error(transparent)]
    Stop(#[from] Stop),
    /// The journal cannot be written or read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A row of the journal gives another digest than it did.
    #[error(
        "row {sequence} of the journal gives another digest than when it was written\n  hint: the \
         plan, a plugin or the data differ from those that the run began with"
    )]
    Digest {
        /// Which row.
        sequence: u64,
    },
    /// A state cannot be made again.
    #[error("{0}")]
    State(String),
    /// Threads cannot be started.
    #[error("starting threads: {0}")]
    Threads(#[source] std::io::Error),
}

/// Runs a plan from its beginning.
///
/// # Errors
/// See [`RunError`]; everything up to the last committed handover is kept.
pub fn start(
    plan: EnginePlan,
    digest: [u8; 32],
    parts: &RunParts,
    options: RunOptions,
    journal: &Journal,
    observer: &mut dyn Observer,
    shutdown: &Arc<Shutdown>,
) -> Result<Summary, RunError> {
    resume(
        plan,
        digest,
        parts,
        options,
        &[],
        None,
        journal,
        observer,
        shutdown,
    )
}

/// Goes on with a run: folds its journal, from the newest snapshot of the searcher and the
/// scheduler on with every call made again and compared, then brings the live trials into their
/// states, each from its nearest snapshot. `extend`: the new total of trials.
///
/// # Errors
/// See [`RunError`]; "nondeterministic plugin" names the call that was answered differently.
#[expect(
    clippy::too_many_arguments,
    reason = "each is a part that only the caller can choose"
)]
pub fn resume(
    plan: EnginePlan,
    digest: [u8; 32],
    parts: &RunParts,
    options: RunOptions,
    rows: &[Row],
    extend: Option<u32>,
    journal: &Journal,
    observer: &mut dyn Observer,
    shutdown: &Arc<Shutdown>,
) -> Result<Summary, RunError> {
    let vault = Vault::open(
        options.chunks.as_ref(),
        parts.trainable.hash(),
        options.verify,
    );
    let limits = plan.limits.clone();
    let folded = fold(plan, digest, parts, &options, rows, &vault, observer)?;
    let factory = Arc::new(parts.factory(limits, &options));
    let writer = match &options.chunks {
        Some(chunks) if options.snapshots.max_share > 0.0 || options.snapshots.at_end => {
            let writer = Writer::new(chunks.clone(), journal, Arc::clone(&factory));
            Some(writer.map_err(RunError::Threads)?)
        }
        _ => None,
    };
    let mut first = Vec::new();
    if !rows.is_empty() {
        first.extend(options.changed.clone().map(|what| Event::Changed { what }));
    }
    first.extend(extend.map(|trials| Event::Extended { trials }));
    let equipment = Equipment {
        options: &options,
        factory: &factory,
        vault,
        writer,
    };
    let mut run = equipment.coordinator(folded, Record::Journal(journal), observer, shutdown)?;
    let how = run.run(rows.is_empty(), first);
    let how = how.and_then(|how| run.settle().map(|()| how));
    run.abandon();
    let how = how?;
    journal.flush()?;
    Ok(Summary {
        how,
        digest: *run.engine.digest(),
        counts: run.engine.counts(),
    })
}

/// A run that was done again.
#[derive(Clone, Debug)]
pub struct Replayed {
    /// It came to the end of the rows, or to the first difference; else it was asked to stop.
    pub how: How,
    /// Rows that came out the same.
    pub same: u64,
    /// The first row that did not.
    pub difference: Option<Difference>,
}

/// A handover that was another one the second time.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// Which row.
    pub sequence: u64,
    /// What the journal says.
    pub journal: tune_core::Entry,
    /// What happened now. The same as in the journal if only what came before differs, or the
    /// journal's digest was changed.
    pub again: tune_core::Entry,
}

/// Does a whole run again, from its plan alone, and compares each handover with the journal's.
/// Nothing is written. What came from outside (the user, deadlines, the machine) is taken from the
/// journal. Of `options.chunks` only the state is used that the run was forked with;
/// `options.snapshots` is not used.
///
/// # Errors
/// See [`RunError`].
pub fn replay_run(
    plan: EnginePlan,
    digest: [u8; 32],
    parts: &RunParts,
    options: RunOptions,
    rows: &[Row],
    observer: &mut dyn Observer,
    shutdown: &Arc<Shutdown>,
) -> Result<Replayed, RunError> {
    let options = RunOptions {
        time_budget: None,
        verify: Verify::Everything,
        ..options
    };
    let factory = Arc::new(parts.factory(plan.limits.clone(), &options));
    let plugins = parts.init(&plan);
    let folded = Folded {
        plugins: plugins.map_err(|(role, error)| RunError::Init { role, error })?,
        engine: Engine::new(plan, digest)?,
        upkeep: Upkeep::default(),
    };
    let equipment = Equipment {
        options: &options,
        factory: &factory,
        vault: Vault::open(
            options.chunks.as_ref(),
            parts.trainable.hash(),
            options.verify,
        )
        .only_imported(),
        writer: None,
    };
    let record = Record::Rows(Box::new(Comparison::new(rows)));
    let mut run = equipment.coordinator(folded, record, observer, shutdown)?;
    let how = if rows.is_empty() {
        Ok(How::Finished)
    } else {
        run.run(true, Vec::new())
    };
    run.abandon();
    let difference = match &mut run.record {
        Record::Rows(comparison) => comparison.difference.take(),
        Record::Journal(_) => None,
    };
    Ok(Replayed {
        how: how?,
        same: run.engine.sequence() - u64::from(difference.is_some()),
        difference,
    })
}

/// What a run is carried out with, besides the run.
struct Equipment<'a> {
    options: &'a RunOptions,
    factory: &'a Arc<Factory>,
    vault: Vault,
    writer: Option<Writer>,
}

impl Equipment<'_> {
    fn coordinator<'a>(
        self,
        folded: Folded,
        record: Record<'a>,
        observer: &'a mut dyn Observer,
        shutdown: &'a Arc<Shutdown>,
    ) -> Result<Coordinator<'a>, RunError> {
        let (options, factory) = (self.options, self.factory);
        let threads = options.threads.max(1);
        let executor = Executor::new(threads, factory).map_err(RunError::Threads)?;
        let captures = matches!(factory.plugin.snapshotable(), Snapshotable::Yes);
        let Folded {
            engine,
            plugins,
            upkeep,
        } = folded;
        Ok(Coordinator::new(Outfit {
            engine,
            plugins,
            executor,
            states: States::new(self.vault, upkeep),
            saving: Saving::new(
                options.snapshots.clone(),
                options.run_memory,
                captures,
                self.writer,
            ),
            record,
            observer,
            shutdown,
            time_budget: options.time_budget,
        }))
    }
}
