//! Categorical parameters beside CMA-ES: R. Hamano et al. (2024), *CatCMA: Stochastic Optimization for
//! Mixed-Category Problems*, with the adaptive natural gradient of Y. Akimoto et al. (2019), *Adaptive
//! Stochastic Natural Gradient Method for One-Shot Neural Architecture Search*.

use tune_space::Stream;

/// Strength of a signal at which the step stays as it is.
const ALPHA: f64 = 1.5;

/// A probability for every category of every parameter.
#[derive(Clone, Debug)]
pub struct Categories {
    q: Vec<Vec<f64>>,
    /// What each category keeps, by parameter.
    least: Vec<f64>,
    /// The inverse of the length of a step.
    delta: f64,
    gamma: f64,
    path: Vec<f64>,
}

impl Categories {
    /// All equally likely; `counts` categories by parameter.
    #[must_use]
    pub fn new(counts: &[usize]) -> Self {
        // With these, one of all parameters takes another category than its favourite in a quarter
        // of the points.
        let all = 1.0 - libm::pow(0.73, 1.0 / counts.len().max(1) as f64);
        let free: usize = counts.iter().map(|k| k.saturating_sub(1)).sum();
        Self {
            q: counts.iter().map(|k| vec![1.0 / *k as f64; *k]).collect(),
            least: counts
                .iter()
                .map(|k| (all / k.saturating_sub(1).max(1) as f64).min(1.0 / (*k).max(1) as f64))
                .collect(),
            delta: 1.0,
            gamma: 0.0,
            path: vec![0.0; free],
        }
    }

    /// The probabilities, by parameter and category.
    #[must_use]
    pub fn probabilities(&self) -> &[Vec<f64>] {
        &self.q
    }

    /// Draws a category for each parameter.
    pub fn draw(&self, stream: &mut Stream) -> Vec<usize> {
        self.q
            .iter()
            .map(|q| stream.weighted(q).unwrap_or(0))
            .collect()
    }

    /// Learns from a generation, the best first; of its better half.
    pub fn update(&mut self, ranked: &[&[usize]], population: usize) {
        let good = population / 2;
        let lambda = population as f64;
        let raw = |rank: usize| libm::log((lambda + 1.0) / 2.0) - libm::log(rank as f64);
        let sum: f64 = (1..=good).map(raw).sum();
        if self.path.is_empty() || sum <= 0.0 {
            return;
        }
        let mut gradient: Vec<Vec<f64>> = self.q.iter().map(|q| vec![0.0; q.len()]).collect();
        for (rank, point) in (1..=good).zip(ranked) {
            let weight = raw(rank) / sum;
            for ((gradient, q), chosen) in gradient.iter_mut().zip(&self.q).zip(*point) {
                for (category, (g, q)) in gradient.iter_mut().zip(q).enumerate() {
                    *g += weight * (f64::from(u8::from(category == *chosen)) - q);
                }
            }
        }
        // The gradient in the metric of the distribution (the square root of its information).
        let mut local = Vec::with_capacity(self.path.len());
        for (gradient, q) in gradient.iter().zip(&self.q) {
            let (Some((_, free)), Some((last, free_q))) = (gradient.split_last(), q.split_last())
            else {
                continue;
            };
            let all: f64 = free.iter().sum();
            local.extend(
                free.iter()
                    .zip(free_q)
                    .map(|(g, q)| g / q.sqrt() + q.sqrt() * all / (last + last.sqrt())),
            );
        }
        let length = local.iter().map(|x| x * x).sum::<f64>().sqrt() + 1e-30;
        let step = 1.0 / self.delta;
        for (q, gradient) in self.q.iter_mut().zip(&gradient) {
            q.iter_mut()
                .zip(gradient)
                .for_each(|(q, g)| *q += step / length * g);
        }
        let beta = step / (self.path.len() as f64).sqrt();
        let beta = beta.min(1.0);
        let pull = (beta * (2.0 - beta)).sqrt() / length;
        self.path
            .iter_mut()
            .zip(&local)
            .for_each(|(s, g)| *s = (1.0 - beta) * *s + pull * g);
        self.gamma = (1.0 - beta) * (1.0 - beta) * self.gamma + beta * (2.0 - beta);
        let signal: f64 = self.path.iter().map(|s| s * s).sum();
        // Steps grow no longer than the first.
        self.delta = (self.delta * libm::exp(beta * (self.gamma - signal / ALPHA))).max(1.0);
        self.keep_margin();
    }

    fn keep_margin(&mut self) {
        for (q, least) in self.q.iter_mut().zip(&self.least) {
            q.iter_mut().for_each(|q| *q = q.max(*least));
            let sum: f64 = q.iter().sum();
            let spare = sum - least * q.len() as f64;
            if spare > 0.0 {
                q.iter_mut()
                    .for_each(|q| *q -= (sum - 1.0) * (*q - least) / spare);
            }
            let sum: f64 = q.iter().sum();
            q.iter_mut().for_each(|q| *q /= sum);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_category_that_is_better_becomes_likely_and_the_others_keep_their_share() {
        let mut categories = Categories::new(&[3, 5, 2]);
        let mut stream = Stream::new(1);
        for _ in 0..100 {
            let mut points: Vec<_> = (0..8).map(|_| categories.draw(&mut stream)).collect();
            // Good: category 1, 4, 0.
            points.sort_by_key(|p| usize::from(p[0] != 1) + usize::from(p[1] != 4) + p[2]);
            let ranked: Vec<&[usize]> = points.iter().map(Vec::as_slice).collect();
            categories.update(&ranked, 8);
        }
        let q = categories.probabilities();
        assert!(q[0][1] > 0.8 && q[1][4] > 0.8 && q[2][0] > 0.8, "{q:?}");
        for (q, least) in q.iter().zip(&categories.least) {
            assert!((q.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            assert!(q.iter().all(|q| *q >= least - 1e-12), "{q:?}");
        }
    }

    #[test]
    fn where_nothing_is_better_no_category_dies_out() {
        let mut categories = Categories::new(&[4]);
        let mut stream = Stream::new(1);
        for _ in 0..300 {
            let points: Vec<_> = (0..6).map(|_| categories.draw(&mut stream)).collect();
            let ranked: Vec<&[usize]> = points.iter().map(Vec::as_slice).collect();
            categories.update(&ranked, 6);
        }
        let least = categories.least[0];
        assert!(
            categories.probabilities()[0]
                .iter()
                .all(|q| *q >= least - 1e-12)
        );
    }

    #[test]
    fn parameters_of_one_category_and_none_at_all_are_left_alone() {
        for counts in [&[][..], &[1], &[1, 3]] {
            let mut categories = Categories::new(counts);
            let point = vec![0; counts.len()];
            categories.update(&[&point, &point], 4);
            assert!(
                categories
                    .probabilities()
                    .iter()
                    .flatten()
                    .all(|q| q.is_finite())
            );
        }
    }
}
