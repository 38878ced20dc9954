//! Which fields messages have for a query, and who decodes them.

use std::collections::BTreeSet;
use std::sync::Arc;

use validator_core::contract::{Contract, FieldType, Format, Identity};
use validator_core::schema::{Schema, Type};
use validator_engine::binding::META_NAMES;
use validator_engine::expr::referenced_names;
use validator_engine::query::FieldDecoders;
use validator_tap::{Decoder, DecoderError, JsonDecoder, WantedField};

use crate::decoders::Decoders;

/// The fields of a pipeline's messages: what its format knows, else what its file and its table name.
pub fn of_pipeline(contract: &Contract, decoders: &Decoders, schema: Option<&Schema>) -> Vec<WantedField> {
    match (contract.format, decoders.known_fields()) {
        (Format::Bytes, _) => Vec::new(),
        (Format::Json, _) | (_, None) => of_json(contract, schema),
        (_, Some(known)) => {
            let declared = |name: &String| contract.fields.iter().find(|(field, _)| field == name);
            let field = |(name, ty): &(String, Type)| match declared(name) {
                Some((_, ty)) => WantedField::typed(name, ty.clone()),
                None => WantedField::typed(name, FieldType::Plain(ty.clone())),
            };
            known.iter().map(field).collect()
        }
    }
}

/// Declared fields, then those that expressions read, then the columns that take a field of their own name.
fn of_json(contract: &Contract, schema: Option<&Schema>) -> Vec<WantedField> {
    let mut fields: Vec<WantedField> =
        contract.fields.iter().map(|(name, ty)| WantedField::typed(name, ty.clone())).collect();
    let delete_when = match &contract.identity {
        Identity::Key { upsert: Some(upsert), .. } => upsert.delete_when.as_ref(),
        _ => None,
    };
    let expressions = contract.map.values().chain(&contract.filter).chain(delete_when);
    let mut in_sql: BTreeSet<String> = expressions.filter_map(|sql| referenced_names(sql).ok()).flatten().collect();
    let columns = schema.map(|schema| schema.fields.as_slice()).unwrap_or_default();
    let of_position = positions(&contract.identity);
    for column in columns {
        let name = &column.name;
        let is_explained = contract.map.contains_key(name)
            || contract.compare.ignore.contains_key(name)
            || of_position.contains(name.as_str());
        if !is_explained || in_sql.contains(name) {
            in_sql.remove(name);
            add(&mut fields, WantedField::typed(name, FieldType::Plain(column.ty.clone())));
        }
    }
    for name in in_sql {
        add(&mut fields, WantedField::any(name));
    }
    fields
}

fn add(fields: &mut Vec<WantedField>, field: WantedField) {
    let is_there = fields.iter().any(|known| known.name == field.name) || META_NAMES.contains(&field.name.as_str());
    // A column of bytes has no form in JSON and no field of its own.
    let has_form = JsonDecoder::new(std::slice::from_ref(&field), &BTreeSet::new()).is_ok();
    if !is_there && has_form {
        fields.push(field);
    }
}

/// Columns that hold where a message stands.
fn positions(identity: &Identity) -> BTreeSet<&str> {
    match identity {
        Identity::Offset { topic, partition, offset, timestamp, .. } => {
            let paths = [topic.as_deref(), partition.as_deref(), Some(offset.as_str()), timestamp.as_deref()];
            paths.into_iter().flatten().filter_map(|path| path.split('.').next()).collect()
        }
        Identity::Key { .. } | Identity::Content { .. } => BTreeSet::new(),
    }
}

/// Decoders of a query are those of a run.
#[derive(Debug)]
pub struct OfQuery(pub Arc<Decoders>);

impl FieldDecoders for OfQuery {
    fn decoder(&self, wanted: Vec<WantedField>, others: BTreeSet<String>) -> Result<Box<dyn Decoder>, DecoderError> {
        self.0.decoder_of(&wanted, &others)
    }
}
