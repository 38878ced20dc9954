//! Holding a contract against both schemas: every column gets its source, or a problem says why not.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use validator_core::contract::{Contract, EpochUnit, FieldType, Format, Identity};
use validator_core::convert;
use validator_core::schema::{Field, Schema, Type};
use validator_tap::WantedField;

use super::{
    BindProblem, Binding, BoundColumn, ColumnSource, KnownFields, LeafPath, META_NAMES, PositionPart, find_leaf,
    position_struct, tolerances,
};
use crate::expr;
use crate::mask::Mask;
use crate::row_filter::RowFilter;

mod identity;

use identity::upsert_of;

/// Binds `contract` to the table's schema.
///
/// # Errors
/// Every problem found.
pub fn bind(contract: &Contract, schema: &Schema, known: &KnownFields) -> Result<Binding, Vec<BindProblem>> {
    let delete_when = upsert_of(contract).and_then(|upsert| upsert.delete_when.as_ref());
    let in_sql = contract
        .map
        .values()
        .chain(&contract.filter)
        .chain(delete_when)
        .filter_map(|sql| expr::referenced_names(sql).ok());
    let mut binder = Binder {
        contract,
        schema,
        known,
        in_sql: in_sql.flatten().collect(),
        places: HashMap::new(),
        wanted: Vec::new(),
        meta: BTreeSet::new(),
        problems: Vec::new(),
    };
    binder.check_names();
    let columns = binder.columns();
    if let Some(filter) = &contract.filter {
        binder.expression("pipeline.filter", filter);
    }
    if let Some(delete_when) = delete_when {
        binder.expression("identity.delete_when", delete_when);
    }
    let row_filter = contract.row_filter.as_ref().and_then(|sql| binder.row_filter(sql));
    let identity = binder.identity(&columns);
    let upsert = identity.as_ref().and_then(|identity| binder.upsert(&columns, identity));
    let dropped = binder.dropped();
    let tolerances = match tolerances::bound(contract, schema, &columns) {
        Ok(tolerances) => tolerances,
        Err(problems) => {
            binder.problems.extend(problems);
            Vec::new()
        }
    };
    for path in contract.compare.mask.iter().filter(|path| schema.field_at(path).is_none()) {
        let hint = nearest(path, schema.fields.iter().map(|f| f.name.as_str()));
        binder.problem_with("compare.mask", path, format!("the table has no column {path}"), hint);
    }
    let names: Vec<String> = binder.wanted.iter().map(|wanted| wanted.name.clone()).collect();
    let mask = Mask::new(&contract.compare.mask, &columns, &names);
    match identity {
        Some(identity) if binder.problems.is_empty() => Ok(Binding {
            wanted: binder.wanted,
            dropped,
            time_column: time_column(contract, schema, &columns),
            columns,
            tolerances,
            mask,
            identity,
            filter: contract.filter.clone(),
            row_filter,
            upsert,
            meta_names: binder.meta,
        }),
        _ => Err(binder.problems),
    }
}

struct Binder<'a> {
    contract: &'a Contract,
    schema: &'a Schema,
    known: &'a KnownFields,
    /// The names that expressions refer to.
    in_sql: BTreeSet<String>,
    /// Where each of `wanted` is.
    places: HashMap<String, usize>,
    wanted: Vec<WantedField>,
    meta: BTreeSet<String>,
    problems: Vec<BindProblem>,
}

impl Binder<'_> {
    fn problem(&mut self, key: impl Into<String>, what: impl Into<String>, hint: Option<String>) {
        self.problems.push(BindProblem { key: key.into(), word: None, what: what.into(), hint });
    }

    fn problem_with(&mut self, key: &str, word: &str, what: String, hint: Option<String>) {
        self.problems.push(BindProblem { key: key.to_owned(), word: Some(word.to_owned()), what, hint });
    }

    /// Columns that the contract names must exist.
    fn check_names(&mut self) {
        let named = self.contract.map.keys().map(|c| (format!("map.{c}"), c));
        let ignored = self.contract.compare.ignore.keys().map(|c| (format!("compare.ignore.{c}"), c));
        let ignored = ignored.filter(|(_, c)| !self.is_beside_position(c));
        let unknown: Vec<_> = named.chain(ignored).filter(|(_, c)| self.schema.field(c).is_none()).collect();
        for (key, column) in unknown {
            let hint = nearest(column, self.schema.fields.iter().map(|f| f.name.as_str()));
            self.problem(key, format!("the table has no column {column}"), hint);
        }
        let declared: Vec<String> = self.contract.fields.iter().map(|(name, _)| name.clone()).collect();
        if let Some(known) = self.known {
            let declared = declared.into_iter().map(|name| (format!("fields.{name}"), name));
            let dropped = self.contract.compare.drop.keys().map(|name| (format!("compare.drop.{name}"), name.clone()));
            for (key, name) in declared.chain(dropped) {
                if !known.iter().any(|(field, _)| *field == name) {
                    let hint = nearest(&name, known.iter().map(|(field, _)| field.as_str()));
                    self.problem(key, format!("messages have no field {name}"), hint);
                }
            }
        }
    }

    fn columns(&mut self) -> Vec<BoundColumn> {
        let schema = self.schema;
        let contract = self.contract;
        let compared = schema.fields.iter().filter(|field| !contract.compare.ignore.contains_key(&field.name));
        compared
            .filter_map(|field| {
                let field = self.without_ignored(field);
                let source = self.source(&field)?;
                Some(BoundColumn { field, source })
            })
            .collect()
    }

    /// Whether the contract may ignore this part of a struct, which is no column of its own.
    fn is_beside_position(&self, path: &str) -> bool {
        position_struct::may_be_ignored(&self.contract.identity, self.schema, path)
    }

    /// The column without such parts that the contract ignores.
    fn without_ignored(&self, field: &Field) -> Field {
        let Type::Struct(children) = &field.ty else { return field.clone() };
        let is_ignored = |child: &&Field| {
            let path = format!("{}.{}", field.name, child.name);
            self.contract.compare.ignore.contains_key(&path) && self.is_beside_position(&path)
        };
        let kept = children.iter().filter(|child| !is_ignored(child)).cloned().collect();
        Field { ty: Type::Struct(kept), ..field.clone() }
    }

    fn source(&mut self, field: &Field) -> Option<ColumnSource> {
        let position = self.position_source(field);
        match (self.contract.map.get(&field.name).cloned(), position) {
            (Some(_), Some(_)) => {
                let what = format!("{} is an identity column: the message's own position explains it", field.name);
                self.problem(format!("map.{}", field.name), what, Some("remove this line".to_owned()));
                None
            }
            (Some(sql), None) => {
                self.expression(&format!("map.{}", field.name), &sql);
                Some(ColumnSource::Sql(sql))
            }
            (None, Some(source)) => source,
            (None, None) => self.same_name(field),
        }
    }

    /// The outer option: whether the column belongs to the identity of mode `offset`.
    fn position_source(&mut self, field: &Field) -> Option<Option<ColumnSource>> {
        let contract = self.contract;
        let identity = &contract.identity;
        if let Some(part) = position_struct::part_at(identity, &field.name) {
            return Some(Some(ColumnSource::Position(part)));
        }
        let Type::Struct(children) = &field.ty else { return None };
        let part = |child: &Field| position_struct::part_of_child(identity, &field.name, child);
        let parts: Vec<_> = children.iter().map(part).collect();
        if parts.iter().all(|part| part.is_none_or(|part| part == PositionPart::Key)) {
            return None;
        }
        let unexplained = children.iter().zip(&parts).find(|(_, part)| part.is_none());
        if let Some((child, _)) = unexplained {
            let what = format!("nothing explains {}.{}", field.name, child.name);
            let hint = format!("write [compare] ignore = {{ \"{}.{}\" = \"reason\" }}", field.name, child.name);
            self.problem(format!("map.{}", field.name), what, Some(hint));
            return Some(None);
        }
        Some(Some(ColumnSource::PositionStruct(parts.into_iter().flatten().collect())))
    }

    fn same_name(&mut self, field: &Field) -> Option<ColumnSource> {
        let Some((wanted, from)) = self.message_field(&field.name) else {
            let what = format!("no message field and no expression explains the column {}", field.name);
            let hint = format!("write [map] {0} = \"…\", or [compare] ignore = {{ {0} = \"reason\" }}", field.name);
            self.problem(format!("map.{}", field.name), what, Some(hint));
            return None;
        };
        if let Err(why) = convert::convertible(&from, &field.ty) {
            let hint = match (&from, &field.ty) {
                (Type::Long | Type::Int, Type::Timestamp | Type::Timestamptz) => {
                    format!("declare its unit: [fields] {} = \"epoch_ms\"", field.name)
                }
                _ => format!("write [map] {} = \"…\"", field.name),
            };
            let what = format!("field {} is {from}, column {} is {}: {why}", field.name, field.name, field.ty);
            let is_declared = self.contract.fields.iter().any(|(name, _)| *name == field.name);
            let section = if is_declared { "fields" } else { "map" };
            self.problem(format!("{section}.{}", field.name), what, Some(hint));
            return None;
        }
        Some(ColumnSource::Field { index: self.want(wanted), from })
    }

    /// The message field of that name with the type it is read as; `None` where messages cannot have it.
    fn message_field(&self, name: &str) -> Option<(WantedField, Type)> {
        let declared = self.contract.fields.iter().find(|(field, _)| field == name).map(|(_, ty)| ty.clone());
        let column = self.schema.field(name).map(|field| unnumbered(&field.ty));
        let ty = match (self.known, self.contract.format) {
            (_, Format::Bytes) => return None,
            (Some(known), _) => {
                let natural = known.iter().find(|(field, _)| field == name).map(|(_, ty)| ty.clone())?;
                declared.unwrap_or(FieldType::Plain(natural))
            }
            (None, _) => match (declared, column) {
                (Some(ty), _) => ty,
                (None, Some(ty)) if self.in_sql.contains(name) => FieldType::Plain(with_more_digits(ty)),
                (None, Some(ty)) => FieldType::Plain(ty),
                (None, None) => return Some((WantedField::any(name), Type::String)),
            },
        };
        let value_type = match &ty {
            FieldType::Plain(ty) => ty.clone(),
            FieldType::Epoch(EpochUnit::Nanosecond) => Type::TimestamptzNs,
            FieldType::Epoch(_) => Type::Timestamptz,
        };
        Some((WantedField::typed(name, ty), value_type))
    }

    fn want(&mut self, wanted: WantedField) -> usize {
        let next = self.wanted.len();
        let place = *self.places.entry(wanted.name.clone()).or_insert(next);
        if place == next {
            self.wanted.push(wanted);
        }
        place
    }

    /// Wants every field that an expression refers to.
    fn expression(&mut self, key: &str, sql: &str) {
        let names = match expr::referenced_names(sql) {
            Ok(names) => names,
            Err(error) => return self.problem(key, error.to_string(), None),
        };
        for name in names {
            if name == "_value" && self.contract.format == Format::Parquet {
                self.problem_with(
                    key,
                    &name,
                    "a row of Parquet has no _value: its columns are the fields".to_owned(),
                    None,
                );
            } else if META_NAMES.contains(&name.as_str()) {
                self.meta.insert(name);
            } else if let Some((wanted, _)) = self.message_field(&name) {
                self.want(wanted);
            } else {
                let known = self.known.iter().flatten().map(|(field, _)| field.as_str());
                let hint = nearest(&name, known.chain(META_NAMES));
                self.problem_with(key, &name, format!("messages have no field {name}"), hint);
            }
        }
    }

    /// The condition on rows, which sees the table's columns as they are.
    fn row_filter(&mut self, sql: &str) -> Option<Arc<RowFilter>> {
        const KEY: &str = "pipeline.row_filter";
        let names = expr::referenced_names(sql).unwrap_or_default();
        let unknown: Vec<String> = names.into_iter().filter(|name| self.schema.field(name).is_none()).collect();
        for name in &unknown {
            let hint = nearest(name, self.schema.fields.iter().map(|field| field.name.as_str()));
            self.problem_with(KEY, name, format!("the table has no column {name}"), hint);
        }
        if !unknown.is_empty() {
            return None;
        }
        match RowFilter::new(sql, self.schema) {
            Ok(filter) if filter.columns().is_empty() => {
                let what = "row_filter names no column: it is true of all rows or of none".to_owned();
                self.problem(KEY, what, Some("name a column, like `exchange = 'BINANCE'`".to_owned()));
                None
            }
            Ok(filter) => Some(Arc::new(filter)),
            Err(error) => {
                self.problem(KEY, error.to_string().replace("fit the message", "fit the table"), None);
                None
            }
        }
    }

    fn leaf(&mut self, columns: &[BoundColumn], path: &str) -> Option<LeafPath> {
        self.leaf_of(columns, "identity.columns", path)
    }

    /// `key` is where the pipeline file names the path.
    fn leaf_of(&mut self, columns: &[BoundColumn], key: &str, path: &str) -> Option<LeafPath> {
        let start = find_leaf(columns, path);
        if start.is_none() && self.schema.field_at(path).is_none() {
            let hint = nearest(path, self.schema.fields.iter().map(|f| f.name.as_str()));
            self.problem_with(key, path, format!("the table has no column {path}"), hint);
        } else if start.is_none() && self.contract.compare.ignore.keys().any(|c| path.starts_with(c.as_str())) {
            self.problem("compare.ignore", format!("{path} belongs to the identity and cannot be ignored"), None);
        }
        start
    }

    /// Fields that are accounted for without a column: dropped ones and those of ignored columns.
    fn dropped(&self) -> BTreeSet<String> {
        let compare = &self.contract.compare;
        compare.drop.keys().chain(compare.ignore.keys()).cloned().collect()
    }
}

/// See [`Binding::time_column`].
fn time_column(contract: &Contract, schema: &Schema, columns: &[BoundColumn]) -> Option<Field> {
    let Identity::Offset { timestamp: Some(path), .. } = &contract.identity else { return None };
    find_leaf(columns, path).is_none().then(|| schema.field(path).cloned()).flatten()
}

/// A decimal field that an expression reads keeps digits beyond its column's: `price = "round(price, 8)"` has something
/// to round, and a filter sees the value that the message has. Every value of the column's own type stays what it is.
fn with_more_digits(ty: Type) -> Type {
    match ty {
        Type::Decimal { precision, scale } => {
            let more = DIGITS_MORE.min(38 - precision);
            Type::Decimal { precision: precision + more, scale: scale + more }
        }
        other => other,
    }
}

/// Digits behind the point that an expression sees beyond those of its column, where 38 in all leave room.
const DIGITS_MORE: u8 = 10;

/// The type with all field ids 0, as message fields have it.
fn unnumbered(ty: &Type) -> Type {
    let field = |f: &Field| Field::new(0, &f.name, false, unnumbered(&f.ty));
    match ty {
        Type::Struct(fields) => Type::Struct(fields.iter().map(field).collect()),
        Type::List(element) => Type::List(Box::new(field(element))),
        Type::Map { key, value } => {
            let key = Field { required: true, ..field(key) };
            Type::Map { key: Box::new(key), value: Box::new(field(value)) }
        }
        other => other.clone(),
    }
}

/// "did you mean …", for the nearest of the names.
fn nearest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<String> {
    let scored = names.map(|n| (strsim::jaro_winkler(name, n), n)).filter(|(score, _)| *score > 0.8);
    scored.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, n)| format!("did you mean {n}?"))
}
