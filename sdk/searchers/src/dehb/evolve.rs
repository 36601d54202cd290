//! Differential evolution in the unit cube, rand/1/bin (R. Storn, K. Price, 1997): one mutant out of
//! three others, crossed with the target gene by gene. Points only: no parameters, no results.

use tune_plugin::Stream;

/// Three different places among `n`, in the order in which they are drawn. `n` is at least 3.
pub(super) fn three_of(n: usize, stream: &mut Stream) -> [usize; 3] {
    let mut drawn = [0; 3];
    for turn in 0..3 {
        let mut place = stream.below(n.saturating_sub(turn) as u64) as usize;
        // Places that are taken are passed over, the lowest first.
        let mut taken: Vec<usize> = drawn.iter().take(turn).copied().collect();
        taken.sort_unstable();
        for other in taken {
            if place >= other {
                place += 1;
            }
        }
        if let Some(slot) = drawn.get_mut(turn) {
            *slot = place;
        }
    }
    drawn
}

/// `a + factor x (b - c)`; it may leave the cube.
pub(super) fn mutant([a, b, c]: [&[f64]; 3], factor: f64) -> Vec<f64> {
    let others = b.iter().zip(c);
    (a.iter().zip(others))
        .map(|(a, (b, c))| a + factor * (b - c))
        .collect()
}

/// The target with each gene from the mutant by a probability, and with at least one.
pub(super) fn crossed(
    target: &[f64],
    mutant: &[f64],
    probability: f64,
    stream: &mut Stream,
) -> Vec<f64> {
    let chosen: Vec<bool> = target.iter().map(|_| stream.unit() < probability).collect();
    // The one that is taken when none is.
    let one = if chosen.contains(&true) {
        None
    } else {
        Some(stream.below(target.len() as u64) as usize)
    };
    (target.iter().zip(mutant).zip(chosen).enumerate())
        .map(|(place, ((old, new), is_chosen))| {
            if is_chosen || one == Some(place) {
                *new
            } else {
                *old
            }
        })
        .collect()
}

/// Genes outside the cube, or no numbers, are drawn anew.
pub(super) fn repair(genes: &mut [f64], stream: &mut Stream) {
    for gene in genes {
        if !(0.0..=1.0).contains(gene) {
            *gene = stream.unit();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_mutant_is_the_base_and_half_of_a_difference() {
        let (a, b, c) = ([0.5, 0.25, 1.0], [0.75, 0.5, 0.5], [0.25, 1.0, 0.0]);
        // 0.5 + 0.5 x 0.5, 0.25 - 0.5 x 0.5, 1 + 0.5 x 0.5
        assert_eq!(mutant([&a, &b, &c], 0.5), [0.75, 0.0, 1.25]);
        assert_eq!(mutant([&a, &b, &c], 0.0), a);
    }

    #[test]
    fn three_places_differ_and_every_order_of_them_comes_equally_often() {
        let mut stream = Stream::new(1);
        let mut counts: BTreeMap<[usize; 3], u32> = BTreeMap::new();
        for _ in 0..24_000 {
            *counts.entry(three_of(4, &mut stream)).or_default() += 1;
        }
        assert_eq!(counts.len(), 24);
        for (drawn, count) in counts {
            let [a, b, c] = drawn;
            assert!(a != b && b != c && a != c && drawn.iter().all(|i| *i < 4));
            // A standard deviation is 31.
            assert!((850..1_150).contains(&count), "{drawn:?}: {count}");
        }
        assert_eq!(three_of(3, &mut stream).iter().sum::<usize>(), 3);
    }

    #[test]
    fn a_child_has_a_share_of_the_mutants_genes_and_at_least_one() {
        let (target, mutant) = (vec![0.0; 10], vec![1.0; 10]);
        let mut stream = Stream::new(2);
        let mut sums = BTreeMap::new();
        for _ in 0..2_000 {
            let child = crossed(&target, &mutant, 0.5, &mut stream);
            *sums
                .entry(child.iter().sum::<f64>() as u32)
                .or_insert(0_u32) += 1;
        }
        // Binomial with 10 draws of a half: 5 in a quarter of all, 0 never.
        let half = sums[&5];
        assert!((420..580).contains(&half), "{half}");
        assert!(!sums.contains_key(&0));
        // By no probability at all exactly one, each gene in its turn.
        let mut places = [0_u32; 10];
        for _ in 0..2_000 {
            let child = crossed(&target, &mutant, 0.0, &mut stream);
            assert_eq!(child.iter().sum::<f64>(), 1.0);
            let place = child.iter().position(|gene| *gene == 1.0).unwrap();
            places[place] += 1;
        }
        assert!(places.iter().all(|n| (130..280).contains(n)), "{places:?}");
        assert_eq!(crossed(&target, &mutant, 1.0, &mut stream), mutant);
        assert!(crossed(&[], &[], 0.5, &mut stream).is_empty());
    }

    #[test]
    fn genes_outside_the_cube_are_drawn_anew_and_no_others_change() {
        let mut stream = Stream::new(3);
        let mut sum = 0.0;
        for _ in 0..2_000 {
            let mut genes = [0.0, 1.25, 0.5, -0.25, 1.0, f64::NAN];
            repair(&mut genes, &mut stream);
            assert_eq!((genes[0], genes[2], genes[4]), (0.0, 0.5, 1.0));
            for new in [genes[1], genes[3], genes[5]] {
                assert!((0.0..1.0).contains(&new));
            }
            sum += genes[1];
        }
        // Not cut off at the end, and not mirrored: anywhere.
        assert!((sum / 2_000.0 - 0.5).abs() < 0.03, "{sum}");
    }
}
