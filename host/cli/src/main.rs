//! The tune-host command: arguments, wiring, exit codes, messages for people.

mod args;
mod assignments;
mod catalog;
mod commands;
mod compatibility;
mod conversation;
mod data;
mod failure;
mod feed;
mod gpu;
mod grants;
mod history;
mod lineage;
mod machine;
mod observer;
mod old_run;
mod origin;
mod outcome;
mod output;
mod prepare;
mod runs_dir;
mod screen;
mod session;
mod settings;
mod version;
mod warm_start;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let cli = match args::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are results, the rest are errors; clap knows which goes where.
            drop(error.print());
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    let code = match commands::execute(cli.command) {
        Ok(verdict) => verdict.code(),
        Err(failure) if failure.is_broken_pipe() => 0,
        Err(failure) => {
            let message = failure.message();
            output::note(&format!("error: {message}"));
            failure.code()
        }
    };
    ExitCode::from(code)
}
