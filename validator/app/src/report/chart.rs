//! The charts: messages and findings over time, and the bar of the error budget, as SVG whose colours are classes of the
//! page's style sheet, so that they follow light, dark and print.
//!
//! Contract: nothing from outside is in them, only numbers and times; each says in words what it shows.

use chrono::DateTime;
use svg::Node;
use svg::node::Text;
use svg::node::element::Element;
use validator_core::timeline::Timeline;

use super::budget::BudgetView;
use crate::render::{count, counted};

const WIDTH: i64 = 960;
/// Pixels of the two panels, and of the axis below each.
const MESSAGES_HEIGHT: i64 = 90;
const FINDINGS_HEIGHT: i64 = 90;
const LEFT: i64 = 84;
const LABELS: i64 = 22;
const GAP: i64 = 14;
/// Most labels of times.
const TICKS_MAX: usize = 6;

/// One step of the timeline.
#[derive(Debug, Clone)]
pub struct StepView {
    /// When it begins.
    pub start: String,
    /// Messages in it.
    pub messages: String,
    /// Findings about them.
    pub findings: String,
}

/// Messages and findings over time.
#[derive(Debug, Clone, Default)]
pub struct TimelineView {
    /// The chart; empty where no message has a time.
    pub svg: String,
    /// The same as numbers; steps without messages and findings are left out.
    pub steps: Vec<StepView>,
    /// How it is to be read.
    pub sentences: Vec<String>,
}

/// The timeline of a run.
pub fn timeline(messages: &Timeline, findings: &Timeline) -> TimelineView {
    let (mut messages, mut findings) = (messages.clone(), findings.clone());
    messages.align(&mut findings);
    let steps: Vec<(i64, u64, u64)> = messages.steps().map(|(at, number)| (at, number, findings.at(at))).collect();
    let mut sentences = Vec::new();
    for (timeless, what) in [(messages.timeless(), "message has"), (findings.timeless(), "finding has")] {
        if timeless > 0 {
            let many = what.replace(" has", "s have");
            sentences.push(format!("{} no time: not in this chart.", counted(timeless, what, &many)));
        }
    }
    if steps.is_empty() {
        return TimelineView { sentences, ..TimelineView::default() };
    }
    let width = width_in_words(messages.width_ms());
    sentences.insert(0, format!("By the Kafka timestamp of the messages, in UTC; each bar is {width}."));
    let shown = steps.iter().filter(|(_, messages, findings)| messages + findings > 0);
    TimelineView {
        svg: chart(&steps, messages.width_ms()),
        steps: shown
            .map(|(at, messages, findings)| StepView {
                start: instant(*at, messages_format(*at)),
                messages: count(*messages),
                findings: count(*findings),
            })
            .collect(),
        sentences,
    }
}

fn messages_format(at_ms: i64) -> &'static str {
    if at_ms.rem_euclid(1000) == 0 { "%Y-%m-%d %H:%M:%S" } else { "%Y-%m-%d %H:%M:%S%.3f" }
}

fn chart(steps: &[(i64, u64, u64)], width_ms: i64) -> String {
    let height = MESSAGES_HEIGHT + GAP + FINDINGS_HEIGHT + LABELS;
    let total = |pick: fn(&(i64, u64, u64)) -> u64| steps.iter().map(pick).sum::<u64>();
    let (messages, findings) = (total(|step| step.1), total(|step| step.2));
    let label = format!(
        "{} and {} over time",
        counted(messages, "message", "messages"),
        counted(findings, "finding", "findings")
    );
    let mut drawn = element("svg", &[("viewBox", format!("0 0 {WIDTH} {height}")), ("class", "timeline".into())]);
    drawn.assign("role", "img");
    drawn.assign("aria-label", label);
    panel(&mut drawn, steps, |step| step.1, (0, MESSAGES_HEIGHT, "messages", width_ms));
    panel(&mut drawn, steps, |step| step.2, (MESSAGES_HEIGHT + GAP, FINDINGS_HEIGHT, "findings", width_ms));
    ticks(&mut drawn, steps, width_ms, height);
    drawn.to_string()
}

/// Bars of one kind, the largest as high as the panel.
fn panel(
    drawn: &mut Element,
    steps: &[(i64, u64, u64)],
    pick: fn(&(i64, u64, u64)) -> u64,
    (top, height, what, width_ms): (i64, i64, &'static str, i64),
) {
    let most = steps.iter().map(pick).max().unwrap_or(0);
    let bottom = top + height;
    let mut base = element("line", &[("class", "axis".into())]);
    for (name, at) in [("x1", LEFT), ("x2", WIDTH), ("y1", bottom), ("y2", bottom)] {
        base.assign(name, at);
    }
    drawn.append(base);
    drawn.append(label(LEFT - 8, top + 11, "end", "label strong", what));
    drawn.append(label(LEFT - 8, top + 26, "end", "label", &format!("max {}", short_count(most))));
    let bars = i64::try_from(steps.len()).expect("steps are few");
    for (nth, step) in (0..).zip(steps) {
        let number = pick(step);
        if number == 0 {
            continue;
        }
        let (from, to) = (edge(nth, bars), edge(nth + 1, bars));
        // What is there is seen, however little it is.
        let high = (i128::from(number) * i128::from(height - 6) / i128::from(most)).max(2) as i64;
        let mut bar = element("rect", &[("class", format!("bar {what}"))]);
        let wide = (to - from - if to - from > 3 { 1 } else { 0 }).max(1);
        for (name, size) in [("x", from), ("y", bottom - high), ("width", wide), ("height", high)] {
            bar.assign(name, size);
        }
        let mut title = Element::new("title");
        let one = what.strip_suffix('s').unwrap_or(what);
        let (start, end) = (step.0, step.0.saturating_add(width_ms));
        let (start, end) = (instant(start, messages_format(start)), instant(end, messages_format(end)));
        title.append(Text::new(format!("{start} to {end}: {}", counted(number, one, what))));
        bar.append(title);
        drawn.append(bar);
    }
}

/// Times below the bars.
fn ticks(drawn: &mut Element, steps: &[(i64, u64, u64)], width_ms: i64, height: i64) {
    let bars = i64::try_from(steps.len()).expect("steps are few");
    let each = steps.len().div_ceil(TICKS_MAX).max(1);
    let span = i128::from(width_ms) * i128::from(bars);
    let one_day = |at: i64| at.div_euclid(86_400_000);
    let is_one_day = one_day(steps[0].0) == one_day(steps[steps.len() - 1].0);
    let format = match span {
        ..10_000 => "%H:%M:%S%.3f",
        10_000..86_400_000 if is_one_day => "%H:%M:%S",
        10_000..864_000_000 => "%m-%d %H:%M",
        _ => "%Y-%m-%d",
    };
    for (nth, step) in (0..).zip(steps).step_by(each) {
        let at = edge(nth, bars);
        // The last label would stand outside.
        if at > WIDTH - 90 && nth > 0 {
            break;
        }
        let mut mark = element("line", &[("class", "axis".into())]);
        for (name, place) in [("x1", at), ("x2", at), ("y1", height - LABELS), ("y2", height - LABELS + 4)] {
            mark.assign(name, place);
        }
        drawn.append(mark);
        drawn.append(label(at, height - 4, "start", "label", &instant(step.0, format)));
    }
}

fn edge(nth: i64, bars: i64) -> i64 {
    LEFT + (WIDTH - LEFT) * nth / bars
}

/// The bar of a budget: what is used against what is allowed.
pub fn budget_bar(budget: &BudgetView) -> String {
    let mut drawn = element("svg", &[("viewBox", "0 0 1000 26".into()), ("class", "budget".into())]);
    drawn.assign("role", "img");
    drawn.assign("preserveAspectRatio", "none");
    drawn.assign("aria-label", budget.sentence.as_str());
    let over = if budget.is_exceeded { "over" } else { "used" };
    let parts = [("track", 1000), (over, budget.used_per_mille)];
    for (class, width) in parts.into_iter().filter(|(_, width)| *width > 0) {
        let mut bar = element("rect", &[("class", class.into())]);
        for (name, size) in [("x", 0), ("y", 3), ("width", width), ("height", 20)] {
            bar.assign(name, size);
        }
        drawn.append(bar);
    }
    if budget.is_exceeded {
        let mut mark = element("rect", &[("class", "limit".into())]);
        let at = budget.allowed_per_mille.min(997);
        for (name, size) in [("x", at), ("y", 0), ("width", 3), ("height", 26)] {
            mark.assign(name, size);
        }
        drawn.append(mark);
    }
    drawn.to_string()
}

fn element(name: &str, attributes: &[(&str, String)]) -> Element {
    let mut element = Element::new(name);
    attributes.iter().for_each(|(name, value)| element.assign(*name, value.as_str()));
    element
}

fn label(x: i64, y: i64, anchor: &str, class: &str, text: &str) -> Element {
    let mut label = element("text", &[("class", class.into()), ("text-anchor", anchor.into())]);
    label.assign("x", x);
    label.assign("y", y);
    label.append(Text::new(text));
    label
}

/// Numbers that fit in front of a panel.
fn short_count(number: u64) -> String {
    match number {
        ..10_000 => count(number),
        10_000..10_000_000 => format!("{}k", count(number / 1000)),
        _ => format!("{}M", count(number / 1_000_000)),
    }
}

fn instant(at_ms: i64, format: &str) -> String {
    DateTime::from_timestamp_millis(at_ms).map_or_else(|| format!("{at_ms} ms"), |at| at.format(format).to_string())
}

/// `1 second`, `30 minutes`
fn width_in_words(ms: i64) -> String {
    let units = [(86_400_000, "day", "days"), (3_600_000, "hour", "hours"), (60_000, "minute", "minutes")];
    let more = [(1_000, "second", "seconds"), (1, "millisecond", "milliseconds")];
    let unit = units.into_iter().chain(more).find(|(unit, _, _)| ms % unit == 0);
    unit.map_or_else(String::new, |(unit, one, many)| counted((ms / unit).unsigned_abs(), one, many))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timeline_of(times: &[i64]) -> Timeline {
        let mut timeline = Timeline::default();
        times.iter().for_each(|at| timeline.note(Some(*at)));
        timeline
    }

    #[test]
    fn both_panels_have_the_same_steps() {
        let view = timeline(&timeline_of(&[0, 3_600_000, 3_600_001]), &timeline_of(&[3_600_001]));
        let steps: Vec<_> = view.steps.iter().map(|step| (step.messages.as_str(), step.findings.as_str())).collect();
        assert_eq!(steps, [("1", "0"), ("2", "1")]);
        assert_eq!(view.svg.matches("<title>").count(), 3);
        assert!(view.sentences[0].contains("each bar is 1 minute"), "{:?}", view.sentences);
    }

    #[test]
    fn times_that_no_calendar_has_are_drawn_all_the_same() {
        let view = timeline(&timeline_of(&[i64::MIN, i64::MAX]), &Timeline::default());
        assert!(view.svg.contains(" ms"), "{}", view.svg);
        assert_eq!(timeline(&Timeline::default(), &Timeline::default()).svg, "");
    }

    #[test]
    fn widths_are_words() {
        let words = [1, 500, 30_000, 3_600_000, 5 * 86_400_000].map(width_in_words);
        assert_eq!(words, ["1 millisecond", "500 milliseconds", "30 seconds", "1 hour", "5 days"]);
    }
}
