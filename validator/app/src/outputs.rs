//! The files of an answer: report.json, findings, HTML, JUnit, Markdown; as many at once as are asked for.
//!
//! Contract: no two go to one file; a file that cannot be made is refused before a run; all that can be written are whole
//! before the first is put in its place, and one that cannot takes none of the others with it.

use std::io::{self, Write};
use std::path::Path;

use crate::answer::Answer;
use crate::cli::{FindingsFile, FindingsFormat, ReportTarget};
use crate::config::Problem;
use crate::failure::Failure;
use crate::render;
use crate::report::{self, Again, Shown, WrittenFile, named_twice, try_place, write_whole};

/// Where answers go beside stdout.
#[derive(Debug, Clone, Copy, Default)]
pub struct Outputs<'a> {
    /// `--report`
    pub report: Option<&'a ReportTarget>,
    /// `--findings`
    pub findings: Option<&'a FindingsFile>,
    /// `--html`
    pub html: Option<&'a Path>,
    /// `--junit`
    pub junit: Option<&'a Path>,
    /// `--markdown`
    pub markdown: Option<&'a Path>,
    /// A file of the caller's own, and its flag.
    pub beside: Option<(&'static str, &'a Path)>,
}

impl Outputs<'_> {
    /// Refuses two answers in one file, and one that cannot be written, before anything is read.
    ///
    /// # Errors
    /// [`Failure::Problems`]; [`Failure::Write`] with the file.
    pub fn check(&self) -> Result<(), Failure> {
        let findings = self.findings.map(|file| file.0.as_path());
        let flags = [
            ("--report", self.report_file()),
            ("--findings", findings),
            ("--html", self.html),
            ("--junit", self.junit),
            ("--markdown", self.markdown),
        ];
        let named = flags.into_iter().filter_map(|(flag, path)| Some((flag, path?))).chain(self.beside);
        let named: Vec<_> = named.collect();
        if let Some((one, other)) = named_twice(named.iter().copied()) {
            let problem = Problem::new(format!("{one} and {other} name the same file"));
            return Err(vec![problem.hint("give each a file of its own")].into());
        }
        named.into_iter().try_for_each(|(_, path)| {
            try_place(path).map_err(|source| Failure::Write { path: path.to_owned(), source })
        })
    }

    fn report_file(&self) -> Option<&Path> {
        match self.report? {
            ReportTarget::File(path) => Some(path),
            ReportTarget::Stdout => None,
        }
    }

    /// Writes all files.
    ///
    /// # Errors
    /// [`Failure::Write`] with the first file that cannot be written; the others are.
    pub fn write(&self, answer: &mut Answer, again: &Again) -> Result<(), Failure> {
        let mut written = Vec::new();
        if let Some(FindingsFile(path)) = self.findings {
            let findings = &mut answer.findings;
            written.push(whole(path, |out| match self.findings.map(FindingsFile::format) {
                Some(FindingsFormat::Parquet) => report::write_findings(findings, out),
                _ => findings.write(out),
            }));
        }
        if let Some(path) = self.report_file() {
            written.push(text(path, || Ok(render::report_json(&answer.report))));
        }
        let findings_file = self.findings.map(|file| file.0.display().to_string());
        let shown = Shown { answer, again, findings_file: findings_file.as_deref() };
        if let Some(path) = self.html {
            written.push(text(path, || report::html(&shown).map_err(io::Error::other)));
        }
        if let Some(path) = self.junit {
            written.push(text(path, || report::junit(&shown).map_err(io::Error::other)));
        }
        if let Some(path) = self.markdown {
            written.push(text(path, || Ok(report::markdown(&shown))));
        }
        let kept = written.into_iter().map(|file| {
            let file = file?;
            let path = file.path().to_owned();
            file.keep().map_err(|source| Failure::Write { path, source })
        });
        kept.fold(Ok(()), Result::and)
    }
}

fn text(path: &Path, made: impl FnOnce() -> io::Result<String>) -> Result<WrittenFile, Failure> {
    whole(path, |out| out.write_all(made()?.as_bytes()))
}

fn whole(
    path: &Path,
    write: impl FnOnce(&mut io::BufWriter<std::fs::File>) -> io::Result<()>,
) -> Result<WrittenFile, Failure> {
    write_whole(path, write).map_err(|source| Failure::Write { path: path.to_owned(), source })
}
