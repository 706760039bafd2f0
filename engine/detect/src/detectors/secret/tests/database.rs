//! Databases that SQLite itself makes.

use std::path::PathBuf;

use pratique_core::inspect::{Extent, FileInput, FileMode, pieces};
use pratique_core::{GapKind, Severity};
use rusqlite::Connection;

use super::{ALNUM, HEX, Noted, Secret, checked, judged, mixed, pem};
use crate::detectors::secret::firefox_key::tests::{OPEN, PROTECTED};
use crate::detectors::secret::{DETECTOR, INTERESTS};
use crate::{Detector, FileReport, LocatedFact};

/// A folder that goes with its value.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("pratique-secret-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// A new database in it, before `settings` are made.
    fn open(&self, settings: &str) -> Connection {
        let database = Connection::open(self.0.join("x.db")).unwrap();
        database.execute_batch(settings).unwrap();
        database
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.0.join(name)).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The database that some statements make.
fn made(name: &str, statements: &str) -> Vec<u8> {
    let folder = Folder::new(name);
    drop(folder.open(statements));
    folder.read("x.db")
}

fn inspected(path: &str, content: &Vec<u8>) -> FileReport {
    let mode = FileMode { permissions: 0o600, uid: 0, gid: 0 };
    DETECTOR.inspect(&FileInput::in_memory(path.as_bytes(), mode, content))
}

fn secrets(path: &str, content: &Vec<u8>) -> (Vec<Secret>, Vec<(GapKind, String)>) {
    noted(inspected(path, content))
}

/// The same of a file in an archive, which comes in pieces.
fn secrets_within(path: &str, content: &[u8]) -> (Vec<Secret>, Vec<(GapKind, String)>) {
    let mode = FileMode { permissions: 0o600, uid: 0, gid: 0 };
    let empty = Vec::new();
    let file = FileInput { size: u64::MAX, ..FileInput::in_memory(path.as_bytes(), mode, &empty) };
    let mut stream = DETECTOR.stream(&file).unwrap();
    pieces(content).for_each(|piece| stream.take(&piece));
    noted(stream.finish())
}

fn noted(report: FileReport) -> (Vec<Secret>, Vec<(GapKind, String)>) {
    let noted =
        report.facts.iter().flat_map(|fact| serde_json::from_slice::<Noted>(&fact.0).unwrap().secrets);
    (noted.collect(), report.problems)
}

/// Kind, place in words, and in how many places.
fn told(content: &Vec<u8>) -> Vec<(String, String, u32)> {
    let (secrets, problems) = secrets("srv/x.db", content);
    assert_eq!(problems, []);
    let told =
        |one: Secret| (one.shape, one.place.map(|place| place.in_words()).unwrap_or_default(), one.times);
    secrets.into_iter().map(told).collect()
}

fn one(kind: &str, place: &str, times: u32) -> Vec<(String, String, u32)> {
    vec![(kind.to_owned(), place.to_owned(), times)]
}

/// A private key of some 3,000 bytes.
fn key() -> String {
    let body = mixed(ALNUM, 3000);
    let length = (body.len() + 3) as u16;
    pem(
        "RSA PRIVATE KEY",
        "",
        &[b"\x30\x82", &length.to_be_bytes()[..], b"\x02\x01\0", body.as_bytes()].concat(),
    )
}

const DELETED: &str = " where a row was: deleted, still readable";

#[test]
fn a_value_on_several_pages_is_looked_at_in_one() {
    let key = key();
    for size in [512, 1024, 4096] {
        let content = made(
            &format!("overflow-{size}"),
            &format!(
                "PRAGMA page_size = {size}; CREATE TABLE keys (id INTEGER PRIMARY KEY, name TEXT, key TEXT);
                 INSERT INTO keys VALUES (1, 'none', 'nothing'), (7, 'host', '{key}');"
            ),
        );
        assert_eq!(told(&content), one("private-key", " in table keys, row 7", 1), "{size}");
    }
}

#[test]
fn values_of_all_kinds_of_tables_are_looked_at() {
    let token = checked("ghp_");
    let hex: String = token.bytes().map(|byte| format!("{byte:02x}")).collect();
    for (name, statements, place) in [
        (
            "text",
            format!("CREATE TABLE t (a, b); INSERT INTO t VALUES ('x', '{token}')"),
            " in table t, row 1",
        ),
        ("blob", format!("CREATE TABLE t (a); INSERT INTO t VALUES (x'{hex}')"), " in table t, row 1"),
        (
            "beside",
            format!("CREATE TABLE t (a, b, c); INSERT INTO t VALUES ('letters', '{token}', 'letters')"),
            " in table t, row 1",
        ),
        (
            "without",
            format!("CREATE TABLE t (a TEXT PRIMARY KEY) WITHOUT ROWID; INSERT INTO t VALUES ('{token}')"),
            " in table t",
        ),
        (
            "index",
            format!("CREATE TABLE t (a); CREATE INDEX i ON t (a); INSERT INTO t VALUES ('{token}')"),
            " in table t, row 1",
        ),
        (
            "wide",
            format!("PRAGMA encoding = 'UTF-16be'; CREATE TABLE t (a); INSERT INTO t VALUES ('{token}')"),
            " in table t, row 1",
        ),
        ("schema", format!("CREATE VIEW v AS SELECT '{token}'"), " in table sqlite_schema, row 1"),
    ] {
        assert_eq!(told(&made(name, &statements)), one("github-token", place, 1), "{name}");
    }
}

#[test]
fn a_secret_in_many_rows_is_one() {
    let token = checked("ghp_");
    let rows: String = (0..300).map(|_| format!("INSERT INTO t VALUES ('{token}');")).collect();
    let content = made("many", &format!("PRAGMA page_size = 512; CREATE TABLE t (a); BEGIN; {rows} COMMIT;"));
    assert_eq!(told(&content), one("github-token", " in table t, row 1", 300));
}

#[test]
fn what_was_deleted_is_still_readable() {
    let token = checked("ghp_");
    let table = "PRAGMA secure_delete = OFF; CREATE TABLE t (a); CREATE TABLE other (b)";
    let row = |text: &str| format!("INSERT INTO t VALUES ('{text}')");
    let deleted = format!("{table}; {}; {}; DELETE FROM t WHERE rowid = 1", row(&token), row("another"));
    assert_eq!(told(&made("row", &deleted)), one("github-token", DELETED, 1));
    let dropped = format!("{table}; {}; DROP TABLE t", row(&token));
    assert_eq!(told(&made("table", &dropped)), one("github-token", DELETED, 1));
    // On overflow pages, of which several follow each other.
    let long = format!("{}{}", "x ".repeat(5000), key());
    let dropped = format!("{table}; {}; {}; DELETE FROM t WHERE rowid = 1", row(&long), row("another"));
    assert_eq!(told(&made("overflow", &dropped)), one("private-key", DELETED, 1));
    let moved = format!("{deleted}; INSERT INTO other VALUES ('{token}')");
    assert_eq!(told(&made("moved", &moved)), one("github-token", " in table other, row 1", 1));
    let overwritten = deleted.replace("OFF", "ON");
    assert_eq!(told(&made("overwritten", &overwritten)), []);
}

#[test]
fn the_log_beside_a_database_is_looked_at() {
    let (first, key) = (checked("ghp_"), key());
    let folder = Folder::new("log");
    let database =
        folder.open("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; CREATE TABLE t (a)");
    database.execute("INSERT INTO t VALUES (?1)", [&first]).unwrap();
    database.execute("INSERT INTO t VALUES (?1)", [&key]).unwrap();
    database.execute("DELETE FROM t WHERE rowid = 1", []).unwrap();
    let (content, log) = (folder.read("x.db"), folder.read("x.db-wal"));
    assert_eq!(told(&content), []);
    let all = told(&log);
    let place = |kind: &str| all.iter().find(|(known, ..)| known == kind).map(|(_, place, _)| place.as_str());
    assert_eq!((all.len(), place("private-key")), (2, Some(" in row 2 of a table")), "{all:?}");
    assert_eq!(place("github-token"), Some(DELETED));

    // What the database took in is told of it, and not of the log once more.
    database.execute_batch("PRAGMA wal_checkpoint(PASSIVE)").unwrap();
    let (content, log) = (folder.read("x.db"), folder.read("x.db-wal"));
    assert_eq!(told(&content).len(), 2);
    let facts: Vec<LocatedFact> = [("/srv/x.db", &content), ("/srv/x.db-wal", &log)]
        .into_iter()
        .flat_map(|(path, content)| {
            let located = |fact| LocatedFact { path: path.to_owned(), layer: None, removed_by: None, fact };
            inspected(path, content).facts.into_iter().map(located)
        })
        .collect();
    let paths: Vec<_> = judged(&facts).findings.into_iter().filter_map(|finding| finding.path).collect();
    assert_eq!(paths, ["/srv/x.db", "/srv/x.db"]);
}

#[test]
fn a_database_that_lies_is_looked_at_and_a_gap() {
    let token = checked("ghp_");
    let rows: String = (0..50).map(|_| format!("INSERT INTO t VALUES ('{}');", mixed(ALNUM, 300))).collect();
    let content = made(
        "lies",
        &format!("PRAGMA page_size = 1024; CREATE TABLE t (a); {rows} INSERT INTO t VALUES ('{token}')"),
    );
    assert_eq!(told(&content).len(), 1);
    // The size of pages; the root of the table; a page that is its own child; a page that is none.
    let roots = content.windows(6).position(|bytes| bytes == b"CREATE").unwrap() - 1;
    let inner = [8, 9, 10, 11].map(|byte| (1024 + byte, if byte == 11 { 2 } else { 0 }));
    for change in [vec![(16, 3)], vec![(roots, 200)], inner.to_vec(), vec![(1024, 1)]] {
        let mut content = content.clone();
        for (place, byte) in &change {
            content[*place] = *byte;
        }
        let (found, problems) = secrets("srv/x.db", &content);
        assert_eq!(found.len(), 1, "{change:?} {found:?}");
        assert_eq!(problems.len(), 1, "{change:?} {problems:?}");
    }
    let half = content[..content.len() / 2].to_vec();
    assert_eq!(secrets("srv/x.db", &half).1.len(), 1);
}

#[test]
fn what_is_no_database_by_its_head_is_wanted_in_pieces_alone() {
    for interest in INTERESTS.iter().filter(|interest| matches!(interest.extent, Extent::Whole(_))) {
        assert!(!interest.heads.is_empty());
    }
}

/// Path, rule of the shape, severity and what it says that it opens.
fn logins(path: &str, content: &Vec<u8>) -> Vec<(String, String)> {
    let (secrets, problems) = secrets(path, content);
    assert_eq!(problems, []);
    secrets.into_iter().filter_map(|one| Some((one.shape, one.opens?))).collect()
}

const LOGIN_DATA: &str =
    "CREATE TABLE logins (origin_url VARCHAR NOT NULL, username_value VARCHAR, password_value BLOB);
     INSERT INTO logins VALUES ('https://shop.pinewood.net/login?x=1', 'ann', x'7631300102030405060708090a0b0c0d0e0f'),
       ('https://ann:x@mail.pinewood.net/', 'bob', x'7631310102030405060708090a0b0c0d0e0f'),
       ('https://never.pinewood.net/', '', x'');";

#[test]
fn logins_that_browsers_store_are_told_with_host_and_user() {
    let content = made("chromium", LOGIN_DATA);
    let mut found = logins("root/.config/chromium/Default/Login Data", &content);
    found.sort();
    let told = |kind: &str, opens: &str| (kind.to_owned(), opens.to_owned());
    assert_eq!(
        found,
        [
            told("browser-login-keyring", "bob at https://mail.pinewood.net"),
            told("browser-login-open", "ann at https://shop.pinewood.net")
        ]
    );
    let profile = "root/.mozilla/firefox/x.default/logins.json";
    assert_eq!(logins(profile, &FIREFOX.to_vec()), [told("browser-login", "https://shop.pinewood.net")]);
}

const FIREFOX: &[u8] = br#"{"nextId":2,"logins":[{"id":1,"hostname":"https://shop.pinewood.net","encryptedUsername":"MDIE","encryptedPassword":"MDoEEPgAAAAAAAAAAAAAAAAAAAEw"}],"version":3}"#;

#[test]
fn logins_of_firefox_are_told_by_what_protects_the_key_beside_them() {
    let key = |name: &str, [salt, sealed]: [&str; 2]| {
        let row = format!("INSERT INTO metaData VALUES ('password', x'{salt}', x'{sealed}')");
        made(name, &format!("CREATE TABLE metaData (id PRIMARY KEY UNIQUE, item1, item2); {row}"))
    };
    let kinds = |keys: &[(&str, Vec<u8>)]| {
        let files = keys.iter().map(|(path, key)| (*path, key.clone()));
        let facts = files.chain([("/root/a/logins.json", FIREFOX.to_vec())]).flat_map(|(path, content)| {
            let located = |fact| LocatedFact { path: path.to_owned(), layer: None, removed_by: None, fact };
            inspected(path, &content).facts.into_iter().map(located)
        });
        let findings = judged(&facts.collect::<Vec<_>>()).findings;
        findings.into_iter().map(|one| (one.severity, one.attributes["type"].clone())).collect::<Vec<_>>()
    };
    let (open, protected) = (key("open", OPEN), key("protected", PROTECTED));
    let told = |severity, kind: &str| vec![(severity, kind.to_owned())];
    assert_eq!(kinds(&[("/root/a/key4.db", open.clone())]), told(Severity::High, "browser-login-open"));
    assert_eq!(kinds(&[("/root/a/key4.db", protected)]), told(Severity::Low, "browser-login-protected"));
    // Another's key, and what is no key.
    let others = [("/root/b/key4.db", open), ("/root/a/key4.db", made("no-key", "CREATE TABLE t (a)"))];
    assert_eq!(kinds(&others), told(Severity::Medium, "browser-login"));
}

#[test]
fn what_is_only_called_like_a_store_of_logins_is_none() {
    assert_eq!(logins("srv/other.db", &made("elsewhere", LOGIN_DATA)), []);
    assert_eq!(logins("srv/logins.json", &b"{\"logins\": [\"ann\", \"bob\"]}".to_vec()), []);
    let (found, problems) = secrets("srv/Login Data", &made("other", "CREATE TABLE t (a)"));
    assert_eq!((found.len(), problems.len()), (0, 1));
}

fn cookie(host: &str, name: &str, value: &str) -> String {
    format!("INSERT INTO moz_cookies (host, name, value) VALUES ('{host}', '{name}', '{value}');")
}

fn firefox_cookies(name: &str, rows: &[String]) -> Vec<u8> {
    let table = "CREATE TABLE moz_cookies (id INTEGER PRIMARY KEY, name TEXT, value TEXT, host TEXT);";
    made(name, &format!("{table} {}", rows.concat()))
}

const FIREFOX_COOKIES: &str = "root/.mozilla/firefox/x.default/cookies.sqlite";
const CHROMIUM_COOKIES: &str = "root/.config/chromium/Default/Network/Cookies";

#[test]
fn sessions_that_browsers_keep_are_told_by_their_service() {
    let sessions = [
        ("github.com", "github.com", "user_session", mixed(ALNUM, 48)),
        ("google.com", ".google.com", "__Secure-1PSID", format!("g.a000{}", mixed(ALNUM, 150))),
        ("linkedin.com", ".www.linkedin.com", "li_at", format!("AQED{}", mixed(ALNUM, 150))),
        ("slack.com", ".slack.com", "d", format!("xoxd-{}", mixed(ALNUM, 140))),
        ("twitter.com", ".twitter.com", "auth_token", mixed(HEX, 40)),
        ("x.com", ".x.com", "auth_token", mixed(HEX, 40)),
    ];
    let rows = sessions.clone().map(|(_, host, name, value)| cookie(host, name, &value));
    let mut found = logins(FIREFOX_COOKIES, &firefox_cookies("cookies", &rows));
    found.sort();
    let open = |service: &str| ("browser-session-open".to_owned(), service.to_owned());
    assert_eq!(found, sessions.map(|(service, ..)| open(service)));
    let twice = ["a", "b"].map(|one| cookie("github.com", "user_session", &one.repeat(48)));
    assert_eq!(logins(FIREFOX_COOKIES, &firefox_cookies("twice", &twice)), [open("github.com")]);

    let plain = mixed(HEX, 40);
    let content = made(
        "cookies-chromium",
        &format!(
            "CREATE TABLE cookies (creation_utc INTEGER, host_key TEXT, name TEXT, value TEXT, encrypted_value BLOB);
             INSERT INTO cookies VALUES (1, 'github.com', 'user_session', '', x'7631300102030405060708090a0b0c0d0e0f'),
               (2, '.slack.com', 'd', '', x'7631310102030405060708090a0b0c0d0e0f'),
               (3, '.x.com', 'auth_token', '{plain}', x''), (4, '.linkedin.com', 'li_at', '', x'010203');"
        ),
    );
    let mut found = logins(CHROMIUM_COOKIES, &content);
    found.sort();
    let keyring = ("browser-session-keyring".to_owned(), "slack.com".to_owned());
    assert_eq!(found, [keyring, open("github.com"), open("x.com")]);
}

#[test]
fn cookies_that_let_nobody_in_are_none() {
    let session = mixed(ALNUM, 48);
    let rows = [
        cookie("github.com", "_octo", &session),
        cookie("gitlab.com", "_gitlab_session", &mixed(HEX, 32)),
        cookie("notgithub.com", "user_session", &session),
        cookie("github.com.pinewood.net", "user_session", &session),
        cookie("github.com", "user_session", &session[1..]),
        cookie("github.com", "user_session", ""),
        cookie(".slack.com", "d", "none"),
        cookie(".x.com", "auth_token", &mixed(ALNUM, 40)),
    ];
    let content = firefox_cookies("cookies-none", &rows);
    assert_eq!(logins(FIREFOX_COOKIES, &content), []);
    let row = cookie("github.com", "user_session", &session);
    assert_eq!(logins("srv/other.sqlite", &firefox_cookies("cookies-other", &[row])), []);
}

#[test]
fn a_database_in_an_archive_is_looked_at_by_its_rows() {
    let key = key();
    let content = made(
        "member",
        &format!(
            "PRAGMA page_size = 1024; CREATE TABLE keys (a); INSERT INTO keys VALUES ('none'), ('{key}')"
        ),
    );
    for path in ["srv/x.zip!/data/x.db", "srv/x.db.gz"] {
        let (found, problems) = secrets_within(path, &content);
        assert_eq!(problems, []);
        let told: Vec<_> =
            found.iter().map(|one| (&*one.shape, one.place.as_ref().unwrap().in_words())).collect();
        assert_eq!(told, [("private-key", " in table keys, row 2".to_owned())], "{path}");
    }
    let (found, _) = secrets_within("x.tar!/Default/Login Data", &made("member-login", LOGIN_DATA));
    assert_eq!(found.len(), 2);
    // Half of one is a gap.
    assert_eq!(secrets_within("srv/x.zip!/x.db", &content[..content.len() / 2]).1.len(), 1);
}

#[test]
fn a_large_database_in_an_archive_is_looked_at_in_pieces_and_a_gap() {
    let token = checked("ghp_");
    let content = made(
        "member-large",
        &format!("CREATE TABLE t (a); INSERT INTO t VALUES (zeroblob(17000000)), (' {token} ')"),
    );
    let (found, problems) = secrets_within("srv/x.zip!/x.db", &content);
    assert_eq!(found.iter().map(|one| &*one.shape).collect::<Vec<_>>(), ["github-token"]);
    assert_eq!(problems.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(), [GapKind::Limit]);
}
