//! The results as a picture: mean log10 regret over trials, a panel a group, a column a batch.

use std::fmt::Write as _;

use tune_study::Group;

use super::super::plot::{color, escaped};
use super::standings::{Role, Study};

/// Size of a panel in pixels.
const PANEL: (f64, f64) = (380.0, 220.0);
/// Left of and above a panel.
const MARGIN: (f64, f64) = (56.0, 44.0);
/// Between panels.
const GAP: (f64, f64) = (16.0, 30.0);
/// Right of the panels, for the names.
const LEGEND: f64 = 190.0;
/// Steps of the vertical axis at most.
const STEPS: f64 = 8.0;

/// The picture.
pub(super) fn svg(study: &Study<'_>, marks: &[u32]) -> String {
    let groups = study.groups();
    let step = (PANEL.0 + MARGIN.0 + GAP.0, PANEL.1 + MARGIN.1 + GAP.1);
    let width = study.batches.len() as f64 * step.0 + LEGEND;
    let height = groups.len() as f64 * step.1 + 10.0;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" \
         fill=\"white\"/>\n"
    );
    for (row, group) in groups.iter().enumerate() {
        for (column, batch) in study.batches.iter().enumerate() {
            let left = MARGIN.0 + column as f64 * step.0;
            let top = MARGIN.1 + row as f64 * step.1;
            panel(&mut out, study, marks, *group, *batch, (left, top));
        }
    }
    let x = study.batches.len() as f64 * step.0 + 12.0;
    let drawn = |name: &str| {
        let mut places = groups
            .iter()
            .flat_map(|g| study.batches.iter().map(move |b| (*g, *b)));
        let first = marks.first().copied().unwrap_or(0);
        places.any(|(group, batch)| study.group_mean(name, group, batch, first).is_some())
    };
    let named = study.searchers().enumerate();
    let named = named.filter(|(_, (name, _))| drawn(name));
    for (row, (index, (name, role))) in named.enumerate() {
        let y = MARGIN.1 + 10.0 + row as f64 * 20.0;
        // Writing to a string cannot fail, here and below.
        let _ = writeln!(
            out,
            "<line x1=\"{x:.0}\" y1=\"{y:.0}\" x2=\"{:.0}\" y2=\"{y:.0}\" stroke=\"{}\" \
             stroke-width=\"2.5\"{}/><text x=\"{:.0}\" y=\"{:.0}\">{}</text>",
            x + 24.0,
            color(index),
            dashes(role),
            x + 30.0,
            y + 4.0,
            escaped(name)
        );
    }
    out.push_str("</svg>\n");
    out
}

/// Lines of other programs are dashed.
fn dashes(role: Role) -> &'static str {
    if role != Role::Peer {
        ""
    } else {
        " stroke-dasharray=\"6 4\""
    }
}

/// A searcher's line.
struct Line {
    color: &'static str,
    role: Role,
    /// Trials and mean.
    points: Vec<(u32, f64)>,
}

fn panel(
    out: &mut String,
    study: &Study<'_>,
    marks: &[u32],
    group: Group,
    batch: u32,
    (left, top): (f64, f64),
) {
    let lines = study.searchers().enumerate().map(|(index, (name, role))| {
        let of = |mark: &u32| Some((*mark, study.group_mean(name, group, batch, *mark)?));
        Line {
            color: color(index),
            role,
            points: marks.iter().filter_map(of).collect(),
        }
    });
    let lines: Vec<Line> = lines.filter(|line| !line.points.is_empty()).collect();
    let values = || {
        lines
            .iter()
            .flat_map(|line| line.points.iter().map(|(_, v)| *v))
    };
    let low = values().fold(f64::INFINITY, f64::min);
    let high = values().fold(f64::NEG_INFINITY, f64::max);
    let _ = writeln!(
        out,
        "<text x=\"{left:.1}\" y=\"{:.1}\" font-size=\"14\" font-weight=\"bold\">{}, {batch} at once</text>\
         <text x=\"{left:.1}\" y=\"{:.1}\" fill=\"#555\">mean log10 regret over trials</text>",
        top - 24.0,
        escaped(&group.name()),
        top - 8.0,
    );
    let span = (high - low).max(0.1);
    let (low, high) = (low - 0.04 * span, high + 0.04 * span);
    let last = marks.last().copied().unwrap_or(1).max(1);
    let x_of = |mark: u32| left + f64::from(mark) / f64::from(last) * PANEL.0;
    let y_of = |value: f64| top + (high - value) / (high - low) * PANEL.1;
    if low.is_finite() {
        grid(out, (left, top), (low, high), &y_of);
    }
    for mark in marks {
        let x = x_of(*mark);
        let _ = writeln!(
            out,
            "<text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"#555\">{mark}</text>",
            top + PANEL.1 + 16.0,
        );
    }
    for line in &lines {
        let points = line.points.iter();
        let points = points.map(|(mark, value)| format!("{:.1},{:.1}", x_of(*mark), y_of(*value)));
        let _ = writeln!(
            out,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"2\"{}/>",
            points.collect::<Vec<_>>().join(" "),
            line.color,
            dashes(line.role)
        );
    }
}

fn grid(
    out: &mut String,
    (left, top): (f64, f64),
    (low, high): (f64, f64),
    y_of: &dyn Fn(f64) -> f64,
) {
    let sizes = [0.1, 0.2, 0.5, 1.0, 2.0];
    let fits = |size: &f64| (high - low) / size <= STEPS;
    let size = sizes.into_iter().find(fits).unwrap_or(5.0);
    let mut line = (low / size).ceil() * size;
    while line <= high {
        let y = y_of(line);
        let _ = writeln!(
            out,
            "<line x1=\"{left:.1}\" y1=\"{y:.1}\" x2=\"{:.1}\" y2=\"{y:.1}\" stroke=\"#ddd\"/><text \
             x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#555\">{line:.1}</text>",
            left + PANEL.0,
            left - 6.0,
            y + 4.0,
        );
        line += size;
    }
    let _ = writeln!(
        out,
        "<rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{}\" height=\"{}\" fill=\"none\" stroke=\"#888\"/>",
        PANEL.0, PANEL.1
    );
}
