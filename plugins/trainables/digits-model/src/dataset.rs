//! The images and their split. The format and the split are described beside the data, in
//! `data/digits/README.md`.

use tune_plugin::{
    Failure, data,
    linalg::{LANES, Lane},
};

/// Pixels of an image.
pub const PIXELS: usize = 64;
/// Kinds of images.
pub const CLASSES: usize = 10;
/// Under which the file is read: the data set `digits` must be granted.
const FILE: &str = "digits/digits.csv";
/// The largest pixel.
const BLACK: u8 = 16;
/// Of each digit every fifth image is for validation.
const VALIDATION_EVERY: u32 = 5;

/// Pixels from 0 to 1, row by row.
pub type Image = [Lane; PIXELS / LANES];

/// Images and what they show.
#[derive(Clone, Debug, Default)]
pub struct Images {
    /// The pixels.
    pub pixels: Vec<Image>,
    /// The digits, 0 to 9.
    pub labels: Vec<u8>,
}

impl Images {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// There are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    fn push(&mut self, image: Image, label: u8) {
        self.pixels.push(image);
        self.labels.push(label);
    }
}

/// All images, split.
#[derive(Clone, Debug, Default)]
pub struct Dataset {
    /// To train on.
    pub training: Images,
    /// To measure on.
    pub validation: Images,
}

impl Dataset {
    /// Reads `digits/digits.csv` from the host.
    ///
    /// # Errors
    /// If it is not granted, not there or not in the format of [`Dataset::parse`].
    pub fn load() -> Result<Self, Failure> {
        Self::parse(&data::read_all(FILE)?)
    }

    /// Lines of 64 pixels from 0 to 16 and a digit, separated by commas.
    ///
    /// # Errors
    /// Names the first line that is something else.
    pub fn parse(csv: &[u8]) -> Result<Self, Failure> {
        let mut dataset = Self::default();
        let mut seen = [0_u32; CLASSES];
        let lines = csv.split(|byte| *byte == b'\n').zip(1..);
        for (line, number) in lines.filter(|(line, _)| !line.trim_ascii().is_empty()) {
            let (image, label) = row(line.trim_ascii_end()).ok_or_else(|| {
                Failure::BadData(format!(
                    "{FILE}, line {number}: expected 64 pixels from 0 to 16 and a digit from 0 \
                     to 9, separated by commas"
                ))
            })?;
            let Some(count) = seen.get_mut(usize::from(label)) else {
                continue;
            };
            *count += 1;
            if count.is_multiple_of(VALIDATION_EVERY) {
                dataset.validation.push(image, label);
            } else {
                dataset.training.push(image, label);
            }
        }
        if dataset.validation.is_empty() {
            return Err(Failure::BadData(format!(
                "{FILE}: needs at least {VALIDATION_EVERY} images of one digit, so that one is \
                 for validation"
            )));
        }
        Ok(dataset)
    }
}

fn row(mut line: &[u8]) -> Option<(Image, u8)> {
    let mut image = Image::default();
    for pixel in image.as_flattened_mut() {
        let (value, rest) = number(line).filter(|(value, _)| *value <= BLACK)?;
        *pixel = f32::from(value) / f32::from(BLACK);
        let [b',', rest @ ..] = rest else {
            return None;
        };
        line = rest;
    }
    let (label, rest) = number(line)?;
    (usize::from(label) < CLASSES && rest.is_empty()).then_some((image, label))
}

/// One or two decimal digits, and what follows.
fn number(text: &[u8]) -> Option<(u8, &[u8])> {
    match text {
        [tens @ b'0'..=b'9', ones @ b'0'..=b'9', rest @ ..] => {
            Some(((tens - b'0') * 10 + (ones - b'0'), rest))
        }
        [ones @ b'0'..=b'9', rest @ ..] => Some((ones - b'0', rest)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_file_splits_into_1442_and_355_images_with_each_digit_in_both() {
        let csv = include_bytes!("../../../../data/digits/digits.csv");
        let dataset = Dataset::parse(csv).unwrap();
        assert_eq!(
            (dataset.training.len(), dataset.validation.len()),
            (1442, 355)
        );
        for digit in 0..10 {
            let of = |images: &Images| images.labels.iter().filter(|l| **l == digit).count();
            assert!((139..=147).contains(&of(&dataset.training)));
            assert!((34..=36).contains(&of(&dataset.validation)));
        }
        // The first line of the file: 0, 0, 5, 13, 9, 1, ..
        assert_eq!(dataset.training.labels[0], 0);
        assert_eq!(
            dataset.training.pixels[0][0][2..4],
            [5.0 / 16.0, 13.0 / 16.0]
        );
        // The first digit that comes for the fifth time is a 5.
        assert_eq!(dataset.validation.labels[0], 5);
    }

    #[test]
    fn a_wrong_line_is_named() {
        let line = |pixel: &str, label: &str| format!("{pixel},{}{label}\n", "0,".repeat(63));
        let good = line("16", "3");
        assert!(Dataset::parse(good.repeat(5).as_bytes()).is_ok());
        for bad in [
            line("17", "3"),
            line("-1", "3"),
            line("1.5", "3"),
            line("", "3"),
            line("1", "10"),
            line("1", "3,0"),
            "1,2,3\n".to_owned(),
            "\u{0}\n".to_owned(),
        ] {
            let error = Dataset::parse(format!("{good}{bad}").as_bytes()).unwrap_err();
            assert!(error.to_string().contains("line 2"), "{bad}: {error}");
        }
        let error = Dataset::parse(b"").unwrap_err();
        assert!(error.to_string().contains("at least 5"), "{error}");
    }
}
