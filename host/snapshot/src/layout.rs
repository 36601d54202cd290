//! What instrumentation knows of a component's state: which memories and globals its instances
//! have, in which order, and what the memories hold at first.

use std::fmt;

use crate::image::Image;

/// The state of a component's instances.
#[derive(Clone, Debug)]
pub struct Layout {
    /// In the order in which instantiation makes them.
    pub memories: Vec<MemoryLayout>,
    /// Mutable globals, in the order of their modules' instantiation.
    pub globals: Vec<ValKind>,
    /// Kinds of WASI resources that can be put into an instance's table of handles.
    pub handles: Vec<HandleKind>,
}

/// A linear memory.
#[derive(Clone, Debug)]
pub struct MemoryLayout {
    /// Its size at first.
    pub initial_bytes: u64,
    /// What it holds at first, as long as that; none if it is zero.
    pub genesis: Option<Image>,
}

/// Type of a global.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValKind {
    /// 32-bit integer.
    I32,
    /// 64-bit integer.
    I64,
    /// 32-bit float, kept as bits.
    F32,
    /// 64-bit float, kept as bits.
    F64,
}

const FILES: &str = "wasi:filesystem/types";

/// WASI resources of which a guest's standard library keeps handles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HandleKind {
    /// `wasi:io/streams.output-stream`.
    OutputStream,
    /// `wasi:io/streams.input-stream`.
    InputStream,
    /// `wasi:io/poll.pollable`.
    Pollable,
    /// `wasi:filesystem/types.descriptor`: an open file or directory.
    Descriptor,
    /// `wasi:filesystem/types.directory-entry-stream`.
    DirectoryEntryStream,
}

impl HandleKind {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::OutputStream,
        Self::InputStream,
        Self::Pollable,
        Self::Descriptor,
        Self::DirectoryEntryStream,
    ];

    /// The interface that defines it, without its version, and its name there.
    pub(crate) fn resource(self) -> (&'static str, &'static str) {
        match self {
            Self::OutputStream => ("wasi:io/streams", "output-stream"),
            Self::InputStream => ("wasi:io/streams", "input-stream"),
            Self::Pollable => ("wasi:io/poll", "pollable"),
            Self::Descriptor => (FILES, "descriptor"),
            Self::DirectoryEntryStream => (FILES, "directory-entry-stream"),
        }
    }

    /// The accessor's function that takes one.
    pub(crate) fn adopter(self) -> &'static str {
        match self {
            Self::OutputStream => "adopt-output-stream",
            Self::InputStream => "adopt-input-stream",
            Self::Pollable => "adopt-pollable",
            Self::Descriptor => "adopt-descriptor",
            Self::DirectoryEntryStream => "adopt-directory-entry-stream",
        }
    }
}

impl fmt::Display for HandleKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.resource().1)
    }
}
