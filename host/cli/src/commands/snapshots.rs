//! `snapshots RUN`: the states that a run keeps on the disk, what they take, and what is damaged.

use tune_report::{SnapshotView, clean};
use tune_store::{RunReader, SnapshotOf};

use crate::args::SnapshotsArgs;
use crate::failure::{Failure, Verdict, message_of};
use crate::history::History;
use crate::output::{self, Page};
use crate::runs_dir;
use crate::session::now_ms;

pub(crate) fn snapshots(args: &SnapshotsArgs) -> Result<Verdict, Failure> {
    let path = runs_dir::find(&args.runs.dir, &args.run)?;
    let history = History::read(&path)?;
    let chunks = RunReader::open(&path)?.chunks()?;
    for damage in chunks.damages() {
        output::note(&format!("warning: {}", clean(&message_of(&damage))));
    }
    let views: Vec<SnapshotView> = chunks
        .list()
        .into_iter()
        .map(|info| SnapshotView {
            info,
            iteration: match info.key.of {
                SnapshotOf::Trial { trial, reports } => {
                    let trial = history.view.trial(trial);
                    trial.map(|trial| trial.iteration_of(reports))
                }
                SnapshotOf::Imported => history.view.parent.as_ref().map(|p| p.iteration),
                SnapshotOf::Searcher | SnapshotOf::Scheduler => None,
            },
        })
        .collect();
    let usage = chunks.usage();
    if args.format.is_json() {
        output::json(&tune_report::snapshots_json(&views, &usage))?;
    } else if views.is_empty() {
        output::note(&format!(
            "{} keeps no snapshots; a resume does again the steps of the trials that are not ended",
            history.view.name
        ));
    } else {
        let page = Page::of_stdout();
        output::lines(tune_report::snapshots_table(
            &views,
            &usage,
            now_ms(),
            page.width,
            page.color,
        ))?;
    }
    Ok(Verdict::Done)
}
