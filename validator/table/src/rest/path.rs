//! Paths of the REST protocol: every name is encoded so that no server reads another one.

use reqwest::Url;

/// Between the levels of a namespace, encoded, unless the catalog names another.
pub(super) const SEPARATOR: &str = "%1F";

/// A name as one part of a path. Everything but unreserved characters is encoded: a `+` would be a blank to servers that
/// decode paths like forms.
pub(super) fn encode(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// `namespaces/a%1Fb`
pub(super) fn namespace(levels: &[String], separator: &str) -> String {
    let levels: Vec<String> = levels.iter().map(|level| encode(level)).collect();
    format!("namespaces/{}", levels.join(separator))
}

/// `base/v1/prefix/rest`; `None` when that is no URL or one of another host.
pub(super) fn below(base: &Url, prefix: Option<&str>, rest: &str) -> Option<Url> {
    let prefix = prefix.map(|prefix| format!("{}/", prefix.trim_matches('/'))).unwrap_or_default();
    let url = Url::parse(&format!("{}/v1/{prefix}{rest}", base.as_str().trim_end_matches('/'))).ok()?;
    same_origin(base, &url).then_some(url)
}

/// The same scheme, host and port.
pub(super) fn same_origin(a: &Url, b: &Url) -> bool {
    a.origin() == b.origin()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_encoded_so_that_no_server_reads_another() {
        assert_eq!(encode("trades_v2"), "trades_v2");
        assert_eq!(encode("a b+c/d%e?f#g"), "a%20b%2Bc%2Fd%25e%3Ff%23g");
        assert_eq!(encode("é\u{1f}"), "%C3%A9%1F");
        assert_eq!(namespace(&["a b".into(), "c".into()], SEPARATOR), "namespaces/a%20b%1Fc");
    }

    #[test]
    fn paths_stay_below_the_base_and_on_its_host() {
        let base = Url::parse("https://h:8181/catalog/").unwrap();
        let url = |prefix: Option<&str>, rest: &str| below(&base, prefix, rest).map(|url| url.to_string());
        assert_eq!(url(None, "config").as_deref(), Some("https://h:8181/catalog/v1/config"));
        assert_eq!(url(Some("/ws/a/"), "x%1Fy").as_deref(), Some("https://h:8181/catalog/v1/ws/a/x%1Fy"));
        for other in ["http://h:8181", "https://h", "https://i:8181"] {
            assert!(!same_origin(&base, &Url::parse(other).unwrap()), "{other}");
        }
    }
}
