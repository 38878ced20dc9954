//! Binding the identity: the leaves that pair a message with a row, and what an upsert table adds to them.

use validator_core::contract::{Contract, FieldType, Identity, Upsert};
use validator_core::schema::Type;
use validator_tap::WantedField;

use super::{Binder, unnumbered};
use crate::binding::{
    BoundColumn, BoundIdentity, BoundUpsert, ColumnSource, LeafPath, META_NAMES, find_leaf, leaf_field,
};
use crate::expr;

impl Binder<'_> {
    pub(super) fn identity(&mut self, columns: &[BoundColumn]) -> Option<BoundIdentity> {
        match &self.contract.identity {
            Identity::Offset { topic, partition, offset, timestamp, width } => {
                if topic.is_none() && !self.contract.is_of_one_topic() {
                    let what = "several topics need a topic column in the identity";
                    self.problem("identity.columns", what, None);
                }
                let mut leaf = |path: &Option<String>| match path {
                    Some(path) => self.leaf(columns, path).map(Some),
                    None => Some(None),
                };
                let (topic, partition) = (leaf(topic)?, leaf(partition)?);
                let offset = self.leaf(columns, offset)?;
                // The timestamp pairs nothing and may be ignored; it still tells when a row is late.
                let timestamp = timestamp.as_ref().and_then(|path| {
                    find_leaf(columns, path).or_else(|| self.schema.field(path).map(|_| vec![columns.len()]))
                });
                Some(BoundIdentity::Offset { topic, partition, offset, timestamp, width_log2: width.ilog2() })
            }
            Identity::Key { columns: names, window, every_ms, shards, .. } => {
                let leaves = names.iter().map(|path| self.leaf(columns, path)).collect::<Option<Vec<_>>>()?;
                let window = self.optional_window(columns, window.as_deref())?;
                Some(BoundIdentity::Key { leaves, window, every_us: micros(*every_ms), shards: *shards })
            }
            Identity::Content { window, every_ms, shards } => {
                if columns.is_empty() {
                    let what = "no column is compared, so every row is like every other one";
                    self.problem("compare.ignore", what, None);
                    return None;
                }
                let window = self.optional_window(columns, window.as_deref())?;
                Some(BoundIdentity::Content { window, every_us: micros(*every_ms), shards: *shards })
            }
        }
    }

    /// The outer option: whether it was found, where one is named.
    fn optional_window(&mut self, columns: &[BoundColumn], path: Option<&str>) -> Option<Option<LeafPath>> {
        match path {
            Some(path) => self.window(columns, path).map(Some),
            None => Some(None),
        }
    }

    pub(super) fn upsert(&mut self, columns: &[BoundColumn], identity: &BoundIdentity) -> Option<BoundUpsert> {
        let upsert = upsert_of(self.contract)?;
        let leaves = identity.leaves();
        let is_of_meta = |leaf: &LeafPath| match &columns[leaf[0]].source {
            ColumnSource::Sql(sql) => expr::referenced_names(sql)
                .is_ok_and(|names| !names.is_empty() && names.iter().all(|name| META_NAMES.contains(&name.as_str()))),
            _ => false,
        };
        if upsert.key.is_some() && leaves.iter().any(|leaf| leaf.len() > 1) {
            let what = "a column inside a struct cannot be a field of the Kafka key";
            self.problem("identity.key", what, Some("map the columns from _key in [map]".to_owned()));
        }
        let field = |leaf: &LeafPath| {
            let field = &columns[leaf[0]].field;
            WantedField::typed(&field.name, FieldType::Plain(unnumbered(&field.ty)))
        };
        Some(BoundUpsert {
            delete_when: upsert.delete_when.clone(),
            key_fields: upsert.key.map(|_| leaves.iter().map(field).collect()),
            names_keys: leaves.iter().all(is_of_meta),
        })
    }

    fn window(&mut self, columns: &[BoundColumn], path: &str) -> Option<LeafPath> {
        let leaf = self.leaf_of(columns, "identity.window", path)?;
        let ty = &leaf_field(columns, &leaf).ty;
        if matches!(ty, Type::Timestamp | Type::Timestamptz | Type::TimestampNs | Type::TimestamptzNs | Type::Date) {
            return Some(leaf);
        }
        self.problem("identity.window", format!("{path} is {ty}, not a date or a timestamp"), None);
        None
    }
}

fn micros(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX / 1000).saturating_mul(1000)
}

/// The upsert part of the contract, where the table keeps the last version of each key.
pub(super) fn upsert_of(contract: &Contract) -> Option<&Upsert> {
    match &contract.identity {
        Identity::Key { upsert, .. } => upsert.as_ref(),
        Identity::Offset { .. } | Identity::Content { .. } => None,
    }
}
