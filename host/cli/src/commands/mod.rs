//! The commands, one file a verb.

mod ask_tell;
mod bench;
mod best;
mod compare;
mod completions;
mod doctor;
mod export;
mod fork;
mod plugin;
mod replay;
mod resume;
mod run;
mod runs;
mod schedule;
mod schema;
mod show;
mod snapshots;

use crate::args::Command;
use crate::failure::{Failure, Verdict};

/// Does what was asked for.
pub(crate) fn execute(command: Command) -> Result<Verdict, Failure> {
    match command {
        Command::Run(args) => run::run(&args),
        Command::Resume(args) => resume::resume(&args),
        Command::Runs(args) => runs::runs(&args),
        Command::Show(args) => show::show(&args),
        Command::Best(args) => best::best(&args),
        Command::Compare(args) => compare::compare(&args),
        Command::Fork(args) => fork::fork(&args),
        Command::Replay(args) => replay::replay(&args),
        Command::Snapshots(args) => snapshots::snapshots(&args),
        Command::AskTell(args) => ask_tell::ask_tell(&args),
        Command::Schedule(args) => schedule::schedule(&args),
        Command::Export(args) => export::export(&args),
        Command::Bench(command) => bench::bench(&command),
        Command::Plugin(command) => plugin::plugin(&command),
        Command::Schema => schema::schema(),
        Command::Doctor(args) => doctor::doctor(args),
        Command::Compile => {
            tune_runtime::compile_child()?;
            Ok(Verdict::Done)
        }
        Command::Completions { shell } => completions::completions(shell),
    }
}
