//! `show RUN [TRIAL]`: a run with its trials, or one trial in full, or its log.

use std::path::Path;

use tune_core::records::Space;
use tune_report::{Method, RunView, TrialView, clean, cut};
use tune_store::{LogOf, RunReader};

use crate::args::ShowArgs;
use crate::failure::{Failure, Verdict};
use crate::history::History;
use crate::output::{self, Page};
use crate::runs_dir;
use crate::settings::Settings;

pub(crate) fn show(args: &ShowArgs) -> Result<Verdict, Failure> {
    let path = runs_dir::find(&args.runs.dir, &args.run)?;
    let history = History::read(&path)?;
    match args.trial {
        None if args.importance.is_some() => show_importances(&history, args),
        None => show_run(&path, &history, args),
        Some(id) => show_trial(&path, &history, id, args),
    }?;
    Ok(Verdict::Done)
}

fn show_run(path: &Path, history: &History, args: &ShowArgs) -> Result<(), Failure> {
    let view = &history.view;
    if args.format.is_json() {
        let granted = Settings::from_header(&history.header)?.granted_list(&history.header.plugins);
        return Ok(output::json(&tune_report::run_json(view, &granted))?);
    }
    let page = Page::of_stdout();
    let reason = view.reason.lines().next().unwrap_or_default();
    let status = if reason.is_empty() {
        view.status.clone()
    } else {
        format!("{}: {reason}", view.status)
    };
    let counts: Vec<String> = view
        .counts()
        .named()
        .into_iter()
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    let plan = &history.plan;
    let mut lines = vec![
        format!("{} · {}", view.name, clean(&status)),
        format!(
            "{}, {}, {} · seed {} · {} slots",
            clean(&plan.trainable),
            clean(&plan.searcher.0),
            clean(&plan.scheduler.0),
            plan.seed,
            plan.slots
        ),
        format!("trials: {} ({})", view.trials.len(), counts.join(", ")),
        format!("digest: {} after {} handovers", view.digest, view.handovers),
    ];
    lines.extend(Settings::from_header(&history.header)?.granted(&history.header.plugins));
    lines.extend(tune_report::usage_line(view));
    lines.extend(fork_line(view));
    if matches!(view.status.as_str(), "stopped" | "interrupted") {
        lines.push(format!("go on:  {}", runs_dir::resume_command(path)));
    }
    if args.usage {
        lines.push(String::new());
        lines.extend(tune_report::run_usage(view, page.width, page.color));
        return Ok(output::lines(lines)?);
    }
    if !view.trials.is_empty() {
        lines.push(String::new());
        let trials: Vec<&TrialView> = view.trials.iter().collect();
        lines.extend(tune_report::trials_table(
            view, &trials, page.width, page.color,
        ));
    }
    let clones = tune_report::clones(view);
    if !clones.is_empty() {
        lines.push(String::new());
        lines.extend(tune_report::clones_table(&clones, page.width, page.color));
    }
    Ok(output::lines(lines)?)
}

fn show_importances(history: &History, args: &ShowArgs) -> Result<(), Failure> {
    let view = &history.view;
    let method = args.importance.map_or_else(Method::default, Method::from);
    if args.stopped && method != Method::PedAnova {
        return Err(Failure::usage(
            "`--stopped` needs a method of ranks only, `--importance=ped-anova`: values of stopped \
             trials cannot be compared with those of finished ones\n  hint: leave one of the two out",
        ));
    }
    let space = Space::new(history.plan.space.clone()).map_err(|error| {
        Failure::usage(format!(
            "the space of run {} is damaged: {error}",
            view.name
        ))
    })?;
    let work = || tune_report::importances(view, &space, method, args.stopped);
    let found = match method {
        Method::PedAnova => work(),
        Method::Permutation => output::while_waiting("fitting a model to the trials ...", work),
    };
    if args.format.is_json() {
        let json = tune_report::importances_json(view, method, &found);
        return Ok(output::json(&json)?);
    }
    match found {
        Ok(found) => {
            let page = Page::of_stdout();
            output::lines(tune_report::importances_lines(
                view, &found, page.width, page.color,
            ))?;
        }
        Err(why) => output::note(&clean(&format!("no importances: {why}"))),
    }
    Ok(())
}

/// What trial 0 began with, if the run is a fork.
fn fork_line(view: &RunView) -> Option<String> {
    let parent = view.parent.as_ref()?;
    let mut line = format!(
        "fork of {} trial {}, iteration {}",
        clean(&parent.run),
        parent.trial,
        parent.iteration
    );
    if let Some(trial) = view.trial(0) {
        let changes = tune_report::value_changes(&trial.first_config, trial.config_from(0));
        for (i, change) in changes.iter().enumerate() {
            line.push_str(if i == 0 { ": " } else { ", " });
            line.push_str(&tune_report::change_line(change));
        }
    }
    Some(line)
}

fn show_trial(path: &Path, history: &History, id: u32, args: &ShowArgs) -> Result<(), Failure> {
    let view = &history.view;
    let Some(trial) = view.trial(id) else {
        return Err(Failure::usage(format!(
            "run {} has no trial {id}\n  hint: {}",
            view.name,
            match view.trials.len() {
                0 => "it has none yet".to_owned(),
                count => format!("its trials are 0 to {}", count - 1),
            }
        )));
    };
    if args.log {
        let log = RunReader::open(path)?.log(LogOf::Trial(id))?;
        if log.is_empty() {
            output::note(&format!("trial {id} has logged nothing"));
        }
        // Bytes of a guest: nothing that could steer a terminal goes through.
        let text = String::from_utf8_lossy(&log);
        return Ok(output::lines(text.lines().map(clean))?);
    }
    if args.format.is_json() {
        return Ok(output::json(&tune_report::trial_json(view, trial, true))?);
    }
    let page = Page::of_stdout();
    if args.usage {
        let uses = tune_report::trial_limits(&view.limits, &trial.usage);
        let lines = tune_report::usage_table(&uses, page.width, page.color);
        return Ok(output::lines(lines)?);
    }
    let mut lines = tune_report::trial_details(view, trial, page.width, page.color);
    if id == 0 {
        lines.splice(1..1, fork_line(view));
    }
    let files = path.join("trials").join(format!("{id:06}"));
    if files.is_dir() {
        let text = format!("files: {}", files.display());
        lines.push(String::new());
        lines.push(cut(&clean(&text), page.width).into_owned());
    }
    Ok(output::lines(lines)?)
}
