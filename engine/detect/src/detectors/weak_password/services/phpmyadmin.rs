//! phpMyAdmin's config.inc.php: whom it lets into the database without asking
//! (<https://docs.phpmyadmin.net/en/latest/config.html#authentication-settings>).

use super::text::{lines, text, unquoted};
use super::{Rank, Reading, Service};
use crate::FileInput;
use crate::signs::word;

/// The product.
pub(super) static SERVICE: Service = Service {
    id: "phpmyadmin",
    name: "phpMyAdmin",
    globs: &["**/phpmyadmin/**/config*.php", "**/phpMyAdmin/**/config*.php", "**/config.inc.php"],
    words: &["phpmyadmin", "pma", "mysql", "root"],
    read,
    ..Service::NEW
};

fn read(file: &FileInput<'_>, reading: &mut Reading) {
    let text = text(file);
    let (mut kind, mut user, mut password) = (None, "root", None);
    for (number, line) in lines(&text, &['#', '/', '*'], reading) {
        match setting(line) {
            Some(("auth_type", value)) => kind = Some((value, number)),
            Some(("user", value)) => user = value,
            Some(("password", value)) => password = Some((value, number)),
            _ => {}
        }
    }
    // Of the kinds this one alone uses what is written here, for everybody.
    if let Some(("config", number)) = kind {
        let reason = format!("everybody who reaches it is {} of the database (auth_type config)", word(user));
        reading.open(user, reason, Rank::Administrator, Some(number));
    }
    if let Some((password, number)) = password.filter(|(password, _)| !password.is_empty()) {
        reading.plain(user, password, Rank::of(user == "root"), Some(number));
    }
}

/// Name and value of `$cfg['Servers'][$i]['name'] = 'value';`.
fn setting(line: &str) -> Option<(&str, &str)> {
    let (_, rest) = line.strip_prefix("$cfg['Servers'][")?.split_once("]['")?;
    let (name, rest) = rest.split_once("']")?;
    let value = rest.trim_start().strip_prefix('=')?.split(';').next()?.trim();
    let is_text = value.starts_with(['\'', '"']);
    is_text.then(|| (name, unquoted(value)))
}
