//! Virtual users of ProFTPD and Pure-FTPd: lines as in passwd(5), of which the first two fields count
//! (<http://www.proftpd.org/docs/howto/AuthFiles.html>).

use super::htpasswd::account;
use super::text::{lines, text};
use super::{Reading, Service};
use crate::FileInput;

/// The product.
pub(super) static SERVICE: Service = Service {
    id: "ftp",
    name: "the FTP server",
    globs: &[
        "**/ftpd*.passwd",
        "**/proftpd*.passwd",
        "**/proftpd*/*passwd*",
        "**/pure-ftpd*/*passwd*",
        "**/pureftpd.passwd",
    ],
    words: &["ftp", "ftpuser", "proftpd"],
    read,
    ..Service::NEW
};

fn read(file: &FileInput<'_>, reading: &mut Reading) {
    let text = text(file);
    for (number, line) in lines(&text, &['#'], reading) {
        let mut fields = line.split(':');
        if let (Some(name), Some(field)) = (fields.next(), fields.next())
            && !name.is_empty()
        {
            account(name, field, number, reading);
        }
    }
}
