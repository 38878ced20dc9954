//! A TCP gate before a server: it leads there, or turns every connection away and cuts those that there are.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

/// A running gate; its threads end with their connections, the listening one with the process.
pub struct Gate {
    port: u16,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    server: Option<String>,
    carried: Vec<TcpStream>,
}

impl Gate {
    /// Leads to that server, `HOST:PORT`.
    pub fn to(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("the system has a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let inner = Arc::new(Mutex::new(Inner { server: Some(server.to_owned()), carried: Vec::new() }));
        let serving = Arc::clone(&inner);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let mut inner = serving.lock().unwrap_or_else(PoisonError::into_inner);
                let Some(server) = inner.server.clone() else { continue };
                let Ok(server) = TcpStream::connect(server) else { continue };
                let both = [client.try_clone(), server.try_clone()];
                inner.carried.extend(both.into_iter().flatten());
                carry(&client, &server);
                carry(&server, &client);
            }
        });
        Self { port, inner }
    }

    /// Its address.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// From now on it leads to this server; none: nobody gets through.
    pub fn lead_to(&self, server: Option<&str>) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.server = server.map(str::to_owned);
        for stream in inner.carried.drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// Carries bytes one way, on a thread of its own, until either side ends; both ways end then.
fn carry(from: &TcpStream, to: &TcpStream) {
    let (Ok(mut from), Ok(mut to)) = (from.try_clone(), to.try_clone()) else { return };
    std::thread::spawn(move || {
        let mut chunk = [0; 4_096];
        while let Ok(read @ 1..) = from.read(&mut chunk) {
            if to.write_all(&chunk[..read]).is_err() {
                break;
            }
        }
        let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
    });
}
