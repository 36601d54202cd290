//! `wasi:filesystem` over directories that a plan grants: read-only, and the same everywhere.
//!
//! That of `wasmtime-wasi` is not used: it opens a path of the host with all rights of the process, and
//! shows the order, times and inode numbers of the disk. Here a guest walks a listing that was made
//! when the directory was granted, and all times are the beginning of its clock.

use wasmtime::component::Resource;
use wasmtime_wasi::p2::bindings::clocks::wall_clock::Datetime;
use wasmtime_wasi::p2::bindings::filesystem::preopens;
use wasmtime_wasi::p2::bindings::filesystem::types::{
    self, Advice, Descriptor, DescriptorFlags, DescriptorStat, DescriptorType, DirectoryEntry,
    DirectoryEntryStream, ErrorCode, MetadataHashValue, NewTimestamp, OpenFlags, PathFlags,
};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, FsError, FsResult};

use crate::clock::WALL_START_SECONDS;
use crate::files::{FUEL_PER_CALL, Listing, Opened};
use crate::handles::Handle;
use crate::store::StoreData;
use crate::tree::Kind;

type Fd = Resource<Descriptor>;

/// The answer to all that would change something.
fn refuse<T>() -> FsResult<T> {
    Err(ErrorCode::ReadOnly.into())
}

fn kind_of(opened: &Opened, node: u32) -> DescriptorType {
    if opened.tree.kind(node).is_some_and(Kind::is_folder) {
        DescriptorType::Directory
    } else {
        DescriptorType::RegularFile
    }
}

fn stat_of(opened: &Opened, node: u32) -> DescriptorStat {
    let begin = Some(Datetime {
        seconds: WALL_START_SECONDS,
        nanoseconds: 0,
    });
    DescriptorStat {
        type_: kind_of(opened, node),
        link_count: 1,
        size: opened.tree.size(node).unwrap_or(0),
        data_access_timestamp: begin,
        data_modification_timestamp: begin,
        status_change_timestamp: begin,
    }
}

fn hash_of(opened: &Opened, node: u32) -> MetadataHashValue {
    let (lower, upper) = opened.tree.metadata_hash(node);
    MetadataHashValue { lower, upper }
}

impl StoreData {
    /// What a guest's descriptor is. Each use of one costs the same.
    fn opened(&mut self, fd: &Fd) -> FsResult<Opened> {
        self.charge(FUEL_PER_CALL);
        let of = Resource::<Opened>::new_borrow(fd.rep());
        Ok(self.table.get(&of)?.clone())
    }

    /// Follows a path of a guest.
    fn resolve(&mut self, fd: &Fd, path: &str) -> FsResult<(Opened, u32)> {
        let opened = self.opened(fd)?;
        self.charge(path.len() as u64);
        let node = opened.tree.resolve(opened.node, path)?;
        Ok((opened, node))
    }
}

impl preopens::Host for StoreData {
    fn get_directories(&mut self) -> wasmtime::Result<Vec<(Fd, String)>> {
        let mut directories = Vec::new();
        for (at, path) in self.files.roots() {
            self.charge(FUEL_PER_CALL);
            directories.push((self.open(Handle::Node(at))?, path));
        }
        Ok(directories)
    }
}

impl types::Host for StoreData {
    fn convert_error_code(&mut self, error: FsError) -> wasmtime::Result<ErrorCode> {
        error.downcast()
    }

    fn filesystem_error_code(
        &mut self,
        _: Resource<wasmtime::Error>,
    ) -> wasmtime::Result<Option<ErrorCode>> {
        // No stream of ours makes one.
        Ok(None)
    }
}

impl types::HostDescriptor for StoreData {
    async fn open_at(
        &mut self,
        fd: Fd,
        _: PathFlags,
        path: String,
        open: OpenFlags,
        flags: DescriptorFlags,
    ) -> FsResult<Fd> {
        let changes = OpenFlags::CREATE | OpenFlags::EXCLUSIVE | OpenFlags::TRUNCATE;
        let writes = DescriptorFlags::WRITE | DescriptorFlags::MUTATE_DIRECTORY;
        let resolved = self.resolve(&fd, &path);
        if open.intersects(changes) || flags.intersects(writes) {
            return refuse();
        }
        let (opened, node) = resolved?;
        if open.contains(OpenFlags::DIRECTORY) {
            opened.tree.entries(node)?;
        }
        self.open(Handle::Node(opened.at(node)))
            .map_err(FsError::trap)
    }

    fn drop(&mut self, fd: Fd) -> wasmtime::Result<()> {
        self.dropped::<Opened>(fd.rep())
    }

    async fn get_flags(&mut self, fd: Fd) -> FsResult<DescriptorFlags> {
        self.opened(&fd)?;
        Ok(DescriptorFlags::READ)
    }

    async fn get_type(&mut self, fd: Fd) -> FsResult<DescriptorType> {
        let opened = self.opened(&fd)?;
        Ok(kind_of(&opened, opened.node))
    }

    async fn stat(&mut self, fd: Fd) -> FsResult<DescriptorStat> {
        let opened = self.opened(&fd)?;
        Ok(stat_of(&opened, opened.node))
    }

    async fn stat_at(&mut self, fd: Fd, _: PathFlags, path: String) -> FsResult<DescriptorStat> {
        let (opened, node) = self.resolve(&fd, &path)?;
        Ok(stat_of(&opened, node))
    }

    async fn metadata_hash(&mut self, fd: Fd) -> FsResult<MetadataHashValue> {
        let opened = self.opened(&fd)?;
        Ok(hash_of(&opened, opened.node))
    }

    async fn metadata_hash_at(
        &mut self,
        fd: Fd,
        _: PathFlags,
        path: String,
    ) -> FsResult<MetadataHashValue> {
        let (opened, node) = self.resolve(&fd, &path)?;
        Ok(hash_of(&opened, node))
    }

    async fn is_same_object(&mut self, a: Fd, b: Fd) -> wasmtime::Result<bool> {
        let (a, b) = (self.opened(&a)?, self.opened(&b)?);
        Ok((a.directory, a.node) == (b.directory, b.node))
    }

    async fn readlink_at(&mut self, fd: Fd, path: String) -> FsResult<String> {
        // A link is what it leads to.
        self.resolve(&fd, &path)?;
        Err(ErrorCode::Invalid.into())
    }

    async fn read(&mut self, fd: Fd, len: u64, offset: u64) -> FsResult<(Vec<u8>, bool)> {
        let Opened { tree, node, .. } = self.opened(&fd)?;
        let size = tree.size(node)?;
        let bytes = tree.read(node, offset, len).map_err(FsError::trap)?;
        self.charge(bytes.len() as u64);
        let ended = offset.saturating_add(bytes.len() as u64) >= size;
        Ok((bytes, ended))
    }

    fn read_via_stream(&mut self, fd: Fd, offset: u64) -> FsResult<Resource<DynInputStream>> {
        let opened = self.opened(&fd)?;
        opened.tree.size(opened.node)?;
        let at = opened.at(opened.node);
        self.open(Handle::Content { at, offset })
            .map_err(FsError::trap)
    }

    async fn read_directory(&mut self, fd: Fd) -> FsResult<Resource<DirectoryEntryStream>> {
        let opened = self.opened(&fd)?;
        opened.tree.entries(opened.node)?;
        let at = opened.at(opened.node);
        self.open(Handle::Entries { at, next: 0 })
            .map_err(FsError::trap)
    }

    async fn advise(&mut self, fd: Fd, _: u64, _: u64, _: Advice) -> FsResult<()> {
        self.opened(&fd)?;
        Ok(())
    }

    async fn sync(&mut self, fd: Fd) -> FsResult<()> {
        self.opened(&fd)?;
        Ok(())
    }

    async fn sync_data(&mut self, fd: Fd) -> FsResult<()> {
        self.opened(&fd)?;
        Ok(())
    }

    async fn write(&mut self, fd: Fd, _: Vec<u8>, _: u64) -> FsResult<u64> {
        self.opened(&fd)?;
        refuse()
    }

    fn write_via_stream(&mut self, fd: Fd, _: u64) -> FsResult<Resource<DynOutputStream>> {
        self.opened(&fd)?;
        refuse()
    }

    fn append_via_stream(&mut self, fd: Fd) -> FsResult<Resource<DynOutputStream>> {
        self.opened(&fd)?;
        refuse()
    }

    async fn set_size(&mut self, fd: Fd, _: u64) -> FsResult<()> {
        self.opened(&fd)?;
        refuse()
    }

    async fn set_times(&mut self, fd: Fd, _: NewTimestamp, _: NewTimestamp) -> FsResult<()> {
        self.opened(&fd)?;
        refuse()
    }

    async fn set_times_at(
        &mut self,
        fd: Fd,
        _: PathFlags,
        _: String,
        _: NewTimestamp,
        _: NewTimestamp,
    ) -> FsResult<()> {
        self.opened(&fd)?;
        refuse()
    }

    async fn create_directory_at(&mut self, fd: Fd, _: String) -> FsResult<()> {
        self.opened(&fd)?;
        refuse()
    }

    async fn remove_directory_at(&mut self, fd: Fd, _: String) -> FsResult<()> {
        self.opened(&fd)?;
        refuse()
    }

    async fn unlink_file_at(&mut self, fd: Fd, _: String) -> FsResult<()> {
        self.opened(&fd)?;
        refuse()
    }

    async fn rename_at(&mut self, fd: Fd, _: String, _: Fd, _: String) -> FsResult<()> {
        self.opened(&fd)?;
        refuse()
    }

    async fn link_at(&mut self, fd: Fd, _: PathFlags, _: String, _: Fd, _: String) -> FsResult<()> {
        self.opened(&fd)?;
        refuse()
    }

    async fn symlink_at(&mut self, fd: Fd, _: String, _: String) -> FsResult<()> {
        self.opened(&fd)?;
        refuse()
    }
}

impl types::HostDirectoryEntryStream for StoreData {
    async fn read_directory_entry(
        &mut self,
        stream: Resource<DirectoryEntryStream>,
    ) -> FsResult<Option<DirectoryEntry>> {
        self.charge(FUEL_PER_CALL);
        let number = stream.rep();
        let of = Resource::<Listing>::new_borrow(number);
        let Listing { of, next } = self.table.get_mut(&of)?;
        let place = usize::try_from(*next).unwrap_or(usize::MAX);
        let Some(node) = of.tree.entries(of.node)?.get(place).copied() else {
            return Ok(None);
        };
        *next += 1;
        let (at, next) = (of.at(of.node), *next);
        let entry = DirectoryEntry {
            type_: kind_of(of, node),
            name: of.tree.leaf(node).to_owned(),
        };
        self.ledger.moved(number, Handle::Entries { at, next });
        self.charge(entry.name.len() as u64);
        Ok(Some(entry))
    }

    fn drop(&mut self, stream: Resource<DirectoryEntryStream>) -> wasmtime::Result<()> {
        self.dropped::<Listing>(stream.rep())
    }
}
