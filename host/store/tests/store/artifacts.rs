//! Files that trials write.

use tune_store::{Attachments, RunDir, RunReader, StoreError};

use crate::{artifact, header, row};

/// Larger than what stands in the database.
fn large(fill: u8) -> Vec<u8> {
    vec![fill; 100_000]
}

#[test]
fn files_are_replaced_appended_to_and_described() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run");
    let (_run, journal) = RunDir::create(&path, &header()).unwrap();
    let writes = [
        artifact(1, "curve.csv", b"a\n", true),
        artifact(1, "curve.csv", b"b\n", true),
        artifact(1, "model.bin", &large(1), false),
        artifact(2, "model.bin", &large(1), false),
        artifact(2, "model.bin", b"tail", true),
        artifact(1, "note", b"old", false),
        artifact(1, "note", b"new!", false),
    ];
    for (sequence, write) in (0..).zip(writes) {
        journal.append(row(sequence), write).unwrap();
    }
    journal.close().unwrap();

    let read = |name: &str| std::fs::read(path.join("artifacts").join(name)).unwrap();
    assert_eq!(read("000001/curve.csv"), b"a\nb\n");
    assert_eq!(read("000001/model.bin"), large(1), "untouched by its twin");
    assert_eq!(
        read("000002/model.bin"),
        [large(1), b"tail".to_vec()].concat()
    );
    assert_eq!(read("000001/note"), b"new!");
    let files = RunReader::open(&path).unwrap().artifacts().unwrap();
    let described: Vec<_> = files
        .iter()
        .map(|f| (f.path.to_str().unwrap(), f.size, f.sequence))
        .collect();
    assert_eq!(
        described,
        [
            ("artifacts/000001/curve.csv", 4, 1),
            ("artifacts/000001/model.bin", 100_000, 2),
            ("artifacts/000001/note", 4, 6),
            ("artifacts/000002/model.bin", 100_004, 4),
        ]
    );
    let contents = std::fs::read_dir(path.join("artifacts/content")).unwrap();
    assert_eq!(contents.count(), 1, "equal bytes are kept once");
}

#[test]
fn files_that_are_missing_cut_or_old_are_made_again_on_open() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run");
    let (run, journal) = RunDir::create(&path, &header()).unwrap();
    journal
        .append(row(0), artifact(1, "big", &large(7), false))
        .unwrap();
    journal
        .append(row(1), artifact(1, "big", b"more", true))
        .unwrap();
    journal
        .append(row(2), artifact(1, "small", b"abc", false))
        .unwrap();
    journal
        .append(row(3), artifact(1, "same", b"new", false))
        .unwrap();
    journal.close().unwrap();
    drop(run);
    std::fs::remove_file(path.join("artifacts/000001/small")).unwrap();
    std::fs::write(path.join("artifacts/000001/big"), "cut").unwrap();
    // As a crash between commit and publishing leaves it: the version before, just as long.
    std::fs::write(path.join("artifacts/000001/same"), "old").unwrap();
    let opened = RunDir::open_writable(&path).unwrap();
    let read = |name: &str| std::fs::read(path.join("artifacts/000001").join(name)).unwrap();
    assert_eq!(read("small"), b"abc");
    assert_eq!(read("same"), b"new");
    assert_eq!(read("big"), [large(7), b"more".to_vec()].concat());
    opened
        .journal
        .append(row(4), artifact(1, "small", b"d", true))
        .unwrap();
    opened.journal.close().unwrap();
    assert_eq!(read("small"), b"abcd");
}

#[test]
fn content_that_was_tampered_with_is_not_passed_on() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run");
    let (run, journal) = RunDir::create(&path, &header()).unwrap();
    journal
        .append(row(0), artifact(1, "big", &large(7), false))
        .unwrap();
    journal.close().unwrap();
    drop(run);
    std::fs::remove_file(path.join("artifacts/000001/big")).unwrap();
    let content = std::fs::read_dir(path.join("artifacts/content")).unwrap();
    std::fs::write(content.last().unwrap().unwrap().path(), large(8)).unwrap();
    let error = RunDir::open_writable(&path).unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    assert!(error.to_string().contains("big"), "{error}");
}

#[test]
fn names_that_could_leave_the_directory_are_refused_and_nothing_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run");
    let (_run, journal) = RunDir::create(&path, &header()).unwrap();
    let long = "x".repeat(129);
    for name in [
        "", ".", "..", ".hidden", "a/b", "../x", "a\\b", "C:", "a b", "ü", "a\n", &long,
    ] {
        let error = journal
            .append(row(0), artifact(0, name, b"x", false))
            .unwrap_err();
        assert!(
            matches!(error, StoreError::BadArtifactName { .. }),
            "{name:?}"
        );
    }
    journal.append(row(0), Attachments::none()).unwrap();
    journal.close().unwrap();
    assert_eq!(RunReader::open(&path).unwrap().artifacts().unwrap(), []);
}
