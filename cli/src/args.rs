//! What can be said on the command line. Every option of `scan` can also be said by the environment (`PRATIQUE_…`) and by
//! the configuration file; the command line counts before the environment, and that before the file.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use pratique_core::Severity;

/// Finds what is risky in images, and lists what they are made of.
#[derive(Debug, Parser)]
#[command(name = "pratique", version, max_term_width = 100)]
pub(crate) struct Args {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Scan images, folders or files.
    Scan(Box<Scan>),
    /// List what images, folders or files are made of, and look for nothing else.
    Sbom(Box<Scan>),
    /// List the images that this machine's runtimes have.
    Images {
        /// Only these: names, IDs or first digits of one, names with wildcards; with a prefix only of that runtime.
        #[arg(value_name = "IMAGE")]
        images: Vec<String>,
    },
    /// List the containers that this machine's runtimes have.
    Containers {
        /// Only these: names, ids or first digits of one, their images, names with wildcards; with a prefix only of that
        /// runtime.
        #[arg(value_name = "CONTAINER")]
        containers: Vec<String>,
    },
    /// Say, item by item, what can be done on this machine and why the rest cannot.
    Check,
    /// Work with the advisory database, and with versions as advisories order them.
    #[command(subcommand)]
    Db(Db),
    /// Print completions for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Write the manual's pages into a folder.
    Man {
        /// The folder; it must be there.
        folder: PathBuf,
    },
}

/// What to scan, and how.
#[derive(Debug, ClapArgs)]
pub(crate) struct Scan {
    /// What to scan: an image, a folder or a file. Prefixes name the source: containerd:, docker:, containers-storage:,
    /// docker-archive:, oci-archive:, oci:, registry:, dir:, file:. Without one the first that has it is taken. Wildcards
    /// (`*`, `?`, `**` between slashes) mean all images of a runtime or registry whose names fit.
    #[arg(required = true, value_name = "SOURCE")]
    pub(crate) sources: Vec<String>,

    /// Output format, with the file to write it to (NAME=FILE); several can be given. Without a file it goes to standard
    /// output [default: table; sbom: cyclonedx].
    #[arg(short, long, value_name = "NAME[=FILE]", env = "PRATIQUE_FORMAT", value_delimiter = ',')]
    pub(crate) format: Vec<String>,

    /// File for the one format that names none.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,

    /// The template's file, for the format `template`.
    #[arg(long, value_name = "FILE", env = "PRATIQUE_TEMPLATE")]
    pub(crate) template: Option<PathBuf>,

    /// Detectors to run, by id and separated by commas, or `none` [default: all].
    #[arg(long, value_name = "LIST", env = "PRATIQUE_DETECTORS", value_delimiter = ',')]
    pub(crate) detectors: Vec<String>,

    /// The image that is wanted of an index for several platforms, such as linux/arm64 [default: this machine's].
    #[arg(long, value_name = "OS/ARCH[/VARIANT]", env = "PRATIQUE_PLATFORM")]
    pub(crate) platform: Option<String>,

    /// Packages of which layers are listed: of the image as it runs, or also what upper layers removed.
    #[arg(long, value_enum, env = "PRATIQUE_LAYERS")]
    pub(crate) layers: Option<Layers>,

    /// Paths that are not looked at, as globs relative to the root (`*` stops at `/`, `**` does not); several can be given.
    #[arg(long, value_name = "GLOB", env = "PRATIQUE_EXCLUDE", value_delimiter = ',')]
    pub(crate) exclude: Vec<String>,

    /// List each package in the table.
    #[arg(long)]
    pub(crate) packages: bool,

    /// Least severity that makes the exit code 1; `never` for none [default: unknown, which is any].
    #[arg(long, value_name = "SEVERITY", env = "PRATIQUE_FAIL_ON", value_parser = fail_on)]
    pub(crate) fail_on: Option<FailOn>,

    /// Read all layers anew, and keep nothing of them.
    #[arg(long)]
    pub(crate) no_cache: bool,

    /// Where what layers gave is kept [default: the user's cache folder].
    #[arg(long, value_name = "FOLDER", env = "PRATIQUE_CACHE_DIR")]
    pub(crate) cache_dir: Option<PathBuf>,

    /// Ask no registry.
    #[arg(long, env = "PRATIQUE_OFFLINE")]
    pub(crate) offline: bool,

    /// Registries (host, or host:port) that may speak plain HTTP or have certificates nobody vouches for.
    #[arg(long, value_name = "HOST", env = "PRATIQUE_INSECURE_REGISTRY", value_delimiter = ',')]
    pub(crate) insecure_registry: Vec<String>,

    /// Other places of a registry's images, asked before it, as REGISTRY=PLACE.
    #[arg(long, value_name = "REGISTRY=PLACE", env = "PRATIQUE_REGISTRY_MIRROR", value_delimiter = ',')]
    pub(crate) registry_mirror: Vec<String>,

    /// Files of certificates (PEM) to trust beside the machine's own.
    #[arg(long, value_name = "FILE", env = "PRATIQUE_REGISTRY_CA", value_delimiter = ',')]
    pub(crate) registry_ca: Vec<PathBuf>,

    /// Layers that are read at the same time [default: one for each processor].
    #[arg(long, value_name = "N", env = "PRATIQUE_JOBS", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) jobs: Option<u16>,

    /// Advisory database, made by `pratique db build`: vulnerable packages are findings then. Without it the report says
    /// nothing of vulnerabilities.
    #[arg(long, value_name = "FILE", env = "PRATIQUE_DB")]
    pub(crate) db: Option<PathBuf>,

    /// Words to be tried as passwords, one a line.
    #[arg(long, value_name = "FILE", env = "PRATIQUE_DICTIONARY")]
    pub(crate) dictionary: Option<PathBuf>,

    /// Configuration file [default: .pratique.yaml here, else pratique/config.yaml in the user's configuration folder].
    #[arg(long, value_name = "FILE", env = "PRATIQUE_CONFIG")]
    pub(crate) config: Option<PathBuf>,

    /// Nothing on standard error but errors.
    #[arg(short, long)]
    pub(crate) quiet: bool,

    /// Say which source was taken and what each layer took.
    #[arg(short, long)]
    pub(crate) verbose: bool,
}

/// Work with the advisory database, and with versions as advisories order them.
#[derive(Debug, Subcommand)]
pub(crate) enum Db {
    /// Build a database from a folder that is laid out as OSV publishes: ECOSYSTEM/all.zip.
    Build {
        /// The folder.
        folder: PathBuf,
        /// The database's file; one that is there is replaced whole or not at all.
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
        /// Ecosystems to take, by their folders' names and separated by commas [default: all].
        #[arg(long, value_name = "LIST", value_delimiter = ',')]
        ecosystems: Vec<String>,
    },
    /// Say what a database holds, and check that it is whole.
    Status {
        /// The database.
        file: PathBuf,
    },
    /// List packages of a database whose names begin so.
    Search {
        /// The database.
        file: PathBuf,
        /// How the names begin.
        name: String,
    },
    /// Show the advisories that a name means: their own, an alias or an upstream one.
    Show {
        /// The database.
        file: PathBuf,
        /// Such as CVE-2024-3094 or DSA-5649-1.
        name: String,
    },
    /// Print `<`, `=` or `>`: how an ecosystem orders two versions.
    Compare {
        /// An ecosystem as OSV names it, such as Debian, AlmaLinux, Alpine, PyPI, npm or crates.io.
        ecosystem: String,
        /// The versions: A and B.
        #[arg(num_args = 2, value_names = ["A", "B"], required_unless_present = "stdin")]
        versions: Vec<String>,
        /// Read lines `A<TAB>B` and answer line by line.
        #[arg(long, conflicts_with = "versions")]
        stdin: bool,
    },
}

/// Which layers' packages are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Layers {
    /// Those of the image as it runs.
    Squashed,
    /// Also those that an upper layer removed: whoever pulls the image has them.
    All,
}

/// The least severity that makes the exit code 1; none: no finding does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FailOn(pub(crate) Option<Severity>);

/// Reads a threshold.
pub(crate) fn fail_on(text: &str) -> Result<FailOn, String> {
    if text.eq_ignore_ascii_case("never") {
        return Ok(FailOn(None));
    }
    let known = Severity::ALL.into_iter().find(|severity| severity.as_str().eq_ignore_ascii_case(text));
    known.map(|severity| FailOn(Some(severity))).ok_or_else(|| {
        format!("`{text}` is no severity; use unknown, negligible, low, medium, high, critical or never")
    })
}
