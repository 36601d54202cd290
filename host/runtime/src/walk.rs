//! Walking folders that were granted, and reading the plain files in them.
//!
//! Everything is opened beneath a folder that the caller opened: no name and no link leads out of it.
//! What could block or act when it is opened (pipes, sockets, devices) is never opened.

use std::io;
use std::os::unix::fs::FileExt;

use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt};
use rustix::fs::OFlags;

/// Files that may be granted: a listing is kept in memory.
pub(crate) const MAX_FILES: usize = 100_000;
/// How deep folders go. Below, a link that leads to a folder above it has no end.
const MAX_DEPTH: usize = 16;

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// Visited too.
    Folder,
    /// With its size in bytes.
    File(u64),
    /// A pipe, a socket, a device.
    Other,
}

/// Visits all that is beneath a folder, in no order, by its path without a slash in front. A link is
/// what it leads to, if that lies beneath the folder.
///
/// # Errors
/// A folder that cannot be read, a name that is no UTF-8, folders that are nested too deeply, a link
/// out of the folder or to nothing; what the visitor says.
pub(crate) fn walk(
    root: &Dir,
    mut visit: impl FnMut(&str, Found) -> io::Result<()>,
) -> io::Result<()> {
    let mut folders = vec![(String::new(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        let entries = if folder.is_empty() {
            root.entries()?
        } else {
            root.read_dir(&folder)?
        };
        for entry in entries {
            let entry = entry?;
            let leaf = entry.file_name().into_string().map_err(|leaf| {
                io::Error::other(format!("{}: the name is no UTF-8", leaf.display()))
            })?;
            let path = if folder.is_empty() {
                leaf
            } else {
                format!("{folder}/{leaf}")
            };
            let at = |e: io::Error| io::Error::new(e.kind(), format!("{path}: {e}"));
            let metadata = root.metadata(&path).map_err(at)?;
            let found = if metadata.is_dir() {
                Found::Folder
            } else if metadata.is_file() {
                Found::File(metadata.len())
            } else {
                Found::Other
            };
            visit(&path, found)?;
            if found == Found::Folder {
                if depth == MAX_DEPTH {
                    let problem = format!("{path}: more than {MAX_DEPTH} folders deep");
                    return Err(io::Error::other(problem));
                }
                folders.push((path, depth + 1));
            }
        }
    }
    Ok(())
}

/// Opens a file beneath a folder, and says how long it is. Does not wait for anybody, whatever took
/// the place of the file.
///
/// # Errors
/// If it is no plain file; those of the operating system.
pub(crate) fn open(root: &Dir, path: &str) -> io::Result<(std::fs::File, u64)> {
    let mut options = OpenOptions::new();
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    options.read(true).custom_flags(flags.bits().cast_signed());
    let file = root.open_with(path, &options)?.into_std();
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is no plain file"));
    }
    Ok((file, metadata.len()))
}

/// Reads into `buffer` from `offset` until it is full or the file ends.
///
/// # Errors
/// Those of the operating system.
pub(crate) fn read_at(file: &std::fs::File, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
    let mut done = 0;
    while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, offset.saturating_add(done as u64)) {
            Ok(0) => break,
            Ok(read) => done += read,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(done)
}
