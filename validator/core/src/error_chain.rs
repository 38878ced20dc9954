//! An error with all of its causes, as one line for a person.

use std::error::Error;

/// The error, then each of its sources behind a colon.
pub fn error_chain(error: &dyn Error) -> String {
    let (mut text, mut source) = (error.to_string(), error.source());
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{what}")]
    struct Link {
        what: &'static str,
        source: Option<Box<Link>>,
    }

    #[test]
    fn every_cause_is_told_in_its_order() {
        let link = |what, source| Link { what, source };
        let inner = Box::new(link("read", Some(Box::new(link("reset", None)))));
        assert_eq!(error_chain(&link("load the table", Some(inner))), "load the table: read: reset");
        assert_eq!(error_chain(&link("alone", None)), "alone");
    }
}
