//! Turns what ended a call into an account for people: which plugin, doing what, of which kind,
//! why, where in the guest, what it said last, and what to do.

use std::time::Duration;

use tune_core::records::FailureKind;
use tune_core::{PluginFault, Usage};
use tune_gpu::Ended;
use tune_snapshot::HostMemoryError;
use wasmtime::{Trap, WasmBacktrace};
use wasmtime_wasi::I32Exit;

use crate::control::{Interrupted, WallLimit};
use crate::drive::HostPanic;
use crate::from_guest::{BadValue, message};
use crate::gpu::{GpuEnded, NoGpu};
use crate::inspect::PluginKind;
use crate::instance::Fuel;
use crate::limiter::LimitHit;
use crate::tree::Changed;

/// A host function that the plan does not grant, by its name in `[grants]`.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not granted")]
pub(crate) struct Denied(pub(crate) &'static str);

/// A call that asks the host for more than a limit allows.
#[derive(Debug, thiserror::Error)]
#[error("{wanted} {what} asked for at once, {allowed} allowed ({limit})")]
pub(crate) struct Excess {
    pub(crate) what: &'static str,
    pub(crate) wanted: u64,
    pub(crate) allowed: u64,
    /// The limit's name in `[limits]`.
    pub(crate) limit: &'static str,
}

/// An error that the guest returned.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Reported(pub(crate) tune_core::records::Failure);

/// Which plugin a fault is about.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) kind: PluginKind,
}

impl Identity {
    /// The table of the experiment file that has its limits.
    pub(crate) fn limits_table(&self) -> &'static str {
        match self.kind {
            PluginKind::Trainable => "[limits]",
            PluginKind::Searcher => "[searcher.limits]",
            PluginKind::Scheduler => "[scheduler.limits]",
        }
    }
}

/// What was going on.
pub(crate) struct Scene<'a> {
    pub(crate) identity: &'a Identity,
    pub(crate) operation: &'a str,
    pub(crate) last_log: Vec<String>,
    /// The limit that the fuel came from, such as `fuel_per_step`, and its value.
    pub(crate) fuel: Fuel,
    /// Bytes that one call may pass to the host.
    pub(crate) hostcall_bytes: u64,
    /// Handles that it may hold.
    pub(crate) handles: u32,
    /// What the instance has used.
    pub(crate) usage: Usage,
    /// Wall time that it was given.
    pub(crate) wall: Duration,
    /// Where that comes from.
    pub(crate) wall_limit: WallLimit,
}

/// wasmtime's words when one call copies more than `hostcall_bytes`; the error has no public type.
const COPIED_TOO_MUCH: &str = "fuel allocated for hostcalls has been exhausted";
/// wasmtime's words when an instance holds more than `handles`; the error has no public type.
const HANDLES_EXHAUSTED: &str = "store handle limit exceeded";

/// The account of an error.
pub(crate) fn explain(error: &wasmtime::Error, scene: Scene<'_>) -> Box<PluginFault> {
    let (kind, text, hint) = judge(error, &scene);
    let backtrace = error
        .downcast_ref::<WasmBacktrace>()
        .map(frames)
        .unwrap_or_default();
    // The backtrace is a cause too, of many lines; it is shown as frames.
    let causes = error
        .chain()
        .map(|cause| cause.to_string())
        .filter(|cause| !cause.contains("wasm backtrace:") && *cause != text)
        .map(|cause| message(&cause))
        .collect();
    Box::new(PluginFault {
        plugin: scene.identity.name.clone(),
        version: scene.identity.version.clone(),
        operation: scene.operation.to_owned(),
        kind,
        message: text,
        causes,
        backtrace,
        last_log: scene.last_log,
        hint,
        usage: scene.usage,
    })
}

fn frames(backtrace: &WasmBacktrace) -> Vec<String> {
    backtrace
        .frames()
        .iter()
        .map(|frame| {
            let name = match frame.func_name() {
                // Without the hash that Rust appends, which says nothing.
                Some(name) => message(&format!("{:#}", rustc_demangle::demangle(name))),
                None => format!("function {}", frame.func_index()),
            };
            let place = frame
                .symbols()
                .iter()
                .find_map(|s| Some((s.file()?, s.line()?)));
            match place {
                Some((file, line)) => format!("{name} at {}:{line}", message(file)),
                None => name,
            }
        })
        .collect()
}

/// Kind, message and hint.
fn judge(error: &wasmtime::Error, scene: &Scene<'_>) -> (FailureKind, String, String) {
    let limits = scene.identity.limits_table();
    let of = |kind, text: String, hint: &str| (kind, text, hint.to_owned());
    if let Some(Reported(failure)) = error.downcast_ref() {
        return of(
            FailureKind::Reported,
            failure.to_string(),
            "the plugin refuses to go on; see its message and its log",
        );
    }
    if let Some(bad) = error.downcast_ref::<BadValue>() {
        let hint = match bad.limit {
            Some(limit) => format!("raise `{limit}` in {limits}, or let the plugin answer less"),
            None => "the answer of the plugin is outside the bounds of the contract".to_owned(),
        };
        return (FailureKind::BadValue, bad.to_string(), hint);
    }
    if let Some(excess) = error.downcast_ref::<Excess>() {
        return (
            FailureKind::BadValue,
            excess.to_string(),
            format!("raise `{}` in {limits}, or ask for less", excess.limit),
        );
    }
    if let Some(interrupted) = error.downcast_ref::<Interrupted>() {
        let (text, hint) = match interrupted {
            Interrupted::Cancelled => (
                interrupted.to_string(),
                "its result was no longer wanted".to_owned(),
            ),
            Interrupted::Deadline => {
                let limit = scene.wall_limit.name();
                (
                    format!("{interrupted}: it may take {:?} ({limit})", scene.wall),
                    format!("raise `{limit}` in {limits}, or make it do less"),
                )
            }
        };
        return (FailureKind::Deadline, text, hint);
    }
    if let Some(hit) = error.downcast_ref::<LimitHit>() {
        let limit = hit.limit_name();
        return (
            FailureKind::Memory,
            format!("{hit} ({limit})"),
            format!("raise `{limit}` in {limits}, or let the plugin use less"),
        );
    }
    if let Some(host) = error.downcast_ref::<HostMemoryError>() {
        return host_memory(host);
    }
    if let Some(Denied(grant)) = error.downcast_ref() {
        return (
            FailureKind::Grant,
            format!("it uses `{grant}`, which is not granted"),
            format!(
                "a plugin has what its manifest asks for and the file allows with \
                 `{grant} = true` in [grants]"
            ),
        );
    }
    if let Some(changed) = error.downcast_ref::<Changed>() {
        return of(
            FailureKind::Grant,
            changed.to_string(),
            "leave granted directories as they are while a run goes on; begin a new run",
        );
    }
    if let Some(NoGpu(why)) = error.downcast_ref() {
        return of(
            FailureKind::Grant,
            format!("it needs a GPU: {}", message(why)),
            "`tune-host doctor` lists the adapters of this machine",
        );
    }
    if let Some(GpuEnded(ended)) = error.downcast_ref() {
        return gpu_ended(ended, limits);
    }
    if let Some(panic) = error.downcast_ref::<HostPanic>() {
        return of(
            FailureKind::HostBug,
            panic.to_string(),
            "a defect of tune-host, not of the plugin: please report it",
        );
    }
    if let Some(exit) = error.downcast_ref::<I32Exit>() {
        return of(
            FailureKind::Trap,
            format!("it exited with code {}", exit.0),
            "a plugin returns to its caller and does not exit",
        );
    }
    if let Some(trap) = error.downcast_ref::<Trap>() {
        return trapped(*trap, scene);
    }
    let text = message(&format!("{:#}", error.root_cause()));
    if text.contains(COPIED_TOO_MUCH) {
        return (
            FailureKind::BadValue,
            format!(
                "it passed more than the {} bytes to the host in one call that are allowed \
                 (hostcall_bytes)",
                scene.hostcall_bytes
            ),
            format!("raise `hostcall_bytes` in {limits}, or pass less at once"),
        );
    }
    if text.contains(HANDLES_EXHAUSTED) {
        return (
            FailureKind::BadValue,
            format!(
                "it holds more than the {} handles that are allowed (handles)",
                scene.handles
            ),
            format!("raise `handles` in {limits}, or let the plugin drop those that it has used"),
        );
    }
    of(
        FailureKind::Trap,
        text,
        "the plugin was ended by the host function that it called",
    )
}

pub(crate) fn host_memory(error: &HostMemoryError) -> (FailureKind, String, String) {
    let hint = "use fewer threads, or lower `memory` in [limits]".to_owned();
    (FailureKind::HostMemory, error.to_string(), hint)
}

/// Kind, message and hint of what ended GPU work.
fn gpu_ended(ended: &Ended, limits: &str) -> (FailureKind, String, String) {
    let text = message(&ended.to_string());
    match ended {
        Ended::OutOfMemory(_) => (
            FailureKind::HostMemory,
            text,
            "let fewer trials compute at once (`gpu` in [resources]), or use smaller buffers"
                .to_owned(),
        ),
        Ended::Deadline { name, .. } => (
            FailureKind::Deadline,
            text,
            format!("raise `{name}` in {limits}, or submit less at once"),
        ),
        Ended::Lost(_) | Ended::Interrupted => (
            FailureKind::DeviceLost,
            text,
            "drivers give up devices whose work takes too long; see the system's log".to_owned(),
        ),
        Ended::Bug(_) => (
            FailureKind::HostBug,
            text,
            "a defect of tune-host or of the driver: please report it".to_owned(),
        ),
    }
}

fn trapped(trap: Trap, scene: &Scene<'_>) -> (FailureKind, String, String) {
    let Fuel {
        amount,
        limit,
        allowed,
    } = scene.fuel;
    match trap {
        Trap::OutOfFuel => (
            FailureKind::OutOfFuel,
            if amount == allowed {
                format!("it burned all of its {allowed} units of fuel ({limit})")
            } else {
                format!(
                    "it burned the {amount} units of fuel that were left of its {allowed} ({limit})"
                )
            },
            format!(
                "raise `{limit}` in {}, or make it do less",
                scene.identity.limits_table()
            ),
        ),
        Trap::StackOverflow => (
            FailureKind::Trap,
            "call stack exhausted".to_owned(),
            "it recurses too deeply, or keeps too much on the stack (512 KiB)".to_owned(),
        ),
        Trap::UnreachableCodeReached => match panic_message(&scene.last_log) {
            Some(panic) => (
                FailureKind::Trap,
                format!("it panicked: {panic}"),
                "a defect of the plugin; see its backtrace and log".to_owned(),
            ),
            None => (
                FailureKind::Trap,
                "it reached code that must not be reached (a panic or an abort)".to_owned(),
                "a defect of the plugin; see its backtrace and log".to_owned(),
            ),
        },
        other => (
            FailureKind::Trap,
            other.to_string(),
            "a defect of the plugin; see its backtrace and log".to_owned(),
        ),
    }
}

/// What a Rust guest said when it panicked: in one line by the SDK, in two by the standard library.
fn panic_message(log: &[String]) -> Option<String> {
    let at = log.iter().rposition(|line| line.contains("panicked at"))?;
    let (_, after) = log.get(at)?.split_once("panicked at ")?;
    if let Some((place, said)) = after.split_once(": ") {
        return Some(format!("{said} ({place})"));
    }
    let said = log.get(at + 1).and_then(|line| line.split_once(' '));
    let (_, said) = said.unwrap_or_default();
    Some(format!("{said} ({})", after.trim_end_matches(':')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained(error: wasmtime::Error) -> Box<PluginFault> {
        explain(
            &error,
            Scene {
                identity: &Identity {
                    name: "p".to_owned(),
                    version: "1".to_owned(),
                    kind: PluginKind::Trainable,
                },
                operation: "step",
                last_log: Vec::new(),
                fuel: Fuel::all_of("fuel_per_step", 7),
                hostcall_bytes: 100,
                handles: 10,
                usage: Usage::default(),
                wall: Duration::from_secs(7),
                wall_limit: WallLimit::Trial,
            },
        )
    }

    #[test]
    fn every_error_has_its_kind() {
        let host = HostMemoryError {
            bytes: 1,
            cause: String::new(),
        };
        for (error, kind) in [
            (Trap::OutOfFuel.into(), FailureKind::OutOfFuel),
            (Trap::HeapMisaligned.into(), FailureKind::Trap),
            (Interrupted::Deadline.into(), FailureKind::Deadline),
            (Denied("artifact").into(), FailureKind::Grant),
            (host.into(), FailureKind::HostMemory),
            (I32Exit(3).into(), FailureKind::Trap),
            (
                GpuEnded(Ended::Lost(String::new())).into(),
                FailureKind::DeviceLost,
            ),
            (
                GpuEnded(Ended::OutOfMemory(String::new())).into(),
                FailureKind::HostMemory,
            ),
            (
                Excess {
                    what: "random bytes",
                    wanted: 2,
                    allowed: 1,
                    limit: "random_bytes",
                }
                .into(),
                FailureKind::BadValue,
            ),
            (
                wasmtime::format_err!("{COPIED_TOO_MUCH}"),
                FailureKind::BadValue,
            ),
            (
                wasmtime::format_err!("{HANDLES_EXHAUSTED}"),
                FailureKind::BadValue,
            ),
        ] {
            let fault = explained(error);
            assert_eq!(fault.kind, kind, "{fault}");
            assert!(!fault.hint.is_empty());
        }
    }

    #[test]
    fn running_out_of_fuel_names_the_limit() {
        let fault = explained(Trap::OutOfFuel.into());
        assert_eq!(
            fault.to_string(),
            "p 1: step: out-of-fuel: it burned all of its 7 units of fuel (fuel_per_step)"
        );
    }

    #[test]
    fn a_panic_is_found_in_the_log() {
        let log = [
            "STDERR thread 'main' panicked at src/lib.rs:3:5:",
            "STDERR no such layer",
        ];
        let log: Vec<_> = log.iter().map(|l| (*l).to_owned()).collect();
        assert_eq!(
            panic_message(&log).unwrap(),
            "no such layer (src/lib.rs:3:5)"
        );
        let log = ["ERROR panicked at src/lib.rs:3:5: no such layer".to_owned()];
        assert_eq!(
            panic_message(&log).unwrap(),
            "no such layer (src/lib.rs:3:5)"
        );
        assert_eq!(panic_message(&[]), None);
    }
}
