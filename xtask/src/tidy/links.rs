//! Links of Markdown pages lead somewhere: to a file or folder of the repository, and to a heading that is there. Links to
//! other hosts are not asked for.

use super::Fault;
use super::tree::Tree;

/// All rules of this file.
pub fn faults(tree: &Tree) -> Vec<Fault> {
    let pages = tree.texts.iter().filter(|(path, _)| path.ends_with(".md"));
    pages.flat_map(|(path, text)| page_faults(tree, path, text)).collect()
}

fn page_faults(tree: &Tree, path: &str, text: &str) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (number, line) in prose(text) {
        for link in links(&line) {
            if let Err(why) = check(tree, path, link) {
                faults.push(Fault::new(path, number, format!("`{link}` leads to no {why}")));
            }
        }
    }
    faults
}

/// Lines outside of fenced blocks with their numbers, what stands in code spans taken out.
fn prose(text: &str) -> impl Iterator<Item = (usize, String)> {
    let mut fenced = false;
    text.lines().enumerate().filter_map(move |(index, line)| {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
            return None;
        }
        // A span that goes on in the next line would turn the rest round: then the whole line is prose.
        let spans: Vec<&str> = line.split('`').collect();
        let outside = if spans.len() % 2 == 1 { spans.iter().step_by(2).copied().collect() } else { line.to_owned() };
        (!fenced).then_some((index + 1, outside))
    })
}

/// Where `[…](…)` of a line lead.
fn links(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| rest.split(')').next())
}

fn check(tree: &Tree, from: &str, link: &str) -> Result<(), &'static str> {
    if ["https://", "http://", "mailto:"].iter().any(|scheme| link.starts_with(scheme)) {
        return Ok(());
    }
    let (file, anchor) = link.split_once('#').map_or((link, None), |(file, anchor)| (file, Some(anchor)));
    let Some(to) = (if file.is_empty() { Some(from.to_owned()) } else { resolved(from, file) }) else {
        return Err("place in the repository");
    };
    let folder = format!("{}/", to.trim_end_matches('/'));
    if !tree.texts.contains_key(&to) && !tree.texts.keys().any(|path| path.starts_with(&folder)) {
        return Err("file or folder");
    }
    match (anchor, tree.texts.get(&to)) {
        (Some(anchor), Some(text)) if to.ends_with(".md") && !headings(text).any(|known| known == anchor) => {
            Err("heading")
        }
        _ => Ok(()),
    }
}

/// A path beside the file `from`; `None` above the root.
fn resolved(from: &str, link: &str) -> Option<String> {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in link.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

/// The anchors of a page's headings, as GitHub makes them.
fn headings(text: &str) -> impl Iterator<Item = String> {
    text.lines().filter(|line| line.starts_with('#')).map(|line| {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        let kept = title.chars().filter(|one| one.is_alphanumeric() || matches!(one, ' ' | '-' | '_'));
        kept.map(|one| if one == ' ' { '-' } else { one }).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_that_lead_nowhere_are_told() {
        let page = "# A `b` page: c\n[a](../b.md) [b](b.md#a-b-page-c)\n[c](no.md)\n`[d](no.md)`\n```\n[e](no.md)\n```\n\
                    [f](#a-b-page-c) [g](#no) [h](https://host/no.md)\n[i](../docs) [j](../docs/)\n[k](../../x)\n\
                    [l](../b.md#no), `a [m](no2.md)\n";
        let files = [("docs/a.md", page), ("docs/b.md", "# A b page: c"), ("b.md", "")];
        let tree = Tree::new(files.map(|(path, text)| (path.to_owned(), text.to_owned())));
        let found: Vec<String> =
            faults(&tree).into_iter().map(|fault| format!("{}: {}", fault.line, fault.text)).collect();
        assert_eq!(
            found,
            [
                "3: `no.md` leads to no file or folder",
                "8: `#no` leads to no heading",
                "10: `../../x` leads to no place in the repository",
                "11: `../b.md#no` leads to no heading",
                "11: `no2.md` leads to no file or folder",
            ]
        );
    }
}
