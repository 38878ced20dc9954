//! A schema registry on a free port of this machine, answering by script.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// What a request asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The path as it came, with its escapes.
    pub path: String,
    /// The header `Authorization`.
    pub authorization: Option<String>,
}

/// What is answered.
#[derive(Debug, Clone)]
pub enum Answer {
    /// A status and a JSON body.
    Body(u16, String),
    /// Nothing, as long as the stub lives; the connection stays open.
    Silence,
    /// Half of an answer, and the connection closed.
    Torn,
}

/// The server; it ends with the value.
pub struct Stub {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Stub {
    /// Starts; `answer` is given the path and how often that path was asked before.
    pub fn start(answer: impl Fn(&str, usize) -> Answer + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let asked = Arc::new(Mutex::new(Vec::new()));
        let over = Arc::new(AtomicBool::new(false));
        let (log, end) = (asked.clone(), over.clone());
        let thread = std::thread::spawn(move || {
            let mut silent = Vec::new();
            for stream in listener.incoming() {
                if end.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let Some(request) = read(&stream) else { continue };
                let before = {
                    let mut log = log.lock().expect("no test panics with it");
                    let before = log.iter().filter(|a: &&Asked| a.path == request.path).count();
                    log.push(request.clone());
                    before
                };
                match answer(&request.path, before) {
                    Answer::Body(status, body) => write(stream, status, &body, body.len()),
                    Answer::Torn => write(stream, 200, "{", 100),
                    Answer::Silence => silent.push(stream),
                }
            }
        });
        Self { address, asked, over, thread: Some(thread) }
    }

    /// A registry that knows these schemas by id, as Confluent's does.
    pub fn of_schemas(schemas: &[(u32, &str)]) -> Self {
        let schemas: Vec<(String, String)> =
            schemas.iter().map(|(id, schema)| (format!("/schemas/ids/{id}"), registered(schema))).collect();
        Self::start(move |path, _| match schemas.iter().find(|(known, _)| known == path) {
            Some((_, body)) => Answer::Body(200, body.clone()),
            None => not_found(),
        })
    }

    /// Its base URL, without a slash at its end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All requests so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("no test panics with it").clone()
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        // Wakes the thread, which looks at the flag.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The body of an answer with a schema.
pub fn registered(schema: &str) -> String {
    serde_json::json!({ "schema": schema }).to_string()
}

/// The answer for what is not there.
pub fn not_found() -> Answer {
    Answer::Body(404, r#"{"error_code":40403,"message":"Schema not found"}"#.to_owned())
}

fn read(stream: &TcpStream) -> Option<Asked> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next()?.ok()?;
    let path = first.split(' ').nth(1)?.to_owned();
    let mut authorization = None;
    for line in lines {
        let line = line.ok()?;
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(": ")
            && name.eq_ignore_ascii_case("authorization")
        {
            authorization = Some(value.to_owned());
        }
    }
    Some(Asked { path, authorization })
}

fn write(mut stream: TcpStream, status: u16, body: &str, length: usize) {
    let head = format!(
        "HTTP/1.1 {status} X\r\nContent-Type: application/vnd.schemaregistry.v1+json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    // A client that is gone is no failure of the stub.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
}
