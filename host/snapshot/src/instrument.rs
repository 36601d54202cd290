//! The stage between a component's file and the compiler: what is compiled is its output, so that
//! snapshots can be added to it without any other stage knowing.
//!
//! At present it validates and passes the bytes on unchanged. It must never change what a component
//! computes.

use std::borrow::Cow;

use crate::layout::Layout;
use crate::survey::{InstrumentError, Survey, survey};

/// Changes whenever the output for some component changes; part of a snapshot's identity and of
/// the key of compiled code.
pub const INSTRUMENTATION_VERSION: u32 = 0;

/// A component that is ready to be compiled.
#[derive(Clone, Debug)]
pub struct Instrumented<'a> {
    /// What to compile.
    pub bytes: Cow<'a, [u8]>,
    /// What the pass saw.
    pub survey: Survey,
    /// What its instances consist of; none if they cannot be snapshotted.
    pub layout: Option<Layout>,
}

/// Validates a component and prepares it for snapshots.
///
/// # Errors
/// If it is invalid, uses a feature that is switched off, or is too large in some part.
pub fn instrument(component: &[u8]) -> Result<Instrumented<'_>, InstrumentError> {
    let survey = survey(component)?;
    Ok(Instrumented {
        bytes: Cow::Borrowed(component),
        survey,
        layout: None,
    })
}
