//! What `init` says on stderr: what it proved, and what it could not decide.

use super::identity::Mode;
use super::pipeline_file::format_word;
use super::proof::Proof;
use super::proposal::Proposal;
use super::sides::Looked;
use crate::cli::InitArgs;
use crate::render::{Page, Palette, Role, command_line, count, counted, escape, figure, problems};

/// The sentences.
pub fn said(args: &InitArgs, looked: &Looked, proof: &Proof, palette: Palette, width: usize) -> String {
    let mut page = Page::new(palette, width);
    let (evidence, proposal) = (&looked.evidence, &looked.proposal);
    let messages = counted(evidence.messages.values.len() as u64, "message", "messages");
    let rows = counted(evidence.rows.values.len() as u64, "row", "rows");
    let format = format_word(proposal.format);
    let tied = format!(
        "{messages} ({format}) and {rows}; {} tied by {}",
        count(proposal.ties as u64),
        escape(&proposal.tied_by.join(", "))
    );
    page.pair(0, Role::Strong, "sampled:", 10, &tied);
    page.pair(0, Role::Strong, "identity:", 10, &escape(&identity(&looked.proposal.choice.mode)));
    if !proof.problems.is_empty() {
        return page.finish() + &unproven(args) + &problems(&proof.problems, "error", palette, width);
    }
    match &proof.run {
        Ok(report) => {
            let is_proved = report.outcome.exit_code() == 0 && proposal.unexplained.is_empty();
            let (role, what) = if is_proved { (Role::Good, "proved:") } else { (Role::Bad, "found:") };
            page.pair(0, role, what, 10, &ran(report, proof, proposal));
        }
        Err(why) => page.pair(0, Role::Bad, "unproved:", 10, &escape(why)),
    }
    for open in &proposal.undecided {
        page.pair(0, Role::Faint, "open:", 10, &escape(open));
    }
    let ignored: Vec<&str> = proposal.ignore.iter().map(|(name, _)| name.as_str()).collect();
    if !ignored.is_empty() {
        page.pair(
            0,
            Role::Faint,
            "open:",
            10,
            &escape(&format!("nothing is proven of the ignored columns {}", ignored.join(", "))),
        );
    }
    let file = args.output.as_ref().map(|path| path.display().to_string());
    if let Some(file) = file {
        let mut words = vec!["validator".to_owned(), "reconcile".to_owned()];
        if let Some(path) = &args.config {
            words.extend(["-c".to_owned(), path.display().to_string()]);
        }
        words.push(file);
        page.pair(0, Role::Strong, "next:", 10, &escape(&command_line(words)));
    }
    page.finish()
}

/// What is said where the file is there and the proof failed, or says that it is wrong.
pub fn unproven(args: &InitArgs) -> String {
    let file = args.output.as_ref().map_or("the file on stdout".to_owned(), |path| path.display().to_string());
    format!("written, not proven: {}\n", escape(&file))
}

fn identity(mode: &Mode) -> String {
    let window =
        |window: &Option<String>| window.as_ref().map_or(String::new(), |window| format!(", in windows of {window}"));
    match mode {
        Mode::Offset { columns, .. } => format!("offset, by {}", columns.join(", ")),
        Mode::Key { columns, window: of } => format!("key, by {}{}", columns.join(", "), window(of)),
        Mode::Upsert { columns } => format!("key, the last version of {}", columns.join(", ")),
        Mode::Content { window: of } => format!("content: nothing is unique, so rows are counted whole{}", window(of)),
    }
}

fn ran(report: &validator_core::report::Report, proof: &Proof, proposal: &Proposal) -> String {
    let messages = &report.messages;
    let what = if proof.is_whole { "the whole topic" } else { "one place of each partition" };
    let value = report.fidelity.value.map_or("none".to_owned(), figure);
    let mut text = format!(
        "{what}: {} of {} intact in {}, fidelity {value}; the file is sound on {}",
        count(messages.intact),
        counted(messages.consumed, "message", "messages"),
        counted(report.rows.total, "row", "rows"),
        counted(proof.checked, "message", "messages")
    );
    let others = [
        (messages.corrupted, "corrupted"),
        (messages.missing, "missing"),
        (messages.duplicated, "duplicated"),
        (messages.overdue, "overdue"),
        (messages.pending, "pending"),
        (messages.undecodable, "undecodable"),
        (messages.excluded, "excluded"),
        (report.rows.phantom, "phantom rows"),
    ];
    for (number, name) in others.into_iter().filter(|(number, _)| *number > 0) {
        text += &format!("; {} {name}", count(number));
    }
    if !proposal.unexplained.is_empty() {
        let columns = counted(proposal.unexplained.len() as u64, "column", "columns");
        text += &format!("; that is without {columns} in which messages may be lost, see below");
    }
    text
}
