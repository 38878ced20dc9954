//! The text of a query: parsed, refused where it would do more than read, and the names of what it reads.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::sqlparser::ast::{
    Expr, Ident, LimitClause, ObjectName, ObjectNamePart, Query, Select, SelectItem, SetExpr,
    Statement as SqlStatement, TableFactor, Visit, VisitMut, Visitor, VisitorMut, visit_relations_mut,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::Token;

use super::anonymous::Named;
use super::error::{Place, QueryError, words};
use super::lake_table::VIRTUAL;
use crate::expr::{operators, with_digits};
use crate::limits::{QUERY_BYTES_MAX, QUERY_OPERATORS_MAX};

/// A query that reads and does nothing else.
#[derive(Debug)]
pub struct Parsed {
    statement: Statement,
    relations: BTreeMap<Vec<String>, Option<Place>>,
    /// Names that the query itself defines somewhere.
    defined: BTreeSet<String>,
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
    if let ControlFlow::Break(why) = Visit::visit(&*tree, &mut names) {
        return Err(why);
    }
    with_digits(tree, 6);
    let _ = VisitMut::visit(tree, &mut OnceInStar);
    let _ = VisitMut::visit(tree, &mut Named::default());
    let Names { mut relations, ctes, functions, columns } = names;
    relations.retain(|parts, _| !matches!(parts.as_slice(), [name] if functions.contains(name)));
    Ok(Parsed { statement, relations, defined: ctes, named: columns })
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

    /// Whether a relation may be one that the query defines itself: it may also stand where that one is out of sight.
    pub fn defines(&self, parts: &[String]) -> bool {
        matches!(parts, [name] if self.defined.contains(name))
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
    type Break = QueryError;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<QueryError> {
        let ctes = query.with.iter().flat_map(|with| &with.cte_tables);
        self.ctes.extend(ctes.map(|cte| cte.alias.name.value.clone()));
        body(&query.body)?;
        passed_over(of_query(query))
    }

    fn pre_visit_relation(&mut self, name: &ObjectName) -> ControlFlow<QueryError> {
        let first = name.0.first().and_then(ObjectNamePart::as_ident).map(|ident| ident.span.start);
        let place = first.filter(|start| start.line > 0).map(|start| Place {
            line: usize::try_from(start.line).unwrap_or(1),
            column: usize::try_from(start.column).unwrap_or(1),
        });
        self.relations.entry(parts_of(name)).or_insert(place);
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<QueryError> {
        if let TableFactor::Table { name, args: Some(_), .. } = factor {
            self.functions.extend(parts_of(name));
        }
        passed_over(of_table(factor))
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<QueryError> {
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

fn body(expr: &SetExpr) -> ControlFlow<QueryError> {
    match expr {
        SetExpr::Insert(statement)
        | SetExpr::Update(statement)
        | SetExpr::Delete(statement)
        | SetExpr::Merge(statement) => ControlFlow::Break(refused(name_of(statement))),
        SetExpr::Select(select) if select.into.is_some() => ControlFlow::Break(refused("SELECT INTO".to_owned())),
        SetExpr::Select(select) => passed_over(of_select(select)),
        SetExpr::SetOperation { left, right, .. } => {
            body(left)?;
            body(right)
        }
        SetExpr::Query(_) | SetExpr::Values(_) | SetExpr::Table(_) => ControlFlow::Continue(()),
    }
}

/// A clause and whether it is there.
type Clauses<const N: usize> = [(&'static str, bool); N];

/// Refuses what the query engine would pass over: the answer would be another than the one that was asked for.
fn passed_over<const N: usize>(clauses: Clauses<N>) -> ControlFlow<QueryError> {
    match clauses.into_iter().find(|(_, is_there)| *is_there) {
        Some((clause, _)) => ControlFlow::Break(QueryError::Clause { clause }),
        None => ControlFlow::Continue(()),
    }
}

fn of_query(query: &Query) -> Clauses<7> {
    let limit_by = match &query.limit_clause {
        Some(LimitClause::LimitOffset { limit_by, .. }) => !limit_by.is_empty(),
        _ => false,
    };
    [
        ("LIMIT … BY", limit_by),
        ("FETCH (write LIMIT)", query.fetch.is_some()),
        ("FOR UPDATE or FOR SHARE", !query.locks.is_empty()),
        ("FOR XML, JSON or BROWSE", query.for_clause.is_some()),
        ("SETTINGS", query.settings.is_some()),
        ("FORMAT (write `--format`)", query.format_clause.is_some()),
        ("a pipe operator", !query.pipe_operators.is_empty()),
    ]
}

fn of_select(select: &Select) -> Clauses<7> {
    [
        ("TOP (write LIMIT)", select.top.is_some()),
        ("PREWHERE (write WHERE)", select.prewhere.is_some()),
        ("LATERAL VIEW", !select.lateral_views.is_empty()),
        ("CONNECT BY", !select.connect_by.is_empty()),
        ("CLUSTER BY", !select.cluster_by.is_empty()),
        ("DISTRIBUTE BY", !select.distribute_by.is_empty()),
        ("SORT BY (write ORDER BY)", !select.sort_by.is_empty()),
    ]
}

fn of_table(factor: &TableFactor) -> Clauses<6> {
    let sampled = match factor {
        TableFactor::Table { sample, .. } | TableFactor::Derived { sample, .. } => sample.is_some(),
        _ => false,
    };
    let TableFactor::Table { with_hints, version, with_ordinality, partitions, index_hints, json_path, .. } = factor
    else {
        return [("TABLESAMPLE", sampled), ("", false), ("", false), ("", false), ("", false), ("", false)];
    };
    [
        ("TABLESAMPLE", sampled),
        ("a version of a table in the query (`--table NAME=LOCATION@SNAPSHOT` gives it a name)", version.is_some()),
        ("a hint", !with_hints.is_empty() || !index_hints.is_empty()),
        ("WITH ORDINALITY", *with_ordinality),
        ("PARTITION of a table", !partitions.is_empty()),
        ("a path into JSON", json_path.is_some()),
    ]
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
