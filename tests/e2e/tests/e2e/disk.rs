//! A full disk: the run stops, what was committed stays readable, and it goes on when there is room.
//! States for which there is no room are left out.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    crash::{self, Victim},
    dice::Dice,
    lab::Lab,
    outcome::Outcome,
};

/// A small file system in memory, taken away again when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// None where this user may not mount anything.
    fn mount(path: &Path, size: &str) -> Option<Self> {
        fs::create_dir_all(path).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(path)
            .output()
            .is_ok_and(|output| output.status.success());
        if !mounted {
            eprintln!(
                "skipped: mounting a small file system needs rights that this user does not have"
            );
        }
        mounted.then(|| Self(path.to_owned()))
    }

    /// Fills all but a little of it; removing the file makes room again.
    fn fill(&self, leave: u64) -> PathBuf {
        let path = self.0.join("ballast");
        let mut file = fs::File::create(&path).unwrap();
        let mut written = 0;
        while file.write_all(&[0; 4096]).is_ok() {
            written += 4096;
        }
        file.set_len(written - leave).unwrap();
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg(&self.0).status());
    }
}

#[test]
fn a_full_disk_stops_the_run_which_goes_on_when_there_is_room() {
    let lab = Lab::new();
    let Some(disk) = SmallDisk::mount(&lab.path("disk"), "64m") else {
        return;
    };
    let mut dice = Dice::of("disk");
    let experiment = crash::experiment(crash::FIFO);
    lab.run(&experiment, &["--name", "roomy"]).exits(0);
    let roomy = Outcome::of(&lab, "roomy");
    let mut stopped = 0;
    for number in 0..6 {
        // An empty run takes some 100 kB, a whole one some 500.
        let leave = (150 << 10) + dice.below(300 << 10);
        let ballast = disk.fill(leave);
        let run = format!("disk/runs/full-{number}");
        let name = format!("full-{number}");
        let said = lab.run(&experiment, &["--runs", "disk/runs", "--name", &name]);
        eprintln!("with {leave} bytes: exit code {:?}", said.code);
        if said.code == Some(4) {
            stopped += 1;
            said.says(&["disk is full"]).ends_with_resume_of(&run);
            let shown = lab.show(&run);
            assert_eq!(shown["counts"]["running"], 0);
            assert_ne!(shown["status"], "running");
            assert_ne!(shown["status"], "finished");
        }
        fs::remove_file(ballast).unwrap();
        if lab.status(&run).is_some_and(|status| status != "finished") {
            lab.tune(&["resume", &run]).exits(0);
            Outcome::at(&lab, &run).must_equal(&roomy);
        }
        drop(fs::remove_dir_all(lab.path(&run)));
    }
    assert!(stopped > 0, "no run was stopped");
}

#[test]
fn states_for_which_the_disk_has_no_room_are_left_out() {
    let lab = Lab::new();
    let mut dice = Dice::of("chunks");
    let experiment =
        crash::experiment(crash::PROMOTION).table("[snapshots]\ninterval = 1\nkeep = 100");
    let (undisturbed, lines) = crash::undisturbed(&lab, &experiment);
    let victim = Victim::new(&lab, experiment, "full", lines);
    victim.killed(&mut dice);
    let chunks = lab.path("runs/full/chunks");
    if !chunks.is_dir() {
        return;
    }
    // Whatever there was is hidden below it.
    let Some(_disk) = SmallDisk::mount(&chunks, "128k") else {
        return;
    };
    victim.finish().must_equal(&undisturbed);
}
