//! A web server on this machine that gives files as real ones do, and spoils answers where a test says so.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::layer::sha256;

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The path, as it was sent.
    pub path: String,
    /// The headers, their names in lower case.
    pub headers: BTreeMap<String, String>,
}

/// What happens to an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spoil {
    /// Nothing.
    Nothing,
    /// It has this status, these headers, and no content.
    Status(u16, Vec<(String, String)>),
    /// It ends after so many bytes of content, whatever its length says.
    Cut(usize),
    /// It has these headers beside its own.
    Headers(Vec<(String, String)>),
}

type Rule = Box<dyn FnMut(&Asked) -> Spoil + Send>;

struct Shared {
    files: Mutex<BTreeMap<String, Vec<u8>>>,
    asked: Mutex<Vec<Asked>>,
    rule: Mutex<Rule>,
    ended: AtomicBool,
}

/// The server; it ends when dropped. Answers have strong entity tags and honour `Range`, `If-Range` and `If-None-Match`;
/// a `CONNECT` of plain HTTP is answered and recorded as its own request, and what comes through it from the same files.
pub struct WebServer {
    shared: Arc<Shared>,
    address: SocketAddr,
}

impl Default for WebServer {
    fn default() -> Self {
        Self::new()
    }
}

impl WebServer {
    /// Starts one for this machine that has no files yet.
    ///
    /// # Panics
    /// If this machine has no port left.
    pub fn new() -> Self {
        Self::on([127, 0, 0, 1].into())
    }

    /// The same at another of this machine's addresses.
    ///
    /// # Panics
    /// If there is no such address, or it has no port left.
    pub fn on(address: IpAddr) -> Self {
        let listener = TcpListener::bind((address, 0)).expect("a port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared {
            files: Mutex::default(),
            asked: Mutex::default(),
            rule: Mutex::new(Box::new(|_| Spoil::Nothing)),
            ended: AtomicBool::new(false),
        });
        let serving = shared.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if serving.ended.load(Ordering::SeqCst) {
                    return;
                }
                let serving = serving.clone();
                thread::spawn(move || serving.answer(stream));
            }
        });
        Self { shared, address }
    }

    /// Its address, such as `http://127.0.0.1:4321`.
    pub fn address(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Puts a file at a path such as `/PyPI/all.zip`.
    pub fn put(&self, path: &str, content: impl Into<Vec<u8>>) {
        lock(&self.shared.files).insert(path.to_owned(), content.into());
    }

    /// Takes a file away.
    pub fn remove(&self, path: &str) {
        lock(&self.shared.files).remove(path);
    }

    /// From now on answers are spoilt so.
    pub fn spoil(&self, rule: impl FnMut(&Asked) -> Spoil + Send + 'static) {
        *lock(&self.shared.rule) = Box::new(rule);
    }

    /// What was asked for since this was last called, in order.
    pub fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut *lock(&self.shared.asked))
    }
}

impl Drop for WebServer {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn answer(&self, mut stream: TcpStream) {
        let mut lines =
            BufReader::new(stream.try_clone().expect("a second handle")).lines().map_while(Result::ok);
        let Some(mut first) = lines.next() else { return };
        // As a proxy it stands for every host itself.
        if first.starts_with("CONNECT ") {
            let path = first.trim_end_matches(" HTTP/1.1").to_owned();
            lines.by_ref().take_while(|line| !line.is_empty()).for_each(drop);
            lock(&self.asked).push(Asked { path, headers: BTreeMap::new() });
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
            let Some(tunnelled) = lines.next() else { return };
            first = tunnelled;
        }
        let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
        let headers = lines
            .take_while(|line| !line.is_empty())
            .filter_map(|line| {
                line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            })
            .collect();
        let asked = Asked { path, headers };
        lock(&self.asked).push(asked.clone());
        let spoil = (lock(&self.rule))(&asked);
        let file = lock(&self.files).get(&asked.path).cloned();
        // Whoever has heard enough may hang up.
        let _ = stream.write_all(&answer(&asked, file, spoil));
    }
}

fn answer(asked: &Asked, file: Option<Vec<u8>>, spoil: Spoil) -> Vec<u8> {
    let header = |name: &str| asked.headers.get(name).map(String::as_str);
    let mut more = vec![("connection".to_owned(), "close".to_owned())];
    let mut content = file.unwrap_or_default();
    let etag = format!("\"{}\"", sha256(&content).short());
    let mut status = 200;
    if let Spoil::Status(spoilt, headers) = &spoil {
        (status, content) = (*spoilt, Vec::new());
        more.extend(headers.clone());
    } else if content.is_empty() {
        status = 404;
    } else if header("if-none-match") == Some(etag.as_str()) {
        (status, content) = (304, Vec::new());
    } else if let Some(start) =
        header("range").filter(|_| header("if-range").is_none_or(|named| named == etag))
    {
        let start: usize = start.trim_start_matches("bytes=").trim_end_matches('-').parse().expect("a range");
        let whole = content.len();
        if start < whole {
            status = 206;
            more.push(("content-range".to_owned(), format!("bytes {start}-{}/{whole}", whole - 1)));
            content.drain(..start);
        } else {
            (status, content) = (416, Vec::new());
        }
    }
    if matches!(status, 200 | 206) {
        more.push(("etag".to_owned(), etag));
    }
    if let Spoil::Headers(headers) = &spoil {
        more.extend(headers.clone());
    }
    let mut bytes = format!("HTTP/1.1 {status} x\r\ncontent-length: {}\r\n", content.len()).into_bytes();
    for (name, value) in more {
        bytes.extend(format!("{name}: {value}\r\n").into_bytes());
    }
    bytes.extend(b"\r\n");
    if let Spoil::Cut(length) = spoil {
        content.truncate(length);
    }
    bytes.extend(content);
    bytes
}

fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
