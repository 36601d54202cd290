//! What is refused, and that nothing is left of it.

use tune_core::GpuLimits;
use tune_gpu::{Adapters, BufferClear, BufferCopy, Command, Ended, Failure, GpuError, Recipe};

use crate::{TRIPLE, buffer, bytes, noop, program, quotas, read, refusal, session, shader};

#[test]
fn bytes_written_are_read_and_copied() {
    let mut gpu = noop();
    let a = gpu.create(buffer(16)).unwrap();
    let b = gpu.create(buffer(16)).unwrap();
    gpu.write(a, 4, &bytes(&[7, 8])).unwrap();
    let copy = Command::CopyBufferToBuffer(BufferCopy {
        source: a,
        source_offset: 4,
        destination: b,
        destination_offset: 8,
        size: 8,
    });
    let number = gpu.submit(&[copy]).unwrap();
    assert_eq!(number, 1);
    gpu.wait(number).unwrap();
    assert_eq!(read(&mut gpu, b, 16), [0, 0, 7, 8]);
    let clear = Command::ClearBuffer(BufferClear {
        buffer: b,
        offset: 8,
        size: Some(4),
    });
    assert_eq!(gpu.submit(&[clear]).unwrap(), 2, "reads are not counted");
    assert_eq!(read(&mut gpu, b, 16), [0, 0, 0, 8]);
}

#[test]
fn an_error_in_a_shader_is_shown_with_its_line() {
    let mut gpu = noop();
    let text = refusal(gpu.create(shader("@compute\nfn main( {}")).unwrap_err());
    assert!(
        text.contains(":2:") && text.contains("fn main( {}") && text.contains('^'),
        "{text}"
    );
    assert_eq!(gpu.usage().objects, 0);
    assert_eq!(gpu.usage().shader_bytes, 0);
    gpu.create(shader(TRIPLE)).unwrap();
}

#[test]
fn wrong_arguments_are_refused_and_the_device_goes_on() {
    let mut gpu = noop();
    let (data, commands) = program(&mut gpu, TRIPLE, 256);
    let pipeline = match commands[0] {
        Command::SetPipeline(id) => id,
        _ => unreachable!(),
    };
    let unknown = |result: Result<u64, Failure>, id| {
        assert_eq!(result, Err(GpuError::UnknownObject(id).into()));
    };
    unknown(gpu.submit(&[Command::SetPipeline(data)]), data);
    unknown(gpu.submit(&[Command::SetPipeline(999)]), 999);
    unknown(gpu.start_read(pipeline, 0, 4), pipeline);
    unknown(
        gpu.create(Recipe::LayoutOf {
            pipeline: data,
            index: 0,
        }),
        data,
    );
    assert_eq!(gpu.wait(0), Err(GpuError::UnknownObject(0).into()));
    assert_eq!(gpu.wait(1), Err(GpuError::UnknownObject(1).into()));
    assert_eq!(
        gpu.finish_read(data),
        Err(GpuError::UnknownObject(data).into())
    );
    // Known only to the device: no pipeline is set, or no bind group.
    let alone = [Command::DispatchWorkgroups { counts: [1, 1, 1] }];
    assert!(!refusal(gpu.submit(&alone).unwrap_err()).is_empty());
    let ungrouped = [commands[0].clone(), commands[2].clone()];
    assert!(!refusal(gpu.submit(&ungrouped).unwrap_err()).is_empty());
    assert!(refusal(gpu.write(data, 2, &[0; 4]).unwrap_err()).contains("multiples of 4"));
    assert!(refusal(gpu.write(data, 256, &[0; 4]).unwrap_err()).contains("outside"));
    let many = [
        commands[0].clone(),
        Command::DispatchWorkgroups {
            counts: [65_536, 1, 1],
        },
    ];
    assert!(refusal(gpu.submit(&many).unwrap_err()).contains("per-dimension"));
    assert_eq!(
        gpu.submit(&commands).unwrap(),
        1,
        "refused ones were not counted"
    );
    gpu.settle().unwrap();
}

#[test]
fn a_submission_that_is_refused_by_the_device_does_nothing() {
    let mut gpu = noop();
    let data = gpu.create(buffer(8)).unwrap();
    gpu.write(data, 0, &bytes(&[5, 6])).unwrap();
    let clear = Command::ClearBuffer(BufferClear {
        buffer: data,
        offset: 0,
        size: None,
    });
    let bad = [clear, Command::DispatchWorkgroups { counts: [1, 1, 1] }];
    assert!(gpu.submit(&bad).is_err());
    assert_eq!(read(&mut gpu, data, 8), [5, 6]);
}

#[test]
fn quotas_of_work_and_transfer_are_named_with_what_is_left() {
    let limited = GpuLimits {
        commands_per_submit: 3,
        workgroups_per_submit: 10,
        transfer_bytes_per_step: 100,
        ..quotas()
    };
    let mut gpu = session(Adapters::that_compute_nothing(), limited);
    let (data, mut commands) = program(&mut gpu, TRIPLE, 256);
    let name = |failure| match failure {
        Failure::Error(GpuError::OverQuota(over)) => {
            (over.name, over.used, over.wanted, over.limit)
        }
        other => panic!("{other}"),
    };
    commands[2] = Command::DispatchWorkgroups { counts: [11, 1, 1] };
    let over = name(gpu.submit(&commands).unwrap_err());
    assert_eq!(over, ("gpu_workgroups_per_submit", 0, 11, 10));
    commands.push(commands[0].clone());
    let over = name(gpu.submit(&commands).unwrap_err());
    assert_eq!(over, ("gpu_commands_per_submit", 0, 4, 3));
    gpu.write(data, 0, &[0; 60]).unwrap();
    let over = name(gpu.start_read(data, 0, 44).unwrap_err());
    assert_eq!(over, ("gpu_transfer_per_step", 60, 44, 100));
    gpu.begin_step();
    gpu.write(data, 0, &[0; 100]).unwrap();
}

#[test]
fn without_an_adapter_every_call_says_so() {
    let mut gpu = session(Adapters::none(), quotas());
    for refused in [
        gpu.create(buffer(4)).unwrap_err(),
        gpu.submit(&[]).unwrap_err(),
        gpu.adapter().unwrap_err(),
    ] {
        assert!(
            matches!(refused, Failure::Error(GpuError::Unavailable(_))),
            "{refused}"
        );
    }
}

#[test]
fn a_wait_ends_when_the_guest_is_not_wanted_any_more() {
    use std::sync::{Arc, atomic::AtomicBool};
    let flag = Arc::new(AtomicBool::new(true));
    let Some(adapters) = crate::real() else {
        return;
    };
    let mut gpu = tune_gpu::Session::new(adapters, quotas(), crate::ended_by(&flag));
    flag.store(false, std::sync::atomic::Ordering::Release);
    let commands = crate::slow(&mut gpu);
    let number = gpu.submit(&commands).unwrap();
    flag.store(true, std::sync::atomic::Ordering::Release);
    assert_eq!(gpu.wait(number), Err(Ended::Interrupted.into()));
    assert!(gpu.usage().objects > 0);
    assert_eq!(
        gpu.create(buffer(4)),
        Err(Ended::Interrupted.into()),
        "it has ended for good"
    );
}
