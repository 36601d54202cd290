//! Memory of the device.

use std::{marker::PhantomData, ops::Range};

use bytemuck::Pod;

use crate::{
    GpuError,
    host::{self, Id},
};

/// What a buffer is for, beside being copied, written and read, which all can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    pub(crate) storage: bool,
    pub(crate) uniform: bool,
}

impl Usage {
    /// `var<storage>`.
    pub const STORAGE: Self = Self {
        storage: true,
        uniform: false,
    };
    /// `var<uniform>`.
    pub const UNIFORM: Self = Self {
        storage: false,
        uniform: true,
    };
}

impl std::ops::BitOr for Usage {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self {
            storage: self.storage || other.storage,
            uniform: self.uniform || other.uniform,
        }
    }
}

/// Every trial may send and fetch so much in one call, so that smaller transfers need not ask.
const SMALL_BYTES: u64 = 64 << 10;

/// Bytes of each call that transfers a part of `size`.
fn part_bytes(size: u64) -> Result<usize, GpuError> {
    let most = if size <= SMALL_BYTES {
        SMALL_BYTES
    } else {
        // What is written and read comes in words.
        host::limits()?.max_transfer_bytes_per_call.max(4) & !3
    };
    Ok(usize::try_from(most).unwrap_or(usize::MAX & !3))
}

/// An array on the device, whose elements are of a size that 4 divides. Freed when dropped.
#[derive(Debug)]
pub struct Buffer<T> {
    id: Id,
    len: usize,
    of: PhantomData<T>,
}

impl<T: Pod> Buffer<T> {
    /// Bytes of an element.
    const SIZE: u64 = {
        assert!(
            size_of::<T>() > 0 && size_of::<T>().is_multiple_of(4),
            "elements of a buffer have a size that 4 divides"
        );
        size_of::<T>() as u64
    };

    /// `len` elements, all bits 0.
    ///
    /// # Errors
    /// [`GpuError::OverQuota`] above all.
    pub fn zeroed(label: &str, usage: Usage, len: usize) -> Result<Self, GpuError> {
        let size = (len as u64).checked_mul(Self::SIZE);
        let size =
            size.ok_or_else(|| GpuError::Validation(format!("buffer `{label}` is too long")))?;
        Ok(Self {
            id: host::create_buffer(label, size, usage)?,
            len,
            of: PhantomData,
        })
    }

    /// With these elements.
    ///
    /// # Errors
    /// As [`Buffer::zeroed`] and [`Buffer::write`].
    pub fn with(label: &str, usage: Usage, elements: &[T]) -> Result<Self, GpuError> {
        let buffer = Self::zeroed(label, usage, elements.len())?;
        buffer.write(0, elements)?;
        Ok(buffer)
    }

    /// How many elements there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// There is no element.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Puts `elements` at `at`, before all work that is submitted later.
    ///
    /// # Errors
    /// [`GpuError::Validation`] if they do not fit, [`GpuError::OverQuota`] for the bytes of a step.
    pub fn write(&self, at: usize, elements: &[T]) -> Result<(), GpuError> {
        let end = at.checked_add(elements.len());
        self.check(at..end.unwrap_or(usize::MAX))?;
        let bytes: &[u8] = bytemuck::cast_slice(elements);
        let mut offset = at as u64 * Self::SIZE;
        for part in bytes.chunks(part_bytes(bytes.len() as u64)?) {
            host::write_buffer(self.id, offset, part)?;
            offset += part.len() as u64;
        }
        Ok(())
    }

    /// The elements after all work that was submitted. Waits for it.
    ///
    /// # Errors
    /// As [`Buffer::start_read`] and [`Reading::finish`].
    pub fn read(&self) -> Result<Vec<T>, GpuError> {
        self.start_read(0..self.len)?.finish()
    }

    /// Has a part copied to where [`Reading::finish`] finds it, after all work that was submitted and
    /// before all that comes: reads that are started together are waited for once.
    ///
    /// # Errors
    /// [`GpuError::Validation`] if there is no such part, [`GpuError::OverQuota`] for the bytes of a step and
    /// those of reads that are not finished.
    pub fn start_read(&self, part: Range<usize>) -> Result<Reading<T>, GpuError> {
        self.check(part.clone())?;
        let (at, size) = Self::bytes(&part);
        let step = part_bytes(size)?;
        let starts = (at..at + size).step_by(step);
        let tickets = starts
            .map(|start| host::start_read(self.id, start, (step as u64).min(at + size - start)))
            .collect::<Result<_, _>>()?;
        Ok(Reading {
            tickets,
            of: PhantomData,
        })
    }

    fn check(&self, part: Range<usize>) -> Result<(), GpuError> {
        if part.start <= part.end && part.end <= self.len {
            return Ok(());
        }
        Err(GpuError::Validation(format!(
            "elements {} to {} of a buffer of {}",
            part.start, part.end, self.len
        )))
    }

    /// Offset and size of a checked part.
    fn bytes(part: &Range<usize>) -> (u64, u64) {
        (
            part.start as u64 * Self::SIZE,
            part.len() as u64 * Self::SIZE,
        )
    }

    pub(crate) fn place(&self, part: Range<usize>) -> Result<(Id, u64, u64), GpuError> {
        self.check(part.clone())?;
        let (at, size) = Self::bytes(&part);
        Ok((self.id, at, size))
    }
}

impl<T> Buffer<T> {
    pub(crate) fn id(&self) -> Id {
        self.id
    }
}

impl<T> Drop for Buffer<T> {
    fn drop(&mut self) {
        host::destroy(self.id);
    }
}

/// A read that was started.
#[must_use = "a read counts until it is finished"]
#[derive(Debug)]
pub struct Reading<T> {
    /// One for each call's worth of bytes.
    tickets: Vec<u64>,
    of: PhantomData<T>,
}

impl<T: Pod> Reading<T> {
    /// Waits for the elements.
    ///
    /// # Errors
    /// Natively a lost device; in the sandbox that ends the trial.
    pub fn finish(self) -> Result<Vec<T>, GpuError> {
        let mut bytes = Vec::new();
        for ticket in self.tickets {
            bytes.extend(host::finish_read(ticket)?);
        }
        Ok(bytemuck::pod_collect_to_vec(&bytes))
    }
}
