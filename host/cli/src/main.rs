//! The tune-host command.

fn main() {}
