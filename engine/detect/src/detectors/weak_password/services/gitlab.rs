//! GitLab: the first password of root, in gitlab.rb and as it is left in initial_root_password
//! (<https://docs.gitlab.com/install/package/>).

use super::text::{lines, text, unquoted};
use super::{Rank, Reading, Service};
use crate::FileInput;

/// The product.
pub(super) static SERVICE: Service = Service {
    id: "gitlab",
    name: "GitLab",
    globs: &["**/gitlab/initial_root_password", "**/gitlab/gitlab.rb"],
    words: &["gitlab", "5iveL!fe"],
    read,
    ..Service::NEW
};

fn read(file: &FileInput<'_>, reading: &mut Reading) {
    let text = text(file);
    for (number, line) in lines(&text, &['#'], reading) {
        let password = line.strip_prefix("Password:").or_else(|| {
            line.strip_prefix("gitlab_rails['initial_root_password']")?.trim_start().strip_prefix('=')
        });
        if let Some(password) = password.map(unquoted).filter(|password| !password.is_empty()) {
            reading.plain("root", password, Rank::Administrator, Some(number));
        }
    }
}
