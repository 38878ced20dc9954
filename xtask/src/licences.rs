//! SPDX licence expressions: may one choose only licences of a list?

use std::collections::BTreeSet;

/// Whether `expression` can be met with licences of `allowed` alone. An expression that does not parse can not.
/// A licence with an exception stands in the list as it is written: `Apache-2.0 WITH LLVM-exception`.
pub fn permits(expression: &str, allowed: &BTreeSet<String>) -> bool {
    // `MIT/Apache-2.0` is how OR was written before SPDX.
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut reader = Reader { words: &words, allowed };
    reader.any() == Some(true) && reader.words.is_empty()
}

/// Recursive descent over the words that are left; `None` is a syntax error.
struct Reader<'a> {
    words: &'a [&'a str],
    allowed: &'a BTreeSet<String>,
}

impl Reader<'_> {
    fn any(&mut self) -> Option<bool> {
        let mut verdict = self.all()?;
        while self.take("OR") {
            verdict |= self.all()?;
        }
        Some(verdict)
    }

    fn all(&mut self) -> Option<bool> {
        let mut verdict = self.one()?;
        while self.take("AND") {
            verdict &= self.one()?;
        }
        Some(verdict)
    }

    fn one(&mut self) -> Option<bool> {
        if self.take("(") {
            let verdict = self.any()?;
            return self.take(")").then_some(verdict);
        }
        let mut licence = self.word()?.to_owned();
        if self.take("WITH") {
            licence = format!("{licence} WITH {}", self.word()?);
        }
        Some(self.allowed.contains(&licence))
    }

    fn word(&mut self) -> Option<&str> {
        let (first, rest) = self.words.split_first()?;
        self.words = rest;
        Some(*first).filter(|word| !["(", ")", "AND", "OR", "WITH"].contains(word))
    }

    fn take(&mut self, expected: &str) -> bool {
        let found = self.words.first() == Some(&expected);
        if found {
            self.words = &self.words[1..];
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_is_allowed_when_one_choice_is() {
        let allowed: BTreeSet<String> =
            ["MIT", "Apache-2.0", "Unicode-3.0", "Apache-2.0 WITH LLVM-exception"].map(str::to_owned).into();
        let good = [
            "MIT",
            "GPL-3.0 OR MIT",
            "MIT/Apache-2.0",
            "(MIT OR GPL-3.0) AND Unicode-3.0",
            "GPL-3.0 OR (MIT AND (GPL-2.0 OR Apache-2.0))",
            "Apache-2.0 WITH LLVM-exception",
        ];
        for expression in good {
            assert!(permits(expression, &allowed), "{expression}");
        }
        let bad = [
            "GPL-3.0",
            "MIT AND GPL-3.0",
            "(MIT OR Apache-2.0) AND GPL-3.0",
            "(GPL-3.0) AND MIT",
            "MIT WITH Classpath-exception-2.0",
            "",
            "MIT OR",
            "(MIT",
            "MIT) OR (MIT",
            "MIT Apache-2.0",
        ];
        for expression in bad {
            assert!(!permits(expression, &allowed), "{expression}");
        }
    }
}
