//! Core: personal data that knows it is personal.
//!
//! A `Pii<T>` can be carried, compared and opened on purpose; it cannot be printed by accident.
//! It does not encrypt or erase anything.

use std::fmt;

/// A value that must not reach a log, an error text or a metric.
#[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pii<T>(T);

impl<T> Pii<T> {
    /// Marks the value as personal.
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself. Whoever asks for it answers for where it goes.
    pub fn expose(&self) -> &T {
        &self.0
    }

    /// Takes the value out.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> From<T> for Pii<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl<T> fmt::Debug for Pii<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(personal)")
    }
}

impl<T> fmt::Display for Pii<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(personal)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_debug_nor_display_shows_the_value() {
        let room = Pii::new("birthday-party".to_owned());
        assert_eq!(format!("{room} {room:?}"), "(personal) (personal)");
        assert_eq!(room.expose(), "birthday-party");
    }
}
