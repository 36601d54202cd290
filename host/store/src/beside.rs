//! Whoever writes files into the directory of a run beside the journal, later than the rows that
//! they are made from: what they have yet to write counts as written, or the directory would pass
//! its limit by it.

/// Writes files beside the journal. Asked by the journal's thread, which must not wait for itself:
/// nothing of this may wait for a row to be committed.
pub trait Beside: Send + Sync {
    /// Bytes that are yet to be written, at the most: never less than what is missing in the
    /// directory, of rows that are not committed yet included.
    fn unwritten(&self) -> u64;

    /// Writes all that can be written, and returns when it is in the directory.
    fn write_now(&self);
}
