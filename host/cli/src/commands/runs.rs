//! `runs`: the runs of a directory, the oldest first.

use std::time::{SystemTime, UNIX_EPOCH};

use tune_store::list_runs;

use crate::args::RunsArgs;
use crate::failure::{Failure, Verdict, message_of};
use crate::output::{self, Page};

pub(crate) fn runs(args: &RunsArgs) -> Result<Verdict, Failure> {
    let dir = &args.runs.dir;
    let (runs, unreadable) = list_runs(dir)?;
    for error in &unreadable {
        output::note(&format!("warning: {}", message_of(error)));
    }
    if args.format.is_json() {
        output::json(&tune_report::runs_json(&runs))?;
        return Ok(Verdict::Done);
    }
    if runs.is_empty() {
        output::note(&format!(
            "there are no runs in {}; `tune-host run FILE` makes one",
            dir.display()
        ));
        return Ok(Verdict::Done);
    }
    let now_ms = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX));
    let page = Page::of_stdout();
    output::lines(tune_report::runs_table(
        &runs, now_ms, page.width, page.color,
    ))?;
    Ok(Verdict::Done)
}
