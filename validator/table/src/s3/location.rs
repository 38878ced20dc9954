//! `s3://bucket/key`, in all its spellings.

/// The schemes that lead to the same object: Hadoop's clients have had three.
const SCHEMES: [&str; 3] = ["s3", "s3a", "s3n"];

/// Bucket and key of a location; `None` when it is not one of S3.
pub(crate) fn split(location: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = location.split_once("://")?;
    if !SCHEMES.iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return None;
    }
    let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
    (!bucket.is_empty()).then_some((bucket, key))
}

/// The one spelling of a location of S3.
pub(crate) fn canonical(location: &str) -> Option<String> {
    split(location).map(|(bucket, key)| format!("s3://{bucket}/{key}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_schemes_lead_to_one_object() {
        for location in
            ["s3://lake/a/b=1/c%2Fd", "s3a://lake/a/b=1/c%2Fd", "s3n://lake/a/b=1/c%2Fd", "S3A://lake/a/b=1/c%2Fd"]
        {
            assert_eq!(split(location), Some(("lake", "a/b=1/c%2Fd")));
            assert_eq!(canonical(location).as_deref(), Some("s3://lake/a/b=1/c%2Fd"));
        }
        assert_eq!(split("s3://lake"), Some(("lake", "")));
        for other in ["s3:///key", "s3x://lake/a", "/lake/a", "gs://lake/a"] {
            assert_eq!(split(other), None, "{other}");
        }
    }
}
