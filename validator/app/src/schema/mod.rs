//! `validator schema`: JSON Schemas (draft 2020-12) of what the validator writes and of what people write for it.
//!
//! Contract: answers may get further keys without a new number, so their schemas allow them; files of people may not, so
//! a key that is not known is a mistake. A schema of TOML is one of the JSON that its values are.

mod answers;
mod files;
mod plan;

use serde_json::{Value, json};

pub use answers::{FINDING, Field, REPORT, Shape};
pub use plan::REPLAY_PLAN;

use crate::cli::{Exit, SchemaArgs, SchemaOf};
use crate::config::keys::{PIPELINE_FILE, SERVICE_FILE};
use crate::failure::Failure;
use crate::replay::PLAN_SCHEMA;
use crate::terminal::Terminal;

/// Runs the command.
///
/// # Errors
/// stdout cannot be written.
pub fn schema(args: &SchemaArgs, terminal: &Terminal) -> Result<Exit, Failure> {
    terminal.answer(&text(args.of))?;
    Ok(Exit::Holds)
}

/// The schema as JSON text, indented, with a newline at the end.
pub fn text(of: SchemaOf) -> String {
    let schema = match of {
        SchemaOf::Report => root("validator.report/1", "The report of one run.", answers::object(REPORT)),
        SchemaOf::Finding => root("validator.finding/1", "One line of findings.jsonl.", answers::object(FINDING)),
        SchemaOf::ReplayPlan => {
            root(PLAN_SCHEMA, "What `validator replay-plan --format json` writes.", answers::object(REPLAY_PLAN))
        }
        SchemaOf::Config => root("validator.config/1", SERVICE_FILE.says, files::of_file(&SERVICE_FILE)),
        SchemaOf::Pipeline => root("validator.pipeline/1", PIPELINE_FILE.says, files::of_file(&PIPELINE_FILE)),
    };
    let mut text = serde_json::to_string_pretty(&schema).expect("every key of a schema is a string");
    text.push('\n');
    text
}

/// A whole schema: which draft, and what it is of.
fn root(title: &str, says: &str, body: Value) -> Value {
    let mut schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        "description": says,
    });
    if let (Some(schema), Value::Object(body)) = (schema.as_object_mut(), body) {
        schema.extend(body.into_iter().filter(|(key, _)| key != "description"));
    }
    schema
}
