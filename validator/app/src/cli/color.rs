//! `--color auto|always|never` and `NO_COLOR` (no-color.org).

use clap::ValueEnum;

use crate::render::Palette;

/// When there are colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum ColorChoice {
    /// On a terminal, unless NO_COLOR is set or TERM is dumb.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl ColorChoice {
    /// The palette of a stream; `environment` looks up NO_COLOR and TERM.
    pub fn palette(self, is_terminal: bool, environment: &dyn Fn(&str) -> Option<String>) -> Palette {
        let painted = match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => {
                let refused = environment("NO_COLOR").is_some_and(|value| !value.is_empty());
                let dumb = environment("TERM").is_some_and(|term| term == "dumb");
                is_terminal && !refused && !dumb
            }
        };
        if painted { Palette::PAINTED } else { Palette::PLAIN }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auto_is_a_terminal_without_no_color() {
        let none = |_: &str| None;
        let no_color = |name: &str| (name == "NO_COLOR").then(|| "1".to_owned());
        let empty = |name: &str| (name == "NO_COLOR").then(String::new);
        let dumb = |name: &str| (name == "TERM").then(|| "dumb".to_owned());
        assert_eq!(ColorChoice::Auto.palette(true, &none), Palette::PAINTED);
        assert_eq!(ColorChoice::Auto.palette(false, &none), Palette::PLAIN);
        assert_eq!(ColorChoice::Auto.palette(true, &no_color), Palette::PLAIN);
        assert_eq!(ColorChoice::Auto.palette(true, &empty), Palette::PAINTED);
        assert_eq!(ColorChoice::Auto.palette(true, &dumb), Palette::PLAIN);
        assert_eq!(ColorChoice::Always.palette(false, &no_color), Palette::PAINTED);
        assert_eq!(ColorChoice::Never.palette(true, &none), Palette::PLAIN);
    }
}
