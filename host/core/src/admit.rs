//! Is a report fit to be handed over? And does it end its trial?

use std::sync::LazyLock;

use tune_space::{FailureKind, Metric, Name, Report};

use crate::{EnginePlan, Failed, Trial};

/// Metrics that the host fills in, on the axis of virtual time: plugins see them.
pub const RESERVED_METRICS: [&str; 5] = [
    "training_iteration",
    "fuel_this_iter",
    "fuel_total",
    "virtual_time",
    "memory_bytes",
];

/// The same names, to be shared by all reports.
static RESERVED: LazyLock<[Name; 5]> = LazyLock::new(|| RESERVED_METRICS.map(Name::shared));

/// Metrics that the host adds for people; they never reach a plugin in deterministic order.
pub const WALL_METRICS: [&str; 4] = [
    "time_this_iter_s",
    "time_total_s",
    "timestamp",
    "checkpoint_bytes",
];

/// A failure told as those of the runtime are: who, doing what, of which kind, why, what to do.
fn refused(plan: &EnginePlan, kind: FailureKind, why: &str, hint: &str) -> Failed {
    Failed {
        kind,
        message: format!("{}: step: {kind}: {why}\n  hint: {hint}", plan.trainable),
    }
}

/// Checks a guest's report and adds the host's metrics.
///
/// # Errors
/// The failure of the step: a reserved or repeated name, a cost without the grant, a metric of the
/// plan that is missing, a resource axis that goes back.
pub(crate) fn admit(
    plan: &EnginePlan,
    trial: &Trial,
    report: &Report,
    fuel: u64,
    tick: u64,
    memory_bytes: u64,
) -> Result<Report, Failed> {
    let bad = |why: &str, hint: &str| refused(plan, FailureKind::BadValue, why, hint);
    for (i, metric) in report.metrics.iter().enumerate() {
        let name = metric.name.as_str();
        if RESERVED_METRICS.contains(&name) || WALL_METRICS.contains(&name) {
            return Err(bad(
                &format!("it reported `{name}`, which the host fills in"),
                "rename the metric",
            ));
        }
        if report.metrics.iter().take(i).any(|m| m.name == metric.name) {
            return Err(bad(
                &format!("`{name}` stands twice in one report"),
                "report each metric once",
            ));
        }
    }
    if report.cost.is_some() && !plan.virtual_cost {
        return Err(refused(
            plan,
            FailureKind::Grant,
            "it reported a cost, which is not granted",
            "a plugin has what its manifest asks for and the file allows with `virtual-cost = true` in \
             [grants]",
        ));
    }
    let mut full = Report {
        metrics: Vec::with_capacity(report.metrics.len() + RESERVED_METRICS.len()),
        finished: report.finished,
        cost: report.cost,
    };
    for metric in &report.metrics {
        let value = if metric.value.is_nan() {
            f64::NAN
        } else {
            metric.value
        };
        full.metrics.push(Metric {
            name: metric.name.clone(),
            value,
        });
    }
    let mut add = |name: &Name, value: u64| {
        full.metrics.push(Metric {
            name: name.clone(),
            value: value as f64,
        });
    };
    let [iteration, fuel_this_iter, fuel_total, virtual_time, memory] = &*RESERVED;
    add(iteration, trial.iteration + 1);
    if plan.metering.counts_fuel() {
        add(fuel_this_iter, fuel);
        add(fuel_total, trial.fuel_total.saturating_add(fuel));
    }
    add(virtual_time, tick);
    add(memory, memory_bytes);
    check_names(plan, report, &full)?;
    check_axis(plan, trial, &full)?;
    Ok(full)
}

/// Every metric that the plan names is there.
fn check_names(plan: &EnginePlan, reported: &Report, full: &Report) -> Result<(), Failed> {
    let wanted = plan
        .objectives
        .iter()
        .map(|o| (&o.metric, "metric"))
        .chain(plan.constraints.iter().map(|c| (&c.metric, "constraint")))
        .chain(plan.stop.iter().map(|s| (&s.metric, "stop rule")))
        .chain(plan.plateaus.trial.iter().map(|p| (&p.metric, "stop rule")))
        .chain(std::iter::once((&plan.time_attr, "time_attr")));
    for (name, role) in wanted {
        if full.get(name).is_none() {
            let names: Vec<_> = reported.metrics.iter().map(|m| m.name.as_str()).collect();
            let names = if names.is_empty() {
                "nothing".to_owned()
            } else {
                names.join(", ")
            };
            let hint = if name.starts_with("fuel_") && !plan.metering.counts_fuel() {
                format!("`{name}` needs metering by fuel")
            } else {
                format!("name a metric that is reported as {role}, or report it in every step")
            };
            return Err(refused(
                plan,
                FailureKind::BadValue,
                &format!("the {role} `{name}` was not reported; it reported {names}"),
                &hint,
            ));
        }
    }
    Ok(())
}

/// The resource of a trial is finite and does not decrease.
fn check_axis(plan: &EnginePlan, trial: &Trial, full: &Report) -> Result<(), Failed> {
    let axis = &plan.time_attr;
    let now = full.get(axis).unwrap_or(f64::NAN);
    if !now.is_finite() {
        return Err(refused(
            plan,
            FailureKind::BadValue,
            &format!("trial {}: `{axis}` is {now}", trial.id),
            "`time_attr` measures the resource that the trial used: report a finite number",
        ));
    }
    // Of the state that the step began with: after an exploit that is the donor's.
    match trial.axis {
        Some(before) if now < before => Err(refused(
            plan,
            FailureKind::BadValue,
            &format!(
                "trial {}: `{axis}` went back from {before} to {now}",
                trial.id
            ),
            "`time_attr` measures the resource that the trial used and must not decrease",
        )),
        _ => Ok(()),
    }
}

/// The report ends its trial: by itself, at its budget or `max_t`, or by a stop rule.
pub(crate) fn ends(plan: &EnginePlan, budget: Option<f64>, report: &Report) -> bool {
    let used = report.get(&plan.time_attr).unwrap_or(0.0);
    report.finished
        || budget.is_some_and(|budget| used >= budget)
        || plan.max_t.is_some_and(|max_t| used >= max_t)
        || plan.stop.iter().any(|rule| {
            report.get(&rule.metric).is_some_and(|value| {
                if rule.at_least {
                    value >= rule.threshold
                } else {
                    value <= rule.threshold
                }
            })
        })
}
