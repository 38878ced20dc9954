//! What the demo tells on its way.

use fixtures_kit::{Truth, World};

use super::compare::Difference;
use crate::answer::Answer;
use crate::failure::Failure;
use crate::render::{Role, WIDTH_DEFAULT, count, figure, finding_text, width_of, wrap};
use crate::terminal::Terminal;

/// Tells on stdout, or on stderr where the report goes to stdout.
pub struct Story<'a> {
    terminal: &'a Terminal,
    beside: bool,
}

impl<'a> Story<'a> {
    /// `beside`: stdout is taken by the report.
    pub fn new(terminal: &'a Terminal, beside: bool) -> Self {
        Self { terminal, beside }
    }

    /// The seed, and what will happen.
    pub fn begins(&self, seed: u64) -> Result<(), Failure> {
        self.tell(&format!(
            "validator demo, seed {seed}\nA Kafka cluster in this process, an Iceberg table on disk, and two passes over both.\n\n"
        ))
    }

    /// The first pass: nothing is wrong.
    pub fn clean_pass(&self, world: &World, answer: &Answer) -> Result<(), Failure> {
        let text = format!("{}{}{}", self.title("1. As it should be"), flow(world), self.outcome(answer));
        self.tell(&text)
    }

    /// The second pass: each fault, named.
    pub fn damaged_pass(&self, world: &World, answer: &Answer) -> Result<(), Failure> {
        let mut text = self.title("2. With one fault of each kind");
        text.push_str(&self.injected(world));
        let (palette, width) = (self.terminal.palette(), self.terminal.width());
        for finding in &answer.findings.at_hand {
            text.push_str(&finding_text(finding, palette, width));
            text.push('\n');
        }
        text.push_str(&self.outcome(answer));
        self.tell(&text)
    }

    /// Whether the findings are what was injected.
    pub fn ends(&self, truth: &Truth, difference: &Option<Difference>) -> Result<(), Failure> {
        let palette = self.terminal.palette();
        let text = match difference {
            None => format!(
                "{} {} findings expected by the checker, each found with its message and columns, and nothing else\n",
                palette.paint(Role::Good, "exact:"),
                truth.findings.len()
            ),
            Some(difference) => {
                let mut text =
                    format!("{} the findings are not what was injected\n", palette.paint(Role::Bad, "wrong:"));
                difference.unseen.iter().for_each(|key| text.push_str(&format!("  not found: {key}\n")));
                difference.false_alarms.iter().for_each(|key| text.push_str(&format!("  not injected: {key}\n")));
                text
            }
        };
        self.tell(&text)
    }

    /// What was done to the rows and files, one line each, in the order of the findings and with their places.
    fn injected(&self, world: &World) -> String {
        let topic = world.contract.topics.join(", ");
        let mut faults: Vec<_> = world.faults.iter().collect();
        faults.sort_by(|one, other| one.place.cmp(&other.place));
        let places: Vec<String> = faults.iter().map(|fault| fault.place.within(&topic)).collect();
        let columns = places.iter().map(|place| place.chars().count()).max().unwrap_or(0);
        let mut text = format!("  injected, by [partition]@offset of {topic}, then by file:\n");
        for (fault, place) in faults.iter().zip(&places) {
            let pad = " ".repeat(columns - place.chars().count());
            let place = self.terminal.palette().paint(Role::Place, place);
            text.push_str(&format!("    {place}{pad}  {}\n", fault.what));
        }
        text.push('\n');
        text
    }

    fn title(&self, title: &str) -> String {
        format!("{}\n", self.terminal.palette().paint(Role::Strong, title))
    }

    fn outcome(&self, answer: &Answer) -> String {
        let report = &answer.report;
        let role = if report.outcome.exit_code() == 0 { Role::Good } else { Role::Bad };
        let excluded = match report.messages.excluded {
            0 => String::new(),
            number => format!(", {} of which want no row,", count(number)),
        };
        let fidelity = report.fidelity.value.map_or_else(|| "none".to_owned(), figure);
        format!(
            "  {}  fidelity {fidelity} (target {}), {} messages{excluded} against {} rows in {} files, {} ms\n\n",
            self.terminal.palette().paint(role, report.outcome.as_str()),
            figure(report.fidelity.target),
            count(report.messages.consumed),
            count(report.rows.total),
            report.table.files,
            count(report.elapsed_ms),
        )
    }

    fn tell(&self, text: &str) -> Result<(), Failure> {
        let text = fitted(text, self.terminal.width());
        if self.beside {
            self.terminal.talk(&text);
            return Ok(());
        }
        self.terminal.answer(&text)
    }
}

/// Lines that a narrow terminal would break anywhere, broken between words; what is read elsewhere keeps its lines.
fn fitted(text: &str, width: usize) -> String {
    if width >= WIDTH_DEFAULT {
        return text.to_owned();
    }
    let of_line = |line: &str| match width_of(line) > width {
        false => vec![line.to_owned()],
        true => {
            let indent = " ".repeat(line.len() - line.trim_start().len());
            wrap(line, width, &indent, &format!("{indent}  "))
        }
    };
    let lines: Vec<String> = text.split('\n').flat_map(of_line).collect();
    lines.join("\n")
}

/// What flows: the topic, the table, one message.
fn flow(world: &World) -> String {
    let messages: usize = world.partitions.iter().map(|partition| partition.messages.len()).sum();
    let first = world.partitions.iter().flat_map(|partition| &partition.messages).find_map(|m| m.payload.as_deref());
    let first = first.map(|payload| String::from_utf8_lossy(payload).into_owned()).unwrap_or_default();
    format!(
        "  topic  {}: {} messages in {} partitions\n         {first}\n  table  lake.{}.{}\n",
        world.contract.topics.join(", "),
        count(messages as u64),
        world.partitions.len(),
        world.table.namespace,
        world.table.name,
    )
}
