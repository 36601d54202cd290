//! The results as a picture: how far the best result so far is from the best of the table, over virtual
//! time; lines are medians, bands quartiles. SVG by hand: some lines and some text.

use std::fmt::Write as _;

use super::arena::Arena;
use super::incumbent::spread;

/// Size of a panel in pixels.
const PANEL: (f64, f64) = (420.0, 280.0);
/// Left of and above the panels, and between them.
const MARGIN: (f64, f64) = (64.0, 56.0);
/// Right of the panels, for the names.
const LEGEND: f64 = 190.0;
/// Points of a line.
const POINTS: u32 = 160;
/// Decades of a panel at most: below it is as good as the best.
const DECADES: f64 = 4.0;
/// Colours that can be told apart, also by the colour-blind (Paul Tol's sets), then again.
const COLORS: [&str; 12] = [
    "#4477aa", "#ee6677", "#228833", "#aa3377", "#ccbb44", "#66ccee", "#000000", "#ee7733",
    "#009988", "#882255", "#999933", "#bbbbbb",
];

/// The picture.
pub(super) fn svg(arenas: &[Arena<'_>], seeds: u32) -> String {
    let mut tables: Vec<&str> = arenas.iter().map(Arena::name).collect();
    tables.dedup();
    let columns = arenas.len().div_ceil(tables.len().max(1)).max(1);
    let step = (PANEL.0 + MARGIN.0 + 16.0, PANEL.1 + MARGIN.1 + 30.0);
    let width = columns as f64 * step.0 + LEGEND;
    let height = tables.len() as f64 * step.1 + 20.0;
    let mut names: Vec<&str> = Vec::new();
    for standing in arenas.iter().flat_map(|arena| &arena.standings) {
        if !names.contains(&standing.name.as_str()) {
            names.push(&standing.name);
        }
    }
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" \
         fill=\"white\"/>\n"
    );
    for (index, arena) in arenas.iter().enumerate() {
        let (row, column) = (index / columns, index % columns);
        let place = (
            MARGIN.0 + column as f64 * step.0,
            MARGIN.1 + row as f64 * step.1,
        );
        panel(&mut out, arena, place, &names, seeds);
    }
    let x = columns as f64 * step.0 + 12.0;
    for (index, name) in names.iter().enumerate() {
        let y = MARGIN.1 + 10.0 + index as f64 * 20.0;
        // Writing to a string cannot fail, here and below.
        let _ = writeln!(
            out,
            "<line x1=\"{x:.0}\" y1=\"{y:.0}\" x2=\"{:.0}\" y2=\"{y:.0}\" stroke=\"{}\" \
             stroke-width=\"2.5\"{}/><text x=\"{:.0}\" y=\"{:.0}\">{}</text>",
            x + 24.0,
            color(index),
            dashes(arenas, name),
            x + 30.0,
            y + 4.0,
            escaped(name)
        );
    }
    out.push_str("</svg>\n");
    out
}

/// The colour of a line.
pub(super) fn color(index: usize) -> &'static str {
    COLORS
        .get(index % COLORS.len())
        .copied()
        .unwrap_or("#000000")
}

/// Lines of other programs are dashed.
fn dashes(arenas: &[Arena<'_>], name: &str) -> &'static str {
    let mut all = arenas.iter().flat_map(|arena| &arena.standings);
    let own = all.any(|s| s.name == name && s.options.is_some());
    if own { "" } else { " stroke-dasharray=\"6 4\"" }
}

/// Text as SVG has it.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

fn panel(out: &mut String, arena: &Arena<'_>, place: (f64, f64), names: &[&str], seeds: u32) {
    let best = arena.best();
    let regret = |value: f64| (value - best).abs();
    let looks: Vec<f64> = (1..=POINTS)
        .map(|i| f64::from(i) / f64::from(POINTS))
        .collect();
    let lines: Vec<Vec<[f64; 3]>> = arena
        .standings
        .iter()
        .map(|standing| {
            let at = looks.iter().map(|share| {
                let s = spread(&standing.runs, share * arena.budget_s(), arena.maximize());
                [s.better, s.median, s.worse].map(regret)
            });
            at.collect()
        })
        .collect();
    // From where the worst median is after a tenth of the budget to the smallest that is above 0.
    let finite = lines
        .iter()
        .flatten()
        .map(|s| s[1])
        .filter(|r| r.is_finite());
    let early = lines
        .iter()
        .filter_map(|line| line.get(POINTS as usize / 10))
        .map(|s| s[1]);
    let top = early
        .filter(|r| r.is_finite())
        .fold(f64::MIN_POSITIVE, f64::max)
        * 1.3;
    let low = finite.filter(|r| *r > 0.0).fold(top, f64::min) / 1.5;
    let (high, low) = (libm::log10(top), libm::log10(low));
    let low = low.max(high - DECADES).min(high - 0.3);
    let x_of = |share: f64| place.0 + share * PANEL.0;
    let y_of = |r: f64| {
        let log = if r > 0.0 { libm::log10(r) } else { low };
        place.1 + (high - log.clamp(low, high)) / (high - low) * PANEL.1
    };
    let about = arena.table.catalogue().about();
    let _ = writeln!(
        out,
        "<text x=\"{:.1}\" y=\"{:.1}\" font-size=\"14\" font-weight=\"bold\">{}, {} slots</text>\
         <text x=\"{:.1}\" y=\"{:.1}\" fill=\"#555\">{}: distance to the best of the table ({} seeds)</text>",
        place.0,
        place.1 - 24.0,
        escaped(&about.name),
        arena.slots,
        place.0,
        place.1 - 8.0,
        escaped(&about.metric),
        seeds
    );
    axes(out, place, (low, high), arena.budget_s(), &x_of, &y_of);
    // Many bands on top of one another must leave the lines visible.
    let opacity = (0.6 / lines.len() as f64).clamp(0.03, 0.12);
    for (standing, line) in arena.standings.iter().zip(&lines) {
        let index = names
            .iter()
            .position(|name| *name == standing.name)
            .unwrap_or(0);
        let seen: Vec<(f64, &[f64; 3])> = looks
            .iter()
            .zip(line)
            .filter(|(_, s)| s[1].is_finite())
            .map(|(share, s)| (*share, s))
            .collect();
        let band = outline(&seen, 0, &x_of, &y_of) + &outline_back(&seen, 2, &x_of, &y_of);
        let middle = outline(&seen, 1, &x_of, &y_of);
        let peer = if standing.options.is_some() {
            ""
        } else {
            " stroke-dasharray=\"6 4\""
        };
        let color = color(index);
        let _ = writeln!(
            out,
            "<polygon points=\"{}\" fill=\"{color}\" opacity=\"{opacity:.2}\"/><polyline points=\"{}\" \
             fill=\"none\" stroke=\"{color}\" stroke-width=\"2\"{peer}/>",
            band.trim_end(),
            middle.trim_end()
        );
    }
}

/// Places of the points at which a line turns.
fn turns(seen: &[(f64, &[f64; 3])], which: usize, x_of: Axis<'_>, y_of: Axis<'_>) -> Vec<String> {
    let of = |i: usize| seen.get(i).and_then(|(_, s)| s.get(which)).copied();
    (0..seen.len())
        .filter(|i| *i == 0 || of(*i) != of(i - 1) || of(*i) != of(i + 1))
        .filter_map(|i| Some((seen.get(i)?.0, of(i)?)))
        .map(|(share, r)| format!("{:.1},{:.1} ", x_of(share), y_of(r)))
        .collect()
}

fn outline(seen: &[(f64, &[f64; 3])], which: usize, x_of: Axis<'_>, y_of: Axis<'_>) -> String {
    turns(seen, which, x_of, y_of).concat()
}

fn outline_back(seen: &[(f64, &[f64; 3])], which: usize, x_of: Axis<'_>, y_of: Axis<'_>) -> String {
    turns(seen, which, x_of, y_of).into_iter().rev().collect()
}

/// From a number to a place in the picture.
type Axis<'a> = &'a dyn Fn(f64) -> f64;

fn axes(
    out: &mut String,
    place: (f64, f64),
    (low, high): (f64, f64),
    budget_s: f64,
    x_of: &dyn Fn(f64) -> f64,
    y_of: &dyn Fn(f64) -> f64,
) {
    let (left, bottom) = (place.0, place.1 + PANEL.1);
    for quarter in 0..=4 {
        let share = f64::from(quarter) / 4.0;
        let x = x_of(share);
        let _ = writeln!(
            out,
            "<line x1=\"{x:.1}\" y1=\"{:.1}\" x2=\"{x:.1}\" y2=\"{bottom:.1}\" stroke=\"#ddd\"/><text \
             x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"#555\">{}</text>",
            place.1,
            bottom + 16.0,
            if quarter == 4 {
                format!("{} s", tune_report::short(budget_s))
            } else {
                format!("{:.0} %", share * 100.0)
            }
        );
    }
    let mut exponent = low.floor() as i32;
    while f64::from(exponent) <= high {
        for factor in [1.0, 2.0, 5.0] {
            let value = factor * libm::exp10(f64::from(exponent));
            let log = libm::log10(value);
            if (low..=high).contains(&log) {
                let y = y_of(value);
                let _ = writeln!(
                    out,
                    "<line x1=\"{left:.1}\" y1=\"{y:.1}\" x2=\"{:.1}\" y2=\"{y:.1}\" stroke=\"#ddd\"/>\
                     <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#555\">{}</text>",
                    left + PANEL.0,
                    left - 6.0,
                    y + 4.0,
                    tune_report::short(value)
                );
            }
        }
        exponent += 1;
    }
    let _ = writeln!(
        out,
        "<rect x=\"{left:.1}\" y=\"{:.1}\" width=\"{}\" height=\"{}\" fill=\"none\" stroke=\"#888\"/>",
        place.1, PANEL.0, PANEL.1
    );
}
