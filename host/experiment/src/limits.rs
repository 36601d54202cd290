//! `[limits]`, `[searcher.limits]` and `[scheduler.limits]`: one row a limit, from which reading,
//! ranges, the JSON Schema and the reference come.
//!
//! Those of [`Limits`] can change a result and belong to the engine's plan; those of [`HostLimits`]
//! cannot.

use std::{ops::RangeInclusive, time::Duration};

use tune_core::{Limits, OwnLimits};

use crate::{
    item::Item,
    log::Log,
    plan::HostLimits,
    quantity::{bytes, duration, show_bytes},
};

/// A limit of the file: its range and where it goes. Defaults stand in the `Default` of `L`.
pub(crate) struct Row<L> {
    /// Its name in `[limits]`.
    pub(crate) key: &'static str,
    /// One line for the schema.
    pub(crate) doc: &'static str,
    /// Which of searcher and scheduler may have one of their own.
    pub(crate) own: Own,
    /// Unit, range and place.
    pub(crate) field: Field<L>,
}

/// Which of searcher and scheduler a limit bounds, and may therefore stand in their own table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Own {
    /// Neither: it bounds trials or the host.
    Neither,
    /// Both.
    Both,
    /// Only schedulers do what it bounds.
    Scheduler,
}

impl Own {
    /// Whether the table of this role, `searcher` or `scheduler`, has it.
    pub(crate) fn is_of(self, role: &str) -> bool {
        match self {
            Self::Neither => false,
            Self::Both => true,
            Self::Scheduler => role == SCHEDULER,
        }
    }
}

/// The table of the searcher.
pub(crate) const SEARCHER: &str = "searcher";
/// The table of the scheduler.
pub(crate) const SCHEDULER: &str = "scheduler";
/// The key of both for limits of their own.
pub(crate) const OWN: &str = "limits";

/// Unit, range and place of a limit.
pub(crate) enum Field<L> {
    /// A plain number.
    Count(RangeInclusive<u64>, fn(&mut L) -> &mut u64),
    /// A plain number of 32 bits.
    Small(RangeInclusive<u32>, fn(&mut L) -> &mut u32),
    /// Bytes.
    Size(RangeInclusive<u64>, fn(&mut L) -> &mut u64),
    /// Bytes in a field of 32 bits.
    SmallSize(RangeInclusive<u32>, fn(&mut L) -> &mut u32),
    /// Wall time.
    Time(RangeInclusive<Duration>, fn(&mut L) -> &mut Duration),
}

/// The key of the memory of all live trials together, which is no limit of one plugin.
pub(crate) const RUN_MEMORY: &str = "run_memory";
/// Below a page of wasm no plugin starts; above a PiB it is a slip of the pen.
pub(crate) const RUN_MEMORY_RANGE: RangeInclusive<u64> = (64 << 10)..=(1 << 50);

/// Enough to call a function; below, not even an instance starts.
const FUEL_FLOOR: u64 = 1_000;
/// Decades of compute: above, sums of fuel could overflow 64 bits.
const FUEL_CEILING: u64 = 1_000_000_000_000_000_000;

/// Every limit on what plugins do, in the order of the reference.
pub(crate) const ROWS: [Row<Limits>; 32] = [
    Row {
        key: "fuel_per_step",
        own: Own::Neither,
        doc: "Fuel of one step of a trial, setup included in the first. About one unit a wasm instruction: 1 billion is 0.2 to 0.5 s of compute.",
        field: Field::Count(FUEL_FLOOR..=FUEL_CEILING, |l| &mut l.fuel_per_step),
    },
    Row {
        key: "fuel_per_trial",
        own: Own::Neither,
        doc: "Fuel of a whole trial.",
        field: Field::Count(FUEL_FLOOR..=FUEL_CEILING, |l| &mut l.fuel_per_trial),
    },
    Row {
        key: "fuel_per_call",
        own: Own::Both,
        doc: "Fuel of one call of the searcher or the scheduler.",
        field: Field::Count(FUEL_FLOOR..=FUEL_CEILING, |l| &mut l.fuel_per_call),
    },
    Row {
        key: "wall_per_step",
        own: Own::Both,
        doc: "Wall time of one step or call; a net under fuel, not reproducible.",
        field: Field::Time(
            Duration::from_millis(100)..=Duration::from_secs(7 * 86_400),
            |l| &mut l.wall_per_step,
        ),
    },
    Row {
        key: "wall_per_trial",
        own: Own::Neither,
        doc: "Wall time of all steps of a trial together; not reproducible.",
        field: Field::Time(
            Duration::from_millis(100)..=Duration::from_secs(365 * 86_400),
            |l| &mut l.wall_per_trial,
        ),
    },
    Row {
        key: "memory",
        own: Own::Both,
        doc: "Linear memory of one instance, summed over all its memories.",
        field: Field::Size((64 << 10)..=(4 << 30), |l| &mut l.memory_bytes),
    },
    Row {
        key: "table_elements",
        own: Own::Both,
        doc: "Table elements of one instance, summed over all its tables.",
        field: Field::Count(1..=10_000_000, |l| &mut l.table_elements),
    },
    Row {
        key: "handles",
        own: Own::Both,
        doc: "Component handles of one instance.",
        field: Field::Small(1..=1_000_000, |l| &mut l.handles),
    },
    Row {
        key: "hostcall_bytes",
        own: Own::Both,
        doc: "Bytes that one call may pass from plugin to host.",
        field: Field::Size((64 << 10)..=(1 << 30), |l| &mut l.hostcall_bytes),
    },
    Row {
        key: "log_bytes",
        own: Own::Both,
        doc: "Log of one trial, of the searcher or of the scheduler, standard output and error included; what is over is dropped and counted.",
        field: Field::Size(0..=(1 << 30), |l| &mut l.log_bytes),
    },
    Row {
        key: "log_line_bytes",
        own: Own::Both,
        doc: "One log line; longer ones are cut.",
        field: Field::Size(16..=(1 << 20), |l| &mut l.log_line_bytes),
    },
    Row {
        key: "metrics",
        own: Own::Neither,
        doc: "Metrics in one report.",
        field: Field::Small(1..=10_000, |l| &mut l.metrics),
    },
    Row {
        key: "name_bytes",
        own: Own::Both,
        doc: "Bytes in the name of a metric or parameter.",
        field: Field::SmallSize(1..=128, |l| &mut l.name_bytes),
    },
    Row {
        key: "text_bytes",
        own: Own::Both,
        doc: "Bytes of a text value or message.",
        field: Field::SmallSize(64..=(16 << 20), |l| &mut l.text_bytes),
    },
    Row {
        key: "parameters",
        own: Own::Both,
        doc: "Values in a configuration.",
        field: Field::Small(1..=1_024, |l| &mut l.parameters),
    },
    Row {
        key: "actions",
        own: Own::Scheduler,
        doc: "Actions in one answer of a scheduler.",
        field: Field::Small(1..=10_000, |l| &mut l.actions),
    },
    Row {
        key: "random_bytes",
        own: Own::Both,
        doc: "Random bytes that one call may ask for.",
        field: Field::Size(0..=(64 << 20), |l| &mut l.random_bytes),
    },
    Row {
        key: "artifact_bytes",
        own: Own::Neither,
        doc: "Bytes of all files that one trial may write, with the grant `artifact`.",
        field: Field::Size(0..=(1 << 40), |l| &mut l.artifact_bytes),
    },
    Row {
        key: "artifact_count",
        own: Own::Neither,
        doc: "Files that one trial may write, with the grant `artifact`.",
        field: Field::Small(0..=100_000, |l| &mut l.artifact_count),
    },
    Row {
        key: "component_bytes",
        own: Own::Both,
        doc: "Size of a plugin's file.",
        field: Field::Size(1_024..=(1 << 30), |l| &mut l.component_bytes),
    },
    Row {
        key: "suggestion_bytes",
        own: Own::Both,
        doc: "Names and values of one configuration that a searcher suggests or a scheduler sets; a text counts its length, every other value 8.",
        field: Field::Size(64..=(1 << 30), |l| &mut l.suggestion_bytes),
    },
    Row {
        key: "gpu_buffers",
        own: Own::Neither,
        doc: "Bytes of all GPU buffers and open reads of one trial, with the grant `gpu`, as all `gpu_` limits.",
        field: Field::Size((1 << 20)..=(1 << 40), |l| &mut l.gpu.buffer_bytes),
    },
    Row {
        key: "gpu_buffer",
        own: Own::Neither,
        doc: "Bytes of one GPU buffer. Every adapter has 128 MiB; one that has less than this is not used.",
        field: Field::Size((1 << 20)..=(16 << 30), |l| &mut l.gpu.one_buffer_bytes),
    },
    Row {
        key: "gpu_objects",
        own: Own::Neither,
        doc: "GPU objects and open reads of one trial at once.",
        field: Field::Small(1..=1_000_000, |l| &mut l.gpu.objects),
    },
    Row {
        key: "gpu_shader_bytes",
        own: Own::Neither,
        doc: "Bytes of WGSL of all shader modules of one trial.",
        field: Field::Size(1_024..=(64 << 20), |l| &mut l.gpu.shader_bytes),
    },
    Row {
        key: "gpu_commands_per_submit",
        own: Own::Neither,
        doc: "Commands of one GPU submission.",
        field: Field::Small(1..=10_000_000, |l| &mut l.gpu.commands_per_submit),
    },
    Row {
        key: "gpu_workgroups_per_submit",
        own: Own::Neither,
        doc: "Workgroups of one GPU submission.",
        field: Field::Count(1..=1_000_000_000_000, |l| &mut l.gpu.workgroups_per_submit),
    },
    Row {
        key: "gpu_submissions_in_flight",
        own: Own::Neither,
        doc: "GPU submissions of one trial that are not done; the next one waits.",
        field: Field::Small(1..=1_024, |l| &mut l.gpu.submissions_in_flight),
    },
    Row {
        key: "gpu_transfer_per_step",
        own: Own::Neither,
        doc: "Bytes that one step may write to and read from the GPU.",
        field: Field::Size((1 << 10)..=(1 << 50), |l| {
            &mut l.gpu.transfer_bytes_per_step
        }),
    },
    Row {
        key: "gpu_time_per_submission",
        own: Own::Neither,
        doc: "Time of one GPU submission, and of compiling one shader; not reproducible.",
        field: Field::Time(
            Duration::from_millis(100)..=Duration::from_secs(3_600),
            |l| &mut l.gpu.time_per_submission,
        ),
    },
    Row {
        key: "gpu_time_per_step",
        own: Own::Neither,
        doc: "Time for which the GPU is busy in one step; not reproducible.",
        field: Field::Time(
            Duration::from_millis(100)..=Duration::from_secs(7 * 86_400),
            |l| &mut l.gpu.time_per_step,
        ),
    },
    Row {
        key: "gpu_time_per_trial",
        own: Own::Neither,
        doc: "Time for which the GPU is busy in all steps of a trial; not reproducible.",
        field: Field::Time(
            Duration::from_millis(100)..=Duration::from_secs(365 * 86_400),
            |l| &mut l.gpu.time_per_trial,
        ),
    },
];

/// Every limit on what the host does for plugins, in the order of the reference.
pub(crate) const HOST_ROWS: [Row<HostLimits>; 3] = [
    Row {
        key: "compile_time",
        own: Own::Neither,
        doc: "Wall time of compiling one plugin that does not come with tune-host; then its compiler is ended.",
        field: Field::Time(
            Duration::from_millis(100)..=Duration::from_secs(3_600),
            |l| &mut l.compile_time,
        ),
    },
    Row {
        key: "compile_memory",
        own: Own::Neither,
        doc: "Memory of compiling one plugin that does not come with tune-host.",
        field: Field::Size((16 << 20)..=(64 << 30), |l| &mut l.compile_memory),
    },
    Row {
        key: "run_disk",
        own: Own::Neither,
        doc: "Bytes of the whole directory of a run. Near it states are left out and logs are cut, then the run stops and can be resumed.",
        field: Field::Size(HostLimits::RUN_DISK_RANGE, |l| &mut l.run_disk),
    },
];

/// The limits on what plugins do, those on what the host does for them, and the memory of all
/// trials together.
pub(crate) fn read(root: &Item<'_>, log: &mut Log) -> (Limits, HostLimits, Option<u64>) {
    let (mut limits, mut host) = (Limits::default(), HostLimits::default());
    let Some(table) = root.get("limits") else {
        return (limits, host, None);
    };
    if !table.is_table("write [limits] and one limit a line", log) {
        return (limits, host, None);
    }
    let known: Vec<&str> = ROWS
        .iter()
        .map(|row| row.key)
        .chain(HOST_ROWS.iter().map(|row| row.key))
        .chain(std::iter::once(RUN_MEMORY))
        .collect();
    table.only(&known, log);
    for row in &ROWS {
        if let Some(item) = table.get(row.key) {
            row.field.read(&item, &mut limits, log);
        }
    }
    for row in &HOST_ROWS {
        if let Some(item) = table.get(row.key) {
            row.field.read(&item, &mut host, log);
        }
    }
    let run_memory = table
        .get(RUN_MEMORY)
        .and_then(|item| Some((bytes(&item, RUN_MEMORY_RANGE, log)?, item)));
    if let Some((run_memory, item)) = &run_memory
        && *run_memory < limits.memory_bytes
    {
        item.error(
            format!(
                "`limits.run_memory` is {}, less than one trial may use",
                show_bytes(*run_memory)
            ),
            format!(
                "`limits.memory` is {}: raise the one or lower the other",
                show_bytes(limits.memory_bytes)
            ),
            log,
        );
    }
    (limits, host, run_memory.map(|(bytes, _)| bytes))
}

/// Limits that the searcher and the scheduler have of their own; what they leave out is that of
/// `[limits]`.
pub(crate) fn own(root: &Item<'_>, limits: &Limits, log: &mut Log) -> OwnLimits {
    let mut of = |role: &str| {
        let table = root.get(role)?.get(OWN)?;
        let hint = format!("write [{role}.{OWN}] and one limit a line");
        if !table.is_table(&hint, log) {
            return None;
        }
        let (here, elsewhere): (Vec<_>, Vec<_>) = ROWS.iter().partition(|row| row.own.is_of(role));
        let others = HOST_ROWS.iter().map(|row| row.key).chain([RUN_MEMORY]);
        let elsewhere: Vec<&str> = elsewhere.iter().map(|row| row.key).chain(others).collect();
        let mut known: Vec<&str> = here.iter().map(|row| row.key).collect();
        for (key, item) in table.entries() {
            if elsewhere.contains(&key) {
                let what = format!("`{key}` bounds no {role}");
                item.key_error(what, "move it to [limits], or remove it", log);
                known.push(key);
            }
        }
        table.only(&known, log);
        let mut own = limits.clone();
        for row in here {
            if let Some(item) = table.get(row.key) {
                row.field.read(&item, &mut own, log);
            }
        }
        (own != *limits).then_some(own)
    };
    OwnLimits {
        searcher: of(SEARCHER),
        scheduler: of(SCHEDULER),
    }
}

impl<L> Field<L> {
    fn read(&self, item: &Item<'_>, limits: &mut L, log: &mut Log) {
        match self {
            Self::Count(range, place) => {
                let wide = i128::from(*range.start())..=i128::from(*range.end());
                if let Some(number) = item.whole(wide, log) {
                    *place(limits) = u64::try_from(number).unwrap_or(*range.end());
                }
            }
            Self::Small(range, place) => {
                let wide = i128::from(*range.start())..=i128::from(*range.end());
                if let Some(number) = item.whole(wide, log) {
                    *place(limits) = u32::try_from(number).unwrap_or(*range.end());
                }
            }
            Self::Size(range, place) => {
                if let Some(number) = bytes(item, range.clone(), log) {
                    *place(limits) = number;
                }
            }
            Self::SmallSize(range, place) => {
                let wide = u64::from(*range.start())..=u64::from(*range.end());
                if let Some(number) = bytes(item, wide, log) {
                    *place(limits) = u32::try_from(number).unwrap_or(*range.end());
                }
            }
            Self::Time(range, place) => {
                if let Some(time) = duration(item, range.clone(), log) {
                    *place(limits) = time;
                }
            }
        }
    }
}
