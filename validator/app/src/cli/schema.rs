//! `validator schema`: of what.

use std::ffi::OsStr;

use clap::builder::{EnumValueParser, PossibleValue, TypedValueParser};
use clap::error::ErrorKind;
use clap::{Args, ValueEnum};

/// `validator schema`
#[derive(Debug, Args)]
pub struct SchemaArgs {
    /// Of what
    #[arg(value_name = "OF", value_parser = Parser)]
    pub of: SchemaOf,
}

/// What there are schemas of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SchemaOf {
    /// report.json, as `reconcile --report` writes it
    Report,
    /// One line of findings.jsonl
    Finding,
    /// What `replay-plan --format json` writes
    ReplayPlan,
    /// validator.toml
    Config,
    /// A pipeline file
    Pipeline,
}

/// What a later release brings is refused by name.
const LATER: &str = "rules";

/// Reads the word.
#[derive(Debug, Clone)]
struct Parser;

impl TypedValueParser for Parser {
    type Value = SchemaOf;

    fn parse_ref(
        &self,
        command: &clap::Command,
        argument: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<SchemaOf, clap::Error> {
        if value == LATER {
            let what = format!("the schema of `{LATER}` is not built yet");
            return Err(clap::Error::raw(ErrorKind::ValueValidation, what).with_cmd(command));
        }
        EnumValueParser::<SchemaOf>::new().parse_ref(command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let words = SchemaOf::value_variants().iter().filter_map(ValueEnum::to_possible_value);
        Some(Box::new(words))
    }
}
