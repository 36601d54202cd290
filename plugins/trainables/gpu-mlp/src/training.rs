//! A training in progress: what is on the device, and what the host's side keeps of it.

use tune_digits_model::{
    CLASSES, Dataset, Epoch, Images, Network, OptimizerKind, PIXELS, Settings,
};
use tune_plugin::{Config, Failure, Reconfigured, Stream, TrialInfo};
use tune_plugin_gpu::{
    Batch, BindGroup, Binding, Buffer, GpuError, Layout, Module, OFFSET_ALIGNMENT, Usage,
};

use crate::layer::{Border, Kernel, Layer, Shared, columns};

/// Words of a [`Slot`]: as far apart as offsets have to be.
const WORDS: usize = OFFSET_ALIGNMENT as usize / 4;
/// Bytes of the uniform `Batch` of the kernels: five words, rounded up as uniforms are.
const PLACE_BYTES: u64 = 32;
/// Images that are validated at once, if the batch is not larger.
const VALIDATION_BATCH: usize = 64;
/// Commands of a submission, so that one never takes long: far below what a trial may send.
const COMMANDS: usize = 1_000;
/// Decays of Adam (Kingma and Ba 2015), as the kernels have them.
const BETAS: [f32; 2] = [0.9, 0.999];

/// The uniform `Batch` of the kernels.
type Slot = [u32; WORDS];

/// A network on the device, its data and its optimizer.
pub(crate) struct Training {
    settings: Settings,
    stream: Stream,
    /// Numbers of the training images in the order of the present epoch, then those of validation.
    numbers: Vec<u32>,
    training: usize,
    /// Decays to the power of the steps so far.
    powers: [f32; 2],
    gather: Kernel,
    layers: Vec<Layer>,
    score: Kernel,
    order: Buffer<u32>,
    /// One for each batch of an epoch and of the validation.
    slots: Buffer<Slot>,
    place: BindGroup,
    scores: Buffer<[f32; 2]>,
    /// What the kernels alone use.
    _held: (Buffer<f32>, Buffer<u32>, Vec<Border>, Shared),
}

impl Training {
    pub(crate) fn of(info: &TrialInfo, config: &Config) -> Result<Self, Failure> {
        let settings = Settings::read(config)?;
        Ok(Self::new(settings, &Dataset::load()?, info.seed)?)
    }

    pub(crate) fn new(settings: Settings, dataset: &Dataset, seed: u64) -> Result<Self, GpuError> {
        use Binding::{ReadOnlyStorage as Read, Storage as Write};

        let mut stream = Stream::new(seed);
        let network = Network::new(&settings, &mut stream);
        let both = [&dataset.training, &dataset.validation];
        let pixels: Vec<f32> = both.iter().flat_map(|images| pixels(images)).collect();
        let labels: Vec<u32> = both
            .iter()
            .flat_map(|images| images.labels.iter().map(|label| u32::from(*label)))
            .collect();
        let count = u32::try_from(labels.len()).unwrap_or(u32::MAX);
        let numbers: Vec<u32> = (0..count).collect();
        let training = dataset.training.len();

        let shared = Shared {
            module: Module::new("mlp", include_str!("kernels.wgsl"))?,
            layout: Layout::new(&[Binding::UniformAt(PLACE_BYTES)])?,
        };
        let images = Buffer::with("images", Usage::STORAGE, &pixels)?;
        let labels = Buffer::with("labels", Usage::STORAGE, &labels)?;
        let order = Buffer::with("order", Usage::STORAGE, &numbers)?;
        let scores = Buffer::zeroed("scores", Usage::STORAGE, numbers.len())?;
        let rows = validation_batch(&settings);
        let batches = training.div_ceil(settings.batch) + dataset.validation.len().div_ceil(rows);
        let slots: Buffer<Slot> = Buffer::zeroed("batches", Usage::UNIFORM, batches)?;
        let place = shared.layout.bind(&[slots.window(PLACE_BYTES)])?;

        let plain = network.plain();
        let mut borders = vec![Border::new(rows, PIXELS)?];
        let mut layers = Vec::new();
        for (number, (outputs, parameters)) in plain.iter().enumerate() {
            let above = Border::new(rows, *outputs)?;
            if let Some(below) = borders.last() {
                let is_last = number + 1 == plain.len();
                let ends = [below, &above];
                let layer = Layer::new(&shared, &settings, ends, parameters, is_last, number == 0)?;
                layers.push(layer);
            }
            borders.push(above);
        }
        let (Some(first), Some(last)) = (borders.first(), borders.last()) else {
            unreachable!("a network has an input and an output");
        };
        Ok(Self {
            gather: Kernel::new(
                &shared,
                "gather",
                &[("INPUTS", PIXELS as f64)],
                &[
                    (Read, images.all()),
                    (Read, order.all()),
                    (Write, first.signals.all()),
                ],
                columns(PIXELS),
            )?,
            score: Kernel::new(
                &shared,
                "score",
                &[("OUTPUTS", CLASSES as f64)],
                &[
                    (Read, last.signals.all()),
                    (Read, order.all()),
                    (Read, labels.all()),
                    (Write, last.slopes.all()),
                    (Write, scores.all()),
                ],
                columns(rows),
            )?,
            powers: [1.0; 2],
            settings,
            stream,
            numbers,
            training,
            layers,
            order,
            slots,
            place,
            scores,
            _held: (images, labels, borders, shared),
        })
    }

    /// Trains on every training image once, in random order, and validates.
    pub(crate) fn epoch(&mut self) -> Result<Epoch, GpuError> {
        if let Some(order) = self.numbers.get_mut(..self.training) {
            self.stream.shuffle(order);
        }
        self.order.write(0, &self.numbers)?;
        let batches = self.batches();
        let slots: Vec<Slot> = batches.iter().map(|batch| self.slot(batch)).collect();
        self.slots.write(0, &slots)?;
        let mut work = Batch::new();
        for (offset, batch) in (0..).step_by(OFFSET_ALIGNMENT as usize).zip(&batches) {
            let place = self.place.at(&[offset]);
            self.gather.over(&mut work, &place, batch.rows);
            for layer in &self.layers {
                layer.forward.over(&mut work, &place, batch.rows);
            }
            self.score.over(&mut work, &place, 1);
            if batch.is_training {
                for layer in self.layers.iter().skip(1).rev() {
                    layer.backward.over(&mut work, &place, batch.rows);
                }
                for layer in &self.layers {
                    layer.update.over(&mut work, &place, layer.inputs + 1);
                }
            }
            if work.len() >= COMMANDS {
                work.submit()?;
                work = Batch::new();
            }
        }
        work.submit()?;
        let scores = self.scores.read()?;
        let (training, validation) = scores.split_at(self.training.min(scores.len()));
        let mean = |scores: &[[f32; 2]], of: fn(&[f32; 2]) -> f32| {
            let sum: f64 = scores.iter().map(|score| f64::from(of(score))).sum();
            sum / scores.len() as f64
        };
        Ok(Epoch {
            loss: mean(training, |[loss, _]| *loss),
            val_loss: mean(validation, |[loss, _]| *loss),
            accuracy: mean(validation, |[_, hit]| *hit),
        })
    }

    /// Goes on with other settings and a fresh seed for the order of images.
    pub(crate) fn reconfigure(
        &mut self,
        config: &Config,
        seed: u64,
    ) -> Result<Reconfigured, Failure> {
        let settings = Settings::read(config)?;
        if !self.settings.can_become(&settings) {
            return Ok(Reconfigured::Unsupported);
        }
        self.settings = settings;
        self.stream = Stream::new(seed);
        Ok(Reconfigured::Applied)
    }

    /// The batches of an epoch, each with its learning rate, and those of the validation.
    fn batches(&mut self) -> Vec<Part> {
        let rows = validation_batch(&self.settings);
        let mut batches = parts(0..self.training, self.settings.batch);
        for batch in &mut batches {
            batch.is_training = true;
            for (power, beta) in self.powers.iter_mut().zip(BETAS) {
                *power *= beta;
            }
            let [first, second] = self.powers;
            batch.rate = match self.settings.optimizer {
                OptimizerKind::Sgd => self.settings.lr,
                OptimizerKind::Adam => self.settings.lr * (1.0 - second).sqrt() / (1.0 - first),
            };
        }
        batches.extend(parts(self.training..self.numbers.len(), rows));
        batches
    }

    fn slot(&self, batch: &Part) -> Slot {
        let words = [
            u32::try_from(batch.start).unwrap_or(u32::MAX),
            u32::try_from(batch.rows).unwrap_or(u32::MAX),
            batch.rate.to_bits(),
            self.settings.momentum.to_bits(),
            self.settings.weight_decay.to_bits(),
        ];
        let mut slot = [0; WORDS];
        slot.iter_mut()
            .zip(words)
            .for_each(|(place, word)| *place = word);
        slot
    }
}

/// A batch: so many numbers of the order from `start` on.
struct Part {
    start: usize,
    rows: usize,
    rate: f32,
    is_training: bool,
}

fn parts(range: std::ops::Range<usize>, rows: usize) -> Vec<Part> {
    let end = range.end;
    let starts = range.step_by(rows);
    starts
        .map(|start| Part {
            start,
            rows: rows.min(end - start),
            rate: 0.0,
            is_training: false,
        })
        .collect()
}

fn validation_batch(settings: &Settings) -> usize {
    settings.batch.max(VALIDATION_BATCH)
}

fn pixels(images: &Images) -> impl Iterator<Item = f32> + '_ {
    images
        .pixels
        .iter()
        .flat_map(|image| image.as_flattened().iter().copied())
}
