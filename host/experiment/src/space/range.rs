//! The numbers of a sampler, as ranges with Ray's bounds. Each of them in the wrong is named.

use tune_space::{Domain, GaussianSpread, RealRange, WholeRange};

use crate::{item::Item, log::Log};

/// Bounds are multiples of q if they are off by no more than rounding.
const ROUNDING: f64 = 1e-9;

/// The arguments, if there are as many as there should be.
fn count<'b, 'a>(
    item: &Item<'_>,
    arguments: &'b [Item<'a>],
    allowed: &[usize],
    example: &str,
    log: &mut Log,
) -> Option<&'b [Item<'a>]> {
    if allowed.contains(&arguments.len()) {
        return Some(arguments);
    }
    let what = format!("`{}` has {} numbers", item.path, arguments.len());
    item.error(what, example, log);
    None
}

fn numbers(arguments: &[Item<'_>], log: &mut Log) -> Option<Vec<f64>> {
    let read: Vec<Option<f64>> = arguments.iter().map(|a| a.number(log)).collect();
    read.into_iter().collect()
}

/// Real bounds and a step.
pub(crate) fn real(
    item: &Item<'_>,
    arguments: &[Item<'_>],
    log_scale: bool,
    step: bool,
    example: &str,
    log: &mut Log,
) -> Option<Domain> {
    let arguments = count(item, arguments, &[2 + usize::from(step)], example, log)?;
    let read = numbers(arguments, log)?;
    let (low, high) = (*read.first()?, *read.get(1)?);
    let step = read.get(2).copied();
    let errors = log.count();
    if low > high {
        let hint = format!("swap them: [{high}, {low}]");
        item.error(
            format!("`{}`: low {low} is above high {high}", item.path),
            hint,
            log,
        );
    } else if low == high {
        let what = format!("`{}`: low and high are both {low}", item.path);
        item.error(
            what,
            format!("a constant is written without a sampler: {low}"),
            log,
        );
    }
    positive(item, low, low > 0.0, log_scale, log);
    if let Some(q) = step {
        if q <= 0.0 {
            item.error(
                format!("`{}`: q is {q}", item.path),
                "q must be above 0",
                log,
            );
        } else if low < high && q > high - low {
            wide(item, q, low, high, log);
        } else if low < high {
            for (bound, argument) in [low, high].iter().zip(arguments) {
                on_grid(argument, *bound, q, log);
            }
        }
    }
    (log.count() == errors).then_some(Domain::Real(RealRange {
        low,
        high,
        log: log_scale,
        step,
    }))
}

fn positive(
    item: &Item<'_>,
    low: impl std::fmt::Display,
    is: bool,
    log_scale: bool,
    log: &mut Log,
) {
    if log_scale && !is {
        item.error(
            format!("`{}`: a log range with low {low}", item.path),
            "low must be above 0: 0 has no logarithm; begin at a small number such as 1e-6, or leave the log out",
            log,
        );
    }
}

fn wide(
    item: &Item<'_>,
    q: impl std::fmt::Display,
    low: impl std::fmt::Display,
    high: impl std::fmt::Display,
    log: &mut Log,
) {
    item.error(
        format!(
            "`{}`: the step {q} is wider than the range {low} to {high}",
            item.path
        ),
        "make q smaller or the range wider",
        log,
    );
}

fn on_grid(argument: &Item<'_>, bound: f64, q: f64, log: &mut Log) {
    let steps = bound / q;
    if (steps - steps.round()).abs() <= ROUNDING * steps.abs().max(1.0) {
        return;
    }
    let (below, above) = (tidy(steps.floor() * q), tidy(steps.ceil() * q));
    argument.error(
        format!("`{}`: {bound} is no multiple of q = {q}", argument.path),
        format!("use {below} or {above}"),
        log,
    );
}

/// Without the dust of rounding: 0.30000000000000004 is shown as 0.3.
fn tidy(x: f64) -> f64 {
    format!("{x:.12e}").parse().unwrap_or(x)
}

/// Whole bounds and a step.
pub(crate) fn whole(
    item: &Item<'_>,
    arguments: &[Item<'_>],
    log_scale: bool,
    step: bool,
    example: &str,
    log: &mut Log,
) -> Option<Domain> {
    let allowed: &[usize] = if step { &[2, 3] } else { &[2] };
    let arguments = count(item, arguments, allowed, example, log)?;
    let range = i128::from(i64::MIN)..=i128::from(i64::MAX);
    let read: Vec<Option<i128>> = arguments
        .iter()
        .map(|a| a.whole(range.clone(), log))
        .collect();
    let read: Vec<i128> = read.into_iter().collect::<Option<_>>()?;
    let (low, end) = (*read.first()?, *read.get(1)?);
    let q = read.get(2).copied().unwrap_or(1);
    let errors = log.count();
    if q < 1 {
        item.error(
            format!("`{}`: q is {q}", item.path),
            "q must be at least 1",
            log,
        );
        return None;
    }
    // Ray's rule: only with a true step is the upper end itself a value.
    let high = if q == 1 { end - 1 } else { end };
    if low > end {
        let hint = format!("swap them: [{end}, {low}]");
        item.error(
            format!("`{}`: low {low} is above high {end}", item.path),
            hint,
            log,
        );
    } else if low > high {
        let what = format!(
            "`{}` is empty: high {end} itself is left out, as in Ray",
            item.path
        );
        item.error(
            what,
            format!(
                "for the single value write {low}; for {low} and {end} write [{low}, {}]",
                end + 1
            ),
            log,
        );
    } else if q > 1 && q > high - low {
        wide(item, q, low, high, log);
    }
    positive(item, low, low > 0, log_scale, log);
    let first = -(-low).div_euclid(q) * q;
    let last = high.div_euclid(q) * q;
    if log.count() == errors && first > last {
        let what = format!(
            "`{}`: no multiple of {q} lies from {low} to {high}",
            item.path
        );
        item.error(what, format!("use the bounds {last} and {first}"), log);
    }
    if log.count() != errors {
        return None;
    }
    Some(Domain::Whole(WholeRange {
        low: i64::try_from(first).ok()?,
        high: i64::try_from(last).ok()?,
        log: log_scale,
        step: (q > 1).then(|| i64::try_from(q)).and_then(Result::ok),
    }))
}

/// Mean, standard deviation and a step.
pub(crate) fn gaussian(
    item: &Item<'_>,
    arguments: &[Item<'_>],
    step: bool,
    example: &str,
    log: &mut Log,
) -> Option<Domain> {
    let allowed: &[usize] = if step { &[3] } else { &[0, 2] };
    let arguments = count(item, arguments, allowed, example, log)?;
    let read = numbers(arguments, log)?;
    // Ray's defaults.
    let (mean, sd) = match read.as_slice() {
        [mean, sd, ..] => (*mean, *sd),
        _ => (0.0, 1.0),
    };
    if sd <= 0.0 {
        let what = format!("`{}`: the standard deviation is {sd}", item.path);
        item.error(what, "it must be above 0", log);
        return None;
    }
    let step = read.get(2).copied();
    if let Some(q) = step
        && q <= 0.0
    {
        item.error(
            format!("`{}`: q is {q}", item.path),
            "q must be above 0",
            log,
        );
        return None;
    }
    Some(Domain::Gaussian(GaussianSpread { mean, sd, step }))
}
