//! Who means ill, or does not know better, takes nothing from the others.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::served::{Said, Served, healthy};

/// The server's bound of connections.
const CONNECTIONS: usize = 64;

fn served() -> Served {
    Served::start(vec![healthy("trades")])
}

fn is_well(served: &Served) {
    let said = served.get("/healthz");
    assert_eq!(said.status, 200, "{said:?}");
}

/// Whether the other side has closed it, at most so much later.
fn is_closed(stream: &mut TcpStream, within: Duration) -> bool {
    stream.set_read_timeout(Some(within)).expect("a timeout can be set");
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).is_ok() || stream.write_all(b"x").is_err()
}

#[test]
fn connections_that_say_nothing_or_little_are_ended_and_others_get_their_turn() {
    let served = served();
    let mut slow: Vec<TcpStream> = (0..CONNECTIONS).map(|_| served.connect()).collect();
    for stream in slow.iter_mut().skip(1).step_by(2) {
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nX-A").expect("it is open");
    }
    let begun = Instant::now();
    is_well(&served);
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    for (number, stream) in slow.iter_mut().enumerate() {
        assert!(is_closed(stream, Duration::from_secs(10)), "connection {number} is still open");
    }
}

#[test]
fn a_byte_at_a_time_does_not_keep_a_connection() {
    let served = served();
    let mut stream = served.connect();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nX: ").expect("it is open");
    let begun = Instant::now();
    // The condition is that the other side ends it.
    while stream.write_all(b"a").is_ok() {
        stream.set_read_timeout(Some(Duration::from_millis(200))).expect("a timeout can be set");
        if matches!(stream.read(&mut [0; 512]), Ok(0)) {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "it is still open");
    }
    is_well(&served);
}

#[test]
fn headers_that_are_too_large_or_too_many_are_refused() {
    let served = served();
    let line = "a".repeat(64 << 10);
    let many: String = (0..1_000).map(|number| format!("X-{number}: 1\r\n")).collect();
    for headers in [format!("X: {line}\r\n"), many] {
        let said = served.get_with("/metrics", &headers);
        // Closed while we still write, the answer may not reach us.
        assert!(matches!(said.status, 0 | 431), "{said:?}");
        assert!(!said.body.contains("validator_"), "{said:?}");
    }
    let said = served.get(&format!("/{line}"));
    assert!(matches!(said.status, 0 | 414 | 431), "{said:?}");
    is_well(&served);
}

#[test]
fn paths_lead_nowhere_but_to_what_there_is() {
    let served = served();
    let up = "/..".repeat(20);
    let paths = [
        format!("{up}/etc/passwd"),
        "/%2e%2e/%2e%2e/etc/passwd".to_owned(),
        "/api/v1/pipelines/..%2f..%2f..%2fetc%2fpasswd/report".to_owned(),
        "/api/v1/pipelines/../../metrics".to_owned(),
        "/api/v1/pipelines//report".to_owned(),
        "//metrics".to_owned(),
        "/metrics%00".to_owned(),
        "/metrics/../metrics".to_owned(),
    ];
    for path in paths {
        let said = served.get(&path);
        assert_eq!(said.status, 404, "{path}: {said:?}");
    }
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    let served = served();
    for name in ["%ff", "%c3%28", "%", "%zz"] {
        assert_eq!(served.get(&format!("/api/v1/pipelines/{name}/report")).status, 400, "{name}");
        assert_eq!(served.get(&format!("/readyz?pipeline={name}")).status, 400, "{name}");
    }
    let raw: [&[u8]; 5] = [
        b"GET /\xff\xfe HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET\r\n\r\n",
        b"GET /metrics HTTP/9.9\r\n\r\n",
        b"\0\0\0\0\r\n\r\n",
    ];
    for bytes in raw {
        let said = served.send(bytes);
        assert!(matches!(said.status, 0 | 400 | 404 | 505), "{bytes:?}: {said:?}");
        assert!(!said.body.contains("validator_"), "{said:?}");
    }
    is_well(&served);
}

#[test]
fn nothing_can_be_changed_and_a_question_has_no_body() {
    let served = served();
    let send = |line: &str, headers: &str, body: &str| {
        served
            .send(format!("{line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n{body}").as_bytes())
    };
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "NONSENSE"] {
        let said = send(&format!("{method} /api/v1/pipelines"), "", "");
        assert_eq!(said.status, 405, "{method}: {said:?}");
        assert!(said.headers.contains("allow: GET, HEAD"), "{said:?}");
    }
    assert_eq!(send("GET /metrics", "Content-Length: 2\r\n", "{}").status, 400);
    assert_eq!(send("GET /metrics", "Content-Length: 99999999999\r\n", "").status, 400);
    assert_eq!(send("GET /metrics", "Transfer-Encoding: chunked\r\n", "5\r\nabcde\r\n0\r\n\r\n").status, 400);
    let smuggled = send("GET /metrics", "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", "0\r\n\r\n");
    assert!(!smuggled.body.contains("validator_"), "{smuggled:?}");
    let head = send("HEAD /metrics", "", "");
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    is_well(&served);
}

#[test]
fn a_foreign_site_reads_nothing_through_a_browser_on_this_machine() {
    let served = served();
    let host = |host: &str| {
        served.send(format!("GET /metrics HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").as_bytes())
    };
    for name in ["evil.example.com", "localhost.evil.com", "", "[::1", "127.0.0.1.evil.com"] {
        let said: Said = host(name);
        assert!(said.status == 421 || name == "[::1", "{name}: {said:?}");
    }
    for name in ["localhost", "localhost:9464", "127.0.0.1:9464", "[::1]:9464", "validator.localhost"] {
        assert_eq!(host(name).status, 200, "{name}");
    }
    assert!(!served.get("/metrics").headers.to_lowercase().contains("access-control"));
}

#[test]
fn a_reader_that_does_not_read_holds_up_nobody() {
    let served = served();
    let mut stalled = Vec::new();
    for _ in 0..8 {
        let mut stream = served.connect();
        let many = "GET /api/v1/pipelines/trades/findings?limit=1000 HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(100);
        stream.set_write_timeout(Some(Duration::from_millis(500))).expect("a timeout can be set");
        let _ = stream.write_all(many.as_bytes());
        stalled.push(stream);
    }
    is_well(&served);
}

#[test]
fn it_stops_in_time_whoever_is_still_there() {
    let mut served = served();
    let mut half = served.connect();
    half.write_all(b"GET /metrics HTTP/1.1\r\n").expect("it is open");
    let idle = served.connect();
    is_well(&served);
    served.stop(Duration::from_secs(5));
    assert!(TcpStream::connect(served.address).is_err(), "nobody listens any more");
    drop((half, idle));
}
