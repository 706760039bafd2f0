//! Binary stores of services' passwords: the same bytes at the place of each; and databases whose rows are looked through for
//! secrets.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pratique_detect::{FileInput, FileMode, detectors::DETECTORS};

const PATHS: [&str; 16] = [
    "var/lib/mysql/mysql/user.MYD",
    "var/lib/mysql/mysql.ibd",
    "var/lib/mysql/mysql/global_priv.MAD",
    "var/lib/postgresql/data/global/1260",
    "var/lib/samba/private/passdb.tdb",
    "etc/vsftpd/login.db",
    "var/lib/grafana/grafana.db",
    "root/.vnc/passwd",
    "var/lib/ldap/data.mdb",
    "var/lib/rabbitmq/mnesia/rabbit@broker/rabbit_user.DCD",
    "var/lib/rabbitmq/mnesia/rabbit@broker/coordination/rabbit@broker/00000001.segment",
    "var/lib/mongodb/collection-2-1.wt",
    "var/lib/gitea/gitea.db",
    "srv/app/db.sqlite3",
    "srv/couchdb/_users.couch",
    "root/.ssh/id_rsa",
];

/// Where browsers keep logins, and any database and its log.
const DATABASES: [&str; 5] = [
    "root/.config/chromium/Default/Login Data",
    "srv/x.db-wal",
    "root/x/logins.json",
    "root/x/key4.db",
    "root/.mylogin.cnf",
];

fuzz_target!(|bytes: Vec<u8>| {
    inspect("weak-password", &PATHS, &bytes);
    inspect("secret", &DATABASES, &bytes);
});

fn inspect(id: &str, paths: &[&str], bytes: &Vec<u8>) {
    let mode = FileMode { permissions: 0o600, uid: 0, gid: 0 };
    let detector = DETECTORS.iter().find(|detector| detector.info().id == id).expect("it is registered");
    for path in paths {
        detector.inspect(&FileInput::in_memory(path.as_bytes(), mode, bytes));
    }
}
