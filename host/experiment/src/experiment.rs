//! The top level of the file: which keys there are, and putting the parts together.

use std::path::Path;

use tune_core::{EnginePlan, GpuCosts, Metering, Order, RetrySeed};

use crate::{
    data, directory, goal,
    item::Item,
    limits,
    log::Log,
    machine,
    plan::{ExperimentPlan, places},
    plugin, points, snapshots, space, stop,
    tree::Node,
    warm_start,
};

/// The only version of the file format.
const VERSION: i128 = 1;
/// Slots of virtual time at most: each may hold a live trial.
pub(crate) const MAX_SLOTS: u32 = 100_000;
/// Slots by default, on every machine.
pub(crate) const DEFAULT_SLOTS: u32 = 8;
/// Trials at most: the engine keeps a record of each in memory.
pub(crate) const MAX_TRIALS: u32 = 10_000_000;
/// Retries of a trial at most.
pub(crate) const MAX_FAILURES: u32 = 1_000;
/// The searcher if the file names none.
pub(crate) const DEFAULT_SEARCHER: &str = "auto";
/// The scheduler if the file names none.
pub(crate) const DEFAULT_SCHEDULER: &str = "fifo";
/// Longest name of an experiment: it is a part of directory names.
const MAX_NAME: usize = 100;

/// Every key of the top level, in the order of the reference.
pub(crate) const KEYS: [&str; 29] = [
    "version",
    "name",
    "trainable",
    "metric",
    "mode",
    "objectives",
    "constraints",
    "time_attr",
    "max_t",
    "trials",
    "time_budget",
    "slots",
    "seed",
    "order",
    "metering",
    "strict",
    "max_failures",
    "retry_seed",
    "outputs",
    "points_to_evaluate",
    "space",
    "searcher",
    "scheduler",
    "limits",
    "stop",
    "data",
    "grants",
    "resources",
    "snapshots",
];

/// Where a plan comes from.
pub(crate) struct Source<'a> {
    /// The text of the file.
    pub(crate) text: &'a str,
    /// Its path.
    pub(crate) file_name: &'a str,
    /// The seed if the file has none.
    pub(crate) seed_if_missing: u64,
}

/// The plan of a file. Reads on after an error, to find them all; the caller looks into the log.
pub(crate) fn interpret(node: &Node, source: &Source<'_>, log: &mut Log) -> Option<ExperimentPlan> {
    let root = Item::root(node);
    if !version(&root, log) {
        return None;
    }
    root.only(&KEYS, log);

    let (limits, host_limits, run_memory) = limits::read(&root, log);
    let own_limits = limits::own(&root, &limits, log);
    let orders = [
        ("deterministic", Order::Deterministic),
        ("arrival", Order::Arrival),
    ];
    let meterings = [
        ("fuel", Metering::Fuel),
        ("full", Metering::Full),
        ("epoch", Metering::Epoch),
        ("none", Metering::None),
    ];
    let retry_seeds = [("same", RetrySeed::Same), ("fresh", RetrySeed::Fresh)];
    let order = root.get("order").and_then(|i| i.word(&orders, log));
    let metering = root.get("metering").and_then(|i| i.word(&meterings, log));
    let retry_seed = root
        .get("retry_seed")
        .and_then(|i| i.word(&retry_seeds, log));
    let rules = goal::Rules {
        order: order.unwrap_or(Order::Deterministic),
        // The safe choice for a plugin that nobody has looked at yet.
        metering: metering.unwrap_or(Metering::Full),
        name_bytes: limits.name_bytes,
    };
    let objectives = goal::objectives(&root, rules, log);
    let constraints = goal::constraints(&root, rules, log);
    let axis = goal::axis(&root, rules, log);
    let (stop, plateaus) = stop::read(&root, &objectives, &axis, rules, log);
    let space = space::read(&root, &limits, log);
    let searcher = plugin::read(&root, "searcher", DEFAULT_SEARCHER, &[], log);
    let of_experiment = ["time_attr", "max_t", plugin::LINEAGE];
    let scheduler = plugin::read(&root, "scheduler", DEFAULT_SCHEDULER, &of_experiment, log);
    let lineage = plugin::lineage(&root, log);
    let warm_start = warm_start::read(&root, source.file_name, log);
    if objectives.len() > 1 && root.get("metric").is_none() && scheduler.0 != DEFAULT_SCHEDULER {
        let at = root.get("scheduler").unwrap_or_else(|| root.clone());
        at.key_error(
            format!(
                "`{}` looks at one metric, but several objectives are given",
                scheduler.0
            ),
            "name the one that it shall look at: metric = \"..\"",
            log,
        );
    }
    let time_budget = machine::time_budget(&root, log);
    let trials = trials(&root, &searcher.0, log);
    let points_to_evaluate = points::read(&root, &space, &limits, trials, log);
    let slots = small(&root, "slots", 1..=MAX_SLOTS, log).unwrap_or(DEFAULT_SLOTS);
    let max_failures = small(&root, "max_failures", 0..=MAX_FAILURES, log).unwrap_or(0);
    let strict = root
        .get("strict")
        .and_then(|i| i.flag(log))
        .unwrap_or(false);
    let seed = root
        .get("seed")
        .and_then(|i| i.whole(0..=i128::from(u64::MAX), log))
        .and_then(|seed| u64::try_from(seed).ok());
    let name = name(&root, source.file_name, log);
    let trainable = trainable(&root, log);
    let data = data::read(&root, source.file_name, log);
    let grants = machine::grants(&root, log);
    let directories = directory::read(&root, source.file_name, log);
    let outputs = machine::outputs(&root, log);
    let threads = machine::threads(&root, log);
    let gpu_share = machine::gpu_share(&root, grants.gpu, log);
    let snapshots = snapshots::read(&root, log);
    if !log.is_empty() {
        return None;
    }
    Some(ExperimentPlan {
        name: name?,
        engine: EnginePlan {
            seed: seed.unwrap_or(source.seed_if_missing),
            slots,
            trials,
            objectives,
            constraints,
            time_attr: axis.time_attr,
            max_t: axis.max_t,
            space: space.parameters,
            constants: space.constants,
            derived: space.derived,
            points_to_evaluate,
            stop,
            plateaus,
            order: rules.order,
            metering: rules.metering,
            virtual_cost: grants.virtual_cost,
            gpu: grants.gpu.then(GpuCosts::default),
            max_failures,
            retry_seed: retry_seed.unwrap_or(RetrySeed::Same),
            limits,
            own_limits,
            trainable: trainable?,
            searcher,
            scheduler,
            strict,
            clones: false,
            imported: None,
            lineage: None,
            known: Vec::new(),
        },
        data,
        directories,
        grants,
        outputs,
        snapshots,
        lineage,
        warm_start,
        time_budget,
        host_limits,
        run_memory,
        threads,
        gpu_share,
        seed_given: seed.is_some(),
        metering_given: metering.is_some(),
        file_name: source.file_name.to_owned(),
        text: source.text.to_owned(),
        places: places(node, source.text),
    })
}

/// True if the file is of this version; else all other errors would only mislead.
fn version(root: &Item<'_>, log: &mut Log) -> bool {
    let Some(item) = root.get("version") else {
        // Not misleading: the rest is read as version 1, and its errors are shown too.
        root.key_error(
            "`version` is missing",
            "write version = 1 as the first line",
            log,
        );
        return true;
    };
    match item.whole(i128::from(i64::MIN)..=i128::from(i64::MAX), log) {
        Some(VERSION) => true,
        Some(other) => {
            let what = format!("the file is of version {other}");
            item.error(what, "this program reads version 1", log);
            false
        }
        None => false,
    }
}

fn small(
    root: &Item<'_>,
    key: &str,
    range: std::ops::RangeInclusive<u32>,
    log: &mut Log,
) -> Option<u32> {
    let wide = i128::from(*range.start())..=i128::from(*range.end());
    u32::try_from(root.get(key)?.whole(wide, log)?).ok()
}

/// The number of trials. Only what ends by itself or by the clock needs none; a lineage is one.
fn trials(root: &Item<'_>, searcher: &str, log: &mut Log) -> Option<u32> {
    let scheduler = root.get("scheduler");
    if scheduler.is_some_and(|s| s.get(plugin::LINEAGE).is_some()) {
        if let Some(item) = root.get("points_to_evaluate") {
            item.key_error(
                "`points_to_evaluate` with a lineage",
                "remove it: the lineage says which configuration is run",
                log,
            );
        }
        if let Some(item) = root.get("trials")
            && item.whole(1..=i128::from(MAX_TRIALS), log)? != 1
        {
            let hint = "write trials = 1, or leave it out";
            item.error("a lineage is one trial", hint, log);
        }
        return Some(1);
    }
    if root.get("trials").is_some() {
        return small(root, "trials", 1..=MAX_TRIALS, log);
    }
    if root.get("time_budget").is_none() && searcher != "grid" {
        root.key_error(
            "`trials` is missing: the run would never end",
            "write trials = 100, the number of trials in total, or time_budget = \"2 h\"",
            log,
        );
    }
    None
}

/// The name, by default the stem of the file's name.
fn name(root: &Item<'_>, file_name: &str, log: &mut Log) -> Option<String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let Some(item) = root.get("name") else {
        let stem = Path::new(file_name).file_stem().unwrap_or_default();
        let stem: String = stem
            .to_string_lossy()
            .chars()
            .take(MAX_NAME)
            .map(|c| if fits(c) { c } else { '-' })
            .collect();
        let stem = stem.trim_start_matches(['.', '-']);
        return Some(if stem.is_empty() { "experiment" } else { stem }.to_owned());
    };
    let hint = format!(
        "the name is a part of directory names: 1 to {MAX_NAME} of letters, digits, `-`, `_`, `.`, beginning with a letter or digit"
    );
    let name = item.text(&hint, log)?;
    let begins = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    if !begins || name.len() > MAX_NAME || !name.chars().all(fits) {
        item.error(format!("`name` is \"{name}\""), hint, log);
        return None;
    }
    Some(name.to_owned())
}

fn trainable(root: &Item<'_>, log: &mut Log) -> Option<String> {
    let Some(item) = root.get("trainable") else {
        let hint = "name what is tuned: trainable = \"digits-mlp\", or a path to a .wasm file";
        root.key_error("`trainable` is missing", hint, log);
        return None;
    };
    plugin::name(&item, log)
}
