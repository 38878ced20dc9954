//! The text of a query: parsed, refused where it would do more than read, and the names of what it reads.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::sqlparser::ast::{
    Expr, Ident, ObjectName, ObjectNamePart, Query, SelectItem, SetExpr, Statement as SqlStatement, TableFactor, Visit,
    VisitMut, Visitor, VisitorMut, visit_relations_mut,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::Token;

use super::error::{Place, QueryError, words};
use super::lake_table::VIRTUAL;
use crate::expr::{operators, with_digits};
use crate::limits::{QUERY_BYTES_MAX, QUERY_OPERATORS_MAX};

/// A query that reads and does nothing else.
#[derive(Debug)]
pub struct Parsed {
    statement: Statement,
    relations: BTreeMap<Vec<String>, Option<Place>>,
    named: BTreeSet<String>,
}

/// Reads the text of a query.
///
/// # Errors
/// It is no SQL, more than one statement, or would do more than read.
pub fn parse(sql: &str) -> Result<Parsed, QueryError> {
    if sql.len() > QUERY_BYTES_MAX {
        return Err(QueryError::TooLarge { of: "bytes", has: sql.len(), most: QUERY_BYTES_MAX });
    }
    // Dots only join names.
    let has = operators(sql, |token| *token != Token::Period);
    if has > QUERY_OPERATORS_MAX {
        return Err(QueryError::TooLarge { of: "operators", has, most: QUERY_OPERATORS_MAX });
    }
    let parsed = DFParserBuilder::new(sql)
        .with_dialect(&GenericDialect)
        .build()
        .and_then(|mut parser| parser.parse_statements());
    let mut statements = parsed.map_err(|error| unparsed(&words(&error)))?;
    let found = statements.len();
    let mut statement = match (statements.pop_front(), found) {
        (Some(statement), 1) => statement,
        _ => return Err(QueryError::NotOne { found }),
    };
    if is_show_tables(&statement) {
        return parse(SHOW_TABLES);
    }
    let mut names = Names::default();
    let tree = query_of(&mut statement)?;
    if let ControlFlow::Break(what) = Visit::visit(&*tree, &mut names) {
        return Err(refused(what));
    }
    with_digits(tree, 6);
    let _ = VisitMut::visit(tree, &mut OnceInStar);
    let Names { mut relations, ctes, functions, columns } = names;
    relations.retain(|parts, _| match parts.as_slice() {
        [name] => !ctes.contains(name) && !functions.contains(name),
        _ => true,
    });
    Ok(Parsed { statement, relations, named: columns })
}

/// What SHOW TABLES stands for.
const SHOW_TABLES: &str = "SELECT * FROM \"$tables\" ORDER BY name, kind";

fn is_show_tables(statement: &Statement) -> bool {
    matches!(statement, Statement::Statement(inner) if matches!(inner.as_ref(), SqlStatement::ShowTables { .. }))
}

impl Parsed {
    /// What the query reads: each name once, in parts, with its first place.
    pub fn relations(&self) -> impl Iterator<Item = (&[String], Option<Place>)> {
        self.relations.iter().map(|(parts, at)| (parts.as_slice(), *at))
    }

    /// Names of columns that stand in the query.
    pub(super) fn names_column(&self, name: &str) -> bool {
        self.named.contains(name)
    }

    /// The statement, its relations under the names that `renamed` gives them.
    pub(super) fn renamed(mut self, renamed: &BTreeMap<Vec<String>, Vec<String>>) -> Result<Statement, QueryError> {
        let tree = query_of(&mut self.statement)?;
        let _ = visit_relations_mut(tree, |name| {
            if let Some(other) = renamed.get(&parts_of(name)) {
                let quoted = |part: &String| ObjectNamePart::Identifier(Ident::with_quote('"', part));
                name.0 = other.iter().map(quoted).collect();
            }
            ControlFlow::<()>::Continue(())
        });
        Ok(self.statement)
    }
}

/// The parser says where in words.
fn unparsed(words: &str) -> QueryError {
    let words =
        words.trim_start_matches("ParserError(\"").trim_start_matches("TokenizerError(\"").trim_end_matches("\")");
    let words = words.trim_start_matches("sql parser error: ");
    let parsed = words.rsplit_once(" at Line: ").and_then(|(said, at)| {
        let (line, column) = at.split_once(", Column: ")?;
        let column: String = column.chars().take_while(char::is_ascii_digit).collect();
        Some((said.to_owned(), Place { line: line.parse().ok()?, column: column.parse().ok()? }))
    });
    match parsed {
        Some((words, at)) => QueryError::Parse { words: words.replace("\\\"", "\""), at: Some(at) },
        None => QueryError::Parse { words: words.replace("\\\"", "\""), at: None },
    }
}

fn refused(what: String) -> QueryError {
    QueryError::NotAQuery { what }
}

/// The query inside; anything else is refused by its name.
fn query_of(statement: &mut Statement) -> Result<&mut SqlStatement, QueryError> {
    match statement {
        Statement::Explain(explain) => query_of(&mut explain.statement),
        Statement::CreateExternalTable(_) => Err(refused("CREATE EXTERNAL TABLE".to_owned())),
        Statement::CopyTo(_) => Err(refused("COPY".to_owned())),
        Statement::Reset(_) => Err(refused("RESET".to_owned())),
        Statement::Statement(inner) => match inner.as_ref() {
            SqlStatement::Query(_) | SqlStatement::ExplainTable { .. } => Ok(inner),
            other => Err(refused(name_of(other))),
        },
    }
}

/// `INSERT`, `CREATE TABLE`: the words that a statement begins with.
fn name_of(statement: &SqlStatement) -> String {
    let text = statement.to_string();
    let mut words = text.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| !word.is_empty());
    let first = words.next().unwrap_or("this").to_uppercase();
    match (first.as_str(), words.next()) {
        ("CREATE" | "DROP" | "ALTER" | "SHOW", Some(second)) => format!("{first} {}", second.to_uppercase()),
        _ => first,
    }
}

/// What stands in a query: relations, names that it defines itself, columns; ends at what would write.
#[derive(Debug, Default)]
struct Names {
    relations: BTreeMap<Vec<String>, Option<Place>>,
    ctes: BTreeSet<String>,
    functions: BTreeSet<String>,
    columns: BTreeSet<String>,
}

impl Visitor for Names {
    type Break = String;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<String> {
        let ctes = query.with.iter().flat_map(|with| &with.cte_tables);
        self.ctes.extend(ctes.map(|cte| cte.alias.name.value.clone()));
        writes(&query.body)
    }

    fn pre_visit_relation(&mut self, name: &ObjectName) -> ControlFlow<String> {
        let first = name.0.first().and_then(ObjectNamePart::as_ident).map(|ident| ident.span.start);
        let place = first.filter(|start| start.line > 0).map(|start| Place {
            line: usize::try_from(start.line).unwrap_or(1),
            column: usize::try_from(start.column).unwrap_or(1),
        });
        self.relations.entry(parts_of(name)).or_insert(place);
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<String> {
        if let TableFactor::Table { name, args: Some(_), .. } = factor {
            self.functions.extend(parts_of(name));
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<String> {
        let name = match expr {
            Expr::Identifier(name) => Some(name),
            Expr::CompoundIdentifier(path) => path.last(),
            _ => None,
        };
        self.columns.extend(name.map(|name| name.value.clone()));
        ControlFlow::Continue(())
    }
}

fn parts_of(name: &ObjectName) -> Vec<String> {
    name.0.iter().map(|part| part.as_ident().map_or_else(|| part.to_string(), |ident| ident.value.clone())).collect()
}

fn writes(body: &SetExpr) -> ControlFlow<String> {
    match body {
        SetExpr::Insert(statement)
        | SetExpr::Update(statement)
        | SetExpr::Delete(statement)
        | SetExpr::Merge(statement) => ControlFlow::Break(name_of(statement)),
        SetExpr::Select(select) if select.into.is_some() => ControlFlow::Break("SELECT INTO".to_owned()),
        SetExpr::SetOperation { left, right, .. } => {
            writes(left)?;
            writes(right)
        }
        SetExpr::Select(_) | SetExpr::Query(_) | SetExpr::Values(_) | SetExpr::Table(_) => ControlFlow::Continue(()),
    }
}

/// A column that stands beside a `*` which shows it already is shown once: `SELECT *, _pos`.
struct OnceInStar;

impl VisitorMut for OnceInStar {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        if let SetExpr::Select(select) = query.body.as_mut()
            && select.projection.iter().any(|item| matches!(item, SelectItem::Wildcard(_)))
        {
            let is_virtual = |item: &SelectItem| matches!(item, SelectItem::UnnamedExpr(Expr::Identifier(name)) if VIRTUAL.contains(&name.value.as_str()));
            select.projection.retain(|item| !is_virtual(item));
        }
        ControlFlow::Continue(())
    }
}
