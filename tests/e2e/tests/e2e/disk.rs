//! A full disk: the run stops, what was committed stays readable, and it goes on when there is room.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{experiment::Experiment, lab::Lab};

/// A small file system in memory, taken away again when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// None where this user may not mount anything.
    fn mount(path: &Path) -> Option<Self> {
        fs::create_dir_all(path).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"])
            .arg(path)
            .output()
            .is_ok_and(|output| output.status.success());
        mounted.then(|| Self(path.to_owned()))
    }

    /// Fills all but a little of it; removing the file makes room again.
    fn fill(&self, leave: usize) -> PathBuf {
        let path = self.0.join("ballast");
        let mut file = fs::File::create(&path).unwrap();
        let mut written = 0;
        while file.write_all(&[0; 4096]).is_ok() {
            written += 4096;
        }
        file.set_len((written - leave) as u64).unwrap();
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg(&self.0).status());
    }
}

#[test]
fn a_full_disk_stops_the_run_and_keeps_the_journal() {
    let lab = Lab::new();
    let Some(disk) = SmallDisk::mount(&lab.path("disk")) else {
        eprintln!(
            "skipped: mounting a small file system needs rights that this user does not have"
        );
        return;
    };
    let experiment = Experiment::of(tune_test_artifacts::TRIAL_STEPS)
        .trials(20)
        .top("max_t = 500\nslots = 2");
    lab.run(&experiment, &["--name", "roomy"]).exits(0);

    let ballast = disk.fill(512 << 10);
    lab.run(&experiment, &["--runs", "disk/runs", "--name", "full"])
        .exits(4)
        .says(&["disk is full"])
        .ends_with_resume_of("disk/runs/full");
    let run = lab.show("disk/runs/full");
    assert!(run["handovers"].as_u64().unwrap() > 0, "{run}");
    assert_eq!(run["counts"]["running"], 0);
    assert_ne!(run["status"], "running");
    assert_ne!(run["status"], "finished");

    // With room again it goes on; this disk has none for all files of it.
    fs::remove_file(ballast).unwrap();
    drop(lab.tune(&["resume", "disk/runs/full"]));
    let after = lab.show("disk/runs/full");
    assert!(
        after["handovers"].as_u64() > run["handovers"].as_u64(),
        "{after}"
    );
}
