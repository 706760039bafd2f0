//! Jupyter's configuration, as JSON or Python: a digested password or an access token
//! (<https://jupyter-server.readthedocs.io/en/latest/operators/public-server.html>).

use pratique_core::GapKind;
use pratique_crypt::{Algorithm, SaltedDigest, Stored, hex};

use super::text::{json, lines, text};
use super::{Rank, Reading, Service};
use crate::FileInput;

/// The product.
pub(super) static SERVICE: Service = Service {
    id: "jupyter",
    name: "Jupyter",
    globs: &[
        "**/jupyter*config.json",
        "**/jupyter*config.py",
        "**/jupyter*config.d/*.json",
        "**/ipython_notebook_config.py",
    ],
    words: &["jupyter", "jupyterlab", "notebook", "ipython"],
    read,
    ..Service::NEW
};

/// Settings of one file: of several for one name the last counts.
#[derive(Default)]
struct Settings {
    password: Option<(String, Option<u32>)>,
    token: Option<(String, Option<u32>)>,
}

impl Settings {
    fn set(&mut self, key: &str, value: &str, line: Option<u32>) {
        match key {
            "password" | "hashed_password" => self.password = Some((value.to_owned(), line)),
            "token" => self.token = Some((value.to_owned(), line)),
            _ => {}
        }
    }
}

fn read(file: &FileInput<'_>, reading: &mut Reading) {
    let text = text(file);
    let mut settings = Settings::default();
    if file.path.ends_with(b".py") {
        for (number, line) in lines(&text, &['#'], reading) {
            if let Some((key, value)) = assignment(line) {
                settings.set(key, value, Some(number));
            }
        }
    } else {
        let root = json(&text, reading).unwrap_or_default();
        let sections = root.as_object().into_iter().flatten();
        let applications = sections.filter(|(name, _)| is_application(name));
        for (key, value) in applications.filter_map(|(_, section)| section.as_object()).flatten() {
            settings.set(key, value.as_str().unwrap_or_default(), None);
        }
    }
    finish(&settings, reading);
}

fn finish(settings: &Settings, reading: &mut Reading) {
    let given = |setting: &Option<(String, Option<u32>)>| {
        setting.as_ref().is_some_and(|(value, _)| !value.is_empty())
    };
    match (&settings.password, &settings.token) {
        (password, Some((_, line))) if !given(password) && !given(&settings.token) => {
            let reason = "it asks for nothing: its token is empty, and no password is set";
            reading.open("", reason, Rank::Administrator, *line);
        }
        (password, token) => {
            if let Some((text, line)) = password.as_ref().filter(|(text, _)| !text.is_empty()) {
                match stored(text) {
                    Some(stored) => reading.stored("", stored, Rank::Administrator, *line),
                    None if super::is_placeholder(text) => {}
                    None => {
                        reading.problem(GapKind::Unsupported, "its password is in a form that is not known")
                    }
                }
            }
            if let Some((token, line)) = token.as_ref().filter(|(token, _)| !token.is_empty()) {
                reading.plain("", token, Rank::Administrator, *line);
            }
        }
    }
}

fn is_application(name: &str) -> bool {
    matches!(
        name,
        "NotebookApp"
            | "ServerApp"
            | "IdentityProvider"
            | "PasswordIdentityProvider"
            | "LabApp"
            | "JupyterApp"
    )
}

/// `c.ServerApp.password = u'…'`: key and value, if the value is a text.
fn assignment(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.strip_prefix("c.")?.split_once('=')?;
    let (application, key) = name.trim().split_once('.')?;
    let value = value.trim().trim_start_matches(['u', 'b', 'r']);
    let quote = value.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    let value = value[1..].split(quote).next()?;
    is_application(application).then_some((key, value))
}

/// `argon2:PHC`, or `algorithm:salt:hex` of the digest of the password and the salt behind it.
fn stored(text: &str) -> Option<Stored> {
    let (name, rest) = text.split_once(':')?;
    if name == "argon2" {
        return Some(Stored::Crypt(rest.to_owned()));
    }
    let (salt, digest) = rest.split_once(':')?;
    let (digest, after) = (hex(digest)?, salt.as_bytes().to_vec());
    let algorithm = Algorithm::of_length(digest.len())?;
    let named = matches!(name, "md5" | "sha1" | "sha224" | "sha256" | "sha384" | "sha512");
    named.then(|| Stored::Digest(SaltedDigest { after, ..SaltedDigest::plain(algorithm, digest) }))
}
