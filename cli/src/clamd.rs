//! ClamAV's daemon, asked about files over its socket: clamd(8), the commands VERSION and INSTREAM.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pratique_core::GapKind;
use pratique_detect::{Opinion, OtherScanner};

/// How long it may take to be reached, and to take or give the next bytes.
const PATIENCE: Duration = Duration::from_secs(120);
/// Bytes of an answer.
const MAX_ANSWER: u64 = 4096;

/// The daemon at an address.
pub(crate) struct Clamd {
    address: String,
    version: String,
}

impl Clamd {
    /// The daemon at the path of its socket, or at HOST:PORT. If it does not answer now it is asked all the same: each
    /// file without an answer is a gap then.
    pub(crate) fn new(address: &str) -> Self {
        let version = version(address).unwrap_or_else(|_| {
            // Nothing that was noted without it may be taken for what it says.
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            format!("no answer at {now:?}")
        });
        Self { address: address.to_owned(), version }
    }
}

impl OtherScanner for Clamd {
    fn name(&self) -> &str {
        "clamd"
    }

    fn version(&self) -> &str {
        &self.version
    }

    fn open(&self) -> Box<dyn Opinion> {
        let asked = connect(&self.address).and_then(|mut connection| {
            connection.write_all(b"zINSTREAM\0")?;
            Ok(connection)
        });
        Box::new(Asked { address: self.address.clone(), connection: asked })
    }
}

/// One file.
struct Asked {
    address: String,
    /// Or why it was not, or no longer, asked.
    connection: io::Result<Box<dyn Connection>>,
}

impl Opinion for Asked {
    fn take(&mut self, bytes: &[u8]) {
        let Ok(connection) = &mut self.connection else { return };
        // An empty chunk would be the end.
        if bytes.is_empty() {
            return;
        }
        let length = (bytes.len() as u32).to_be_bytes();
        let sent = connection.write_all(&length).and_then(|()| connection.write_all(bytes));
        if let Err(error) = sent {
            self.connection = Err(why(connection.as_mut(), error));
        }
    }

    fn finish(self: Box<Self>) -> Result<Option<String>, (GapKind, String)> {
        let Self { address, connection } = *self;
        let problem = |kind, reason: String| {
            (kind, format!("ClamAV's daemon at {address} did not look at it: {reason}"))
        };
        let answered = connection.and_then(|mut connection| match connection.write_all(&[0; 4]) {
            Ok(()) => answer(connection.as_mut()),
            Err(error) => Err(why(connection.as_mut(), error)),
        });
        let answer = answered.map_err(|error| match error.to_string() {
            reason if reason.contains("size limit exceeded") => problem(GapKind::Limit, reason),
            reason => problem(GapKind::Unreadable, reason),
        })?;
        if answer == "stream: OK" {
            return Ok(None);
        }
        let found = answer.strip_prefix("stream: ").and_then(|rest| rest.strip_suffix(" FOUND"));
        match found {
            // So it says, if it is to, that a limit of its own kept it from looking further.
            Some(name) if name.starts_with("Heuristics.Limits.Exceeded") => {
                Err(problem(GapKind::Limit, format!("it answered `{answer}`")))
            }
            Some(name) => Ok(Some(name.to_owned())),
            None if answer.contains("size limit exceeded") => {
                Err(problem(GapKind::Limit, format!("it answered `{answer}`")))
            }
            None => Err(problem(GapKind::Unreadable, format!("it answered `{answer}`"))),
        }
    }
}

/// Either kind of socket.
trait Connection: Read + Write {}

impl Connection for UnixStream {}
impl Connection for TcpStream {}

fn connect(address: &str) -> io::Result<Box<dyn Connection>> {
    if address.contains('/') {
        let stream = UnixStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        return Ok(Box::new(stream));
    }
    let mut last = io::Error::other("it is neither the path of a socket nor HOST:PORT");
    for place in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&place, PATIENCE) {
            Ok(stream) => {
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.set_write_timeout(Some(PATIENCE))?;
                return Ok(Box::new(stream));
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn version(address: &str) -> io::Result<String> {
    let mut connection = connect(address)?;
    connection.write_all(b"zVERSION\0")?;
    answer(connection.as_mut())
}

/// Why it takes no more: it may have said so before it hung up.
fn why(connection: &mut dyn Connection, error: io::Error) -> io::Error {
    match answer(connection) {
        Ok(answer) => io::Error::other(format!("it answered `{answer}`")),
        Err(_) => error,
    }
}

/// One answer: up to its zero byte, or to where the daemon hangs up.
fn answer(connection: &mut dyn Connection) -> io::Result<String> {
    let mut bytes = Vec::new();
    BufReader::new(connection).take(MAX_ANSWER).read_until(0, &mut bytes)?;
    let text = String::from_utf8_lossy(bytes.strip_suffix(&[0]).unwrap_or(&bytes)).into_owned();
    if text.is_empty() { Err(io::Error::other("it hung up without an answer")) } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use pratique_testkit::daemons::ClamDaemon;

    use super::*;

    /// What a daemon answers to a file.
    type Answers = fn(&[u8]) -> &'static str;

    /// A daemon that reads a file to its end, or as far as `most` bytes, and gives an answer to what it read.
    fn double(most: usize, answer: Answers) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        thread::spawn(move || {
            for mut connection in listener.incoming().map_while(Result::ok) {
                let mut command = Vec::new();
                let mut reader = BufReader::new(connection.try_clone().unwrap());
                let _ = reader.read_until(0, &mut command);
                let mut content = Vec::new();
                while command == b"zINSTREAM\0" && content.len() <= most {
                    let mut length = [0; 4];
                    if reader.read_exact(&mut length).is_err() || length == [0; 4] {
                        break;
                    }
                    let mut chunk = vec![0; u32::from_be_bytes(length) as usize];
                    if reader.read_exact(&mut chunk).is_err() {
                        break;
                    }
                    content.extend(chunk);
                }
                let _ = connection.write_all(answer(&content).as_bytes());
            }
        });
        address
    }

    fn ask(address: &str, chunks: &[&[u8]]) -> Result<Option<String>, (GapKind, String)> {
        let mut opinion = Clamd::new(address).open();
        chunks.iter().for_each(|chunk| opinion.take(chunk));
        opinion.finish()
    }

    #[test]
    fn what_the_daemon_finds_is_found_and_what_it_finds_clean_is_clean() {
        let address = double(1 << 20, |content| {
            if content == b"a bad file" { "stream: Unix.Bad-1 FOUND\0" } else { "stream: OK\0" }
        });
        assert_eq!(ask(&address, &[b"a bad", b"", b" file"]), Ok(Some("Unix.Bad-1".to_owned())));
        assert_eq!(ask(&address, &[b"a good file"]), Ok(None));
        assert_eq!(ask(&address, &[]), Ok(None));
    }

    #[test]
    fn every_other_answer_is_a_gap() {
        let answers: [(Answers, GapKind); 5] = [
            (|_| "INSTREAM size limit exceeded. ERROR\0", GapKind::Limit),
            (|_| "stream: Can't allocate memory ERROR\0", GapKind::Unreadable),
            (|_| "UNKNOWN COMMAND\0", GapKind::Unreadable),
            (|_| "", GapKind::Unreadable),
            (|_| "stream: OK and more\0", GapKind::Unreadable),
        ];
        for (answer, kind) in answers {
            let (told, reason) = ask(&double(1 << 20, answer), &[b"x"]).unwrap_err();
            assert_eq!(told, kind, "{reason}");
        }
        // It hangs up in the middle of a file, having said why or not.
        let large = vec![0; 1 << 20];
        let chunks = vec![large.as_slice(); 64];
        for answer in [|_: &[u8]| "INSTREAM size limit exceeded. ERROR\0", |_: &[u8]| ""] {
            let (kind, reason) = ask(&double(100, answer), &chunks).unwrap_err();
            assert!(matches!(kind, GapKind::Limit | GapKind::Unreadable), "{reason}");
        }
    }

    #[test]
    fn a_daemon_that_is_not_there_is_a_gap_and_no_cache_takes_that_for_its_word() {
        let nobody = {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            listener.local_addr().unwrap().to_string()
        };
        for address in [nobody.as_str(), "/nowhere/clamd.ctl", "nonsense"] {
            let (kind, reason) = ask(address, &[b"x"]).unwrap_err();
            assert_eq!(kind, GapKind::Unreadable);
            assert!(reason.contains(address), "{reason}");
            assert_ne!(Clamd::new(address).version(), Clamd::new(address).version());
        }
    }

    /// A daemon that knows a word and the file of EICAR, and takes as much as the settings say.
    fn real(settings: &str) -> ClamDaemon {
        let word = "Own.Word:0:*:676174652d6f662d736573616d65\n";
        let file = "44d88612fea8a8f36de82e1278abb02f:68:Own.File\n";
        ClamDaemon::start(&[("own.ndb", word), ("own.hdb", file)], settings)
    }

    fn ask_real(daemon: &ClamDaemon, chunks: &[&[u8]]) -> Result<Option<String>, (GapKind, String)> {
        ask(daemon.socket().to_str().unwrap(), chunks)
    }

    #[test]
    fn a_real_daemon_finds_what_it_knows_and_nothing_else() {
        // Each byte of the file less its place, lest scanners find it here.
        const EICAR: [u8; 68] = [
            0x58, 0x34, 0x4d, 0x1e, 0x4c, 0x20, 0x3a, 0x3a, 0x48, 0x52, 0x2a, 0x51, 0x44, 0x4d, 0x4a, 0x26,
            0x24, 0x17, 0x3e, 0x4b, 0x15, 0x22, 0x2d, 0x2c, 0x11, 0x1e, 0x63, 0x09, 0x29, 0x2c, 0x25, 0x22,
            0x32, 0x0c, 0x31, 0x31, 0x1d, 0x29, 0x1e, 0x1a, 0x2a, 0x1b, 0x03, 0x16, 0x22, 0x27, 0x1b, 0x27,
            0x19, 0x21, 0x23, 0x20, 0xf9, 0x1f, 0x0f, 0x1c, 0x1c, 0xf4, 0x0c, 0x0e, 0x10, 0x08, 0xe3, 0xe5,
            0x08, 0xea, 0x06, 0xe7,
        ];
        let file: Vec<u8> =
            EICAR.iter().zip(0..).map(|(byte, place): (&u8, u8)| byte.wrapping_add(place)).collect();
        let daemon = real("");
        assert!(Clamd::new(daemon.socket().to_str().unwrap()).version().starts_with("ClamAV 1."));
        let found = |name: &str| Ok(Some(format!("{name}.UNOFFICIAL")));
        assert_eq!(ask_real(&daemon, &[b"a gate-of", b"-sesame"]), found("Own.Word"));
        assert_eq!(ask_real(&daemon, &[&file]), found("Own.File"));
        for clean in [&b"a gate of sesame"[..], b"", &file[..67]] {
            assert_eq!(ask_real(&daemon, &[clean]), Ok(None));
        }
    }

    #[test]
    fn what_a_real_daemon_does_not_take_is_a_gap() {
        let daemon = real("StreamMaxLength 300K\nMaxFileSize 100K\nAlertExceedsMax yes");
        let piece = vec![b'x'; 50 << 10];
        assert_eq!(ask_real(&daemon, &[&piece]), Ok(None));
        // More than it looks into, more than it takes, and so much that it hangs up before the end.
        for pieces in [3, 7, 1000] {
            let (kind, reason) = ask_real(&daemon, &vec![piece.as_slice(); pieces]).unwrap_err();
            assert!(
                kind == GapKind::Limit && reason.to_lowercase().contains("exceeded"),
                "{pieces}: {reason}"
            );
        }
    }

    #[test]
    fn a_real_daemon_that_goes_in_the_middle_of_a_file_is_a_gap() {
        let daemon = real("");
        let clamd = Clamd::new(daemon.socket().to_str().unwrap());
        let mut opinions = [clamd.open(), clamd.open()];
        opinions.iter_mut().for_each(|opinion| opinion.take(b"the first half"));
        drop(daemon);
        let [half, mut whole] = opinions;
        whole.take(b" and the second");
        for opinion in [half, whole, clamd.open()] {
            assert_eq!(opinion.finish().unwrap_err().0, GapKind::Unreadable);
        }
    }
}
