//! Names of metrics, which a host copies with every report.

use std::{cmp, fmt, hash, ops::Deref, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A text: a plain one, or a [shared](Self::shared) one, of which a copy needs no memory. Written and
/// read as the text that it is.
#[derive(Clone)]
pub struct Name(Text);

#[derive(Clone)]
enum Text {
    Plain(String),
    Shared(Arc<str>),
}

impl Name {
    /// A text that is copied often.
    #[must_use]
    pub fn shared(text: &str) -> Self {
        Self(Text::Shared(text.into()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Text::Plain(text) => text,
            Text::Shared(text) => text,
        }
    }
}

impl Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self)
    }
}

impl From<&str> for Name {
    fn from(text: &str) -> Self {
        Self(Text::Plain(text.to_owned()))
    }
}

impl From<String> for Name {
    fn from(text: String) -> Self {
        Self(Text::Plain(text))
    }
}

impl From<&String> for Name {
    fn from(text: &String) -> Self {
        text.as_str().into()
    }
}

impl From<&Name> for Name {
    fn from(name: &Name) -> Self {
        name.clone()
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        match name.0 {
            Text::Plain(text) => text,
            Text::Shared(text) => text.as_ref().to_owned(),
        }
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Name {}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Name {
    fn cmp(&self, other: &Self) -> cmp::Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl hash::Hash for Name {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl PartialEq<str> for Name {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Name {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl PartialEq<String> for Name {
    fn eq(&self, other: &String) -> bool {
        self.as_str() == other
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self)
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_written_and_read_as_its_text() {
        let name = Name::from("loss");
        assert_eq!(serde_json::to_string(&name).unwrap(), r#""loss""#);
        assert_eq!(serde_json::from_str::<Name>(r#""loss""#).unwrap(), name);
    }

    #[test]
    fn whether_it_is_shared_cannot_be_seen() {
        let (shared, plain) = (Name::shared("loss"), Name::from("loss"));
        assert_eq!(shared, plain);
        assert_eq!(String::from(shared.clone()), String::from(plain.clone()));
        assert_eq!(format!("{shared} {shared:?}"), format!("{plain} {plain:?}"));
        assert!(Name::shared("a") < plain && plain < Name::shared("z"));
        let all: std::collections::HashSet<Name> = [shared, plain].into();
        assert_eq!(all.len(), 1);
    }
}
