//! `resume RUN`: goes on where a run stopped, or extends one that finished.

use std::path::Path;

use tune_runner::{RunOptions, Verify};
use tune_store::{OpenedRun, RunDir, RunReader, RunState, RunStatus};

use crate::args::ResumeArgs;
use crate::catalog::Catalog;
use crate::failure::{Failure, Verdict};
use crate::history::History;
use crate::session::{self, Session, elapsed};
use crate::settings::Settings;
use crate::{output, prepare, runs_dir, version};

pub(crate) fn resume(args: &ResumeArgs) -> Result<Verdict, Failure> {
    let path = runs_dir::find(&args.runs.dir, &args.run)?;
    let reader = RunReader::open(&path)?;
    let status = reader.status()?;
    if args.trials.is_none() && status.state == RunState::Finished {
        if args.format.is_json() {
            session::print_json(&path, elapsed(&status, &reader.header()?, &[]))?;
        }
        output::note(&format!(
            "{} has finished\n  hint: `{} --trials N` extends it to N trials in all",
            path.display(),
            runs_dir::resume_command(&path)
        ));
        return Ok(Verdict::Done);
    }
    drop(reader);
    let opened = RunDir::open_writable(&path)?;
    let OpenedRun {
        dir,
        journal,
        header,
        status,
        rows,
    } = opened;
    let elapsed_before = elapsed(&status, &header, &rows);
    let history = History::fold(&path, header, &status, rows)?;
    check_extension(&path, &history, args.trials)?;
    let settings = Settings::from_header(&history.header)?;
    let options = session::options(&history.plan, &settings, args.machine)?;
    let same_build = check_build(&history.header.build);

    let catalog = Catalog::open(args.plugins.dir.as_deref(), None)?;
    let runtime = prepare::runtime()?;
    let prepared = prepare::old_run(
        history.plan.clone(),
        &history.header,
        &settings,
        &catalog,
        &runtime,
    )?;
    journal.set_status(RunStatus::running())?;
    let verdict = Session {
        path: &path,
        journal,
        header: &history.header,
        settings: &settings,
        prepared,
        rows: &history.rows,
        extend: args.trials,
        options: RunOptions {
            verify: if same_build {
                Verify::Everything
            } else {
                Verify::Metrics
            },
            ..options
        },
        elapsed_before,
        quiet: args.machine.quiet,
        format: args.format,
    }
    .carry_out();
    drop(dir);
    verdict
}

/// A run can become longer, not shorter.
fn check_extension(path: &Path, history: &History, trials: Option<u32>) -> Result<(), Failure> {
    let Some(wanted) = trials else {
        return Ok(());
    };
    let made = history.view.trials.len();
    let planned = history.total.map_or(made, |total| total as usize);
    if wanted as usize > planned {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "{} is a run of {planned} trials already\n  hint: --trials is the new total: more than {planned}",
        path.display()
    )))
}

/// Whether a run was begun by this build.
fn check_build(begun_by: &str) -> bool {
    let now = version::build();
    if begun_by == now {
        return true;
    }
    output::note(&format!(
        "warning: the run was begun by another build; its digest cannot be compared from here on\n  \
         begun by {begun_by}\n  now      {now}"
    ));
    false
}
