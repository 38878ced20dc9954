//! A schema registry on a free port, which answers each path as it is told; everything else is not there.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;

/// The server; it ends with the value.
pub struct RegistryStub {
    address: SocketAddr,
    over: Arc<AtomicBool>,
    left: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

impl RegistryStub {
    /// Starts with these answers: path, status and body.
    pub fn start<P: Into<String>>(answers: Vec<(P, u16, String)>) -> Self {
        let answers: Vec<(String, u16, String)> =
            answers.into_iter().map(|(path, status, body)| (path.into(), status, body)).collect();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let over = Arc::new(AtomicBool::new(false));
        let left = Arc::new(AtomicUsize::new(usize::MAX));
        let (end, counted) = (Arc::clone(&over), Arc::clone(&left));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if end.load(Ordering::SeqCst) {
                    return;
                }
                let is_left =
                    counted.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
                answer(&stream, if is_left { &answers } else { &[] });
            }
        });
        Self { address, over, left, thread: Some(thread) }
    }

    /// The same, which answers so many requests and then breaks down.
    pub fn for_requests(self, most: usize) -> Self {
        self.left.store(most, Ordering::SeqCst);
        self
    }

    /// With one schema, id 1, the only version of the subject of topic trades.
    pub fn of_schema(schema: &str) -> Self {
        Self::of_subject("trades-value", 1, schema)
    }

    /// With one schema of this id, the only version of this subject.
    pub fn of_subject(subject: &str, id: u32, schema: &str) -> Self {
        let body = |mut body: serde_json::Value| {
            body["schema"] = schema.into();
            body.to_string()
        };
        let version = serde_json::json!({ "subject": subject, "version": 1, "id": id });
        Self::start(vec![
            (format!("/subjects/{subject}/versions"), 200, "[1]".to_owned()),
            (format!("/subjects/{subject}/versions/1"), 200, body(version)),
            (format!("/schemas/ids/{id}"), 200, body(serde_json::json!({}))),
        ])
    }

    /// `127.0.0.1:port`
    pub fn address(&self) -> String {
        self.address.to_string()
    }
}

impl Drop for RegistryStub {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        // Wakes the thread, which looks at the flag.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A connection that ends half way is the client's business.
fn answer(mut stream: &TcpStream, answers: &[(String, u16, String)]) {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let first = lines.next().unwrap_or_default();
    let path = first.split(' ').nth(1).unwrap_or_default();
    lines.take_while(|line| !line.is_empty()).for_each(drop);
    let not_found = r#"{"error_code":40403,"message":"Schema not found"}"#;
    let known = answers.iter().find(|(known, _, _)| known == path);
    let (status, body) = known.map_or((404, not_found), |(_, status, body)| (*status, body));
    let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    let _ = stream.write_all((head + body).as_bytes());
}
