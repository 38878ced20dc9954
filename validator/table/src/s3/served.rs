//! What a catalog says about the stores of a table: settings and keys, each for the locations under a prefix.

use super::config::S3Config;
use super::location::canonical;

/// Settings for the locations that start with a prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Served {
    /// As the catalog writes it; empty for every location.
    pub prefix: String,
    pub config: S3Config,
}

/// The settings of the longest prefix; the spelling of the scheme does not count.
pub(crate) fn best<'a>(served: &'a [Served], location: &str) -> Option<&'a Served> {
    let spelt = |text: &str| canonical(text).unwrap_or_else(|| text.to_owned());
    let location = spelt(location);
    let fitting = served.iter().filter(|served| location.starts_with(&spelt(&served.prefix)));
    fitting.max_by_key(|served| spelt(&served.prefix).len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_prefix_wins_in_any_spelling_of_the_scheme() {
        let of = |prefix: &str| Served { prefix: prefix.to_owned(), config: S3Config::default() };
        let served = [of(""), of("s3://lake/"), of("s3a://lake/md/trades"), of("s3://other")];
        let found = |location| best(&served, location).map(|served| served.prefix.as_str());
        assert_eq!(found("s3://lake/md/trades/data/a"), Some("s3a://lake/md/trades"));
        assert_eq!(found("s3n://lake/md/quotes/data/a"), Some("s3://lake/"));
        assert_eq!(found("s3://third/a"), Some(""));
        assert_eq!(best(&served[1..], "s3://third/a"), None);
    }
}
