//! What `kcat -J` prints, one line a message.
//!
//! Keys: `topic, partition, offset, tstype, ts, headers, key, payload`; others are passed over. `payload_encoding` and
//! `key_encoding` of `base64` say so of their values. A key or payload that is no text (kcat with `-s`) is taken as its
//! JSON text. Source: kcat `json.c`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::json::{Cursor, Fault, Kind, Parsed, Text, unescape};
use crate::{Header, Headers, limits};

/// A line, taken apart; its buffers are used again for the next one.
#[derive(Debug, Default)]
pub(super) struct KcatLine {
    pub(super) topic: String,
    pub(super) partition: i32,
    pub(super) offset: i64,
    pub(super) timestamp_ms: Option<i64>,
    key: Value,
    payload: Value,
    /// Their JSON text.
    headers: String,
}

/// A key or a payload.
#[derive(Debug, Default)]
struct Value {
    null: bool,
    bytes: Vec<u8>,
}

impl Value {
    fn get(&self) -> Option<&[u8]> {
        if self.null { None } else { Some(&self.bytes) }
    }

    fn decode_base64(&mut self, at: usize) -> Parsed<()> {
        if !self.null {
            self.bytes = STANDARD.decode(&self.bytes).map_err(|_| Fault { at, what: "the value is not base64" })?;
        }
        Ok(())
    }
}

/// Which of the needed keys a line has.
#[derive(Default)]
struct Seen {
    topic: bool,
    partition: bool,
    offset: bool,
    untimed: bool,
    base64_key: bool,
    base64_payload: bool,
}

/// Whether a line is what `kcat -J` prints of a message, which no message is.
pub(super) fn is_of_kcat(line: &[u8]) -> bool {
    memchr::memmem::find(line, b"\"tstype\":").is_some() && KcatLine::default().read(line).is_ok()
}

impl KcatLine {
    pub(super) fn key(&self) -> Option<&[u8]> {
        self.key.get()
    }

    pub(super) fn payload(&self) -> Option<&[u8]> {
        self.payload.get()
    }

    /// Reads a line over what was read before.
    pub(super) fn read(&mut self, line: &[u8]) -> Parsed<()> {
        let text = std::str::from_utf8(line)
            .map_err(|error| Fault { at: error.valid_up_to(), what: "bytes that are not UTF-8" })?;
        let mut cursor = Cursor::new(text, limits::JSON_DEPTH_MAX);
        if cursor.kind()? != Kind::Object {
            return cursor.fault("the line is no object");
        }
        (self.key.null, self.payload.null) = (true, true);
        self.timestamp_ms = None;
        self.headers.clear();
        let mut seen = Seen::default();
        cursor.open()?;
        let mut first = true;
        while let Some(key) = cursor.next_key(first)? {
            first = false;
            self.member(&mut cursor, key, &mut seen)?;
        }
        let end = cursor.at();
        cursor.end()?;
        if !(seen.topic && seen.partition && seen.offset) {
            return Err(Fault { at: end, what: "topic, partition or offset is not there" });
        }
        if seen.untimed {
            self.timestamp_ms = None;
        }
        if seen.base64_key {
            self.key.decode_base64(end)?;
        }
        if seen.base64_payload {
            self.payload.decode_base64(end)?;
        }
        Ok(())
    }

    fn member(&mut self, cursor: &mut Cursor<'_>, key: Text<'_>, seen: &mut Seen) -> Parsed<()> {
        match key.raw {
            "topic" => {
                let topic = string(cursor)?;
                self.topic.clear();
                self.topic.push_str(&topic.plain());
                seen.topic = true;
            }
            "partition" => {
                let partition = whole(cursor)?.and_then(|n| i32::try_from(n).ok()).filter(|n| *n >= 0);
                let Some(partition) = partition else { return cursor.fault("no partition's number") };
                self.partition = partition;
                seen.partition = true;
            }
            "offset" => {
                let Some(offset) = whole(cursor)?.filter(|n| *n >= 0) else { return cursor.fault("no offset") };
                self.offset = offset;
                seen.offset = true;
            }
            "ts" => self.timestamp_ms = whole(cursor)?.filter(|ms| *ms >= 0),
            "tstype" => seen.untimed = is_text(cursor, "unknown")?,
            "key" => value(cursor, &mut self.key)?,
            "payload" => value(cursor, &mut self.payload)?,
            "key_encoding" => seen.base64_key = is_text(cursor, "base64")?,
            "payload_encoding" => seen.base64_payload = is_text(cursor, "base64")?,
            "headers" => {
                self.headers.clear();
                self.headers.push_str(cursor.span()?);
            }
            _ => cursor.skip()?,
        }
        Ok(())
    }
}

impl Headers for KcatLine {
    /// Names and values in turn; a value that is null is none.
    fn to_vec(&self) -> Vec<Header> {
        let mut cursor = Cursor::new(&self.headers, limits::JSON_DEPTH_MAX);
        read_headers(&mut cursor).unwrap_or_default()
    }
}

fn read_headers(cursor: &mut Cursor<'_>) -> Parsed<Vec<Header>> {
    let mut headers = Vec::new();
    if cursor.kind()? != Kind::Array {
        return Ok(headers);
    }
    cursor.open()?;
    while cursor.next_element(headers.is_empty())? {
        let name = string(cursor)?.plain().into_owned();
        if !cursor.next_element(false)? {
            headers.push((name, None));
            break;
        }
        let mut bytes = Value::default();
        value(cursor, &mut bytes)?;
        headers.push((name, (!bytes.null).then_some(bytes.bytes)));
    }
    Ok(headers)
}

fn string<'a>(cursor: &mut Cursor<'a>) -> Parsed<Text<'a>> {
    if cursor.kind()? == Kind::String { cursor.string() } else { cursor.fault("a text is due here") }
}

fn is_text(cursor: &mut Cursor<'_>, text: &str) -> Parsed<bool> {
    Ok(cursor.span()?.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) == Some(text))
}

fn whole(cursor: &mut Cursor<'_>) -> Parsed<Option<i64>> {
    Ok(cursor.span()?.parse().ok())
}

fn value(cursor: &mut Cursor<'_>, out: &mut Value) -> Parsed<()> {
    out.bytes.clear();
    let kind = cursor.kind()?;
    out.null = kind == Kind::Null;
    match kind {
        Kind::Null => cursor.literal(kind)?,
        Kind::String => {
            let text = cursor.string()?;
            if text.escaped {
                unescape(text.raw, &mut out.bytes);
            } else {
                out.bytes.extend_from_slice(text.raw.as_bytes());
            }
        }
        _ => out.bytes.extend_from_slice(cursor.span()?.as_bytes()),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> KcatLine {
        let mut parts = KcatLine::default();
        parts.read(b"{\"topic\":\"old\",\"partition\":9,\"offset\":9,\"ts\":9,\"headers\":[\"h\",\"v\"],\"key\":\"k\",\"payload\":\"p\"}").expect("sound");
        parts.read(line.as_bytes()).unwrap_or_else(|fault| panic!("{line}: {fault:?}"));
        parts
    }

    #[test]
    fn a_line_of_kcat_is_taken_apart() {
        let line = read(
            r#"{"topic":"a.b","partition":3,"offset":12,"tstype":"create","ts":1700000000123,"broker":0,"headers":["h","1","g",null],"key":"k\u00e9","payload":"{\"p\": \"1\\n\"}"}"#,
        );
        assert_eq!(
            (line.topic.as_str(), line.partition, line.offset, line.timestamp_ms),
            ("a.b", 3, 12, Some(1_700_000_000_123))
        );
        assert_eq!((line.key(), line.payload()), (Some("k\u{e9}".as_bytes()), Some(&br#"{"p": "1\n"}"#[..])));
        assert_eq!(line.to_vec(), [("h".to_owned(), Some(b"1".to_vec())), ("g".to_owned(), None)]);
    }

    #[test]
    fn null_absent_and_empty_are_told_apart() {
        let line = read(r#"{"topic":"t","partition":0,"offset":0,"key":null,"payload":""}"#);
        assert_eq!(
            (line.key(), line.payload(), line.timestamp_ms, line.to_vec()),
            (None, Some(&b""[..]), None, vec![])
        );
        let untimed = r#"{"offset":0,"partition":0,"topic":"t","tstype":"unknown","ts":0,"payload":null}"#;
        assert!(is_of_kcat(untimed.as_bytes()));
        assert!(!is_of_kcat(br#"{"offset":0,"partition":0,"topic":"t","payload":null}"#), "of somebody's own");
        let line = read(untimed);
        assert_eq!((line.key(), line.payload(), line.timestamp_ms), (None, None, None));
        assert_eq!(read(r#"{"topic":"t","partition":0,"offset":0,"ts":-1}"#).timestamp_ms, None);
    }

    #[test]
    fn base64_values_and_values_that_are_json_themselves_become_bytes() {
        let line = read(
            r#"{"topic":"t","partition":0,"offset":0,"payload":"AP8=","payload_encoding":"base64","key":"AA==","key_encoding":"base64"}"#,
        );
        assert_eq!((line.key(), line.payload()), (Some(&[0][..]), Some(&[0, 255][..])));
        let line = read(r#"{"topic":"t","partition":0,"offset":0,"payload":{"a": [1]},"key":7}"#);
        assert_eq!((line.key(), line.payload()), (Some(&b"7"[..]), Some(&b"{\"a\": [1]}"[..])));
    }

    #[test]
    fn lines_that_do_not_say_where_they_belong_are_refused() {
        for line in [
            "",
            "7",
            "{}",
            r#"{"topic":"t","partition":0}"#,
            r#"{"topic":"t","partition":-1,"offset":0}"#,
            r#"{"topic":"t","partition":0,"offset":-1}"#,
            r#"{"topic":1,"partition":0,"offset":0}"#,
            r#"{"topic":"t","partition":0,"offset":0"#,
            r#"{"topic":"t","partition":0,"offset":0}{}"#,
            r#"{"topic":"t","partition":0,"offset":0,"payload":"?","payload_encoding":"base64"}"#,
            r#"{"topic":"t","partition":0.5,"offset":0}"#,
        ] {
            assert!(KcatLine::default().read(line.as_bytes()).is_err(), "{line}");
        }
        assert!(KcatLine::default().read(b"{\"topic\":\"\xff\"}").is_err());
    }
}
