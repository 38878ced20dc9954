//! Colours by meaning, and when there are any.

use std::fmt;

use anstyle::{AnsiColor, Style};

/// What a piece of text means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Holds, intact.
    Good,
    /// Breached, lost, an error.
    Bad,
    /// Could not be judged, a warning.
    Doubt,
    /// A heading, a number that matters.
    Strong,
    /// A place: topic, file, line.
    Place,
    /// What is there for completeness.
    Faint,
}

/// Whether text is painted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Palette {
    painted: bool,
}

/// Text in its colour.
struct Painted<'a> {
    style: Style,
    text: &'a str,
}

impl Palette {
    /// Without colours.
    pub const PLAIN: Self = Self { painted: false };
    /// With colours.
    pub const PAINTED: Self = Self { painted: true };

    /// The text in the colour of its role.
    pub fn paint(self, role: Role, text: &str) -> String {
        if !self.painted || text.is_empty() {
            return text.to_owned();
        }
        let style = match role {
            Role::Good => AnsiColor::Green.on_default().bold(),
            Role::Bad => AnsiColor::Red.on_default().bold(),
            Role::Doubt => AnsiColor::Yellow.on_default().bold(),
            Role::Strong => Style::new().bold(),
            Role::Place => AnsiColor::Cyan.on_default(),
            Role::Faint => Style::new().dimmed(),
        };
        Painted { style, text }.to_string()
    }
}

impl fmt::Display for Painted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{}", self.style.render(), self.text, self.style.render_reset())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_has_no_escape_sequences() {
        assert_eq!(Palette::PLAIN.paint(Role::Bad, "breached"), "breached");
        assert_eq!(Palette::PAINTED.paint(Role::Bad, "breached"), "\u{1b}[1m\u{1b}[31mbreached\u{1b}[0m");
        assert_eq!(Palette::PAINTED.paint(Role::Bad, ""), "");
    }
}
