//! Text into a condition, or what is wrong with it and where.

use thiserror::Error;
use validator_core::verdict::{MessageVerdict, RowVerdict, Verdict};

use super::condition::{Comparison, Condition, Relation};
use super::figure::{FIGURES, Figure, Named, Takes, Unit};
use super::limits::{CONDITION_CHARS_MAX, CONDITION_DEPTH_MAX, WINDOW_MS_MAX, WINDOW_MS_MIN};
use crate::config::{nearest, parse_duration_ms};

/// Why a text is no condition.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{what}")]
pub struct ConditionError {
    /// What is wrong.
    pub what: String,
    /// The 1-based character at which it is.
    pub at: usize,
    /// What to write instead.
    pub hint: Option<String>,
}

/// Reads a condition.
///
/// # Errors
/// What is wrong with it, and where.
pub fn parse(text: &str) -> Result<Condition, ConditionError> {
    if text.chars().count() > CONDITION_CHARS_MAX {
        return Err(error(1, format!("a condition has at most {CONDITION_CHARS_MAX} characters")));
    }
    let mut parser = Parser { words: words(text)?, next: 0, depth: 0, end: text.chars().count() + 1 };
    let condition = parser.any()?;
    match parser.peek() {
        None => Ok(condition),
        Some(word) => Err(error(word.at, format!("`{}` stands where the condition could end", word.text))),
    }
}

fn error(at: usize, what: impl Into<String>) -> ConditionError {
    ConditionError { what: what.into(), at, hint: None }
}

/// A name, a number with what follows it, or a sign.
#[derive(Debug, Clone, PartialEq)]
struct Word {
    text: String,
    /// Its 1-based character.
    at: usize,
}

fn words(text: &str) -> Result<Vec<Word>, ConditionError> {
    let chars: Vec<char> = text.chars().collect();
    let mut words = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        let rest = &chars[at..];
        let length = match rest[0] {
            c if c.is_whitespace() => {
                at += 1;
                continue;
            }
            c if c.is_ascii_alphanumeric() || c == '_' || c == '.' => {
                rest.iter().take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '%')).count()
            }
            '(' | ')' | ',' => 1,
            _ => {
                let starts = |sign: &str| sign.chars().eq(rest.iter().copied().take(sign.len()));
                match Relation::ALL.iter().find(|(sign, _)| starts(sign)) {
                    Some((sign, _)) => sign.len(),
                    None => return Err(error(at + 1, format!("`{}` is no sign of a condition", rest[0]))),
                }
            }
        };
        words.push(Word { text: rest[..length].iter().collect(), at: at + 1 });
        at += length;
    }
    Ok(words)
}

struct Parser {
    words: Vec<Word>,
    next: usize,
    depth: usize,
    /// The character behind the last.
    end: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Word> {
        self.words.get(self.next)
    }

    fn take(&mut self, text: &str) -> bool {
        let is_it = self.peek().is_some_and(|word| word.text == text);
        self.next += usize::from(is_it);
        is_it
    }

    fn word(&mut self, wanted: &str) -> Result<Word, ConditionError> {
        let word = self.peek().cloned().ok_or_else(|| error(self.end, format!("{wanted} is missing")))?;
        self.next += 1;
        Ok(word)
    }

    fn sign(&mut self, sign: &str) -> Result<(), ConditionError> {
        let word = self.word(&format!("`{sign}`"))?;
        if word.text == sign {
            Ok(())
        } else {
            Err(error(word.at, format!("`{sign}` is missing before `{}`", word.text)))
        }
    }

    fn any(&mut self) -> Result<Condition, ConditionError> {
        let mut parts = vec![self.all()?];
        while self.take("or") {
            parts.push(self.all()?);
        }
        Ok(one_or(parts, Condition::Any))
    }

    fn all(&mut self) -> Result<Condition, ConditionError> {
        let mut parts = vec![self.part()?];
        while self.take("and") {
            parts.push(self.part()?);
        }
        Ok(one_or(parts, Condition::All))
    }

    fn part(&mut self) -> Result<Condition, ConditionError> {
        self.depth += 1;
        if self.depth > CONDITION_DEPTH_MAX {
            let at = self.peek().map_or(self.end, |word| word.at);
            return Err(error(at, format!("more than {CONDITION_DEPTH_MAX} parentheses inside one another")));
        }
        let part = if self.take("not") {
            Ok(Condition::Not(Box::new(self.part()?)))
        } else if self.take("(") {
            let inner = self.any()?;
            self.sign(")")?;
            Ok(inner)
        } else {
            self.comparison()
        };
        self.depth -= 1;
        part
    }

    fn comparison(&mut self) -> Result<Condition, ConditionError> {
        let name = self.word("a figure")?;
        let Some(named) = FIGURES.iter().find(|figure| figure.name == name.text) else {
            let meant = nearest(&name.text, FIGURES.iter().map(|figure| figure.name));
            let hint = meant.map(|meant| format!("did you mean `{meant}`?"));
            return Err(ConditionError { hint, ..error(name.at, format!("`{}` is no figure", name.text)) });
        };
        let (figure, written) = self.figure(named, name.at)?;
        let relation = self.peek().and_then(|word| Relation::ALL.iter().find(|(sign, _)| *sign == word.text));
        let Some((_, by)) = relation else {
            if named.unit == Unit::Flag {
                return Ok(Condition::Is(figure, written));
            }
            let at = self.peek().map_or(self.end, |word| word.at);
            return Err(error(at, format!("`{written}` is compared with nothing: write one of >, >=, <, <=, ==, !=")));
        };
        let sign = self.word("a sign")?;
        if named.unit == Unit::Flag {
            return Err(error(sign.at, format!("`{written}` is so or not: write it alone, or `not {written}`")));
        }
        let limit_word = self.word("what it is compared with")?;
        let limit = limit(named.unit, &limit_word)?;
        Ok(Condition::Compare(Comparison { figure, written, by: *by, limit, limit_written: limit_word.text }))
    }

    /// What stands in the parentheses, and the figure as it is written.
    fn figure(&mut self, named: &Named, at: usize) -> Result<(Figure, String), ConditionError> {
        let mut inside = Vec::new();
        if self.take("(") {
            inside.push(self.word("what stands in the parentheses")?);
            if self.take(",") {
                inside.push(self.word("a window")?);
            }
            self.sign(")")?;
        }
        let figure = figure_of(named, &inside, at)?;
        let inside: Vec<&str> = inside.iter().map(|word| word.text.as_str()).collect();
        let written =
            if inside.is_empty() { named.name.to_owned() } else { format!("{}({})", named.name, inside.join(", ")) };
        Ok((figure, written))
    }
}

fn one_or(mut parts: Vec<Condition>, many: fn(Vec<Condition>) -> Condition) -> Condition {
    if parts.len() == 1 { parts.remove(0) } else { many(parts) }
}

fn figure_of(named: &Named, inside: &[Word], at: usize) -> Result<Figure, ConditionError> {
    let wants = |what: &str| Err(error(at, format!("`{}` is written `{what}`", named.name)));
    let second = inside.get(1).map(window).transpose()?;
    Ok(match (named.takes, inside) {
        (Takes::Nothing, []) => plain(named.name),
        (Takes::Nothing, _) => return wants(named.name),
        (Takes::Window, [word]) => Figure::BurnRate(window(word)?),
        (Takes::Window, _) => return wants(&format!("{}(1h)", named.name)),
        (Takes::MaybeWindow, [] | [_]) => {
            let window = inside.first().map(window).transpose()?;
            if named.name == "fidelity" { Figure::Fidelity(window) } else { Figure::Consumed(window) }
        }
        (Takes::MaybeWindow, _) => return wants(&format!("{0}` or `{0}(1h)", named.name)),
        (Takes::OfMessages, [word, ..]) => {
            Figure::Messages(verdict(word, MessageVerdict::ALL, |v| v.as_str())?, second)
        }
        (Takes::OfRows, [word, ..]) => {
            let counted: Vec<RowVerdict> = RowVerdict::ALL
                .iter()
                .copied()
                .filter(|v| !matches!(v, RowVerdict::Misrouted | RowVerdict::Stale))
                .collect();
            Figure::Rows(verdict(word, &counted, |v| v.as_str())?, second)
        }
        (Takes::OfMessages, []) => return wants("messages(missing)` or `messages(missing, 1h)"),
        (Takes::OfRows, []) => return wants("rows(phantom)` or `rows(phantom, 1h)"),
        (Takes::MaybeVerdict, []) => Figure::Findings(None),
        (Takes::MaybeVerdict, [word]) => {
            let all: Vec<Verdict> = Verdict::all().collect();
            Figure::Findings(Some(verdict(word, &all, |v| v.as_str())?))
        }
        (Takes::MaybeVerdict, _) => return wants("findings` or `findings(missing)"),
        (Takes::Share, [word]) => match word.text.parse::<f64>() {
            Ok(share) if share > 0.0 && share <= 1.0 => Figure::Landing(share),
            _ => return Err(error(word.at, format!("`{}` is no share above 0 and up to 1, like 0.99", word.text))),
        },
        (Takes::Share, _) => return wants("landing(0.99)"),
    })
}

/// The figures without parentheses.
fn plain(name: &str) -> Figure {
    match name {
        "completeness" => Figure::Completeness,
        "precision" => Figure::Precision,
        "coverage" => Figure::Coverage,
        "lag" => Figure::Lag,
        "age" => Figure::Age,
        "head_room" => Figure::HeadRoom,
        "checkpoint_age" => Figure::CheckpointAge,
        "disputed" => Figure::Disputed,
        "starting" => Figure::Starting,
        "degraded" => Figure::Degraded,
        "cannot_judge" => Figure::CannotJudge,
        "failed" => Figure::Failed,
        other => unreachable!("no figure without parentheses is called {other}"),
    }
}

fn window(word: &Word) -> Result<i64, ConditionError> {
    match parse_duration_ms(&word.text) {
        Some(ms) if (WINDOW_MS_MIN..=WINDOW_MS_MAX).contains(&ms) => Ok(ms),
        _ => Err(error(word.at, format!("`{}` is no window from 1m to 7d", word.text))),
    }
}

fn verdict<V: Copy>(word: &Word, all: &[V], name: impl Fn(V) -> &'static str) -> Result<V, ConditionError> {
    all.iter().copied().find(|verdict| name(*verdict) == word.text).ok_or_else(|| {
        let meant = nearest(&word.text, all.iter().map(|verdict| name(*verdict)));
        let hint = meant.map(|meant| format!("did you mean `{meant}`?"));
        ConditionError { hint, ..error(word.at, format!("`{}` is no verdict that is counted here", word.text)) }
    })
}

fn limit(unit: Unit, word: &Word) -> Result<f64, ConditionError> {
    let number = |text: &str| text.parse::<f64>().ok().filter(|value| value.is_finite());
    let (value, wanted) = match unit {
        Unit::Seconds => (parse_duration_ms(&word.text).map(|ms| ms as f64 / 1_000.0), "a duration, like 5m"),
        Unit::Share => {
            // As decimal digits, so that 99.99% is the number that 0.9999 is.
            let percent = word.text.strip_suffix('%').and_then(|text| number(&format!("{text}e-2")));
            let share = percent.or_else(|| number(&word.text)).filter(|share| (0.0..=1.0).contains(share));
            (share, "a share, like 0.9999 or 99.99%")
        }
        Unit::Count => {
            (word.text.replace('_', "").parse::<u64>().ok().map(|count| count as f64), "a whole number, like 1000")
        }
        Unit::Multiple => (number(&word.text), "a number, like 14.4"),
        Unit::Flag => (None, "nothing"),
    };
    value.ok_or_else(|| error(word.at, format!("`{}` is not {wanted}", word.text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(text: &str) -> String {
        let error = parse(text).expect_err(text);
        format!("{}: {}{}", error.at, error.what, error.hint.map(|hint| format!(" ({hint})")).unwrap_or_default())
    }

    #[test]
    fn what_is_wrong_is_said_at_its_place() {
        let cases = [
            ("", "1: a figure is missing"),
            ("lag", "4: `lag` is compared with nothing: write one of >, >=, <, <=, ==, !="),
            ("lag >", "6: what it is compared with is missing"),
            ("lag > 5m", "7: `5m` is not a whole number, like 1000"),
            ("age > 5", "7: `5` is not a duration, like 5m"),
            ("fidelity < 99.99", "12: `99.99` is not a share, like 0.9999 or 99.99%"),
            ("burnrate(1h) > 1", "1: `burnrate` is no figure (did you mean `burn_rate`?)"),
            ("burn_rate > 1", "1: `burn_rate` is written `burn_rate(1h)`"),
            ("burn_rate(1s) > 1", "11: `1s` is no window from 1m to 7d"),
            ("messages(mising) > 0", "10: `mising` is no verdict that is counted here (did you mean `missing`?)"),
            ("messages > 0", "1: `messages` is written `messages(missing)` or `messages(missing, 1h)`"),
            ("rows(misrouted) > 0", "6: `misrouted` is no verdict that is counted here"),
            ("landing(2) > 5s", "9: `2` is no share above 0 and up to 1, like 0.99"),
            ("cannot_judge > 0", "14: `cannot_judge` is so or not: write it alone, or `not cannot_judge`"),
            ("(lag > 1", "9: `)` is missing"),
            ("lag > 1 lag > 2", "9: `lag` stands where the condition could end"),
            ("lag > 1 && lag > 2", "9: `&` is no sign of a condition"),
            ("läg > 1", "2: `ä` is no sign of a condition"),
        ];
        for (text, expected) in cases {
            assert_eq!(wrong(text), expected, "{text}");
        }
        assert!(wrong(&"(".repeat(CONDITION_DEPTH_MAX + 1)).contains("more than 32 parentheses"));
        assert!(wrong(&"not ".repeat(CONDITION_DEPTH_MAX + 1)).contains("more than 32 parentheses"));
        assert!(wrong(&"x".repeat(CONDITION_CHARS_MAX + 1)).contains("at most 1000 characters"));
    }

    #[test]
    fn every_figure_can_be_written_as_its_table_says() {
        for figure in &FIGURES {
            let inside = match figure.takes {
                Takes::Nothing => "",
                Takes::Window | Takes::MaybeWindow => "(1h)",
                Takes::OfMessages => "(missing, 1h)",
                Takes::OfRows => "(phantom, 1h)",
                Takes::MaybeVerdict => "(missing)",
                Takes::Share => "(0.99)",
            };
            let limit = match figure.unit {
                Unit::Share => " < 0.9999",
                Unit::Count => " > 1_000",
                Unit::Multiple => " > 14.4",
                Unit::Seconds => " > 1h30m",
                Unit::Flag => "",
            };
            let text = format!("{}{inside}{limit}", figure.name);
            assert_eq!(parse(&text).map(|condition| condition.to_string()), Ok(text.clone()), "{text}");
        }
    }
}
