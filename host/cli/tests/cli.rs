//! The binary starts. What it does is held by `tests/e2e`, which uses the binary that cargo builds
//! for this test.

use std::process::Command;

#[test]
fn the_version_names_the_package() {
    let output = Command::new(env!("CARGO_BIN_EXE_tune-host"))
        .arg("--version")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success());
    assert!(
        text.starts_with(concat!("tune-host ", env!("CARGO_PKG_VERSION"))),
        "{text}"
    );
}
