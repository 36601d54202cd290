//! Every test guest under the real binary, one module a guest and named after it: without one, this
//! does not compile.

mod scheduler;
mod searcher;
mod trial;

/// Fails to compile unless there is a module of the guest's name.
macro_rules! is_tested {
    ($guest:ident $path:literal) => {
        #[expect(unused_imports, reason = "that it resolves is all that is asked")]
        use self::$guest as _;
    };
}
pub(crate) use is_tested;
