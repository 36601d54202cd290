//! What is computed, on the adapter of this machine.

use tune_core::GpuLimits;
use tune_gpu::{Adapters, Command, Ended, Failure, Session};

use crate::states::{capture, contents};
use crate::{TRIPLE, bytes, program, quotas, read, real, session};

fn triple(words: &[u32], times: u32) -> Vec<u32> {
    let once = |word: u32| word.wrapping_mul(3).wrapping_add(1);
    words
        .iter()
        .map(|word| (0..times).fold(*word, |word, _| once(word)))
        .collect()
}

#[test]
fn dispatches_of_one_submission_follow_each_other() {
    let Some(adapters) = real() else { return };
    let mut gpu = session(adapters, quotas());
    let (data, mut commands) = program(&mut gpu, TRIPLE, 4 * 1000);
    let input: Vec<u32> = (0..1000).collect();
    gpu.write(data, 0, &bytes(&input)).unwrap();
    for _ in 0..9 {
        commands.push(commands[2].clone());
    }
    gpu.submit(&commands).unwrap();
    assert_eq!(read(&mut gpu, data, 4000), triple(&input, 10));
    assert!(gpu.busy().1 > std::time::Duration::ZERO);
}

/// Numbers that are being tripled: their buffer, the commands that do it once more, what they were.
fn begun(gpu: &mut Session) -> (u64, Vec<Command>, Vec<u32>) {
    let (data, commands) = program(gpu, TRIPLE, 256);
    let input: Vec<u32> = (0..64).collect();
    gpu.write(data, 0, &bytes(&input)).unwrap();
    gpu.submit(&commands).unwrap();
    (data, commands, input)
}

#[test]
fn a_copy_on_another_device_computes_what_the_original_does() {
    let Some(adapters) = real() else { return };
    let mut gpu = session(adapters, quotas());
    let (data, commands, input) = begun(&mut gpu);
    // Work is under way when the state is taken.
    let (state, all) = capture(&mut gpu);
    let mut clone = session(adapters, quotas());
    clone.restore(&state, contents(&all)).unwrap();
    for gpu in [&mut gpu, &mut clone] {
        gpu.submit(&commands).unwrap();
        assert_eq!(read(gpu, data, 256), triple(&input, 2));
    }
    assert_eq!(capture(&mut gpu).1, capture(&mut clone).1);
    // And the other way: over a device that is in use.
    gpu.restore(&state, contents(&all)).unwrap();
    assert_eq!(read(&mut gpu, data, 256), triple(&input, 1));
}

#[test]
fn a_state_goes_to_another_adapter_and_back() {
    let Some(adapters) = real() else { return };
    let mut gpu = session(adapters, quotas());
    let (data, commands, input) = begun(&mut gpu);
    let (state, all) = capture(&mut gpu);
    // One that keeps what it is given and computes nothing.
    let mut other = crate::noop();
    other.restore(&state, contents(&all)).unwrap();
    assert_eq!(read(&mut other, data, 256), triple(&input, 1));
    other.submit(&commands).unwrap();
    let (state, all) = capture(&mut other);
    gpu.restore(&state, contents(&all)).unwrap();
    gpu.submit(&commands).unwrap();
    assert_eq!(read(&mut gpu, data, 256), triple(&input, 2));
}

#[test]
fn accesses_outside_a_buffer_reach_no_other() {
    let Some(adapters) = real() else { return };
    let mut gpu = session(adapters, quotas());
    let secret = gpu.create(crate::buffer(4096)).unwrap();
    gpu.write(secret, 0, &bytes(&[0xabad_cafe; 1024])).unwrap();
    let outside = "
        @group(0) @binding(0) var<storage, read_write> data: array<u32>;
        @compute @workgroup_size(64)
        fn main(@builtin(global_invocation_id) at: vec3u) {
            let far = data[at.x * 977u + 64u];
            if (far == 0xabadcafeu) { data[0] = 1u; }
            data[at.x * 4099u + 64u] = 7u;
        }";
    let (data, mut commands) = program(&mut gpu, outside, 256);
    commands[2] = Command::DispatchWorkgroups { counts: [64, 1, 1] };
    gpu.submit(&commands).unwrap();
    assert_ne!(read(&mut gpu, data, 256)[0], 1, "it saw nothing");
    assert_eq!(read(&mut gpu, secret, 4096), vec![0xabad_cafe; 1024]);
}

#[test]
fn new_buffers_are_zero_even_where_others_were() {
    let Some(adapters) = real() else { return };
    let mut gpu = session(adapters, quotas());
    for _ in 0..4 {
        let a = gpu.create(crate::buffer(1 << 20)).unwrap();
        assert!(read(&mut gpu, a, 1 << 20).iter().all(|word| *word == 0));
        gpu.write(a, 0, &[0xff; 1 << 20]).unwrap();
        gpu.settle().unwrap();
        gpu.destroy(a).unwrap();
    }
}

#[test]
fn work_past_its_deadline_ends_its_session_and_no_other() {
    let Some(adapters) = real() else { return };
    let short = GpuLimits {
        time_per_submission: std::time::Duration::from_millis(100),
        ..quotas()
    };
    let mut neighbour = session(adapters, quotas());
    let (data, commands) = program(&mut neighbour, TRIPLE, 256);
    let mut gpu = session(adapters, short);
    let long = crate::slow(&mut gpu);
    let number = gpu.submit(&long).unwrap();
    let ended = gpu.wait(number).unwrap_err();
    let Failure::Ended(Ended::Deadline { name, .. }) = ended else {
        panic!("{ended}");
    };
    assert_eq!(name, "gpu_time_per_submission");
    assert_eq!(gpu.wait(number), Err(ended), "for good");
    // Returns at once, whatever the device still does.
    drop(gpu);
    neighbour.submit(&commands).unwrap();
    assert_eq!(read(&mut neighbour, data, 8), [1, 1]);
}

#[test]
fn adapters_are_listed_best_first() {
    let Some(adapters) = real() else { return };
    let types: Vec<_> = adapters.list().map(|info| info.device_type).collect();
    assert!(types.is_sorted(), "{types:?}");
    assert_eq!(Adapters::none().list().count(), 0);
}
