//! `${NAME}` in string values stands for an environment variable; `$${NAME}` for the text `${NAME}` itself.

use thiserror::Error;

/// Looks up an environment variable; tests bring their own.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Why a value could not be filled in.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InterpolateError {
    /// The variable is not set.
    #[error("the environment variable `{name}` is not set")]
    Missing {
        /// Its name.
        name: String,
    },
    /// `${` is not followed by a name and `}`.
    #[error("`${{` wants the name of an environment variable and `}}`")]
    Malformed,
}

/// The text with every `${NAME}` replaced.
///
/// # Errors
/// A variable is not set, or what follows `${` is no name.
pub fn interpolate(text: &str, environment: Environment<'_>) -> Result<String, InterpolateError> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        if let Some(before) = rest[..at].strip_suffix('$') {
            out.push_str(before);
            out.push_str("${");
            rest = &rest[at + 2..];
            continue;
        }
        out.push_str(&rest[..at]);
        let behind = &rest[at + 2..];
        let (name, after) = behind.split_once('}').ok_or(InterpolateError::Malformed)?;
        if !is_name(name) {
            return Err(InterpolateError::Malformed);
        }
        let value = environment(name).ok_or_else(|| InterpolateError::Missing { name: name.to_owned() })?;
        out.push_str(&value);
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(name: &str) -> Option<String> {
        (name == "HOST").then(|| "broker-1".to_owned())
    }

    #[test]
    fn variables_are_filled_in_and_escapes_kept() {
        let filled = |text| interpolate(text, &environment);
        assert_eq!(filled("${HOST}:9092,${HOST}:9093").as_deref(), Ok("broker-1:9092,broker-1:9093"));
        assert_eq!(filled("no $ at {all} $HOST").as_deref(), Ok("no $ at {all} $HOST"));
        assert_eq!(filled("a $${HOST} b").as_deref(), Ok("a ${HOST} b"));
        assert_eq!(filled("${PORT}"), Err(InterpolateError::Missing { name: "PORT".to_owned() }));
        assert_eq!(filled("${HOST"), Err(InterpolateError::Malformed));
        assert_eq!(filled("x{2}${3}"), Err(InterpolateError::Malformed));
    }
}
