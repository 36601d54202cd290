//! Dense kernels for trainables.
