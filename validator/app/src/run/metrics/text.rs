//! The text format 0.0.4. Source: prometheus.io/docs/instrumenting/exposition_formats.
//!
//! Contract: each metric stands once, with its HELP and TYPE before all of its samples; label values may be any text.

use std::fmt::Write as _;
use std::sync::Arc;

use super::names::{METRICS, Metric, Of};
use super::process::Process;
use crate::run::status::{Histogram, LANDING_BOUNDS_S, Phase, Status};

/// The value of the header.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// All metrics that have a sample.
pub fn text(statuses: &[Arc<Status>], process: &Process, now_ms: i64) -> String {
    let mut text = String::new();
    for metric in METRICS {
        let before = text.len();
        text.push_str(&head(metric));
        let head_end = text.len();
        match metric.of {
            Of::Process(of) => of(process, &mut Samples { metric, pipeline: None, text: &mut text }),
            Of::Pipeline(of) => {
                // What a pipeline counts its judge says, who is another process.
                let says = |status: &&Arc<Status>| status.phase != Phase::StandingBy || metric.of_members;
                for status in statuses.iter().filter(says) {
                    let pipeline = Some(status.pipeline.as_str());
                    of(status, now_ms, &mut Samples { metric, pipeline, text: &mut text });
                }
            }
        }
        if text.len() == head_end {
            text.truncate(before);
        }
    }
    text
}

fn head(metric: &Metric) -> String {
    let says = metric.says.replace('\\', "\\\\");
    format!("# HELP {0} {says}\n# TYPE {0} {1}\n", metric.name, metric.kind.as_str())
}

/// The samples of one metric.
pub struct Samples<'a> {
    metric: &'a Metric,
    pipeline: Option<&'a str>,
    text: &'a mut String,
}

impl Samples<'_> {
    /// A sample with the values of the metric's labels, in their order.
    pub fn value(&mut self, labels: &[&str], value: f64) {
        self.line("", labels, None, &number(value));
    }

    /// A sample of a whole number: all digits, as far as who reads it keeps them.
    pub fn count(&mut self, labels: &[&str], count: u64) {
        self.line("", labels, None, &count.to_string());
    }

    /// A sample of a whole number, where it is known.
    pub fn maybe_count(&mut self, labels: &[&str], count: Option<u64>) {
        if let Some(count) = count {
            self.count(labels, count);
        }
    }

    /// A sample, where the value is known.
    pub fn maybe(&mut self, labels: &[&str], value: Option<f64>) {
        if let Some(value) = value {
            self.value(labels, value);
        }
    }

    /// The buckets, the sum and the count.
    pub fn histogram(&mut self, histogram: &Histogram) {
        let cumulative = histogram.cumulative();
        for (bound, count) in LANDING_BOUNDS_S.iter().copied().chain([f64::INFINITY]).zip(cumulative) {
            self.line("_bucket", &[], Some(&number(bound)), &count.to_string());
        }
        self.line("_sum", &[], None, &number(histogram.sum_s()));
        self.line("_count", &[], None, &cumulative[LANDING_BOUNDS_S.len()].to_string());
    }

    fn line(&mut self, suffix: &str, values: &[&str], bound: Option<&str>, value: &str) {
        assert_eq!(values.len(), self.metric.labels.len(), "{} has other labels", self.metric.name);
        let own = self.metric.labels.iter().copied().zip(values.iter().copied());
        let all = self.pipeline.map(|pipeline| ("pipeline", pipeline)).into_iter().chain(own);
        let labels: Vec<String> = all
            .chain(bound.map(|bound| ("le", bound)))
            .map(|(name, value)| format!("{name}=\"{}\"", escaped(value)))
            .collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(self.text, "{}{suffix}{labels} {value}", self.metric.name);
    }
}

/// A label's value: any text, on one line.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn number(value: f64) -> String {
    if value == f64::INFINITY {
        "+Inf".to_owned()
    } else if value == f64::NEG_INFINITY {
        "-Inf".to_owned()
    } else {
        value.to_string()
    }
}
