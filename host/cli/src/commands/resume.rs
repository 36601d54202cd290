//! `resume RUN`: goes on where a run stopped, or extends one that finished.

use std::path::Path;

use tune_runner::{RunOptions, Verify};
use tune_store::{OpenedRun, RunDir, RunReader, RunState};

use crate::args::ResumeArgs;
use crate::catalog::Catalog;
use crate::failure::{Failure, Verdict};
use crate::history::History;
use crate::old_run::{Changes, old_run};
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
    let mut accepted = session::accepted(&status);
    let history = History::fold(&path, header, &status, rows)?;
    check_extension(&path, &history, args.trials)?;
    let settings = Settings::from_header(&history.header)?;
    let options = session::options(&history.plan, &settings, args.machine)?;

    let catalog = Catalog::open(args.plugins.dir.as_deref(), None)?;
    let runtime = prepare::runtime(&settings.host_limits)?;
    let changes = if args.accept_changed_plugin {
        Changes::Accepted
    } else {
        Changes::Refused(Some(runs_dir::resume_command(&path)))
    };
    let old = old_run(&history, &settings, &catalog, &runtime, &accepted, &changes)?;
    let is_builder = version::is_builder(&history.header.build);
    let mut changed = old.changed;
    for (role, hash) in old.accepted {
        accepted.insert(role, hash.into());
    }
    let verify = if !accepted.is_empty() {
        Verify::Nothing
    } else if is_builder {
        Verify::Everything
    } else {
        Verify::Metrics
    };
    if !is_builder {
        changed.push(format!("this build: {}", version::build()));
    }
    for what in &changed {
        output::note(&format!("going on with {what}"));
    }
    journal.set_status(session::running(&accepted))?;
    let options = settings.equip(options, &dir, args.machine);
    let verdict = Session {
        path: &path,
        journal,
        header: &history.header,
        settings: &settings,
        prepared: old.prepared,
        rows: &history.rows,
        extend: args.trials,
        options: RunOptions {
            verify,
            changed: (!changed.is_empty()).then(|| changed.join("; ")),
            ..options
        },
        elapsed_before,
        accepted,
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
