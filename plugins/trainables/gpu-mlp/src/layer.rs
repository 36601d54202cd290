//! One dense layer on the device, with the gradients and the optimizer's memory.

use tune_digits_model::{Activation, OptimizerKind, Settings};
use tune_plugin_gpu::{
    Batch, BindGroup, Binding, Buffer, GpuError, Group, Layout, Module, Pipeline, Usage,
};

/// Invocations of a workgroup, as the kernels have it.
const WORKGROUP: usize = 64;

/// Workgroups for `width` columns.
pub(crate) fn columns(width: usize) -> u32 {
    u32::try_from(width.div_ceil(WORKGROUP)).unwrap_or(u32::MAX)
}

/// What goes over a border between layers: a row for each image of a batch.
pub(crate) struct Border {
    pub(crate) width: usize,
    pub(crate) signals: Buffer<f32>,
    pub(crate) slopes: Buffer<f32>,
}

impl Border {
    pub(crate) fn new(rows: usize, width: usize) -> Result<Self, GpuError> {
        let len = rows.saturating_mul(width);
        Ok(Self {
            width,
            signals: Buffer::zeroed("signals", Usage::STORAGE, len)?,
            slopes: Buffer::zeroed("slopes", Usage::STORAGE, len)?,
        })
    }
}

/// A kernel with its buffers.
pub(crate) struct Kernel {
    pipeline: Pipeline,
    group: BindGroup,
    /// Workgroups along x; y is the number of rows.
    columns: u32,
}

impl Kernel {
    pub(crate) fn new(
        shared: &Shared,
        entry: &str,
        constants: &[(&str, f64)],
        buffers: &[(Binding, tune_plugin_gpu::Bound)],
        columns: u32,
    ) -> Result<Self, GpuError> {
        let bindings: Vec<Binding> = buffers.iter().map(|(binding, _)| *binding).collect();
        let bound: Vec<_> = buffers.iter().map(|(_, bound)| *bound).collect();
        let layout = Layout::new(&bindings)?;
        Ok(Self {
            pipeline: Pipeline::new(&shared.module, entry, &[&shared.layout, &layout], constants)?,
            group: layout.bind(&bound)?,
            columns,
        })
    }

    pub(crate) fn over(&self, batch: &mut Batch, place: &Group, rows: usize) {
        let rows = u32::try_from(rows).unwrap_or(u32::MAX);
        let groups = [place.clone(), self.group.whole()];
        batch.dispatch(&self.pipeline, &groups, [self.columns, rows, 1]);
    }
}

/// What all kernels have.
pub(crate) struct Shared {
    pub(crate) module: Module,
    /// Of the part of the order at hand.
    pub(crate) layout: Layout,
}

/// A layer and its kernels.
pub(crate) struct Layer {
    /// Parameters and moments, which the kernels alone use.
    _held: [Buffer<f32>; 3],
    pub(crate) inputs: usize,
    pub(crate) forward: Kernel,
    pub(crate) backward: Kernel,
    pub(crate) update: Kernel,
}

impl Layer {
    /// Between two borders, with these parameters: a row for each input, and the biases.
    pub(crate) fn new(
        shared: &Shared,
        settings: &Settings,
        [below, above]: [&Border; 2],
        parameters: &[f32],
        is_last: bool,
        is_first: bool,
    ) -> Result<Self, GpuError> {
        use Binding::{ReadOnlyStorage as Read, Storage as Write};

        let moment = || Buffer::zeroed("moment", Usage::STORAGE, parameters.len());
        let [first, second] = [moment()?, moment()?];
        let parameters = Buffer::with("parameters", Usage::STORAGE, parameters)?;
        let activation = match settings.activation {
            Activation::Relu => 1.0,
            Activation::Tanh => 2.0,
        };
        let constants = |activation, adam| {
            [
                ("INPUTS", below.width as f64),
                ("OUTPUTS", above.width as f64),
                ("ACTIVATION", activation),
                ("ADAM", adam),
            ]
        };
        let after = if is_last { 0.0 } else { activation };
        let before = if is_first { 0.0 } else { activation };
        let adam = f64::from(u8::from(settings.optimizer == OptimizerKind::Adam));
        Ok(Self {
            forward: Kernel::new(
                shared,
                "forward",
                &constants(after, adam),
                &[
                    (Read, parameters.all()),
                    (Read, below.signals.all()),
                    (Write, above.signals.all()),
                ],
                columns(above.width),
            )?,
            backward: Kernel::new(
                shared,
                "backward",
                &constants(before, adam),
                &[
                    (Read, parameters.all()),
                    (Read, below.signals.all()),
                    (Read, above.slopes.all()),
                    (Write, below.slopes.all()),
                ],
                columns(below.width),
            )?,
            update: Kernel::new(
                shared,
                "update",
                &constants(0.0, adam),
                &[
                    (Read, below.signals.all()),
                    (Read, above.slopes.all()),
                    (Write, parameters.all()),
                    (Write, first.all()),
                    (Write, second.all()),
                ],
                columns(above.width),
            )?,
            inputs: below.width,
            _held: [parameters, first, second],
        })
    }
}
