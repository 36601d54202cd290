//! The components that are shipped inside the binary: every package under `plugins/trainables`,
//! `plugins/searchers` and `plugins/schedulers`, built for the sandbox by the build script.
//!
//! Holds bytes only; what they are is told by their exports and manifests, as of any other plugin.

/// A shipped component.
#[derive(Clone, Copy)]
pub struct EmbeddedPlugin {
    /// The name by which experiments know it, also that in its manifest.
    pub name: &'static str,
    /// The component.
    pub bytes: &'static [u8],
}

impl std::fmt::Debug for EmbeddedPlugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "EmbeddedPlugin({}, {} bytes)",
            self.name,
            self.bytes.len()
        )
    }
}

static ALL: &[EmbeddedPlugin] = include!(concat!(env!("OUT_DIR"), "/plugins.rs"));

/// All shipped components: trainables, searchers, schedulers, each sorted by name.
#[must_use]
pub fn all() -> &'static [EmbeddedPlugin] {
    ALL
}
