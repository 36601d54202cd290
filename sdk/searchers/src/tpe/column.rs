//! What the kernels of a mixture say of one parameter: how it is fitted, and how it is drawn.

use tune_plugin::Stream;

use super::kernel::{self, BLOCK};

/// What a parameter is to the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Axis {
    /// A number on [0, 1].
    Number,
    /// One of so many alternatives without order.
    Category(u32),
}

/// What the kernels say of one parameter.
#[derive(Clone, Debug)]
pub(crate) enum Column {
    Number(Number),
    Category {
        /// One fewer than kernels: the prior knows none.
        observed: Vec<u32>,
        classes: u32,
        /// What every alternative weighs in a kernel beside its own.
        spread: f64,
    },
}

/// What draws of a number need to know of the kernels, in one piece of memory: a row of each kind.
#[derive(Clone, Debug)]
pub(crate) struct Number {
    /// Which one of the numbers it is.
    pub(crate) place: usize,
    kernels: usize,
    rows: Vec<f64>,
}

/// The kinds of rows.
#[derive(Clone, Copy, Debug)]
enum Row {
    Centre,
    Sigma,
    /// What the kernel would have below 0.
    Below,
    /// What it would have above 1.
    Above,
}

/// How many there are.
const ROWS: usize = 4;

/// What densities need to know of a block of kernels in one number: centres, and slopes of 1 / (sqrt(2) sigma).
pub(crate) type Bells = [[f64; BLOCK]; 2];

impl Number {
    /// The prior of width 1 in the middle comes last, as often as there are `heights`, which are multiplied by those of
    /// the kernels, but for sqrt(2 pi).
    pub(crate) fn fit(
        values: impl ExactSizeIterator<Item = f64>,
        narrowest: f64,
        salt: u64,
        heights: &mut [f64],
        place: usize,
    ) -> Self {
        let (observed, kernels) = (values.len(), heights.len());
        let mut rows = vec![0.0; ROWS * kernels];
        let (centres, others) = rows.split_at_mut(kernels);
        let (sigmas, others) = others.split_at_mut(kernels);
        let (below, above) = others.split_at_mut(kernels);
        let (known, priors) = centres.split_at_mut(observed);
        for (centre, value) in known.iter_mut().zip(values) {
            *centre = value;
        }
        priors.fill(0.5);
        let (narrow, wide) = sigmas.split_at_mut(observed);
        kernel::bandwidths(narrow, known, narrowest, salt);
        wide.fill(1.0);
        for (height, sigma) in heights.iter_mut().zip(&*sigmas) {
            *height /= sigma;
        }
        let beyond = below.iter_mut().zip(above).zip(heights);
        for (((below, above), height), (centre, sigma)) in beyond.zip(centres.iter().zip(&*sigmas))
        {
            if *height > 0.0 && !kernel::is_inside(*centre, *sigma) {
                (*below, *above) = kernel::outside(*centre, *sigma);
                *height /= 1.0 - *below - *above;
            }
        }
        Self {
            place,
            kernels,
            rows,
        }
    }

    /// Writes what densities need to know.
    pub(crate) fn write<'a>(&self, bells: impl Iterator<Item = &'a mut Bells>) {
        let centres = self.row(Row::Centre).as_chunks::<BLOCK>().0;
        let sigmas = self.row(Row::Sigma).as_chunks::<BLOCK>().0;
        for ([to, slopes], (centres, sigmas)) in bells.zip(centres.iter().zip(sigmas)) {
            *to = *centres;
            for (slope, sigma) in slopes.iter_mut().zip(sigmas) {
                *slope = std::f64::consts::FRAC_1_SQRT_2 / sigma;
            }
        }
    }

    fn row(&self, row: Row) -> &[f64] {
        let from = row as usize * self.kernels;
        let row = self.rows.get(from..from + self.kernels);
        row.unwrap_or_default()
    }

    fn at(&self, row: Row, kernel: usize) -> f64 {
        self.row(row).get(kernel).copied().unwrap_or_default()
    }
}

impl Column {
    /// Draws a coordinate from a kernel; of an alternative its index.
    pub(crate) fn sample(&self, kernel: usize, stream: &mut Stream) -> f64 {
        match self {
            Self::Number(number) => {
                let at = |row| number.at(row, kernel);
                let outside = (at(Row::Below), at(Row::Above));
                kernel::truncated_quantile(at(Row::Centre), at(Row::Sigma), outside, stream.unit())
            }
            Self::Category {
                observed,
                classes,
                spread,
            } => {
                // One draw decides between the observation and any alternative, one which.
                let own = 1.0 / (1.0 + f64::from(*classes) * spread);
                let is_own = stream.unit() < own;
                let any = stream.below(u64::from(*classes)) as u32;
                match observed.get(kernel) {
                    Some(class) if is_own => f64::from(*class),
                    _ => f64::from(any),
                }
            }
        }
    }

    /// Adds the logarithm of what an alternative weighs; of a number nothing.
    pub(crate) fn add_category(&self, logs: &mut [f64], class: u32) {
        let Self::Category {
            observed,
            classes,
            spread,
        } = self
        else {
            return;
        };
        let all = 1.0 + f64::from(*classes) * spread;
        let hit = libm::log((1.0 + spread) / all);
        let miss = libm::log(spread / all);
        for (log, own) in logs.iter_mut().zip(observed) {
            *log += if *own == class { hit } else { miss };
        }
        if let Some(prior) = logs.get_mut(observed.len()) {
            *prior -= libm::log(f64::from(*classes));
        }
    }
}
