//! An expression as it is written: its bounds, the names that it refers to, and what its types mean.
//!
//! Contract: what is too large to be handled on a thread's stack is refused before it is parsed.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    DataType as SqlType, Expr as SqlExpr, TypedString, Visit, VisitMut, Visitor, visit_expressions_mut,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

use super::ExprError;
use crate::limits::{EXPRESSION_BYTES_MAX, EXPRESSION_OPERATORS_MAX};

/// The top-level names that an expression refers to, in the order of the alphabet.
///
/// # Errors
/// [`ExprError::Parse`], [`ExprError::TooLarge`].
pub fn referenced_names(sql: &str) -> Result<BTreeSet<String>, ExprError> {
    struct Names(BTreeSet<String>);
    impl Visitor for Names {
        type Break = ();
        fn pre_visit_expr(&mut self, expr: &SqlExpr) -> ControlFlow<()> {
            match expr {
                SqlExpr::Identifier(name) => {
                    self.0.insert(name.value.clone());
                }
                SqlExpr::CompoundIdentifier(path) => {
                    self.0.extend(path.first().map(|name| name.value.clone()));
                }
                _ => {}
            }
            ControlFlow::Continue(())
        }
    }
    let mut names = Names(BTreeSet::new());
    let _ = parsed(sql)?.visit(&mut names);
    Ok(names.0)
}

/// The expression as a tree.
pub(super) fn parsed(sql: &str) -> Result<SqlExpr, ExprError> {
    bounded(sql)?;
    let mut parser = Parser::new(&GenericDialect).try_with_sql(sql).map_err(|e| ExprError::parse(&e))?;
    let expr = parser.parse_expr().map_err(|e| ExprError::parse(&e))?;
    // What follows an expression is neither part of it nor an error of the parser by itself.
    parser.expect_token(&Token::EOF).map_err(|e| ExprError::parse(&e))?;
    Ok(expr)
}

/// Gives every TIMESTAMP that is written without its digits those of SQL's default, microseconds; `digits` says
/// otherwise where a column holds nanoseconds.
pub(crate) fn with_digits<T: VisitMut>(tree: &mut T, digits: u64) {
    let _ = visit_expressions_mut(tree, |node| {
        if let SqlExpr::Cast { data_type, .. } | SqlExpr::TypedString(TypedString { data_type, .. }) = node
            && let SqlType::Timestamp(written @ None, _) = data_type
        {
            *written = Some(digits);
        }
        ControlFlow::<()>::Continue(())
    });
}

fn bounded(sql: &str) -> Result<(), ExprError> {
    if sql.len() > EXPRESSION_BYTES_MAX {
        return Err(ExprError::TooLarge { of: "bytes", has: sql.len(), most: EXPRESSION_BYTES_MAX });
    }
    let has = operators(sql, |_| true);
    if has > EXPRESSION_OPERATORS_MAX {
        return Err(ExprError::TooLarge { of: "operators", has, most: EXPRESSION_OPERATORS_MAX });
    }
    Ok(())
}

/// How many operators a text has, of those that count.
pub(crate) fn operators(sql: &str, counts: impl Fn(&Token) -> bool) -> usize {
    // Text that is no token is for the parser to speak of.
    let tokens = Tokenizer::new(&GenericDialect, sql).tokenize().unwrap_or_default();
    tokens.iter().filter(|token| is_operator(token) && counts(token)).count()
}

fn is_operator(token: &Token) -> bool {
    match token {
        Token::Word(word) => matches!(
            word.keyword,
            Keyword::AND
                | Keyword::OR
                | Keyword::XOR
                | Keyword::NOT
                | Keyword::IS
                | Keyword::IN
                | Keyword::LIKE
                | Keyword::ILIKE
                | Keyword::RLIKE
                | Keyword::REGEXP
                | Keyword::SIMILAR
                | Keyword::BETWEEN
                | Keyword::AT
                | Keyword::COLLATE
                | Keyword::DIV
        ),
        Token::EOF
        | Token::Whitespace(_)
        | Token::Comma
        | Token::LParen
        | Token::RParen
        | Token::Number(..)
        | Token::SingleQuotedString(_)
        | Token::DoubleQuotedString(_) => false,
        _ => true,
    }
}
