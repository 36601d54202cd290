//! Work for a GPU in small and in large pieces, to see what a piece costs: the same code natively and in the
//! sandbox.

use tune_plugin_gpu::{Batch, BindGroup, Buffer, GpuError, Module, Pipeline, Usage, usage};

const WGSL: &str = "
    @group(0) @binding(0) var<storage, read_write> numbers: array<u32>;
    @compute @workgroup_size(64)
    fn draw(@builtin(global_invocation_id) id: vec3u) {
        numbers[id.x] = numbers[id.x] * 1664525u + 1013904223u;
    }";

/// Words of a mebibyte.
const MEBIBYTE: usize = 1 << 18;
/// Dispatches of a large submission.
pub const DISPATCHES: usize = 1_000;

/// Which work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GpuWork {
    /// A call that asks for nothing of the device.
    Call,
    /// A submission of one dispatch, and waiting for it.
    Wait,
    /// A submission of [`DISPATCHES`], and waiting for it.
    Batch,
    /// A mebibyte to the device.
    Write,
    /// A mebibyte from the device.
    Read,
}

impl GpuWork {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Call, Self::Wait, Self::Batch, Self::Write, Self::Read];

    /// Its name in a configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Wait => "wait",
            Self::Batch => "batch",
            Self::Write => "write",
            Self::Read => "read",
        }
    }
}

/// A device with what the work needs.
#[derive(Debug)]
pub struct GpuBench {
    numbers: Buffer<u32>,
    mebibyte: Vec<u32>,
    draw: Pipeline,
    group: BindGroup,
}

impl GpuBench {
    /// Opens the device.
    ///
    /// # Errors
    /// There is none.
    pub fn new() -> Result<Self, GpuError> {
        let mebibyte = vec![1; MEBIBYTE];
        let numbers = Buffer::with("numbers", Usage::STORAGE, &mebibyte)?;
        let draw = Pipeline::new(&Module::new("draw", WGSL)?, "draw", &[], &[])?;
        let group = draw.layout(0)?.bind(&[numbers.all()])?;
        Ok(Self {
            numbers,
            mebibyte,
            draw,
            group,
        })
    }

    fn dispatches(&self, count: usize) -> Result<(), GpuError> {
        let mut batch = Batch::new();
        for _ in 0..count {
            batch.dispatch(&self.draw, &[self.group.whole()], [1, 1, 1]);
        }
        batch.submit()?.wait()
    }

    /// Does the work `count` times.
    ///
    /// # Errors
    /// Of the device.
    pub fn work(&self, what: GpuWork, count: usize) -> Result<(), GpuError> {
        for _ in 0..count {
            match what {
                GpuWork::Call => drop(usage()?),
                GpuWork::Wait => self.dispatches(1)?,
                GpuWork::Batch => self.dispatches(DISPATCHES)?,
                GpuWork::Write => self.numbers.write(0, &self.mebibyte)?,
                GpuWork::Read => drop(self.numbers.read()?),
            }
        }
        if what == GpuWork::Write {
            // Writes go with the next submission.
            self.dispatches(1)?;
        }
        Ok(())
    }
}
