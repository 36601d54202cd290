//! The manifest that a plugin carries in its custom section `tune:manifest`, as JSON text, put
//! together by constant evaluation: the host reads it without running any code of the plugin.
//!
//! Hidden: authors state the facts as constants of their trait.

use crate::{NoOptions, PluginOptions, Scheduler, Searcher, Trainable};

/// What a plugin says of itself.
#[derive(Clone, Copy, Debug)]
pub struct Manifest {
    name: &'static str,
    version: &'static str,
    summary: &'static str,
    licence: &'static str,
    grants: &'static [&'static str],
    mutable_parameters: &'static [&'static str],
    options: &'static str,
    learns: bool,
    bounds_regret: bool,
    budgets: bool,
    ignores_results: bool,
    pauses: bool,
    clones: bool,
    changes_config: bool,
}

impl Manifest {
    const fn new(name: &'static str, summary: &'static str, options: &'static str) -> Self {
        Self {
            name,
            version: "",
            summary,
            licence: "",
            grants: &[],
            mutable_parameters: &[],
            options,
            learns: false,
            bounds_regret: false,
            budgets: false,
            ignores_results: false,
            pauses: false,
            clones: false,
            changes_config: false,
        }
    }

    /// Of a trainable.
    #[must_use]
    pub const fn of_trainable<T: Trainable>() -> Self {
        let mut manifest = Self::new(T::NAME, T::SUMMARY, NoOptions::SCHEMA);
        manifest.grants = T::GRANTS;
        manifest.mutable_parameters = T::MUTABLE_PARAMETERS;
        manifest
    }

    /// Of a searcher.
    #[must_use]
    pub const fn of_searcher<T: Searcher>() -> Self {
        let mut manifest = Self::new(T::NAME, T::SUMMARY, T::Options::SCHEMA);
        manifest.learns = T::LEARNS;
        manifest.ignores_results = !T::LEARNS;
        manifest.bounds_regret = T::BOUNDS_REGRET;
        manifest.budgets = T::BUDGETS;
        manifest.clones = T::CLONES;
        manifest
    }

    /// Of a scheduler.
    #[must_use]
    pub const fn of_scheduler<T: Scheduler>() -> Self {
        let mut manifest = Self::new(T::NAME, T::SUMMARY, T::Options::SCHEMA);
        manifest.ignores_results = T::IGNORES_RESULTS;
        manifest.pauses = T::PAUSES;
        manifest.clones = T::CLONES;
        manifest.changes_config = T::CHANGES_CONFIG;
        manifest
    }

    /// With version and licence of the plugin's package, which only its own crate knows.
    #[must_use]
    pub const fn package(mut self, version: &'static str, licence: &'static str) -> Self {
        self.version = version;
        self.licence = licence;
        self
    }

    /// Bytes of the JSON text.
    #[must_use]
    pub const fn json_len(&self) -> usize {
        self.write(Json::<0>::new()).len
    }

    /// The JSON text; `N` is [`Manifest::json_len`].
    #[must_use]
    pub const fn json<const N: usize>(&self) -> [u8; N] {
        self.write(Json::<N>::new()).bytes
    }

    const fn write<const N: usize>(&self, json: Json<N>) -> Json<N> {
        json.raw("{\"name\":")
            .string(self.name)
            .raw(",\"version\":")
            .string(self.version)
            .raw(",\"summary\":")
            .string(self.summary)
            .raw(",\"licence\":")
            .string(self.licence)
            .raw(",\"sdk\":")
            .string(concat!("tune-plugin ", env!("CARGO_PKG_VERSION")))
            .raw(",\"grants\":")
            .list(self.grants)
            .raw(",\"mutable_parameters\":")
            .list(self.mutable_parameters)
            .raw(",\"options\":")
            .raw(self.options)
            .raw(",\"learns\":")
            .truth(self.learns)
            .raw(",\"bounds_regret\":")
            .truth(self.bounds_regret)
            .raw(",\"budgets\":")
            .truth(self.budgets)
            .raw(",\"ignores_results\":")
            .truth(self.ignores_results)
            .raw(",\"pauses\":")
            .truth(self.pauses)
            .raw(",\"clones\":")
            .truth(self.clones)
            .raw(",\"changes_config\":")
            .truth(self.changes_config)
            .raw("}")
    }
}

/// Writes JSON into an array; with `N` 0 it only counts.
#[derive(Clone, Copy)]
struct Json<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

#[expect(
    clippy::indexing_slicing,
    reason = "constant evaluation has no iterators, and an index out of bounds is a compile error"
)]
impl<const N: usize> Json<N> {
    const fn new() -> Self {
        Self {
            bytes: [0; N],
            len: 0,
        }
    }

    const fn byte(mut self, byte: u8) -> Self {
        if N > 0 {
            self.bytes[self.len] = byte;
        }
        self.len += 1;
        self
    }

    const fn raw(mut self, text: &str) -> Self {
        let mut i = 0;
        while i < text.len() {
            self = self.byte(text.as_bytes()[i]);
            i += 1;
        }
        self
    }

    const fn string(mut self, text: &str) -> Self {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        self = self.byte(b'"');
        let mut i = 0;
        while i < text.len() {
            let byte = text.as_bytes()[i];
            self = match byte {
                b'"' | b'\\' => self.byte(b'\\').byte(byte),
                0..0x20 => self
                    .raw("\\u00")
                    .byte(HEX[(byte >> 4) as usize])
                    .byte(HEX[(byte & 15) as usize]),
                _ => self.byte(byte),
            };
            i += 1;
        }
        self.byte(b'"')
    }

    const fn list(mut self, items: &[&str]) -> Self {
        self = self.byte(b'[');
        let mut i = 0;
        while i < items.len() {
            if i > 0 {
                self = self.byte(b',');
            }
            self = self.string(items[i]);
            i += 1;
        }
        self.byte(b']')
    }

    const fn truth(self, truth: bool) -> Self {
        self.raw(if truth { "true" } else { "false" })
    }
}
