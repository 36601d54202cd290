//! Experiment file to validated plan.
//!
//! One function, [`parse`], turns the text of a TOML or JSON file into an [`ExperimentPlan`], or
//! into all that is wrong with it at once, each with line, column and what would be right. Stands
//! between the file and everything else, so that no later part has to ask whether a number makes
//! sense. It must never touch a file, a plugin, a clock or a source of randomness: whether a plugin
//! exists and takes its options is found out later, by the caller, who points into the same file
//! with [`ExperimentPlan::diagnostic`].

mod data;
mod diagnostic;
mod directory;
mod experiment;
mod goal;
mod item;
mod json;
mod known;
mod limits;
mod log;
mod machine;
mod plan;
mod plateau;
mod plugin;
mod points;
mod quantity;
mod results;
mod schema;
mod snapshots;
mod space;
mod stop;
mod tree;
mod warm_start;

pub use diagnostic::{Diagnostic, Diagnostics};
pub use known::{Fitting, Misfit};
pub use plan::{
    DataSource, ExperimentPlan, Grants, HostLimits, LineageOf, Outputs, Snapshots, WarmStart,
};
pub use quantity::parse_bytes;
pub use results::{Recorded, Results};
pub use schema::json_schema;

/// Longest file in bytes: 1 MiB, some 20,000 lines; a larger one is a mistake.
const MAX_FILE_BYTES: usize = 1 << 20;

/// Reads an experiment file: JSON if its name ends in `.json` or its text begins with `{`, else
/// TOML.
///
/// `file_name` is where the text comes from; it stands in messages, relative data paths start from
/// its directory, and its stem is the default of `name`. `seed_if_missing` is the seed of the run if
/// the file gives none. The same three arguments always give the same plan.
///
/// # Errors
/// Everything that is wrong with the file, in the order of its lines.
pub fn parse(
    text: &str,
    file_name: &str,
    seed_if_missing: u64,
) -> Result<ExperimentPlan, Diagnostics> {
    let mut log = log::Log::default();
    if text.len() > MAX_FILE_BYTES {
        log.error(
            0,
            "",
            format!("the file has {} bytes", text.len()),
            format!("an experiment file may have {MAX_FILE_BYTES} bytes; data belongs in [[data]]"),
        );
        return Err(log.finish("", file_name));
    }
    let plan = tree::read(text, file_name, &mut log).and_then(|root| {
        let source = experiment::Source {
            text,
            file_name,
            seed_if_missing,
        };
        experiment::interpret(&root, &source, &mut log)
    });
    match plan {
        Some(plan) if log.is_empty() => Ok(plan),
        _ => Err(log.finish(text, file_name)),
    }
}
