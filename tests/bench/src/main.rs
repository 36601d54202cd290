//! Every benchmark: cargo run --release -p tune-bench -- NAME.

fn main() {}
