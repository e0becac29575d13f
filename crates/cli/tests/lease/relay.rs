//! An endpoint between the binary and the chain that lies, refuses or goes away as told.

use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

/// What becomes of a call: an answer of its own, or none, and then the chain's, changed or not.
pub(crate) type Meddle = dyn Fn(&Value) -> Fate + Send + Sync;

/// What the relay does with a call.
pub(crate) enum Fate {
    /// Let the chain answer.
    Pass,
    /// Answer this instead.
    Answer(Value),
    /// Answer these bytes as the body.
    Raw(Vec<u8>),
    /// Let the chain answer, and change that.
    Change(Box<dyn Fn(&mut Value) + Send>),
    /// Close the connection.
    Drop,
}

/// Listens on a free port and relays to the chain at `url`. Ends with the test's process.
pub(crate) fn relay(url: &str, meddle: impl Fn(&Value) -> Fate + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (chain, meddle) = (url.to_owned(), Arc::new(meddle));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (chain, meddle) = (chain.clone(), meddle.clone());
            std::thread::spawn(move || serve(stream, &chain, &*meddle));
        }
    });
    address
}

fn serve(mut stream: TcpStream, chain: &str, meddle: &Meddle) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    while let Some(body) = read_body(&mut reader) {
        let call: Value = serde_json::from_slice(&body).unwrap();
        let answer = match meddle(&call) {
            Fate::Drop => return,
            Fate::Raw(bytes) => bytes,
            Fate::Answer(mut answer) => {
                answer["jsonrpc"] = json!("2.0");
                answer["id"] = call["id"].clone();
                answer.to_string().into_bytes()
            }
            Fate::Pass => ask(chain, &body),
            Fate::Change(change) => {
                let mut answer = serde_json::from_slice(&ask(chain, &body)).unwrap();
                change(&mut answer);
                answer.to_string().into_bytes()
            }
        };
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            answer.len()
        );
        if stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&answer)).is_err() {
            return;
        }
    }
}

/// The next request's or answer's body on a connection; `None` at its end.
fn read_body(reader: &mut BufReader<TcpStream>) -> Option<Vec<u8>> {
    let mut length = None;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim().to_lowercase();
        if let Some(text) = line.strip_prefix("content-length:") {
            length = text.trim().parse().ok();
        }
        if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length?];
    reader.read_exact(&mut body).ok()?;
    Some(body)
}

fn ask(chain: &str, body: &[u8]) -> Vec<u8> {
    let host = chain.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    let head = format!(
        "POST / HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body).unwrap();
    read_body(&mut BufReader::new(stream)).expect("the chain answers with a length")
}
