//! A granted directory: read with the standard library, the same everywhere, and never more than that.

use std::{fs, os::unix::fs::symlink, process::Command};

use super::{all_fail_in, last};
use crate::{
    crash,
    experiment::Experiment,
    lab::{Finished, Lab},
};

const GUEST: &str = tune_test_artifacts::TRIAL_FILES;
const GRANT: &str = "[grants]\ndirectory = \"files\"";

/// A directory, with what must not be read beside it.
fn lab() -> Lab {
    let lab = Lab::new();
    fs::create_dir_all(lab.path("files/empty")).unwrap();
    let large: Vec<u8> = (0..3_000_000_u32).map(|i| (i % 251) as u8).collect();
    // Not in the order of the names.
    lab.write("files/sub/z.txt", "zz");
    lab.write("files/b.bin", large);
    lab.write("files/a.txt", "aaa");
    lab.write("files/sub/deep/x", "");
    lab.write("secret", "secret");
    lab
}

fn experiment(does: &str) -> Experiment {
    Experiment::of(GUEST)
        .top("max_t = 2\nslots = 4")
        .space(&format!("does = {does:?}"))
        .table(GRANT)
}

#[test]
fn reads_all_of_it_in_the_order_of_the_names() {
    let lab = lab();
    let said = lab.run(&experiment("walk"), &[]).exits(0);
    said.says(&["granted: directory /data"]);
    let last = last(&lab, "exp");
    assert_eq!(
        (&last["entries"], &last["bytes"]),
        (&7.into(), &3_000_005.into()),
        "{last}"
    );
    let log = lab.read("runs/exp/logs/000000.log");
    let listed: Vec<&str> = log
        .lines()
        .filter_map(|line| line.split("/data/").nth(1))
        .take(7)
        .collect();
    assert_eq!(
        listed,
        [
            "a.txt 3",
            "b.bin 3000000",
            "empty 0",
            "sub 0",
            "sub/deep 0",
            "sub/deep/x 0",
            "sub/z.txt 2"
        ]
    );
    lab.tune(&["show", "exp"]).exits(0);
    let shown = lab.tune(&["show", "exp"]).exits(0).stdout;
    assert!(shown.contains("granted: directory /data"), "{shown}");
    let wants = lab.tune(&["plugin", "inspect", GUEST]).exits(0).stdout;
    assert!(wants.contains("wants      directory"), "{wants}");
}

#[test]
fn sees_the_same_on_any_disk_and_with_any_number_of_threads() {
    let mut digests = Vec::new();
    for threads in ["1", "2"] {
        // Made anew: other times, other inode numbers, perhaps another order on the disk.
        let lab = lab();
        lab.run(&experiment("walk"), &["--threads", threads])
            .exits(0);
        digests.push((lab.digest("exp"), last(&lab, "exp")["seen"].clone()));
    }
    assert_eq!(digests[0], digests[1]);
}

#[test]
fn several_directories_have_their_names() {
    let lab = lab();
    lab.write("other/only", "x");
    let two = "[grants]\ndirectory = { data = \"other\", more = \"files\" }";
    let said = lab.run(&experiment("walk").table(two), &[]).exits(0);
    said.says(&["granted: directory /data, directory /more"]);
    assert_eq!(last(&lab, "exp")["entries"], 1);
}

#[test]
fn nothing_leads_out_of_it_and_nothing_changes_it() {
    let lab = lab();
    let before = lab.tree("files");
    lab.run(&experiment("escape"), &[]).exits(0);
    let log = lab.read("runs/exp/logs/000000.log");
    assert_eq!(last(&lab, "exp")["loss"], 0.0, "{log}");
    assert_eq!(lab.tree("files"), before);
}

#[test]
fn open_files_are_handles_and_have_their_limit() {
    all_fail_in(
        &lab(),
        &experiment("open"),
        "bad-value",
        &["handles", "hint"],
    );
}

#[test]
fn a_huge_read_is_cut() {
    let lab = lab();
    lab.run(&experiment("huge"), &[]).exits(0);
    let last = last(&lab, "exp");
    // Past its end nothing; at its beginning no more than a mebibyte of the eight.
    assert_eq!(last["entries"], 1, "{last}");
    let bytes = last["bytes"].as_u64().unwrap();
    assert!((1..=1 << 20).contains(&bytes), "{last}");
}

/// Trials that keep a file and a listing open from step to step, cloned in the middle.
fn population() -> Experiment {
    experiment("hold")
        .top("trials = 6\nmax_t = 12\nslots = 6")
        .space("rate = { uniform = [0.1, 1.0] }")
        .table("[scheduler]\nplugin = \"pbt\"\nperturbation_interval = 3")
}

#[test]
fn open_handles_go_on_in_clones() {
    let mut digests = Vec::new();
    for threads in ["1", "2"] {
        let lab = lab();
        lab.run(&population(), &["--threads", threads]).exits(0);
        digests.push(lab.digest("exp"));
        let lineages = (0..6).map(|trial| lab.trial("exp", trial)["lineage"].clone());
        let clones = lineages.filter(|lineage| lineage.as_array().unwrap().len() > 1);
        assert!(clones.count() > 0, "nobody was cloned");
        // From the beginning of each trial, without a snapshot: the same.
        let replayed = lab.tune(&["replay", "exp"]).exits(0);
        assert!(replayed.stdout.contains("equal"), "{replayed}");
    }
    assert_eq!(digests[0], digests[1]);
}

#[test]
fn open_handles_go_on_after_a_kill() {
    crash::survives_in(&lab(), "held files", &population());
}

// --- refused before the run --------------------------------------------------------------------

#[track_caller]
fn refused(lab: &Lab, experiment: &Experiment, parts: &[&str]) -> Finished {
    let said = lab.run(experiment, &[]);
    assert!(matches!(said.code, Some(2 | 3)), "{said}");
    assert!(!lab.path("runs/exp").exists(), "{said}");
    said.says(parts).says(&["hint"])
}

#[test]
fn is_refused_before_the_run_without_the_grant() {
    let without = experiment("walk").table("[grants]\nartifact = false");
    refused(&lab(), &without, &["grants no directory", "[grants]"]);
}

#[test]
fn who_does_not_ask_gets_none() {
    let lab = lab();
    let noop = Experiment::of(tune_test_artifacts::TRIAL_NOOP).table(GRANT);
    let said = lab.run(&noop, &[]).exits(0);
    said.says(&["does not ask for the grant `directory`"]);
    assert!(!lab.tune(&["show", "exp"]).stdout.contains("granted"));
}

#[test]
fn what_is_no_directory_is_refused() {
    let at = |path: &str| experiment("walk").table(&format!("[grants]\ndirectory = {path:?}"));
    for path in ["none", "files/a.txt", "secret"] {
        refused(
            &lab(),
            &at(path),
            &["cannot grant the directory", path, "exp.toml"],
        );
    }
}

#[test]
fn a_pipe_in_it_is_refused() {
    let lab = lab();
    let pipe = lab.path("files/sub/pipe");
    assert!(Command::new("mkfifo").arg(pipe).status().unwrap().success());
    refused(
        &lab,
        &experiment("walk"),
        &["sub/pipe: neither a plain file nor a directory"],
    );
}

#[test]
fn a_link_out_of_it_is_refused() {
    for target in ["../secret", "/etc/passwd", "..", "nowhere"] {
        let lab = lab();
        symlink(target, lab.path("files/link")).unwrap();
        refused(&lab, &experiment("walk"), &["link: "]);
    }
}

#[test]
fn a_directory_that_changed_is_refused_when_its_run_goes_on() {
    let changes: [fn(&Lab); 3] = [
        |lab| drop(lab.write("files/a.txt", "aab")),
        |lab| drop(lab.write("files/new", "")),
        |lab| fs::remove_dir(lab.path("files/empty")).unwrap(),
    ];
    for change in changes {
        let lab = lab();
        lab.run(&experiment("walk"), &[]).exits(0);
        change(&lab);
        let said = lab.tune(&["resume", "exp", "--trials", "8"]);
        said.exits(2).says(&["/data", "changed", "hint"]);
    }
    // As it was, it goes on.
    let lab = lab();
    lab.run(&experiment("walk"), &[]).exits(0);
    lab.tune(&["resume", "exp", "--trials", "5"]).exits(0);
}
