//! A page of text: lines no wider than the terminal, made line by line.
//!
//! Contract: text is wrapped first and painted after, so that no escape sequence is ever cut; whoever hands text to a
//! page has escaped what came from outside, see [`super::escape`].

use super::paint::{Palette, Role};
use super::wrap::{WIDTH_MIN, width_of, wrap};

/// A page being written.
pub struct Page {
    palette: Palette,
    width: usize,
    text: String,
}

impl Page {
    /// An empty page for a terminal of that many columns.
    pub fn new(palette: Palette, width: usize) -> Self {
        Self { palette, width: width.max(WIDTH_MIN), text: String::new() }
    }

    /// An empty line.
    pub fn blank(&mut self) {
        self.text.push('\n');
    }

    /// A line that starts with painted text.
    pub fn heading(&mut self, role: Role, heading: &str, rest: &str) {
        self.pair(0, role, heading, width_of(heading), rest);
    }

    /// Text in one colour, wrapped, every line behind the same indent.
    pub fn line(&mut self, indent: usize, role: Option<Role>, text: &str) {
        let indent = " ".repeat(indent);
        for line in wrap(text, self.width, &indent, &indent) {
            self.push(&indent, role, &line[indent.len()..]);
        }
    }

    /// A painted label and a text that hangs behind it, wrapped. The label takes `columns` at least.
    pub fn pair(&mut self, indent: usize, role: Role, label: &str, columns: usize, text: &str) {
        if indent + width_of(label) > self.width {
            self.line(indent, Some(role), label);
            if !text.is_empty() {
                self.line(indent + 2, None, text);
            }
            return;
        }
        let padding = columns.saturating_sub(width_of(label));
        let gap = if label.ends_with(':') { 1 } else { 2 };
        let first = format!("{}{label}{}", " ".repeat(indent), " ".repeat(padding + gap));
        // On a narrow terminal the text goes below its label.
        let hang = if width_of(&first) * 2 > self.width { indent + 2 } else { width_of(&first) };
        let lines = wrap(text, self.width, &first, &" ".repeat(hang));
        for (index, line) in lines.iter().enumerate() {
            if index == 0 {
                let painted = self.palette.paint(role, label);
                let line = format!("{}{painted}{}", " ".repeat(indent), &line[indent + label.len()..]);
                self.text.push_str(line.trim_end());
            } else {
                self.text.push_str(line.trim_end());
            }
            self.text.push('\n');
        }
    }

    /// The whole page.
    pub fn finish(self) -> String {
        self.text
    }

    fn push(&mut self, indent: &str, role: Option<Role>, text: &str) {
        self.text.push_str(indent);
        match role {
            Some(role) => self.text.push_str(&self.palette.paint(role, text.trim_end())),
            None => self.text.push_str(text.trim_end()),
        }
        self.text.push('\n');
    }
}
