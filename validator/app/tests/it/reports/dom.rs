//! A page as a browser's parser reads it, and its elements by selectors of CSS: names, `#id`, `.class`, `[attribute]`, `[a=b]`,
//! `[a^=b]`, descendants, children (`>`), next siblings (`+`), lists.

use html5ever::tendril::TendrilSink;
use html5ever::{ParseOpts, parse_document};
use markup5ever_rcdom::{Handle, NodeData, RcDom};

/// A parsed page.
pub struct Dom {
    /// What the parser complains of.
    pub errors: Vec<String>,
    document: Element,
}

/// An element with all that is in it.
#[derive(Debug, Default)]
pub struct Element {
    pub name: String,
    pub attributes: Vec<(String, String)>,
    children: Vec<Node>,
}

#[derive(Debug)]
enum Node {
    Element(Element),
    Text(String),
}

/// An element, and the one before it among its siblings.
type Step<'a> = (&'a Element, Option<&'a Element>);

impl Dom {
    pub fn parse(text: &str) -> Self {
        let dom = parse_document(RcDom::default(), ParseOpts::default()).one(text);
        let errors = dom.errors.borrow().iter().map(ToString::to_string).collect();
        Self { errors, document: Element { children: children(&dom.document), ..Element::default() } }
    }

    pub fn select(&self, what: &str) -> Vec<&Element> {
        self.document.select(what)
    }

    /// All text, that of the style sheet too.
    pub fn text(&self) -> String {
        self.document.text()
    }
}

fn children(of: &Handle) -> Vec<Node> {
    let below = of.children.borrow();
    let made = below.iter().filter_map(|child| match &child.data {
        NodeData::Element { name, attrs, .. } => Some(Node::Element(Element {
            name: name.local.to_string(),
            attributes: attrs.borrow().iter().map(|one| (one.name.local.to_string(), one.value.to_string())).collect(),
            children: children(child),
        })),
        NodeData::Text { contents } => Some(Node::Text(contents.borrow().to_string())),
        _ => None,
    });
    made.collect()
}

impl Element {
    pub fn attr(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        let texts = self.children.iter().map(|child| match child {
            Node::Element(element) => element.text(),
            Node::Text(text) => text.clone(),
        });
        texts.collect()
    }

    /// Its words, one space between; elements beside each other are words of their own.
    pub fn words(&self) -> String {
        let words = self.children.iter().map(|child| match child {
            Node::Element(element) => element.words(),
            Node::Text(text) => text.split_whitespace().collect::<Vec<_>>().join(" "),
        });
        words.filter(|words| !words.is_empty()).collect::<Vec<_>>().join(" ")
    }

    /// The elements in it that match, in the order of the page.
    pub fn select(&self, what: &str) -> Vec<&Element> {
        let selectors: Vec<Vec<&str>> = what.split(',').map(|one| one.split_whitespace().collect()).collect();
        let mut found = Vec::new();
        self.walk(&mut Vec::new(), &mut |path| {
            if selectors.iter().any(|selector| matches(selector, path)) {
                found.push(path[path.len() - 1].0);
            }
        });
        found
    }

    /// Gives each element below with the way to it: each with its neighbour before it.
    fn walk<'a>(&'a self, path: &mut Vec<Step<'a>>, each: &mut dyn FnMut(&[Step<'a>])) {
        let mut before = None;
        for child in &self.children {
            let Node::Element(child) = child else { continue };
            path.push((child, before));
            each(path);
            child.walk(path, each);
            path.pop();
            before = Some(child);
        }
    }

    /// `td.num[scope="col"]`
    fn is(&self, compound: &str) -> bool {
        let end = compound.find(['#', '.', '[']).unwrap_or(compound.len());
        let (name, mut rest) = compound.split_at(end);
        if !(name.is_empty() || name == "*" || name == self.name) {
            return false;
        }
        while let Some(sign) = rest.chars().next() {
            let body = &rest[1..];
            let end = if sign == '[' {
                body.find(']').expect("it ends")
            } else {
                body.find(['#', '.', '[']).unwrap_or(body.len())
            };
            let part = &body[..end];
            let holds = match sign {
                '#' => self.attr("id") == Some(part),
                '.' => self.attr("class").is_some_and(|classes| classes.split_whitespace().any(|class| class == part)),
                _ => self.has(part),
            };
            if !holds {
                return false;
            }
            rest = body[end..].trim_start_matches(']');
        }
        true
    }

    fn has(&self, attribute: &str) -> bool {
        let Some((name, value)) = attribute.split_once('=') else { return self.attr(attribute).is_some() };
        let value = value.trim_matches(['"', '\'']);
        match name.strip_suffix('^') {
            Some(name) => self.attr(name).is_some_and(|held| held.starts_with(value)),
            None => self.attr(name) == Some(value),
        }
    }
}

/// Whether the last element of a path is what a selector names.
fn matches(selector: &[&str], path: &[Step<'_>]) -> bool {
    let (Some((last, front)), Some(((element, before), above))) = (selector.split_last(), path.split_last()) else {
        return selector.is_empty();
    };
    if !element.is(last) {
        return false;
    }
    match front.split_last() {
        None => true,
        Some((&">", front)) => !above.is_empty() && matches(front, above),
        Some((&"+", front)) => before.is_some_and(|before| {
            let mut path = above.to_vec();
            path.push((before, None));
            matches(front, &path)
        }),
        Some(_) => (1..=above.len()).any(|length| matches(front, &above[..length])),
    }
}

#[test]
fn selectors_find_what_they_name() {
    let dom = Dom::parse(
        "<!DOCTYPE html><title>t</title><main id=m><p class='a b'>1<p class=b>2<div><p title=x>3</div></main>",
    );
    let words = |what: &str| dom.select(what).iter().map(|one| one.words()).collect::<Vec<_>>().join(" ");
    assert_eq!(dom.errors, [""; 0]);
    let cases = [
        ("p", "1 2 3"),
        ("p.b", "1 2"),
        (".a.b", "1"),
        ("#m > p", "1 2"),
        ("main p[title]", "3"),
        ("p + p", "2"),
        ("p + div p[title^='x'], title", "t 3"),
        ("div > main p", ""),
        ("[title=y]", ""),
    ];
    for (what, expected) in cases {
        assert_eq!(words(what), expected, "{what}");
    }
}
