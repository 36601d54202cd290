//! The state of a run from its journal: rows up to the newest intact copy of the searcher and the
//! scheduler need no plugin; the calls of later rows are made again.

use tune_core::{Checked, Engine, EnginePlan, Point};
use tune_store::{ChunkStore, Row};

use crate::plugins::Plugins;
use crate::record::entry;
use crate::state_file;
use crate::upkeep::Upkeep;
use crate::vault::Vault;
use crate::{Observer, RunError, RunOptions, RunParts, Verify, Wall};

/// A run as its journal leaves it.
pub(crate) struct Folded {
    pub(crate) engine: Engine,
    pub(crate) plugins: Plugins,
    pub(crate) upkeep: Upkeep,
}

/// Folds a journal.
pub(crate) fn fold(
    plan: EnginePlan,
    digest: [u8; 32],
    parts: &RunParts,
    options: &RunOptions,
    rows: &[Row],
    vault: &Vault,
    observer: &mut dyn Observer,
) -> Result<Folded, RunError> {
    let saved = match &options.chunks {
        Some(chunks) => restore(&plan, parts, chunks, rows.len() as u64, vault, observer),
        None => None,
    };
    let (mut plugins, from) = match saved {
        Some((plugins, sequence)) => (plugins, sequence + 1),
        None => {
            let plugins = parts.init(&plan);
            (
                plugins.map_err(|(role, error)| RunError::Init { role, error })?,
                0,
            )
        }
    };
    let mut engine = Engine::new(plan, digest)?;
    let mut upkeep = Upkeep::default();
    for row in rows {
        let entry = entry(row)?;
        let handover = if row.sequence < from {
            engine.fold(&entry)?
        } else if options.verify == Verify::Nothing {
            let mut calls = Checked::without_comparing(&mut plugins, &entry.answers);
            engine.apply(entry.event, &mut calls)?
        } else {
            let mut calls = Checked::new(&mut plugins, &entry.answers);
            engine.apply(entry.event, &mut calls)?
        };
        if options.verify == Verify::Everything && handover.digest != row.digest {
            return Err(RunError::Digest {
                sequence: row.sequence,
            });
        }
        if let (Some(trial), Some(_)) = (row.trial, &handover.report) {
            upkeep.worked(trial, std::time::Duration::from_micros(row.step_us));
            upkeep.reported(trial, row.sequence);
            let reports = engine.trial(trial).map_or(0, tune_core::Trial::reports);
            if vault.has(Point { trial, reports }) {
                upkeep.saved(trial);
            }
        }
        let wall = Wall {
            timestamp_ms: row.wall_ms,
            step_us: row.step_us,
        };
        observer.restored(&engine, &handover, wall);
    }
    upkeep.retain(|id| engine.trial(id).is_some_and(|trial| !trial.is_ended()));
    if !rows.is_empty() {
        // Said before; the log has it.
        drop(plugins.take_logs());
    }
    Ok(Folded {
        engine,
        plugins,
        upkeep,
    })
}

/// The newest copy of the searcher and the scheduler that is intact, with the row that it is after.
fn restore(
    plan: &EnginePlan,
    parts: &RunParts,
    chunks: &ChunkStore,
    rows: u64,
    vault: &Vault,
    observer: &mut dyn Observer,
) -> Option<(Plugins, u64)> {
    for pair in vault.pairs() {
        if pair.sequence >= rows {
            continue;
        }
        let read = |id, limits| state_file::read(chunks, id, limits).map_err(|e| e.to_string());
        let restored = read(pair.searcher, plan.searcher_limits())
            .and_then(|searcher| Ok((searcher, read(pair.scheduler, plan.scheduler_limits())?)))
            .and_then(|(searcher, scheduler)| {
                parts
                    .restore(plan, &searcher, &scheduler)
                    .map_err(|fault| fault.to_string())
            });
        match restored {
            Ok(plugins) => return Some((plugins, pair.sequence)),
            Err(why) => observer.remark(&format!(
                "the saved searcher and scheduler of row {} are of no use, earlier ones are taken: \
                 {why}",
                pair.sequence
            )),
        }
    }
    None
}
