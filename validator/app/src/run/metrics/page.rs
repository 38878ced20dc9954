//! docs/metrics.md, from the tables of metrics and of figures.

use super::names::{METRICS, Metric, Of};
use crate::reference::{cell, table};
use crate::run::alerts::figure::{FIGURES, Named, Takes, Unit};

/// The page, without the line that says how it was made.
pub fn page() -> String {
    let mut text = "# Metrics and the figures of alerts\n\n`validator run` with `[service] listen` answers `/metrics` in the \
                    text format 0.0.4 of Prometheus. How it is watched: [guide/watch.md](guide/watch.md).\n\n\
                    A figure that is not known has no line, rather than one that says 0. Values are floats to Prometheus: \
                    whole numbers are exact up to 2^53. Snapshot ids are larger and are in the API alone.\n\n\
                    Type `untyped` is a count that can fall: a message that is missing becomes intact when its row lands. \
                    `rate()` and `increase()` take a fall for a restart and are wrong on it. Use the value itself, or \
                    `delta()`. Why: [decision 0047](decisions/0047-counts-that-can-fall.md).\n"
        .to_owned();
    let is_of_pipeline = |metric: &&Metric| matches!(metric.of, Of::Pipeline(_));
    text += "\n## Of each pipeline\n\nAll have the label `pipeline`.\n\n";
    text += &metrics(METRICS.iter().filter(is_of_pipeline));
    text += "## Of the process\n\n";
    text += &metrics(METRICS.iter().filter(|metric| !is_of_pipeline(metric)));
    text += "## Figures of a condition\n\nWhat `when` of `[[alerts]]` may compare, by one of >, >=, <, <=, == and !=. A \
             window is a duration from `1m` to `7d`; its clock is the judged one, so an outage uses up no window.\n\n";
    text += &table(&["figure", "compared with", "means"], FIGURES.iter().map(figure));
    text
}

fn metrics<'m>(metrics: impl Iterator<Item = &'m Metric>) -> String {
    let row = |metric: &Metric| {
        let labels = metric.labels.iter().map(|label| format!("`{label}`")).collect::<Vec<_>>().join(", ");
        vec![format!("`{}`", metric.name), metric.kind.as_str().to_owned(), labels, cell(metric.says)]
    };
    table(&["name", "type", "labels", "says"], metrics.map(row))
}

fn figure(figure: &Named) -> Vec<String> {
    let name = figure.name;
    let written = match figure.takes {
        Takes::Nothing => format!("`{name}`"),
        Takes::Window => format!("`{name}(1h)`"),
        Takes::MaybeWindow => format!("`{name}`, `{name}(1h)`"),
        Takes::OfMessages => format!("`{name}(missing)`, `{name}(missing, 1h)`"),
        Takes::OfRows => format!("`{name}(phantom)`, `{name}(phantom, 1h)`"),
        Takes::MaybeVerdict => format!("`{name}`, `{name}(missing)`"),
        Takes::Share => format!("`{name}(0.99)`"),
    };
    let unit = match figure.unit {
        Unit::Share => "a share: `0.9999`, `99.99%`",
        Unit::Count => "a whole number: `1_000`",
        Unit::Multiple => "a number: `14.4`",
        Unit::Seconds => "a duration: `5m`",
        Unit::Flag => "nothing: it is so or not",
    };
    vec![written, unit.to_owned(), cell(figure.says)]
}
