//! What tests of the command have in common.

#![allow(dead_code, clippy::expect_used, reason = "each test file uses a part")]

use std::path::Path;
use std::process::{Command, Output, Stdio};

use pratique_testkit::{Compression, ImageBuilder, LayerBuilder};

/// The command, alone with a home of its own; it looks for no vulnerabilities and so asks nobody for advisories.
pub(crate) fn pratique(home: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pratique"));
    command.args(arguments).env_clear().env("HOME", home).current_dir(home).stdin(Stdio::null());
    command.env("PRATIQUE_NO_VULNERABILITIES", "true");
    command.output().expect("the command starts")
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Runs a command that must end with `code`; what it printed.
pub(crate) fn ends_with(code: i32, home: &Path, arguments: &[&str]) -> (String, String) {
    let output = pratique(home, arguments);
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{arguments:?}\n{out}\n{err}");
    (out, err)
}

pub(crate) fn debian() -> LayerBuilder {
    LayerBuilder::new()
        .file("etc/os-release", "ID=debian\nVERSION_ID=\"12\"\nPRETTY_NAME=\"Debian GNU/Linux 12\"\n")
        .file("etc/shadow", "root:*:19000:0:99999:7:::\n")
        .owned(0o640, 0, 42)
        .file(
            "var/lib/dpkg/status",
            "Package: dash\nStatus: install ok installed\nArchitecture: amd64\nVersion: 0.5.12-2\nMaintainer: x\n\n",
        )
}

/// A folder with an OCI layout of these layers.
pub(crate) fn layout(folder: &Path, layers: &[LayerBuilder]) {
    let image =
        layers.iter().fold(ImageBuilder::new(), |image, layer| image.layer(layer.clone(), Compression::Gzip));
    image.build().write_oci_layout(folder, "latest");
}
