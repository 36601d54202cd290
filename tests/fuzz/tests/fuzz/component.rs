//! The inspector: what somebody puts into a folder of plugins.

use tune_core::Limits;
use tune_fuzz::{Outcome, Target, generate};
use tune_runtime::{LoadError, inspect};
use tune_snapshot::features;

fn check(bytes: &[u8]) -> Outcome {
    match inspect(bytes, &Limits::default()) {
        Ok(inspection) => {
            assert_eq!(inspection.size, bytes.len() as u64);
            assert_eq!(inspection.hash, *blake3::hash(bytes).as_bytes());
            Outcome::taken(format!("{} {:?}", inspection.kind, inspection.snapshot))
        }
        Err(error) => refused(&error),
    }
}

fn refused(error: &LoadError) -> Outcome {
    assert!(!error.hint.is_empty(), "{error} without a hint");
    Outcome::refused(&error.message)
}

fn target(name: &'static str, iterations: u64, seeds: Vec<Vec<u8>>) -> Target {
    let words = [
        "tune:manifest",
        "tune:plugin/trainable@0.1.0",
        "portable-state",
        "@0.2.0",
    ];
    Target {
        name,
        iterations,
        seeds,
        words: words.iter().map(|word| word.as_bytes().to_vec()).collect(),
        scratch: crate::scratch(),
    }
}

#[test]
fn changed_plugins_are_inspected_or_refused_with_a_hint() {
    let summary = target("component", 400, crate::real_components()).run(check);
    assert!(summary.taken > 10 && summary.taken < summary.executions);
}

#[test]
fn changed_small_components_are_inspected_or_refused_with_a_hint() {
    let mut seeds = vec![
        b"\0asm\x0d\0\x01\0".to_vec(),
        b"\0asm\x01\0\0\0".to_vec(),
        b"\x7fELF".to_vec(),
        Vec::new(),
    ];
    for seed in 0..40_u8 {
        let entropy: Vec<u8> = (0..2_000_u32)
            .map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8 ^ seed.wrapping_mul(37))
            .collect();
        seeds.extend(generate(&entropy, features()).map(|generated| generated.bytes));
    }
    assert!(seeds.len() > 10, "{}", seeds.len());
    let summary = target("small-component", 6_000, seeds).run(check);
    assert!(summary.outcomes > 30, "{summary:?}");
}
