//! What changes no decision, or is a permission: `outputs`, `[grants]`, `[resources]`,
//! `time_budget`.

use std::time::Duration;

use crate::{
    item::Item,
    log::Log,
    plan::{Grants, Outputs},
    quantity::duration,
};

/// Trial threads at most: above, threads only wait for each other.
pub(crate) const MAX_THREADS: u32 = 4_096;
/// What a trial asks for if the file does not say: nobody else computes on it meanwhile.
const WHOLE_GPU: f64 = 1.0;
/// A hundred trials at once.
const MIN_GPU_SHARE: f64 = 0.01;
/// Ten years; a longer budget is a slip of the pen.
const MAX_BUDGET: Duration = Duration::from_secs(10 * 365 * 86_400);

#[derive(Clone, Copy)]
enum Output {
    Json,
    Csv,
    TensorBoard,
}

/// `outputs`.
pub(crate) fn outputs(root: &Item<'_>, log: &mut Log) -> Outputs {
    let all = Outputs {
        json: true,
        csv: true,
        tensorboard: true,
    };
    let Some(item) = root.get("outputs") else {
        return all;
    };
    let words = [
        ("json", Output::Json),
        ("csv", Output::Csv),
        ("tensorboard", Output::TensorBoard),
    ];
    let Some(list) = item.list("write outputs = [\"json\", \"csv\", \"tensorboard\"]", log) else {
        return all;
    };
    let mut outputs = Outputs {
        json: false,
        csv: false,
        tensorboard: false,
    };
    for element in list {
        match element.word(&words, log) {
            Some(Output::Json) => outputs.json = true,
            Some(Output::Csv) => outputs.csv = true,
            Some(Output::TensorBoard) => outputs.tensorboard = true,
            None => {}
        }
    }
    outputs
}

/// `[grants]`.
pub(crate) fn grants(root: &Item<'_>, log: &mut Log) -> Grants {
    let mut grants = Grants::default();
    let Some(table) = root.get("grants") else {
        return grants;
    };
    if !table.is_table("write [grants] and artifact = true", log) {
        return grants;
    }
    for (key, item) in table.entries() {
        match key {
            "artifact" => grants.artifact = item.flag(log).unwrap_or_default(),
            "virtual-cost" => grants.virtual_cost = item.flag(log).unwrap_or_default(),
            "gpu" => grants.gpu = item.flag(log).unwrap_or_default(),
            "workers" => grants.workers = item.flag(log).unwrap_or_default(),
            "log" => item.key_error("`log` needs no grant", "remove the line", log),
            "data" => item.key_error(
                "data is granted by naming it",
                "write [[data]] with a name and a path",
                log,
            ),
            _ => {}
        }
    }
    table.only(
        &[
            "artifact",
            "virtual-cost",
            "gpu",
            "workers",
            "directory",
            "log",
            "data",
        ],
        log,
    );
    grants
}

/// `[resources]`: the number of trial threads.
pub(crate) fn threads(root: &Item<'_>, log: &mut Log) -> Option<u32> {
    let table = root.get("resources")?;
    if !table.is_table("write [resources] and threads = 2", log) {
        return None;
    }
    table.only(&["threads", "workers", "gpu"], log);
    if let Some(item) = table.get("workers") {
        item.not_yet("remove it: a trial has one thread", log);
    }
    let threads = table
        .get("threads")?
        .whole(1..=i128::from(MAX_THREADS), log)?;
    u32::try_from(threads).ok()
}

/// `gpu` of `[resources]`: the share of the GPU that a trial asks for.
pub(crate) fn gpu_share(root: &Item<'_>, granted: bool, log: &mut Log) -> f64 {
    let item = root.get("resources").and_then(|table| table.get("gpu"));
    let Some(item) = item else {
        return WHOLE_GPU;
    };
    if !granted {
        let what = "a share of the GPU is asked for, and none is granted";
        item.error(what, "write [grants] and gpu = true, or remove it", log);
    }
    match item.number(log) {
        Some(share) if (MIN_GPU_SHARE..=WHOLE_GPU).contains(&share) => share,
        Some(_) => {
            item.error(
                "a trial asks for 0.01 to 1 GPU",
                "write gpu = 0.25 for four trials at once, or gpu = 1",
                log,
            );
            WHOLE_GPU
        }
        None => WHOLE_GPU,
    }
}

/// `time_budget`.
pub(crate) fn time_budget(root: &Item<'_>, log: &mut Log) -> Option<Duration> {
    let item = root.get("time_budget")?;
    duration(&item, Duration::from_secs(1)..=MAX_BUDGET, log)
}
