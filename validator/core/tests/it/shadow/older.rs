//! What older builds wrote is read: a ledger is opened by every build that follows.

use validator_core::position::{PartitionIndex, TopicPartition};
use validator_core::segment::{OffsetWidth, SegmentKey};
use validator_core::shadow::Shadow;
use validator_core::shadow::delta::{FileChange, FileStanding, LaneRow, PageRow, ResidueRow, Saved};
use validator_core::shadow::file::{FileId, PathHash};
use validator_core::shadow::page::{Page, PageKey};
use validator_core::shadow::residue::Residue;
use validator_core::shadow::standing::Standing;
use validator_core::shadow::terms::{Cut, Terms, TimedBy};

/// Saved in the middle of a story by a build of bodies of version 2, a row a line: rows of removed files are asked for, others are
/// withdrawn, and a file that was read waits.
const VERSION_2: &str = include_str!("version_2.txt");

fn bytes(hex: &str) -> Vec<u8> {
    let digits = hex.as_bytes().as_chunks::<2>().0.iter();
    digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).expect("hex"), 16).expect("hex")).collect()
}

fn number<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().expect("as it was written")
}

fn read(text: &str) -> (Terms, Saved) {
    let width = OffsetWidth::new(4).expect("a power of two");
    let pipeline = "story".to_owned();
    let mut terms = Terms {
        pipeline,
        settle_ms: 0,
        give_up_ms: 0,
        retention_ms: None,
        width,
        whole_topic: false,
        timed: TimedBy::Nobody,
        cut: Cut::Offsets,
    };
    let mut saved = Saved::default();
    for line in text.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            ["terms", settle, give_up, width, whole_topic] => {
                (terms.settle_ms, terms.give_up_ms) = (number(settle), number(give_up));
                terms.width = OffsetWidth::new(number(width)).expect("a power of two");
                terms.whole_topic = number(whole_topic);
            }
            ["checkpoint", checkpoint] => saved.checkpoint = number(checkpoint),
            ["state", body] => saved.state = bytes(body),
            ["totals", body] => saved.totals = bytes(body),
            ["lane", lane, body] => {
                let tp = TopicPartition { topic: "story".to_owned(), partition: number(lane) };
                saved.lanes.push(LaneRow { lane: PartitionIndex(number(lane)), tp, body: bytes(body) });
            }
            ["page", kind, a, b, body] => {
                let key = PageKey { kind: number(kind), a: number(a), b: number(b) };
                saved.pages.push(PageRow { key, unsettled: true, body: bytes(body) });
            }
            ["file", id, path, is_live, facts] => saved.files.push(FileChange {
                id: FileId(number(id)),
                path: (*path).to_owned(),
                path_hash: PathHash::of(path),
                standing: if number(is_live) { FileStanding::Live } else { FileStanding::Waiting },
                facts: bytes(facts),
            }),
            ["residue", kind, place, body] => {
                let segment = SegmentKey::from_pair((number(kind), number(place))).expect("as it was written");
                saved.residues.push(ResidueRow { segment, body: Some(bytes(body)) });
            }
            _ => panic!("{line}"),
        }
    }
    (terms, saved)
}

#[test]
fn the_state_of_an_older_build_is_gone_on_with() {
    let (terms, saved) = read(VERSION_2);
    let before = Standing::from_bytes(&saved.totals).expect("totals of version 2");
    let shadow = Shadow::restore(terms.clone(), saved.clone()).expect("a state of version 2");
    let standing = shadow.standing();
    assert_eq!(standing, before);
    assert!(standing.messages().withdrawn > 0 && standing.segments.balanced > 0 && standing.wishes.drills > 0);
    // What it writes is what a restart of this build reads: all of it, written anew.
    let delta = shadow.delta();
    let page = |row: &PageRow| {
        let page = Page::from_bytes(&row.body).expect("a page of version 2");
        let body = page.to_bytes();
        assert_eq!(Page::from_bytes(&body), Ok(page));
        PageRow { body, ..row.clone() }
    };
    let residue = |row: &ResidueRow| {
        let residue = Residue::from_bytes(row.body.as_ref().expect("a body")).expect("a residue of version 2");
        ResidueRow { segment: row.segment, body: Some(residue.to_bytes()) }
    };
    let anew = Saved {
        state: delta.state,
        totals: delta.totals,
        lanes: delta.lanes,
        pages: saved.pages.iter().map(page).collect(),
        residues: saved.residues.iter().map(residue).collect(),
        ..saved.clone()
    };
    let again = Shadow::restore(terms.clone(), anew.clone()).expect("a state of this build");
    assert_eq!(again.standing(), before);
    // A build that counts the same state otherwise is gone on from, and counts that this build did not write are refused.
    let (recounted, of_now) = (other_totals(&saved.totals), other_totals(&anew.totals));
    let shadow = Shadow::restore(terms.clone(), Saved { totals: recounted, ..saved }).expect("a state of version 2");
    assert_eq!(shadow.standing(), before);
    let broken = Shadow::restore(terms, Saved { totals: of_now, ..anew }).expect_err("they are not of the state");
    assert_eq!(broken.to_string(), "I8 violated: the counts of the state are not those that were saved");
}

/// Totals of the same build that say something else.
fn other_totals(bytes: &[u8]) -> Vec<u8> {
    let (body, before) = (&bytes[..bytes.len() - 8], Standing::from_bytes(bytes).expect("as it was written"));
    let other = (1..body.len()).map(|at| {
        let mut other = body.to_vec();
        other[at] ^= 1;
        let sum = blake3::hash(&other);
        other.extend_from_slice(&sum.as_bytes()[..8]);
        other
    });
    let mut readable = other.filter(|bytes| Standing::from_bytes(bytes).is_ok_and(|other| other != before));
    readable.next_back().expect("a count is a byte")
}
