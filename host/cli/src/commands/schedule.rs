//! `schedule`: a scheduler for a program that trains by itself.

use tune_protocol::Schedule;
use tune_runtime::PluginKind;

use crate::args::ScheduleArgs;
use crate::conversation::{self, Parts};
use crate::failure::{Failure, Verdict};

pub(crate) fn schedule(args: &ScheduleArgs) -> Result<Verdict, Failure> {
    let open = conversation::Opening::new(args.plugins.dir.as_deref())?;
    let scheduler = open.part(PluginKind::Scheduler, &args.scheduler, &args.options)?;
    scheduler.refuse_changes()?;
    let parts = Parts {
        searcher: None,
        scheduler: Some(scheduler),
        logs: true,
    };
    conversation::hold(&mut Schedule::new(parts.launch()))?;
    Ok(Verdict::Done)
}
