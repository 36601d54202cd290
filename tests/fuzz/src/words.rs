//! The words of a text, for mutations that keep the shape of a language.

/// Words, numbers, strings and signs of a text; spaces and comments are none.
#[must_use]
pub fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    for line in text.lines() {
        let mut rest = line;
        while let Some(first) = rest.chars().next() {
            if first == '#' {
                break;
            }
            let length = match first {
                '"' => rest[1..].find('"').map_or(rest.len(), |end| end + 2),
                c if is_word(c) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
                c => c.len_utf8(),
            };
            let (word, behind) = rest.split_at(length);
            if !first.is_whitespace() {
                words.push(word);
            }
            rest = behind;
        }
    }
    words
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '+')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_cut_at_its_signs_and_not_in_its_strings() {
        let text = "lr = { uniform = [-1.5, \"a b\"] } # why\n\"open";
        let wanted = [
            "lr", "=", "{", "uniform", "=", "[", "-1.5", ",", "\"a b\"", "]", "}", "\"open",
        ];
        assert_eq!(words(text), wanted);
    }
}
