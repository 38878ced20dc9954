//! `--color auto|always|never` and `NO_COLOR` (no-color.org).

use std::ffi::OsString;

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

/// The colours of help and of what is wrong with a command line, which are printed before it is read as a whole.
pub fn of_help(arguments: &[OsString]) -> clap::ColorChoice {
    let texts = || arguments.iter().filter_map(|argument| argument.to_str()).take_while(|text| *text != "--");
    let behind = texts().zip(texts().skip(1)).filter(|(flag, _)| *flag == "--color").map(|(_, word)| word);
    let inside = texts().filter_map(|text| text.strip_prefix("--color="));
    let words = inside.chain(behind).last().map(|word| ColorChoice::from_str(word, false));
    match words {
        Some(Ok(ColorChoice::Always)) => clap::ColorChoice::Always,
        Some(Ok(ColorChoice::Never)) => clap::ColorChoice::Never,
        _ => clap::ColorChoice::Auto,
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

    #[test]
    fn the_colours_of_help_are_those_that_the_flag_asks_for() {
        let of = |line: &str| of_help(&line.split(' ').map(OsString::from).collect::<Vec<_>>());
        assert_eq!(of("validator --help"), clap::ColorChoice::Auto);
        assert_eq!(of("validator --color=always --help"), clap::ColorChoice::Always);
        assert_eq!(of("validator check --color never --help"), clap::ColorChoice::Never);
        assert_eq!(of("validator --color blue --help"), clap::ColorChoice::Auto);
        assert_eq!(of("validator check -- --color=always"), clap::ColorChoice::Auto);
    }
}
