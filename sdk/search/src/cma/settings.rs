//! The constants of CMA-ES as functions of the number of dimensions and of the population: N. Hansen
//! (2016), *The CMA Evolution Strategy: A Tutorial*, arXiv:1604.00772, table 1; for the separable
//! form R. Ros and N. Hansen (2008), *A Simple Modification in CMA-ES Achieving Linear Time and Space
//! Complexity*.

/// See the tutorial.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    /// By rank, the best first; those of the worse half are not positive.
    pub(super) weights: Vec<f64>,
    pub(super) mu_eff: f64,
    pub(super) c1: f64,
    pub(super) c_mu: f64,
    pub(super) c_sigma: f64,
    pub(super) d_sigma: f64,
    pub(super) c_c: f64,
    /// The expected length of a standard normal vector.
    pub(super) chi: f64,
}

/// 4 + floor(3 ln d).
#[must_use]
pub fn default_population(dimensions: usize) -> usize {
    4 + (3.0 * libm::log(dimensions.max(1) as f64)) as usize
}

impl Settings {
    /// `active`: bad points count against their direction.
    pub(super) fn new(dimensions: usize, population: usize, separable: bool, active: bool) -> Self {
        let (d, lambda) = (dimensions.max(1) as f64, population as f64);
        let raw: Vec<f64> = (1..=population)
            .map(|rank| libm::log((lambda + 1.0) / 2.0) - libm::log(rank as f64))
            .collect();
        let good = population / 2;
        let (better, worse) = raw.split_at(good);
        let sum = |part: &[f64]| part.iter().sum::<f64>();
        let effective = |part: &[f64]| {
            let squares: f64 = part.iter().map(|w| w * w).sum();
            if squares > 0.0 {
                sum(part) * sum(part) / squares
            } else {
                0.0
            }
        };
        let (mu_eff, mu_eff_worse) = (effective(better), effective(worse));
        let (mut c1, mut c_mu) = rates(d, mu_eff);
        if separable {
            // Fewer numbers to learn: they may be learned faster.
            let faster = (d + 2.0) / 3.0;
            c1 = (c1 * faster).min(0.5);
            c_mu = (c_mu * faster).min(1.0 - c1 - 1e-8);
        }
        let limits = [
            1.0 + c1 / c_mu,
            1.0 + 2.0 * mu_eff_worse / (mu_eff + 2.0),
            (1.0 - c1 - c_mu) / (d * c_mu),
        ];
        let scale_worse = limits.into_iter().fold(f64::INFINITY, f64::min) / -sum(worse);
        let scale_worse = if active && scale_worse.is_finite() {
            scale_worse
        } else {
            0.0
        };
        let scale = |w: &f64| {
            if *w >= 0.0 {
                w / sum(better)
            } else {
                w * scale_worse
            }
        };
        let c_sigma = (mu_eff + 2.0) / (d + mu_eff + 5.0);
        Self {
            weights: raw.iter().map(scale).collect(),
            mu_eff,
            c1,
            c_mu,
            c_sigma,
            d_sigma: 1.0 + 2.0 * (((mu_eff - 1.0) / (d + 1.0)).sqrt() - 1.0).max(0.0) + c_sigma,
            c_c: (4.0 + mu_eff / d) / (d + 4.0 + 2.0 * mu_eff / d),
            chi: d.sqrt() * (1.0 - 1.0 / (4.0 * d) + 1.0 / (21.0 * d * d)),
        }
    }

    /// Of the good ones.
    pub(super) fn recombination(&self) -> impl Iterator<Item = f64> {
        self.weights.iter().map(|w| w.max(0.0))
    }
}

fn rates(d: f64, mu_eff: f64) -> (f64, f64) {
    let c1 = 2.0 / ((d + 1.3) * (d + 1.3) + mu_eff);
    let c_mu = 2.0 * (mu_eff - 2.0 + 1.0 / mu_eff) / ((d + 2.0) * (d + 2.0) + mu_eff);
    (c1, c_mu.min(1.0 - c1 - 1e-8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_constants_for_three_dimensions_are_those_of_the_tutorial() {
        assert_eq!(
            [1, 2, 3, 10, 100].map(default_population),
            [4, 6, 7, 10, 17]
        );
        let s = Settings::new(3, 7, false, true);
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{a} {b}");
        // By the package `cmaes` 0.13.1.
        close(s.mu_eff, 2.254_815_082_201_604_4);
        close(s.c1, 0.096_409_632_579_272_14);
        close(s.c_mu, 0.051_243_087_013_586_15);
        close(s.c_sigma, 0.414_909_001_098_061_6);
        close(s.d_sigma, 1.414_909_001_098_061_6);
        close(s.c_c, 0.558_801_322_886_019_8);
        close(s.chi, 1.596_877_530_258_607_6);
        let weights = [
            0.585_645_106_509_765,
            0.292_822_553_254_882_5,
            0.121_532_340_235_352_45,
            0.0,
            -0.424_126_941_843_174_1,
            -0.770_663_885_705_922_4,
            -1.063_656_696_984_255_6,
        ];
        for (a, b) in s.weights.iter().zip(weights) {
            close(*a, b);
        }
    }

    #[test]
    fn rates_are_legal_in_any_dimension_and_form() {
        for d in [1, 2, 5, 40, 101, 1_024] {
            for separable in [false, true] {
                for population in [default_population(d), 2, 500] {
                    let s = Settings::new(d, population, separable, true);
                    assert!(
                        s.c1 > 0.0 && s.c_mu >= 0.0 && s.c1 + s.c_mu <= 1.0,
                        "{d} {s:?}"
                    );
                    assert!(s.weights.iter().all(|w| w.is_finite()), "{d} {s:?}");
                    assert!((s.recombination().sum::<f64>() - 1.0).abs() < 1e-9);
                }
            }
        }
    }
}
