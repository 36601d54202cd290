//! The live view of a run: lines for a terminal of a given size, from plain records. The caller
//! paints them; nothing here knows a terminal.

use std::time::Duration;

use tune_core::records::{Config, Objective};

use crate::live_trials::{LiveTrial, trials};
use crate::short;
use crate::style::Style;
use crate::text::{clean, columns, cut};
use crate::trials::config_line;
use crate::view::Counts;

/// An estimate from fewer ended trials would only be noise.
const MIN_ENDED_FOR_ESTIMATE: usize = 3;

/// Lines of the best configuration.
const MAX_CONFIG_LINES: usize = 2;

/// All that the live view shows.
#[derive(Clone, Debug)]
pub struct LiveView<'a> {
    /// Name of the run.
    pub name: &'a str,
    /// What it is made of, such as "digits-mlp, tpe, asha".
    pub plugins: &'a str,
    /// What is optimised.
    pub objective: Option<&'a Objective>,
    /// How many trials stand where.
    pub counts: Counts,
    /// How many there will be, if that is known.
    pub total: Option<usize>,
    /// Reports so far, and since this process began.
    pub reports: u64,
    /// Of those, how many came since this process began.
    pub reports_now: u64,
    /// Trials that ended since this process began, for the estimate.
    pub ended_now: usize,
    /// Since this process began.
    pub elapsed: Duration,
    /// The best report so far.
    pub best: Option<LiveBest<'a>>,
    /// The trials to show, as chosen by [`crate::trials_that_matter`].
    pub trials: Vec<LiveTrial<'a>>,
    /// What the scheduler says of itself.
    pub description: &'a str,
    /// The last remark on the run, such as a shutdown that has begun; may be empty.
    pub remark: &'a str,
}

/// The best report.
#[derive(Clone, Debug)]
pub struct LiveBest<'a> {
    /// Whose.
    pub trial: u32,
    /// From 1.
    pub iteration: u64,
    /// Of the objective.
    pub value: f64,
    /// The trial's configuration.
    pub config: &'a Config,
}

/// The lines of the view: at most `height` of them, none wider than `width` columns. Made for
/// 80 by 24; smaller terminals lose the least important lines.
#[must_use]
pub fn render(view: &LiveView<'_>, width: usize, height: usize, color: bool) -> Vec<String> {
    let mut lines = vec![
        title(view, width, color),
        progress(view, width, color),
        timing(view, width),
    ];
    lines.extend(best(view, width, color));
    let mut notes: Vec<String> = view
        .description
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| Style::Dim.paint(&cut(&clean(line), width), color))
        .collect();
    if !view.remark.is_empty() {
        // Whatever else is cut off, this stays: it tells what Ctrl-C did.
        let remark = clean(view.remark.lines().next().unwrap_or_default());
        notes.insert(0, Style::Yellow.paint(&cut(&remark, width), color));
    }
    let best_trial = view.best.as_ref().map(|best| best.trial);
    let table = trials(&view.trials, view.objective, best_trial, width, color);
    let room = height.saturating_sub(lines.len());
    let for_notes = notes.len().min(room.saturating_sub(table.len()).max(1));
    let for_table = room.saturating_sub(for_notes);
    lines.extend(table.into_iter().take(for_table));
    lines.extend(notes);
    lines.truncate(height);
    lines
}

fn title(view: &LiveView<'_>, width: usize, color: bool) -> String {
    let aim = view.objective.map_or_else(String::new, |objective| {
        let aim = if objective.maximize {
            "highest"
        } else {
            "lowest"
        };
        format!(" · {aim} {}", clean(&objective.metric))
    });
    let text = format!("{} · {}{aim}", clean(view.name), clean(view.plugins));
    Style::Bold.paint(&cut(&text, width), color)
}

fn progress(view: &LiveView<'_>, width: usize, color: bool) -> String {
    let ended = view.counts.ended();
    let done = match view.total {
        Some(total) => format!(" {ended}/{total} trials"),
        None => format!(" {ended} trials"),
    };
    let states: Vec<(String, Style)> = view
        .counts
        .named()
        .into_iter()
        .map(|(count, word)| (format!("{count} {word}"), Style::of_state(word)))
        .collect();
    let text: usize = states.iter().map(|(s, _)| s.len() + 2).sum();
    let bar = width.saturating_sub(done.len() + text).min(30);
    let mut line = String::new();
    if let Some(total) = view.total
        && bar >= 5
    {
        let filled = (bar * ended.min(total)).checked_div(total).unwrap_or(bar);
        line.push_str(&Style::Green.paint(&"█".repeat(filled), color));
        line.push_str(&Style::Dim.paint(&"░".repeat(bar - filled), color));
    }
    let mut used = if line.is_empty() { 0 } else { bar };
    for (piece, style) in [(done, Style::Bold)].into_iter().chain(
        states
            .into_iter()
            .map(|(state, style)| (format!("  {state}"), style)),
    ) {
        if used + columns(&piece) > width {
            break;
        }
        used += columns(&piece);
        line.push_str(&style.paint(&piece, color));
    }
    line
}

fn timing(view: &LiveView<'_>, width: usize) -> String {
    let mut text = format!(" {}", clock(view.elapsed));
    let left = view
        .total
        .map(|total| total.saturating_sub(view.counts.ended()));
    if let Some(left) = left
        && left > 0
        && view.ended_now >= MIN_ENDED_FOR_ESTIMATE
    {
        let each = view.elapsed.as_secs_f64() / view.ended_now as f64;
        // A day is long enough to say "long".
        let estimate = Duration::from_secs_f64((each * left as f64).min(86_400.0 * 365.0));
        text.push_str(&format!(" · about {} left", clock(estimate)));
    }
    text.push_str(&format!(" · {} reports", view.reports));
    if view.elapsed >= Duration::from_secs(1) {
        let rate = view.reports_now as f64 / view.elapsed.as_secs_f64();
        text.push_str(&format!(", {} a second", short(rate)));
    }
    cut(&text, width).into_owned()
}

/// Hours, minutes and seconds as far as needed.
fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

fn best(view: &LiveView<'_>, width: usize, color: bool) -> Vec<String> {
    let (Some(best), Some(objective)) = (&view.best, view.objective) else {
        return vec![cut(" no result yet", width).into_owned()];
    };
    let text = format!(
        " best {} {} · trial {}, iteration {}",
        clean(&objective.metric),
        short(best.value),
        best.trial,
        best.iteration
    );
    let mut lines = vec![Style::Green.paint(&cut(&text, width), color)];
    lines.extend(wrapped(&config_line(best.config), width, MAX_CONFIG_LINES));
    lines
}

/// The words of a text in at most so many lines, each indented.
fn wrapped(text: &str, width: usize, max_lines: usize) -> Vec<String> {
    const INDENT: &str = "   ";
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        let fits = lines
            .last()
            .is_some_and(|line| columns(line) + 1 + columns(word) <= width);
        let is_last = lines.len() == max_lines;
        match lines.last_mut() {
            Some(line) if fits || is_last => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(format!("{INDENT}{word}")),
        }
    }
    lines
        .into_iter()
        .map(|line| cut(&line, width).into_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TrialStatus;
    use tune_core::records::Metric;

    fn config(lr: f64, optimizer: &str) -> Config {
        let mut config = Config::new();
        config.insert("batch", 32_i64);
        config.insert("hidden", 64_i64);
        config.insert("lr", lr);
        config.insert("optimizer", optimizer);
        config
    }

    fn with_view(check: impl FnOnce(&LiveView<'_>)) {
        let configs: Vec<Config> = (0..8)
            .map(|i| {
                config(
                    0.001_234_5 * f64::from(i + 1),
                    if i % 2 == 0 { "adam" } else { "sgd" },
                )
            })
            .collect();
        let metric = |name: &str, value| Metric {
            name: name.into(),
            value,
        };
        let metrics: Vec<Vec<Metric>> = (0..8)
            .map(|i| {
                let x = 0.02 * f64::from(i);
                vec![
                    metric("loss", 0.081_23 + x),
                    metric("accuracy", 0.975_83 - x),
                    metric("training_iteration", 27.0),
                ]
            })
            .collect();
        let objective = Objective {
            metric: "accuracy".to_owned(),
            maximize: true,
        };
        let trials = (0..8_u32)
            .zip(configs.iter().zip(&metrics))
            .map(|(i, (config, metrics))| LiveTrial {
                id: 41 - i,
                status: match i {
                    0..3 => TrialStatus::Finished,
                    3 => TrialStatus::Stopped,
                    _ => TrialStatus::Running,
                },
                iteration: u64::from(27 - i),
                best: (i < 7).then(|| metrics[1].value),
                config,
                metrics: if i < 7 { metrics } else { &[] },
            })
            .collect();
        check(&LiveView {
            name: "digits",
            plugins: "digits-mlp, tpe, asha",
            objective: Some(&objective),
            counts: Counts {
                running: 8,
                finished: 12,
                stopped: 21,
                failed: 1,
                ..Counts::default()
            },
            total: Some(100),
            reports: 312,
            reports_now: 300,
            ended_now: 34,
            elapsed: Duration::from_millis(42_500),
            best: Some(LiveBest {
                trial: 41,
                iteration: 27,
                value: 0.975_83,
                config: &configs[0],
            }),
            trials,
            description: "asha: rung 27: 3 of 9\nrung 9: 9 of 27\nrung 3: 27 of 81\nrung 1: 81",
            remark: "",
        });
    }

    #[test]
    fn the_view_of_a_run_on_80_by_24() {
        with_view(|view| {
            let expected = "\
digits · digits-mlp, tpe, asha · highest accuracy
██████░░░░░░░░░░░░░░ 34/100 trials  8 running  12 finished  21 stopped  1 failed
 0:42 · about 1:22 left · 312 reports, 7.059 a second
 best accuracy 0.9758 · trial 41, iteration 27
   batch=32 hidden=64 lr=0.001234 optimizer=adam

trial  status    iter  accuracy     loss        lr  optimizer  batch  hidden
   41  finished    27    0.9758  0.08123  0.001234       adam     32      64
   40  finished    26    0.9558   0.1012  0.002469        sgd     32      64
   39  finished    25    0.9358   0.1212  0.003703       adam     32      64
   38  stopped     24    0.9158   0.1412  0.004938        sgd     32      64
   37  running     23    0.8958   0.1612  0.006172       adam     32      64
   36  running     22    0.8758   0.1812  0.007407        sgd     32      64
   35  running     21    0.8558   0.2012  0.008641       adam     32      64
   34  running     20                     0.009876        sgd     32      64
asha: rung 27: 3 of 9
rung 9: 9 of 27
rung 3: 27 of 81
rung 1: 81";
            let lines = render(view, 80, 24, false);
            assert_eq!(lines.join("\n"), expected);
        });
    }

    fn without_colours(line: &str) -> String {
        let mut plain = String::new();
        let mut rest = line;
        while let Some((before, after)) = rest.split_once('\u{1b}') {
            plain.push_str(before);
            rest = after.split_once('m').unwrap().1;
        }
        plain + rest
    }

    #[test]
    fn the_view_fits_every_terminal_and_colours_change_nothing_else() {
        with_view(|view| {
            let mut view = view.clone();
            view.name = "名前\u{1b}[2J";
            view.remark = "stopping: steps in flight are finished; Ctrl-C again stops at once";
            for width in 1..100 {
                for height in 0..30 {
                    let plain = render(&view, width, height, false);
                    let painted = render(&view, width, height, true);
                    assert!(plain.len() <= height);
                    for line in &plain {
                        assert!(columns(line) <= width, "{width}: {line:?}");
                        assert!(!line.contains('\u{1b}'), "{line:?}");
                    }
                    let stripped: Vec<_> = painted.iter().map(|l| without_colours(l)).collect();
                    assert_eq!(stripped, plain);
                }
            }
            let small = render(&view, 60, 10, false);
            assert!(small.iter().any(|l| l.starts_with("stopping")), "{small:?}");
        });
    }

    #[test]
    fn a_run_without_results_has_a_view_too() {
        with_view(|view| {
            let view = LiveView {
                counts: Counts::default(),
                total: None,
                reports: 0,
                reports_now: 0,
                ended_now: 0,
                elapsed: Duration::ZERO,
                best: None,
                trials: Vec::new(),
                description: "",
                ..view.clone()
            };
            assert_eq!(
                render(&view, 80, 24, false),
                [
                    "digits · digits-mlp, tpe, asha · highest accuracy",
                    " 0 trials",
                    " 0:00 · 0 reports",
                    " no result yet",
                ]
            );
        });
    }
}
