use super::*;

/// Coordinates 1, 2, 3, 4, 10, 100, 500 and 1,024 of points of the unscrambled sequence, as
/// `scipy.stats.qmc.Sobol` 1.17 gives them, which reads the same direction numbers.
const REFERENCE: [(usize, [f64; 8]); 8] = [
    (1, [0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5]),
    (2, [0.75, 0.25, 0.25, 0.25, 0.75, 0.75, 0.25, 0.75]),
    (3, [0.25, 0.75, 0.75, 0.75, 0.25, 0.25, 0.75, 0.25]),
    (4, [0.375, 0.375, 0.625, 0.875, 0.625, 0.875, 0.625, 0.875]),
    (7, [0.125, 0.625, 0.375, 0.125, 0.875, 0.625, 0.375, 0.625]),
    (
        100,
        [
            0.4140625, 0.2578125, 0.7734375, 0.7265625, 0.6953125, 0.8828125, 0.4921875, 0.9453125,
        ],
    ),
    (
        1000,
        [
            0.219_726_562_5,
            0.096_679_687_5,
            0.518_554_687_5,
            0.676_757_812_5,
            0.069_335_937_5,
            0.186_523_437_5,
            0.254_882_812_5,
            0.713_867_187_5,
        ],
    ),
    (
        1023,
        [
            0.000_976_562_5,
            0.752_929_687_5,
            0.612_304_687_5,
            0.145_507_812_5,
            0.850_585_937_5,
            0.530_273_437_5,
            0.473_632_812_5,
            0.995_117_187_5,
        ],
    ),
];

#[test]
fn the_points_are_those_of_joe_and_kuo() {
    let mut sobol = Sobol::new(1_024, Scramble::None);
    let points: Vec<_> = (1..1_024).map(|_| sobol.next_point()).collect();
    for (index, expected) in REFERENCE {
        let got = [0, 1, 2, 3, 9, 99, 499, 1_023].map(|i| points[index - 1][i]);
        assert_eq!(got, expected, "point {index}");
    }
}

#[test]
fn however_it_is_scrambled_every_box_gets_its_share() {
    for scramble in [Scramble::Shift(1), Scramble::Owen(1), Scramble::Owen(2)] {
        let mut sobol = Sobol::new(2, scramble);
        let points: Vec<_> = (0..64).map(|_| sobol.next_point()).collect();
        // The first two coordinates are a (0, 6, 2)-net: one point in every box of volume 1/64.
        for halvings in 0..=6 {
            let (wide, high) = (1_u32 << halvings, 1_u32 << (6 - halvings));
            let mut boxes: Vec<_> = points
                .iter()
                .map(|p| {
                    let at = |x: f64, n: u32| (x * f64::from(n)) as u32;
                    (at(p[0], wide), at(p[1], high))
                })
                .collect();
            boxes.sort_unstable();
            boxes.dedup();
            assert_eq!(boxes.len(), 64, "{scramble:?} {wide} x {high}");
        }
    }
}

#[test]
fn scrambled_points_differ_by_seed_and_are_equal_for_equal_seeds() {
    let first = |seed| Sobol::new(8, Scramble::Owen(seed)).next_point();
    assert_eq!(first(1), first(1));
    assert_ne!(first(1), first(2));
}

#[test]
fn scrambling_leaves_the_mean_of_a_smooth_function_exact_to_many_digits() {
    // Error of the mean of sum (x - 1/2)^2 over 1,024 points in 10 dimensions; plain random draws
    // are off by about 0.007.
    let mut sobol = Sobol::new(10, Scramble::Owen(7));
    let square = |x: &f64| (x - 0.5) * (x - 0.5);
    let sum: f64 = (0..1_024)
        .map(|_| sobol.next_point().iter().map(square).sum::<f64>())
        .sum();
    assert!((sum / 1_024.0 - 10.0 / 12.0).abs() < 2e-4, "{sum}");
}

#[test]
fn more_dimensions_than_there_are_count_as_those() {
    assert_eq!(Sobol::new(5_000, Scramble::None).next_point().len(), 1_024);
    assert!(Sobol::new(0, Scramble::Owen(1)).next_point().is_empty());
}

#[test]
fn the_sequence_begins_again_after_its_last_point() {
    let mut sobol = Sobol::new(2, Scramble::Owen(0));
    sobol.index = u32::MAX;
    sobol.state = vec![1 << 31, sobol.directions[1][31]];
    sobol.advance();
    assert_eq!(sobol.index, 0);
    assert_eq!(sobol.state[0], 0);
}
