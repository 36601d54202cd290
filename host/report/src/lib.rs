//! Read-only views of a run: tables, JSON, files for other tools, the live view.
//!
//! Everything here is fed with plain records and gives text or files back. It calls no plugin,
//! prints nothing, decides nothing, and treats every name and text of a guest as hostile to a
//! terminal.

mod best;
mod compare;
mod csv;
mod derived;
mod event;
mod importance;
mod json;
mod lineage;
mod live;
mod live_trials;
mod number;
mod outputs;
mod runs;
mod snapshots;
mod style;
mod table;
mod tensorboard;
mod text;
mod trials;
mod unwritten;
mod usage;
mod usage_fold;
mod view;

pub use best::{BestReport, Scope, best_of_trial, best_trial, ranking};
pub use compare::{ComparedRun, Comparison, FirstDifference, plan_differences};
pub use derived::{DerivedError, DerivedFiles, DerivedRecord, DerivedSender};
pub use event::{LiveEvent, line};
pub use importance::{
    Importance, Importances, MIN_TRIALS, Method, NoImportances, STABLE_TRIALS, importances,
    importances_json, importances_lines,
};
pub use json::{best_json, comparison_json, run_json, runs_json, trial_json};
pub use lineage::{
    CloneView, Stretch, ValueChange, change_line, clones, clones_table, lineage, lineage_table,
    value_changes,
};
pub use live::{LiveBest, LiveView, render};
pub use live_trials::{Candidate, LiveTrial, trials_that_matter};
pub use number::short;
pub use outputs::Outputs;
pub use runs::runs_table;
pub use snapshots::{SnapshotView, size, snapshots_json, snapshots_table};
pub use style::Style;
pub use table::{Column, Table};
pub use text::{clean, columns, cut};
pub use trials::{trial_details, trials_table};
pub use unwritten::Unwritten;
pub use usage::{
    DeciderUse, LimitUse, TrialUse, decider_limits, run_usage, trial_limits, usage_json,
    usage_line, usage_table,
};
pub use usage_fold::UsageFold;
pub use view::{Branch, Counts, ParentView, ReportView, RunView, Source, TrialStatus, TrialView};
