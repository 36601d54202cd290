//! `compare RUN RUN...`: whether runs decided the same, and the first row where they did not.

use tune_report::Comparison;

use crate::args::CompareArgs;
use crate::failure::{Failure, Verdict};
use crate::history::History;
use crate::output::{self, Page};
use crate::runs_dir;

pub(crate) fn compare(args: &CompareArgs) -> Result<Verdict, Failure> {
    let runs = args
        .run
        .iter()
        .map(|run| {
            let path = runs_dir::find(&args.runs.dir, run)?;
            Ok(History::read(&path)?.into_compared())
        })
        .collect::<Result<Vec<_>, Failure>>()?;
    let comparison = Comparison::of(runs);
    if args.format.is_json() {
        output::json(&tune_report::comparison_json(&comparison))?;
    } else {
        let page = Page::of_stdout();
        output::lines(comparison.render(page.width, page.color))?;
    }
    Ok(Verdict::Done)
}
