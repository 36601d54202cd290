//! The hostile suite: every route of the threat table in `docs/SECURITY.md` is tried through the real
//! binary. One test a row; `threats` compares the table with the tests.
//!
//! Guests of the suite `hostile` have a module of their name here, or this does not compile. What
//! Rust cannot express is WebAssembly text in `components` and `calls`; what is no plugin at all is in `files`.

pub(crate) mod calls;
mod components;
mod files;
mod hostile_gpu;
mod hostile_growth;
mod hostile_observed;
mod hostile_scheduler;
mod hostile_searcher;
mod hostile_trainable;
mod returns;
pub(crate) mod text;
pub(crate) mod threats;

use crate::guests::is_tested;

tune_test_artifacts::foreach_hostile!(is_tested);

/// A test for each way of a guest, and the list of them: `way: what is expected of it;`.
macro_rules! ways {
    ($check:ident: $($way:ident => $($expected:expr),+;)*) => {
        const WAYS: &[&str] = &[$(stringify!($way)),*];

        $(
            #[test]
            fn $way() {
                $check(stringify!($way), $($expected),+);
            }
        )*
    };
}
use ways;

/// Every way, each after a trial that is good.
fn between_good_ones(ways: &[&str]) -> Vec<String> {
    let ways = ways.iter().enumerate();
    ways.flat_map(|(i, way)| [format!("good_{i}"), (*way).to_owned()])
        .collect()
}
