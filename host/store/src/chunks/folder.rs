//! The directory of the chunk store: everything that changes it goes through here, so that tests
//! can end the process or fill the disk before any one step.

use std::io::{self, Write};

use cap_std::fs::{Dir, File, OpenOptions};

use super::file::{Kind, file_name, parse_name};
use crate::run_dir::sync_dir;

#[derive(Debug)]
pub(crate) struct Folder {
    dir: Dir,
    #[cfg(test)]
    pub(crate) fault: fault::Fault,
}

/// What a step does to the space on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// It may need more.
    Grow,
    /// It needs none.
    Keep,
}

impl Folder {
    pub(crate) fn new(dir: Dir) -> Self {
        Self {
            dir,
            #[cfg(test)]
            fault: fault::Fault::default(),
        }
    }

    /// For reading.
    pub(crate) fn dir(&self) -> &Dir {
        &self.dir
    }

    #[cfg_attr(
        not(test),
        expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "tests do")
    )]
    fn before(&self, step: Step) -> io::Result<()> {
        #[cfg(test)]
        self.fault.check(step == Step::Grow)?;
        let _ = step;
        Ok(())
    }

    /// A new file under its temporary name.
    pub(crate) fn create(&self, number: u64) -> io::Result<File> {
        self.before(Step::Grow)?;
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        self.dir
            .open_with(file_name(number, Kind::Temporary), &options)
    }

    pub(crate) fn write(&self, to: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
        self.before(Step::Grow)?;
        to.write_all(bytes)
    }

    /// Brings a file to disk.
    pub(crate) fn sync_file(&self, file: &File) -> io::Result<()> {
        self.before(Step::Grow)?;
        file.sync_all()
    }

    /// Brings names to disk.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.before(Step::Grow)?;
        sync_dir(&self.dir)
    }

    pub(crate) fn rename(&self, number: u64, from: Kind, to: Kind) -> io::Result<()> {
        self.before(Step::Keep)?;
        self.dir
            .rename(file_name(number, from), &self.dir, file_name(number, to))
    }

    /// Removes a file; it may be gone already.
    pub(crate) fn remove(&self, number: u64, kind: Kind) -> io::Result<()> {
        self.before(Step::Keep)?;
        match self.dir.remove_file(file_name(number, kind)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            outcome => outcome,
        }
    }

    /// Removes files that were being written when a process ended.
    pub(crate) fn remove_temporary(&self) -> io::Result<()> {
        for entry in self.dir.entries()? {
            let entry = entry?;
            if let Some(name) = entry.file_name().to_str()
                && let Some((number, Kind::Temporary)) = parse_name(name)
                && entry.file_type()?.is_file()
            {
                self.remove(number, Kind::Temporary)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod fault {
    //! Lets a number of steps pass, then none.

    use std::io;
    use std::sync::Mutex;

    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) enum After {
        /// No step does anything any more, as if the process had ended.
        Crash(u64),
        /// No step that needs space succeeds any more.
        Full(u64),
    }

    #[derive(Debug, Default)]
    pub(crate) struct Fault(pub(crate) Mutex<Option<After>>);

    impl Fault {
        pub(super) fn check(&self, grows: bool) -> io::Result<()> {
            let mut after = self.0.lock().unwrap();
            match &mut *after {
                Some(After::Full(_)) if !grows => Ok(()),
                Some(After::Full(0)) => Err(io::ErrorKind::StorageFull.into()),
                Some(After::Crash(0)) => Err(io::Error::other("the process has ended")),
                Some(After::Full(left) | After::Crash(left)) => {
                    *left -= 1;
                    Ok(())
                }
                None => Ok(()),
            }
        }
    }
}
