//! `ask-tell`: a searcher, and a scheduler if asked, for a program that evaluates by itself.

use tune_protocol::AskTell;
use tune_runtime::PluginKind;

use crate::args::AskTellArgs;
use crate::conversation::{self, Part, Parts};
use crate::failure::{Failure, Verdict};

pub(crate) fn ask_tell(args: &AskTellArgs) -> Result<Verdict, Failure> {
    let open = conversation::Opening::new(args.plugins.dir.as_deref())?;
    let searcher = open.part(PluginKind::Searcher, &args.searcher, &args.options)?;
    let scheduler = match &args.scheduler {
        Some(name) => Some(open.part(PluginKind::Scheduler, name, &args.scheduler_options)?),
        None => None,
    };
    scheduler.as_ref().map(Part::refuse_changes).transpose()?;
    let schedules = scheduler.is_some();
    let parts = Parts {
        searcher: Some(searcher),
        scheduler,
        logs: true,
    };
    conversation::hold(&mut AskTell::new(parts.launch(), schedules))?;
    Ok(Verdict::Done)
}
