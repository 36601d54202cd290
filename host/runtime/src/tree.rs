//! Directories that a plan grants, as they were when they were granted: every name, kind, size and
//! content hash.
//!
//! A guest walks this listing and never the disk: what it sees is the same on every machine, in every
//! order of trials and after a resume, and no link, name or race leads it elsewhere. Only the bytes
//! of plain files are read later, and a file that is not what it was ends the trial.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use cap_std::fs::Dir;
use wasmtime_wasi::p2::bindings::filesystem::types::ErrorCode;

use crate::walk::{Found, MAX_FILES, open, read_at, walk};

/// Bytes of all files of one directory: each is read when the run begins and when it goes on. More is
/// a slip of the pen.
const MAX_BYTES: u64 = 1 << 40;
/// Bytes of a path and of a name in it, as Linux has them.
const MAX_PATH_BYTES: usize = 4_096;
const MAX_NAME_BYTES: usize = 255;
/// Bytes of one read, as for data.
const MAX_READ_BYTES: u64 = 1 << 20;
/// Bytes that are hashed at once.
const HASHED_AT_ONCE: usize = 1 << 20;

/// A granted file is not what it was when it was granted.
#[derive(Debug, thiserror::Error)]
#[error("`{file}` is not what it was when it was granted: {why}")]
pub(crate) struct Changed {
    /// As the guest knows it.
    file: String,
    why: String,
}

/// The directories of a run. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Directories {
    trees: Vec<Arc<Tree>>,
}

impl Directories {
    /// None.
    #[must_use]
    pub const fn new() -> Self {
        Self { trees: Vec::new() }
    }

    /// Grants one more: a guest sees it as `/NAME`. Reads all of it, and returns the hash of its names,
    /// kinds and contents.
    ///
    /// # Errors
    /// What is in it that is neither a plain file nor a directory; a link out of it; a name that is
    /// no UTF-8; more than 100,000 files and directories, 16 levels or a tebibyte; a file that
    /// cannot be read.
    pub fn grant(&mut self, name: &str, root: Dir) -> io::Result<[u8; 32]> {
        let tree = Tree::list(name, root)?;
        let hash = tree.hash();
        self.trees.push(Arc::new(tree));
        Ok(hash)
    }

    /// They, in the order in which they were granted.
    pub(crate) fn trees(&self) -> &[Arc<Tree>] {
        &self.trees
    }
}

/// One directory.
#[derive(Debug)]
pub(crate) struct Tree {
    name: String,
    root: Dir,
    /// In the order of their paths; the directory itself comes first.
    nodes: Vec<Node>,
    /// Place in `nodes` by number.
    by_id: BTreeMap<u64, u32>,
}

#[derive(Debug)]
struct Node {
    /// Without a slash in front; empty for the directory itself.
    path: String,
    kind: Kind,
}

/// A file or a directory.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// What is in it, in the order of the names.
    Folder(Vec<u32>),
    /// Its bytes and their hash.
    File { size: u64, content: [u8; 32] },
}

impl Kind {
    pub(crate) fn is_folder(&self) -> bool {
        matches!(self, Self::Folder(_))
    }
}

/// The place of the directory itself.
pub(crate) const ROOT: u32 = 0;

impl Tree {
    fn list(name: &str, root: Dir) -> io::Result<Self> {
        let mut found = vec![(String::new(), Found::Folder)];
        let mut bytes = 0_u64;
        walk(&root, |path, kind| {
            let refuse = |what: String| Err(io::Error::other(format!("{path}: {what}")));
            match kind {
                Found::Other => {
                    return refuse("neither a plain file nor a directory".to_owned());
                }
                Found::File(size) => bytes = bytes.saturating_add(size),
                Found::Folder => {}
            }
            if bytes > MAX_BYTES {
                return refuse(format!("more than {MAX_BYTES} bytes in all"));
            }
            // Beside the directory itself.
            if found.len() > MAX_FILES {
                return refuse(format!("more than {MAX_FILES} files and directories"));
            }
            found.push((path.to_owned(), kind));
            Ok(())
        })?;
        found.sort_by(|a, b| a.0.cmp(&b.0));
        let mut tree = Self {
            name: name.to_owned(),
            root,
            nodes: Vec::with_capacity(found.len()),
            by_id: BTreeMap::new(),
        };
        let mut buffer = vec![0; HASHED_AT_ONCE];
        for ((path, found), place) in found.into_iter().zip(0_u32..) {
            if tree.by_id.insert(number(&path), place).is_some() {
                let problem = "its name has the number of another one: rename it";
                return Err(io::Error::other(format!("{path}: {problem}")));
            }
            let kind = match found {
                Found::File(size) => Kind::File {
                    size,
                    content: tree.hash_file(&path, size, &mut buffer)?,
                },
                Found::Folder | Found::Other => Kind::Folder(Vec::new()),
            };
            if let Some(above) = parent(&path)
                && let Ok(above) = tree.nodes.binary_search_by(|n| n.path.as_str().cmp(above))
                && let Some(Kind::Folder(entries)) = tree.nodes.get_mut(above).map(|n| &mut n.kind)
            {
                entries.push(place);
            }
            tree.nodes.push(Node { path, kind });
        }
        Ok(tree)
    }

    fn hash_file(&self, path: &str, size: u64, buffer: &mut [u8]) -> io::Result<[u8; 32]> {
        let at = |e: io::Error| io::Error::new(e.kind(), format!("{path}: {e}"));
        let (file, _) = open(&self.root, path).map_err(at)?;
        let mut hasher = blake3::Hasher::new();
        let mut offset = 0;
        loop {
            let read = read_at(&file, offset, buffer).map_err(at)?;
            hasher.update(buffer.get(..read).unwrap_or_default());
            offset += read as u64;
            if read < buffer.len() || offset > size {
                break;
            }
        }
        if offset == size {
            Ok(*hasher.finalize().as_bytes())
        } else {
            Err(at(io::Error::other("its size changed while it was read")))
        }
    }

    /// Of all names, kinds and contents.
    fn hash(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new();
        for node in &self.nodes {
            hasher.update(&(node.path.len() as u64).to_le_bytes());
            hasher.update(node.path.as_bytes());
            match &node.kind {
                Kind::Folder(_) => hasher.update(&[0]),
                Kind::File { content, .. } => hasher.update(&[1]).update(content),
            };
        }
        *hasher.finalize().as_bytes()
    }

    /// The path under which a guest finds it.
    pub(crate) fn guest_path(&self) -> String {
        format!("/{}", self.name)
    }

    /// What a number stands for, if it is still there.
    pub(crate) fn find(&self, id: u64) -> Option<u32> {
        self.by_id.get(&id).copied()
    }

    /// A number that follows from the path alone, so that it names the same file in another process,
    /// and after other files have come.
    pub(crate) fn id(&self, node: u32) -> u64 {
        number(self.path(node))
    }

    pub(crate) fn kind(&self, node: u32) -> Option<&Kind> {
        self.nodes.get(node as usize).map(|node| &node.kind)
    }

    fn path(&self, node: u32) -> &str {
        self.nodes.get(node as usize).map_or("", |node| &node.path)
    }

    /// The last part of its path.
    pub(crate) fn leaf(&self, node: u32) -> &str {
        let path = self.path(node);
        path.rsplit_once('/').map_or(path, |(_, leaf)| leaf)
    }

    /// Bytes of a file.
    pub(crate) fn size(&self, node: u32) -> Result<u64, ErrorCode> {
        match self.kind(node) {
            Some(Kind::File { size, .. }) => Ok(*size),
            Some(Kind::Folder(_)) => Err(ErrorCode::IsDirectory),
            None => Err(ErrorCode::BadDescriptor),
        }
    }

    /// What is in a directory, in the order of the names.
    pub(crate) fn entries(&self, node: u32) -> Result<&[u32], ErrorCode> {
        match self.kind(node) {
            Some(Kind::Folder(entries)) => Ok(entries),
            Some(Kind::File { .. }) => Err(ErrorCode::NotDirectory),
            None => Err(ErrorCode::BadDescriptor),
        }
    }

    /// 128 bits that two files share only if they have one name and one content.
    pub(crate) fn metadata_hash(&self, node: u32) -> (u64, u64) {
        let mut hasher = blake3::Hasher::new();
        hasher.update(self.name.as_bytes()).update(b"/");
        hasher.update(self.path(node).as_bytes());
        if let Some(Kind::File { content, .. }) = self.kind(node) {
            hasher.update(b"\0").update(content);
        }
        let mut reader = hasher.finalize_xof();
        let mut word = || {
            let mut bytes = [0; 8];
            reader.fill(&mut bytes);
            u64::from_le_bytes(bytes)
        };
        (word(), word())
    }

    /// Follows a path of a guest, from a directory downwards: nothing leads above it.
    pub(crate) fn resolve(&self, from: u32, path: &str) -> Result<u32, ErrorCode> {
        if path.is_empty() {
            return Err(ErrorCode::NoEntry);
        }
        if path.len() > MAX_PATH_BYTES {
            return Err(ErrorCode::NameTooLong);
        }
        if path.contains('\0') {
            return Err(ErrorCode::Invalid);
        }
        if path.starts_with('/') {
            return Err(ErrorCode::NotPermitted);
        }
        let (mut here, mut above) = (from, Vec::new());
        for part in path.split('/') {
            let entries = self.entries(here)?;
            match part {
                // A slash at the end, or two of them: of a directory alone.
                "" | "." => {}
                ".." => here = above.pop().ok_or(ErrorCode::NotPermitted)?,
                name if name.len() > MAX_NAME_BYTES => return Err(ErrorCode::NameTooLong),
                name => {
                    let found = entries.binary_search_by(|entry| self.leaf(*entry).cmp(name));
                    let entry = found.ok().and_then(|place| entries.get(place));
                    above.push(here);
                    here = *entry.ok_or(ErrorCode::NoEntry)?;
                }
            }
        }
        Ok(here)
    }

    /// At most `max` bytes and a mebibyte of a file, fewer only at its end. No descriptor stays open:
    /// however many handles guests hold, the host has none of theirs.
    pub(crate) fn read(&self, node: u32, offset: u64, max: u64) -> Result<Vec<u8>, Changed> {
        let Ok(size) = self.size(node) else {
            return Ok(Vec::new());
        };
        let wanted = max.min(MAX_READ_BYTES).min(size.saturating_sub(offset));
        if wanted == 0 {
            return Ok(Vec::new());
        }
        let changed = |why: String| Changed {
            file: format!("/{}/{}", self.name, self.path(node)),
            why,
        };
        // The kind only: the text of the system may name a path of the host.
        let system = |e: io::Error| changed(e.kind().to_string());
        let (file, now) = open(&self.root, self.path(node)).map_err(system)?;
        if now != size {
            return Err(changed(format!("it had {size} bytes, it has {now}")));
        }
        let mut bytes = vec![0; usize::try_from(wanted).unwrap_or(0)];
        let read = read_at(&file, offset, &mut bytes).map_err(system)?;
        if read < bytes.len() {
            return Err(changed(format!("it ends before its {size} bytes")));
        }
        Ok(bytes)
    }
}

/// The path of the directory that a path lies in; none for the root.
fn parent(path: &str) -> Option<&str> {
    match path.rsplit_once('/') {
        Some((above, _)) => Some(above),
        None => (!path.is_empty()).then_some(""),
    }
}

fn number(path: &str) -> u64 {
    let mut bytes = [0; 8];
    let mut hasher = blake3::Hasher::new_derive_key("tune-host 2026 node of a granted directory");
    hasher.update(path.as_bytes());
    hasher.finalize_xof().fill(&mut bytes);
    u64::from_le_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cap_std::ambient_authority;
    use std::os::unix::fs::symlink;

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        std::fs::create_dir_all(path.join("sub/deep")).unwrap();
        std::fs::create_dir(path.join("empty")).unwrap();
        std::fs::write(path.join("b.txt"), "bytes").unwrap();
        std::fs::write(path.join("sub-more"), "").unwrap();
        std::fs::write(path.join("sub/a"), "a").unwrap();
        std::fs::write(path.join("sub/deep/z"), "zz").unwrap();
        folder
    }

    fn tree(folder: &tempfile::TempDir) -> io::Result<Tree> {
        let dir = Dir::open_ambient_dir(folder.path(), ambient_authority()).unwrap();
        Tree::list("data", dir)
    }

    fn names(tree: &Tree, node: u32) -> Vec<&str> {
        let entries = tree.entries(node).unwrap().iter();
        entries.map(|entry| tree.leaf(*entry)).collect()
    }

    #[test]
    fn entries_come_in_the_order_of_their_names() {
        let folder = folder();
        let tree = tree(&folder).unwrap();
        assert_eq!(names(&tree, ROOT), ["b.txt", "empty", "sub", "sub-more"]);
        let sub = tree.resolve(ROOT, "sub").unwrap();
        assert_eq!(names(&tree, sub), ["a", "deep"]);
        assert!(names(&tree, tree.resolve(ROOT, "empty").unwrap()).is_empty());
        for node in 0..8 {
            assert_eq!(tree.find(tree.id(node)), Some(node));
        }
    }

    #[test]
    fn paths_lead_downwards_alone() {
        let folder = folder();
        let tree = tree(&folder).unwrap();
        let at = |path: &str| tree.resolve(ROOT, path);
        assert_eq!(at("."), Ok(ROOT));
        assert_eq!(at("sub/../b.txt"), at("b.txt"));
        assert_eq!(at("./sub//deep/./../a"), at("sub/a"));
        assert_eq!(at("sub/"), at("sub"));
        let sub = at("sub").unwrap();
        assert_eq!(tree.resolve(sub, "deep/z"), at("sub/deep/z"));
        use ErrorCode::*;
        for (from, path, code) in [
            (ROOT, "", NoEntry),
            (ROOT, "..", NotPermitted),
            (ROOT, "sub/../..", NotPermitted),
            (ROOT, "sub/../../data/b.txt", NotPermitted),
            // Not even to where a directory above was granted, too.
            (sub, "..", NotPermitted),
            (sub, "../b.txt", NotPermitted),
            (ROOT, "/b.txt", NotPermitted),
            (ROOT, "/", NotPermitted),
            (ROOT, "b.txt/", NotDirectory),
            (ROOT, "b.txt/.", NotDirectory),
            (ROOT, "b.txt/../b.txt", NotDirectory),
            (ROOT, "b.txt/x", NotDirectory),
            (ROOT, "none", NoEntry),
            (ROOT, "none/..", NoEntry),
            (ROOT, "B.TXT", NoEntry),
            (ROOT, "b.txt\0", Invalid),
            (ROOT, "sub\\a", NoEntry),
        ] {
            assert_eq!(tree.resolve(from, path), Err(code), "{path}");
        }
        assert_eq!(at(&"n".repeat(256)), Err(NameTooLong));
        assert_eq!(at(&"./".repeat(2_049)), Err(NameTooLong));
        assert_eq!(at(&"./".repeat(2_048)), Ok(ROOT));
    }

    #[test]
    fn reads_are_cut_and_end_with_the_file() {
        let folder = folder();
        let large: Vec<u8> = (0..3_000_000_u32).map(|i| i as u8).collect();
        std::fs::write(folder.path().join("large"), &large).unwrap();
        let tree = tree(&folder).unwrap();
        let node = tree.resolve(ROOT, "large").unwrap();
        let read = |offset, max| tree.read(node, offset, max).unwrap();
        assert_eq!(read(0, u64::MAX), large[..1 << 20]);
        assert_eq!(read(2_999_999, 10), large[2_999_999..]);
        assert!(read(3_000_000, 10).is_empty());
        assert!(read(u64::MAX, u64::MAX).is_empty());
        assert!(read(0, 0).is_empty());
    }

    #[test]
    fn a_file_that_changed_is_told_by_its_name_in_the_sandbox() {
        let folder = folder();
        let tree = tree(&folder).unwrap();
        let node = tree.resolve(ROOT, "b.txt").unwrap();
        let path = folder.path().join("b.txt");
        let told = || {
            let text = tree.read(node, 0, 9).unwrap_err().to_string();
            assert!(
                text.starts_with("`/data/b.txt` is not what it was"),
                "{text}"
            );
            assert!(!text.contains(folder.path().to_str().unwrap()), "{text}");
            text
        };
        std::fs::write(&path, "longer").unwrap();
        assert!(told().contains("it had 5 bytes, it has 6"));
        std::fs::remove_file(&path).unwrap();
        told();
        std::fs::create_dir(&path).unwrap();
        told();
        std::fs::remove_dir(&path).unwrap();
        symlink("/etc/passwd", &path).unwrap();
        told();
        std::fs::remove_file(&path).unwrap();
        // Nobody writes: who opened it as other files are opened would wait for ever.
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RUSR).unwrap();
        told();
    }

    #[test]
    fn what_is_no_file_and_links_out_are_refused_by_name() {
        for target in ["/etc/passwd", "..", "../..", "nothing", "link"] {
            let folder = folder();
            symlink(target, folder.path().join("link")).unwrap();
            let error = tree(&folder).unwrap_err().to_string();
            assert!(error.starts_with("link: "), "{target}: {error}");
        }
        let folder = folder();
        let pipe = folder.path().join("sub/pipe");
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RUSR).unwrap();
        let error = tree(&folder).unwrap_err().to_string();
        assert_eq!(error, "sub/pipe: neither a plain file nor a directory");
    }

    #[test]
    fn a_link_within_is_what_it_leads_to() {
        let folder = folder();
        symlink("../b.txt", folder.path().join("sub/link")).unwrap();
        let tree = tree(&folder).unwrap();
        let node = tree.resolve(ROOT, "sub/link").unwrap();
        assert_eq!(tree.read(node, 0, 9).unwrap(), b"bytes");
    }

    #[test]
    fn hashes_tell_names_kinds_and_contents_but_not_places_or_times() {
        let first = tree(&folder()).unwrap().hash();
        assert_eq!(tree(&folder()).unwrap().hash(), first);
        let changes: [fn(&std::path::Path); 4] = [
            |path| std::fs::write(path.join("b.txt"), "Bytes").unwrap(),
            |path| std::fs::rename(path.join("b.txt"), path.join("c.txt")).unwrap(),
            |path| std::fs::create_dir(path.join("new")).unwrap(),
            |path| std::fs::remove_dir(path.join("empty")).unwrap(),
        ];
        for change in changes {
            let folder = folder();
            change(folder.path());
            assert_ne!(tree(&folder).unwrap().hash(), first);
        }
        let (one, other) = (folder(), folder());
        let (one, other) = (tree(&one).unwrap(), tree(&other).unwrap());
        let seen: std::collections::BTreeSet<_> = (0..8).map(|n| one.metadata_hash(n)).collect();
        assert_eq!(seen.len(), 8);
        assert!((0..8).all(|node| one.metadata_hash(node) == other.metadata_hash(node)));
    }
}
