//! `[compare] tolerate` held against the table: each names a column, or a leaf of one, that it fits.

use std::collections::BTreeSet;

use validator_core::contract::{Contract, Identity};
use validator_core::schema::{Field, Schema, Type};
use validator_core::tolerance::Tolerance;

use super::{BindProblem, BoundColumn, ColumnSource, find_leaf, leaf_field};
use crate::leaves::is_in;
use crate::tolerate::BoundTolerance;

/// The tolerances of the contract.
///
/// # Errors
/// Each one that fits no column.
pub(super) fn bound(
    contract: &Contract,
    schema: &Schema,
    columns: &[BoundColumn],
) -> Result<Vec<BoundTolerance>, Vec<BindProblem>> {
    let identity = identity_paths(&contract.identity);
    let (mut tolerances, mut problems) = (Vec::new(), Vec::new());
    for (path, tolerance) in &contract.compare.tolerate {
        match one(contract, schema, columns, &identity, path, *tolerance) {
            Ok(bound) => tolerances.push(bound),
            Err((what, hint)) => {
                let key = format!("compare.tolerate.{path}");
                problems.push(BindProblem { key, word: None, what, hint });
            }
        }
    }
    if problems.is_empty() { Ok(tolerances) } else { Err(problems) }
}

type Refusal = (String, Option<String>);

fn one(
    contract: &Contract,
    schema: &Schema,
    columns: &[BoundColumn],
    identity: &BTreeSet<&str>,
    path: &str,
    tolerance: Tolerance,
) -> Result<BoundTolerance, Refusal> {
    let word = tolerance.word();
    let Some(leaf) = find_leaf(columns, path) else {
        let ignored = contract.compare.ignore.keys().any(|column| is_in(path, column));
        let what = match (schema.field_at(path), ignored) {
            (_, true) => format!("{path} is ignored: there is nothing to tolerate"),
            (Some(_), _) => format!("nothing explains {path}"),
            (None, _) => format!("the table has no column {path}; inside lists and maps nothing can be tolerated"),
        };
        return Err((what, None));
    };
    let field: &Field = leaf_field(columns, &leaf);
    if let Some(types) = tolerance.misfit(&field.ty) {
        let what = format!("{word} is for {types}, and {path} is {}", field.ty);
        return Err((what, fitting(&field.ty)));
    }
    if identity.iter().any(|column| is_in(path, column) || is_in(column, path)) {
        let what = format!("{path} says which message a row is, and must be equal as it is");
        let hint = format!("say in [map] what the sink makes of it: {path} = \"trim(…)\"");
        return Err((what, Some(hint)));
    }
    let is_field = matches!(columns[leaf[0]].source, ColumnSource::Field { .. });
    if tolerance == Tolerance::RoundScale && (leaf.len() > 1 || !is_field) {
        let what = format!("round_scale is for a column that takes a message field as it is, and {path} is not one");
        let hint = format!("write the rounding in [map]: {} = \"round(…, 2)\"", columns[leaf[0]].field.name);
        return Err((what, Some(hint)));
    }
    if tolerance == Tolerance::EmptyIsNull && leaf.len() > 1 && field.required {
        return Err((format!("{path} is required: inside its struct it cannot be NULL"), None));
    }
    Ok(BoundTolerance {
        column: leaf[0],
        path: leaf[1..].to_vec(),
        name: path.to_owned(),
        tolerance,
        settles: is_field,
    })
}

/// The tolerances that are for columns of a type.
fn fitting(ty: &Type) -> Option<String> {
    let words: Vec<&str> =
        Tolerance::ALL.iter().filter(|(_, other)| other.misfit(ty).is_none()).map(|(word, _)| *word).collect();
    (!words.is_empty()).then(|| format!("for {ty} there is {}", words.join(", ")))
}

fn identity_paths(identity: &Identity) -> BTreeSet<&str> {
    match identity {
        Identity::Offset { topic, partition, offset, timestamp, .. } => {
            let optional = topic.iter().chain(partition).chain(timestamp);
            optional.map(String::as_str).chain([offset.as_str()]).collect()
        }
        Identity::Key { columns, window, .. } => columns.iter().chain(window).map(String::as_str).collect(),
        Identity::Content { window, .. } => window.iter().map(String::as_str).collect(),
    }
}
