//! Dense f32 kernels for trainables: fast in the sandbox, and equal in every bit natively.
//!
//! Why not a crate: `gemm` and `matrixmultiply`, the two well-kept ones, choose AVX2 with fused
//! multiply-add at run time on a native machine and other code in wasm, where `matrixmultiply` has
//! no vector kernel at all. So their results differ between native and sandbox and even between two
//! native machines, which a reproducible run cannot have. These kernels are plain Rust over
//! fixed-size arrays: the compiler turns them into 128-bit vector code of the target (build plugins
//! with `-C target-feature=+simd128`), every sum runs in one fixed order, and nothing is fused.
//! Register tiles of 4 x 16 keep the price of metering small: a fuel check stands at the end of a
//! loop, and one round of these loops is hundreds of operations.
//!
//! Shapes are the caller's to match (each function says how); what does not match is left out,
//! never read or written out of bounds.

mod exp;
mod matmul;
mod panels;

pub use exp::{exp, tanh};
pub use matmul::{multiply_add, multiply_transposed, transpose};
pub use panels::{LANES, Lane, Panels};
