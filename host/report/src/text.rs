//! Text on a terminal: how wide it is, cut and filled to a width, and harmless.

use std::borrow::Cow;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// How many columns a text takes.
#[must_use]
pub fn columns(text: &str) -> usize {
    text.width()
}

/// A text without anything that could steer a terminal or mislead its reader: control and
/// invisible direction characters are replaced. Everything that comes from a guest or a file goes
/// through here.
#[must_use]
pub fn clean(text: &str) -> Cow<'_, str> {
    if text.chars().any(is_harmful) {
        let replace = |c| if is_harmful(c) { '\u{fffd}' } else { c };
        text.chars().map(replace).collect::<String>().into()
    } else {
        text.into()
    }
}

fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// The text in at most this many columns; what is cut off shows as `…`.
#[must_use]
pub fn cut(text: &str, width: usize) -> Cow<'_, str> {
    if columns(text) <= width {
        return text.into();
    }
    let room = width.saturating_sub(1);
    let mut kept = String::new();
    let mut used = 0;
    for c in text.chars() {
        used += c.width().unwrap_or(0);
        if used > room {
            break;
        }
        kept.push(c);
    }
    if width > 0 {
        kept.push('…');
    }
    kept.into()
}

/// The text cut or filled with spaces to exactly this many columns.
pub(crate) fn fit(text: &str, width: usize, right: bool) -> String {
    let text = cut(text, width);
    let fill = " ".repeat(width.saturating_sub(columns(&text)));
    if right {
        format!("{fill}{text}")
    } else {
        format!("{text}{fill}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_by_columns_not_by_characters() {
        assert_eq!(cut("accuracy", 8), "accuracy");
        assert_eq!(cut("accuracy", 5), "accu…");
        assert_eq!(cut("日本語", 4), "日…");
        assert_eq!(cut("日本語", 5), "日本…");
        assert_eq!(cut("abc", 0), "");
        assert_eq!(columns(&fit("日本", 7, true)), 7);
        assert_eq!(fit("ab", 4, true), "  ab");
    }

    #[test]
    fn what_steers_a_terminal_is_replaced() {
        assert_eq!(clean("plain ü 日"), "plain ü 日");
        assert_eq!(
            clean("\u{1b}[2J\r\n\u{202e}x"),
            "\u{fffd}[2J\u{fffd}\u{fffd}\u{fffd}x"
        );
    }
}
