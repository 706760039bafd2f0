//! Virtual users of vsftpd: the list of names and passwords, a line each, and the database that db_load makes of it for
//! pam_userdb(8) (the package's EXAMPLE/VIRTUAL_USERS); files of pam_pwdfile.

use pratique_core::database::bdb;
use pratique_crypt::Stored;

use super::htpasswd::account;
use super::text::{lines, text};
use super::{Rank, Reading, Service};
use crate::FileInput;

/// The product.
pub(super) static SERVICE: Service = Service {
    id: "vsftpd",
    name: "vsftpd",
    globs: &[
        "**/vsftpd*/*user*.txt",
        "**/vsftpd*/*login*.txt",
        "**/vsftpd*login*.txt",
        "**/vsftpd*user*.txt",
        "**/vsftpd*passwd*",
        "**/vsftpd*/*passwd*",
    ],
    stores: &["**/vsftpd*/*.db", "**/vsftpd*.db"],
    words: &["vsftpd", "ftp", "ftpuser"],
    read,
    ..Service::NEW
};

fn read(file: &FileInput<'_>, reading: &mut Reading) {
    if file.path.ends_with(b".db") {
        let read = bdb::pairs(file, &mut |name, password| {
            let name = String::from_utf8_lossy(name);
            let password = String::from_utf8_lossy(password);
            // With `crypt=crypt` it holds hashes.
            match pratique_crypt::parse(&password) {
                Ok(_) if password.starts_with('$') => {
                    reading.stored(&name, Stored::Crypt(password.into_owned()), Rank::User, None);
                }
                Ok(_) => {
                    let both = [Stored::plain(password.as_bytes()), Stored::Crypt(password.into_owned())];
                    reading.stored(&name, Stored::OneOf(both.into()), Rank::User, None);
                }
                Err(_) => reading.plain(&name, &password, Rank::User, None),
            }
        });
        if let Err((kind, reason)) = read {
            reading.problem(kind, reason);
        }
        return;
    }
    let text = text(file);
    if !file.path.ends_with(b".txt") {
        for (number, line) in lines(&text, &['#'], reading) {
            if let Some((name, field)) = line.split_once(':') {
                account(name, field.split(':').next().unwrap_or_default(), number, reading);
            }
        }
        return;
    }
    let all: Vec<(u32, &str)> = lines(&text, &[], reading).collect();
    let (pairs, _) = all.as_chunks::<2>();
    for [(_, name), (number, password)] in pairs {
        reading.plain(name, password, Rank::User, Some(*number));
    }
}
