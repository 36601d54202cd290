//! A session on a device that computes nothing, everywhere, and on the machine's own adapter, where
//! there is one.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "tests"
)]

mod checks;
mod numbers;
mod states;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tune_core::GpuLimits;
use tune_gpu::{
    Adapters, BindGroupSlot, Binding, BufferUse, Command, DeviceType, Failure, GpuError, Recipe,
    Session,
};

/// Enough for every test that does not test a quota.
pub(crate) fn quotas() -> GpuLimits {
    GpuLimits {
        buffer_bytes: 64 << 20,
        one_buffer_bytes: 32 << 20,
        objects: 100,
        shader_bytes: 64 << 10,
        commands_per_submit: 10_000,
        workgroups_per_submit: 1 << 34,
        submissions_in_flight: 4,
        transfer_bytes_per_step: 256 << 20,
        time_per_submission: Duration::from_secs(60),
        time_per_step: Duration::from_secs(120),
        time_per_trial: Duration::from_secs(600),
    }
}

pub(crate) fn session(adapters: &'static Adapters, quotas: GpuLimits) -> Session {
    Session::new(adapters, quotas, Arc::new(|| false))
}

/// On a device that checks everything and computes nothing.
pub(crate) fn noop() -> Session {
    session(Adapters::that_compute_nothing(), quotas())
}

/// The adapters of this machine, or none, with the reason on standard error. `TUNE_TEST_GPU=required`
/// makes that an error: then nobody believes that numbers were tested when they were not.
pub(crate) fn real() -> Option<&'static Adapters> {
    let adapters = Adapters::of_machine();
    match adapters.refusal(&quotas()) {
        None => Some(adapters),
        Some(refusal) if std::env::var("TUNE_TEST_GPU").as_deref() == Ok("required") => {
            panic!("{refusal}")
        }
        Some(refusal) => {
            eprintln!("skipped: {refusal}");
            None
        }
    }
}

/// A flag that ends whatever waits.
pub(crate) fn ended_by(flag: &Arc<AtomicBool>) -> tune_gpu::GiveUp {
    let flag = Arc::clone(flag);
    Arc::new(move || flag.load(Ordering::Acquire))
}

pub(crate) fn buffer(size: u64) -> Recipe {
    Recipe::Buffer {
        label: "data".to_owned(),
        size,
        usage: BufferUse {
            uniform: false,
            storage: true,
        },
    }
}

pub(crate) fn shader(code: &str) -> Recipe {
    Recipe::ShaderModule {
        label: "kernel".to_owned(),
        code: code.to_owned(),
    }
}

/// Every element becomes `3 x + 1`.
pub(crate) const TRIPLE: &str = "
    @group(0) @binding(0) var<storage, read_write> data: array<u32>;
    @compute @workgroup_size(64)
    fn main(@builtin(global_invocation_id) at: vec3u) {
        if (at.x < arrayLength(&data)) { data[at.x] = 3u * data[at.x] + 1u; }
    }";

/// A pipeline over one buffer: the buffer and the commands that run it once.
pub(crate) fn program(session: &mut Session, code: &str, size: u64) -> (u64, Vec<Command>) {
    let data = session.create(buffer(size)).unwrap();
    let module = session.create(shader(code)).unwrap();
    let pipeline = session
        .create(Recipe::ComputePipeline {
            label: "pipeline".to_owned(),
            layout: None,
            module,
            entry_point: None,
            constants: Vec::new(),
        })
        .unwrap();
    let layout = session
        .create(Recipe::LayoutOf { pipeline, index: 0 })
        .unwrap();
    let bind_group = session
        .create(Recipe::BindGroup {
            label: String::new(),
            layout,
            entries: vec![Binding {
                binding: 0,
                buffer: data,
                offset: 0,
                size: None,
            }],
        })
        .unwrap();
    let groups = u32::try_from(size.div_ceil(4 * 64)).unwrap();
    let commands = vec![
        Command::SetPipeline(pipeline),
        Command::SetBindGroup(BindGroupSlot {
            index: 0,
            bind_group,
            dynamic_offsets: Vec::new(),
        }),
        Command::DispatchWorkgroups {
            counts: [groups, 1, 1],
        },
    ];
    (data, commands)
}

pub(crate) fn read(session: &mut Session, buffer: u64, size: u64) -> Vec<u32> {
    let ticket = session.start_read(buffer, 0, size).unwrap();
    words(&session.finish_read(ticket).unwrap())
}

pub(crate) fn words(bytes: &[u8]) -> Vec<u32> {
    bytes
        .chunks_exact(4)
        .map(|word| u32::from_le_bytes(word.try_into().unwrap()))
        .collect()
}

pub(crate) fn bytes(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

pub(crate) fn refusal(failure: Failure) -> String {
    match failure {
        Failure::Error(GpuError::Validation(text)) => text,
        Failure::Error(other) => other.to_string(),
        Failure::Ended(ended) => panic!("it ended: {ended}"),
    }
}

/// A pipeline whose work takes seconds on the adapter and then ends: drivers cannot take work back,
/// and what is left of it would be in the way of every other test.
pub(crate) fn slow(session: &mut Session) -> Vec<Command> {
    // A software driver stops loops after 65,535 turns.
    let turns = "
        @group(0) @binding(0) var<storage, read_write> data: array<u32>;
        @compute @workgroup_size(64)
        fn main(@builtin(global_invocation_id) at: vec3u) {
            var x = at.x;
            for (var i = 0u; i < 60000u; i++) { x = x * 1664525u + 1013904223u; }
            data[at.x % 64u] = x;
        }";
    let (_, mut commands) = program(session, turns, 256);
    let counts = match session.adapter().unwrap().device_type {
        DeviceType::Cpu => [1_000, 1, 1],
        _ => [65_535, 64, 1],
    };
    commands[2] = Command::DispatchWorkgroups { counts };
    commands
}
