//! Limits in the plan: a plan that is older than one of them reads as before and has the digest that
//! it had; what the searcher and the scheduler have of their own is a part of it.

use std::time::Duration;

use tune_core::{EnginePlan, Limits, OwnLimits, hex, plan_digest};

use crate::plan;

fn digest(plan: &EnginePlan) -> String {
    hex(&plan_digest(plan, &[]))
}

/// What the build before `own_limits` and `suggestion_bytes` said of [`plan`] with 2 slots and 3
/// trials.
const BEFORE: &str = "8eb4bdc76515da392ef605e59fffd8ebf0ac0f5e770ddb5e34644ac6e54794bf";

#[test]
fn a_plan_from_before_a_limit_reads_as_before_and_has_its_digest() {
    let now = plan(2, 3);
    assert_eq!(digest(&now), BEFORE);
    let json = serde_json::to_value(&now).unwrap();
    assert!(json.get("own_limits").is_none());
    assert!(json["limits"].get("suggestion_bytes").is_none());
    let read: EnginePlan = serde_json::from_value(json).unwrap();
    assert_eq!(read, now);
    assert_eq!(read.limits.suggestion_bytes, 1 << 20);
}

/// A plan with limits of their own.
fn own(searcher: Option<Limits>, scheduler: Option<Limits>) -> EnginePlan {
    EnginePlan {
        own_limits: OwnLimits {
            searcher,
            scheduler,
        },
        ..plan(2, 3)
    }
}

#[test]
fn limits_of_its_own_are_kept_and_hold_for_no_other() {
    let narrow = Limits {
        suggestion_bytes: 100,
        ..Limits::default()
    };
    let plan = own(Some(narrow.clone()), None);
    let text = serde_json::to_string(&plan).unwrap();
    let read: EnginePlan = serde_json::from_str(&text).unwrap();
    assert_eq!(read, plan);
    assert_eq!(read.searcher_limits(), &narrow);
    assert_eq!(read.scheduler_limits(), &Limits::default());
}

#[test]
fn limits_of_its_own_are_in_the_digest_and_whose_they_are() {
    let narrow = || {
        Some(Limits {
            fuel_per_call: 1_000,
            ..Limits::default()
        })
    };
    let all = [
        digest(&own(None, None)),
        digest(&own(narrow(), None)),
        digest(&own(None, narrow())),
        digest(&own(narrow(), narrow())),
    ];
    for (i, one) in all.iter().enumerate() {
        assert!(!all[..i].contains(one), "{i}");
    }
}

#[test]
fn the_same_limits_written_out_and_other_wall_times_change_no_digest() {
    let slow = Limits {
        wall_per_step: Duration::from_secs(1),
        ..Limits::default()
    };
    let plain = digest(&own(None, None));
    assert_eq!(digest(&own(Some(Limits::default()), None)), plain);
    assert_eq!(digest(&own(None, Some(slow))), plain);
}

#[test]
fn every_size_of_a_suggestion_has_its_own_digest() {
    let with = |suggestion_bytes| {
        let mut plan = plan(2, 3);
        plan.limits.suggestion_bytes = suggestion_bytes;
        digest(&plan)
    };
    let sizes = [64, 127, 128, (1 << 20) - 1, 1 << 20, 1 << 30];
    let all = sizes.map(with);
    for (i, one) in all.iter().enumerate() {
        assert!(!all[..i].contains(one), "{}", sizes[i]);
    }
}
