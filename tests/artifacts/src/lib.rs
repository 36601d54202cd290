//! Paths of the test guests' components, built by the build script, and a reader that tells what a
//! component looks like without running it.
//!
//! For each suite (the first word of a guest's name) there is a macro that makes a guest without a
//! host test a compile error:
//!
//! ```
//! # mod tests {
//! # macro_rules! names { ($name:ident $path:literal) => { pub fn $name() {} } }
//! # tune_test_artifacts::foreach_searcher!(names);
//! macro_rules! is_tested {
//!     ($name:ident $path:literal) => {
//!         #[expect(unused_imports, reason = "that it resolves is all that is asked")]
//!         use self::$name as _;
//!     };
//! }
//! tune_test_artifacts::foreach_searcher!(is_tested);
//! # }
//! # fn main() {}
//! ```

mod shape;

pub use shape::Shape;

include!(concat!(env!("OUT_DIR"), "/artifacts.rs"));
