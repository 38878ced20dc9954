//! What pipelines mask of the relations of a query: the columns of a table, and of messages all that their values are in.

use std::collections::BTreeSet;

use validator_core::contract::Contract;
use validator_engine::expr::referenced_names;
use validator_engine::query::{ERROR_COLUMN, Hidden};
use validator_table::{MetadataTable, TableName};

use crate::config::Pipeline;

/// What these pipelines mask of a table, or of a metadata table of it.
pub fn of_table(pipelines: &[Pipeline], name: &TableName, kind: Option<MetadataTable>) -> Hidden {
    let mut hidden = Hidden::new();
    for contract in
        pipelines.iter().map(|pipeline| &pipeline.contract).filter(|contract| !contract.compare.mask.is_empty())
    {
        if TableName::parse(&contract.table).ok().as_ref() != Some(name) {
            continue;
        }
        let columns: BTreeSet<&str> = match kind {
            None => contract.compare.mask.iter().map(|path| top(path)).collect(),
            // The least and the greatest value of each column. Nobody may mask what a table is partitioned by.
            Some(MetadataTable::Files) => ["lower_bounds", "upper_bounds"].into(),
            Some(_) => BTreeSet::new(),
        };
        hidden.extend(columns.into_iter().map(|column| (column.to_owned(), contract.name.clone())));
    }
    hidden
}

/// What these pipelines mask of their messages.
pub fn of_messages<'a>(pipelines: impl Iterator<Item = &'a Pipeline>) -> Hidden {
    let mut hidden = Hidden::new();
    for contract in pipelines.map(|pipeline| &pipeline.contract).filter(|contract| !contract.compare.mask.is_empty()) {
        // Key and payload hold every field, and an error quotes it.
        let whole = ["_key", "_value", ERROR_COLUMN].map(str::to_owned);
        let names = fields(contract).into_iter().chain(whole);
        hidden.extend(names.map(|name| (name, contract.name.clone())));
    }
    hidden
}

/// The fields that the values of masked columns come from.
fn fields(contract: &Contract) -> BTreeSet<String> {
    let mut fields = BTreeSet::new();
    for column in contract.compare.mask.iter().map(|path| top(path)) {
        match contract.map.get(column) {
            Some(sql) => fields.extend(referenced_names(sql).unwrap_or_default()),
            None => drop(fields.insert(column.to_owned())),
        }
    }
    fields
}

/// The column that a path lies in.
fn top(path: &str) -> &str {
    path.split('.').next().unwrap_or(path)
}
