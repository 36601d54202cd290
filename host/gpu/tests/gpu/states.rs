//! States go from one session to another, with all that a guest can see.

use std::io;
use std::sync::{Arc, Mutex};

use tune_core::GpuLimits;
use tune_gpu::{Adapters, Contents, Session, State, StateError};

use crate::{TRIPLE, buffer, bytes, noop, program, quotas, read, session, words};

struct Bytes(Mutex<Vec<u8>>);

impl Contents for Bytes {
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        let at = usize::try_from(offset).unwrap();
        into.copy_from_slice(&self.0.lock().unwrap()[at..at + into.len()]);
        Ok(())
    }
}

pub(crate) fn capture(gpu: &mut Session) -> (State, Vec<u8>) {
    let mut all = Vec::new();
    let state = gpu
        .capture(&mut |offset, part| {
            assert_eq!(offset, all.len() as u64, "in order and without gaps");
            all.extend_from_slice(part);
            Ok(())
        })
        .unwrap();
    assert_eq!(all.len() as u64, state.content_bytes());
    (state, all)
}

pub(crate) fn contents(bytes: &[u8]) -> Arc<dyn Contents> {
    Arc::new(Bytes(Mutex::new(bytes.to_vec())))
}

#[test]
fn a_state_goes_on_in_another_session_with_the_same_numbers() {
    let mut gpu = noop();
    let (data, commands) = program(&mut gpu, TRIPLE, 512);
    gpu.write(data, 0, &bytes(&[1, 2, 3])).unwrap();
    gpu.submit(&commands).unwrap();
    let gone = gpu.create(buffer(4)).unwrap();
    gpu.destroy(gone).unwrap();
    let ticket = gpu.start_read(data, 4, 8).unwrap();
    let (state, all) = capture(&mut gpu);
    assert!(!gpu.is_changed());

    let mut other = noop();
    other.restore(&state, contents(&all)).unwrap();
    assert!(!other.is_changed());
    assert_eq!(
        capture(&mut other),
        (state.clone(), all.clone()),
        "without a device"
    );
    for gpu in [&mut gpu, &mut other] {
        assert_eq!(
            words(&gpu.finish_read(ticket).unwrap()),
            [2, 3],
            "an open read"
        );
        assert_eq!(read(gpu, data, 12), [1, 2, 3]);
        assert_eq!(gpu.submit(&commands).unwrap(), 2);
        gpu.wait(1).unwrap();
        let next = gpu.create(buffer(4)).unwrap();
        assert!(
            next > gone && next > ticket,
            "numbers are never given twice"
        );
    }
    assert_eq!(visible(&mut gpu), visible(&mut other));
}

/// What a guest can see of a state.
fn visible(gpu: &mut Session) -> (State, Vec<u8>) {
    let (mut state, all) = capture(gpu);
    state.forget_time();
    (state, all)
}

#[test]
fn a_state_that_needs_more_than_is_allowed_is_refused_and_changes_nothing() {
    let mut gpu = noop();
    gpu.create(buffer(1024)).unwrap();
    let (state, all) = capture(&mut gpu);
    let small = GpuLimits {
        buffer_bytes: 1000,
        ..quotas()
    };
    let mut other = session(Adapters::that_compute_nothing(), small);
    let own = other.create(buffer(8)).unwrap();
    let refused = other.restore(&state, contents(&all)).unwrap_err();
    assert!(matches!(&refused, StateError::DoesNotFit(why) if why.contains("gpu_buffers")));
    assert_eq!(read(&mut other, own, 8), [0, 0]);
    let mut none = session(Adapters::none(), quotas());
    let refused = none
        .restore(&state, contents(&all))
        .unwrap_err()
        .to_string();
    assert!(refused.contains("computed on"), "{refused}");
}

#[test]
fn a_session_that_was_never_used_has_no_state() {
    let mut gpu = noop();
    assert!(gpu.is_untouched());
    let (state, all) = capture(&mut gpu);
    assert_eq!((state.content_bytes(), all.len()), (0, 0));
    gpu.create(buffer(8)).unwrap();
    assert!(!gpu.is_untouched());
    gpu.reset();
    assert!(gpu.is_untouched());
}
