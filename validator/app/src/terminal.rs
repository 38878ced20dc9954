//! stdout and stderr: stdout is data, stderr is talk.

use std::io::{self, IsTerminal, Write};

use crate::cli::ColorChoice;
use crate::config::Problem;
use crate::failure::Failure;
use crate::render::{Palette, problems, wrap_lines};

/// Columns where there is no terminal to ask.
const WIDTH_DEFAULT: usize = 100;

/// The streams of this process.
#[derive(Debug, Clone, Copy)]
pub struct Terminal {
    color: ColorChoice,
}

impl Terminal {
    /// With colours as asked for.
    pub fn new(color: ColorChoice) -> Self {
        Self { color }
    }

    /// The palette of stdout.
    pub fn palette(&self) -> Palette {
        self.color.palette(io::stdout().is_terminal(), &|name| std::env::var(name).ok())
    }

    /// The palette of stderr.
    pub fn palette_of_talk(&self) -> Palette {
        self.color.palette(io::stderr().is_terminal(), &|name| std::env::var(name).ok())
    }

    /// Columns of the terminal; 100 where there is none.
    pub fn width(&self) -> usize {
        terminal_size::terminal_size().map_or(WIDTH_DEFAULT, |(width, _)| usize::from(width.0))
    }

    /// Columns of the terminal that answers go to; none where they go elsewhere.
    pub fn width_of_answers(&self) -> Option<usize> {
        io::stdout().is_terminal().then(|| self.width())
    }

    /// Whether a person watches stderr, on a terminal that can draw a line anew.
    pub fn is_interactive(&self) -> bool {
        io::stderr().is_terminal() && std::env::var("TERM").is_ok_and(|term| term != "dumb")
    }

    /// Writes an answer to stdout. A reader that went away ends the answer quietly.
    ///
    /// # Errors
    /// stdout cannot be written.
    pub fn answer(&self, text: &str) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::Stdout(error)),
            _ => Ok(()),
        }
    }

    /// The same of sentences, which on a terminal break where its lines end.
    ///
    /// # Errors
    /// stdout cannot be written.
    pub fn tell(&self, text: &str) -> Result<(), Failure> {
        match self.width_of_answers() {
            Some(width) => self.answer(&wrap_lines(text, width)),
            None => self.answer(text),
        }
    }

    /// Says on stderr what is not wrong but should be known.
    pub fn warn(&self, warnings: &[Problem]) {
        if !warnings.is_empty() {
            self.talk(&problems(warnings, "warning", self.palette_of_talk(), self.width()));
        }
    }

    /// Says something on stderr. Where nobody can hear it the command goes on: its exit code says how it ended.
    pub fn talk(&self, text: &str) {
        let _ = io::stderr().write_all(text.as_bytes());
    }
}
