//! `best RUN`: the best trial, its configuration and where its files are.

use tune_report::Scope;

use crate::args::BestArgs;
use crate::failure::{Failure, Verdict};
use crate::history::History;
use crate::output;
use crate::{outcome, runs_dir};

pub(crate) fn best(args: &BestArgs) -> Result<Verdict, Failure> {
    let path = runs_dir::find(&args.runs.dir, &args.run)?;
    let history = History::read(&path)?;
    let scope = Scope::from(args.scope);
    if args.format.is_json() {
        output::json(&tune_report::best_json(&history.view, scope))?;
        return Ok(Verdict::Done);
    }
    let found = history
        .best(scope)
        .and_then(|best| Some((best, history.view.trial(best.trial)?)));
    match (found, &history.view.objective) {
        (Some((best, trial)), Some(objective)) => {
            output::lines(outcome::best_lines(
                &path,
                objective,
                &best,
                trial.config_at(best.reports),
            ))?;
        }
        (_, Some(objective)) => output::note(&format!(
            "no trial of {} that did not fail has reported `{}`",
            history.view.name, objective.metric
        )),
        (_, None) => output::note("the run has no metric to be best in"),
    }
    Ok(Verdict::Done)
}
