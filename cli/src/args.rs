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
    /// Say what a newer image fixes and brings: findings and packages.
    Diff(Box<Diff>),
    /// Say which packages of SBOMs are vulnerable: any CycloneDX, or SPDX 2 in JSON or tags.
    Match(Box<Match>),
    /// Print what a cluster's Pratique knows of images: the whole reports, through the Kubernetes API.
    Report(Box<Report>),
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

    /// How.
    #[command(flatten)]
    pub(crate) options: Options,
}

/// What to compare, and how.
#[derive(Debug, ClapArgs)]
pub(crate) struct Diff {
    /// What was there before, named as for `scan`.
    #[arg(value_name = "OLD")]
    pub(crate) old: String,

    /// What is to take its place.
    #[arg(value_name = "NEW")]
    pub(crate) new: String,

    /// How.
    #[command(flatten)]
    pub(crate) options: Options,
}

/// Which SBOMs to match, and how.
#[derive(Debug, ClapArgs)]
pub(crate) struct Match {
    /// The SBOM's file, or `-` for standard input.
    #[arg(required = true, value_name = "SBOM")]
    pub(crate) sboms: Vec<String>,

    /// How.
    #[command(flatten)]
    pub(crate) options: Options,
}

/// Which reports to print, and of which cluster.
#[derive(Debug, ClapArgs)]
pub(crate) struct Report {
    /// Images: references as the cluster's nodes have them, digests (of config, manifest or index), or names of
    /// ScanReports.
    #[arg(required = true, value_name = "IMAGE")]
    pub(crate) images: Vec<String>,

    /// Formats and their places.
    #[command(flatten)]
    pub(crate) formats: Formats,

    /// Context of the kubeconfig to use [default: its current one].
    #[arg(long, value_name = "NAME")]
    pub(crate) context: Option<String>,

    /// Namespace that Pratique is installed in.
    #[arg(short, long, value_name = "NAME", default_value = "pratique", env = "PRATIQUE_NAMESPACE")]
    pub(crate) namespace: String,

    /// Name of the installation, as its objects begin.
    #[arg(long, value_name = "NAME", default_value = "pratique", env = "PRATIQUE_NAME")]
    pub(crate) name: String,
}

/// What results are written as, and where to.
#[derive(Debug, ClapArgs)]
pub(crate) struct Formats {
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

    /// List each package in the table.
    #[arg(long)]
    pub(crate) packages: bool,
}

/// How to scan.
#[derive(Debug, ClapArgs)]
pub(crate) struct Options {
    /// Formats and their places.
    #[command(flatten)]
    pub(crate) formats: Formats,

    /// Detectors to run, by id and separated by commas, or `none`; `vulnerability` matches packages with advisories
    /// [default: all].
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

    /// Least severity that makes the exit code 1; `never` for none [default: unknown, which is any].
    #[arg(long, value_name = "SEVERITY", env = "PRATIQUE_FAIL_ON", value_parser = fail_on)]
    pub(crate) fail_on: Option<FailOn>,

    /// Look for no vulnerabilities; the report says so.
    #[arg(long, env = "PRATIQUE_NO_VULNERABILITIES")]
    pub(crate) no_vulnerabilities: bool,

    /// Count no vulnerability that has no fix; the report lists them as suppressed.
    #[arg(long, env = "PRATIQUE_ONLY_FIXED")]
    pub(crate) only_fixed: bool,

    /// Newer image of the base, named as what is scanned, or an SBOM's file: the report says which flaws it would clear,
    /// keep and bring.
    #[arg(long, value_name = "SOURCE")]
    pub(crate) newer_base: Option<String>,

    /// OpenVEX or CSAF VEX documents, from old to new: what they say is not affected or fixed does not count, and the report says who
    /// says so and why.
    #[arg(long, value_name = "FILE", env = "PRATIQUE_VEX", value_delimiter = ',')]
    pub(crate) vex: Vec<PathBuf>,

    /// File of findings that do not count, each with a reason (docs/command.md has its form).
    #[arg(long, value_name = "FILE", env = "PRATIQUE_IGNORE_FILE")]
    pub(crate) ignore_file: Option<PathBuf>,

    /// File of ScanPolicies: the exit code is 1 if the webhook would refuse a pod with the image, else 0, and the report
    /// has its reasons. `--fail-on` counts beside it if it is given.
    #[arg(long, value_name = "FILE", env = "PRATIQUE_POLICY")]
    pub(crate) policy: Option<PathBuf>,

    /// Namespace of the pod that the policies decide on: some of their exceptions hold in some namespaces alone.
    #[arg(long, value_name = "NAME", env = "PRATIQUE_NAMESPACE")]
    pub(crate) namespace: Option<String>,

    /// Reference by which pods will ask for the image, for policies [default: as it was named, where that is one].
    #[arg(long, value_name = "REFERENCE")]
    pub(crate) reference: Option<String>,

    /// An image that others may have been built on, named as for `scan`: findings then say whether they come from it. With
    /// NAME= it is called so. Several can be given.
    #[arg(long, value_name = "[NAME=]SOURCE", env = "PRATIQUE_BASE", value_delimiter = ',')]
    pub(crate) base: Vec<String>,

    /// File of bases that you vouch for: another image under the name of one is a finding (docs/bases.md has its form).
    #[arg(long, value_name = "FILE", env = "PRATIQUE_TRUSTED_BASES")]
    pub(crate) trusted_bases: Option<PathBuf>,

    /// Advisory database to match packages with, made by `pratique db build`; nothing is fetched then.
    #[arg(long, value_name = "FILE", env = "PRATIQUE_DB")]
    pub(crate) db: Option<PathBuf>,

    /// Read all layers anew, and keep nothing of them.
    #[arg(long)]
    pub(crate) no_cache: bool,

    /// Layers that are read at the same time, and files that are looked into meanwhile [default: one for each processor].
    #[arg(long, value_name = "N", env = "PRATIQUE_JOBS", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) jobs: Option<u16>,

    /// Words to be tried as passwords, one a line: a file, or an artifact of a registry
    /// (oci://REGISTRY/REPOSITORY:TAG, or @DIGEST; docs/rules.md has its form).
    #[arg(long, value_name = "PLACE", env = "PRATIQUE_DICTIONARY")]
    pub(crate) dictionary: Option<PathBuf>,

    /// Files with SHA-256 or MD5 checksums of bad files, one a line, or artifacts with such (oci://…): a file that has one is a
    /// finding.
    #[arg(long, value_name = "PLACE", env = "PRATIQUE_HASH_LIST", value_delimiter = ',')]
    pub(crate) hash_list: Vec<PathBuf>,

    /// YARA rules: a file, a folder of .yar and .yara files, or an artifact with such (oci://…): a file of which one holds is a
    /// finding.
    #[arg(long, value_name = "PLACE", env = "PRATIQUE_YARA_RULES", value_delimiter = ',')]
    pub(crate) yara_rules: Vec<PathBuf>,

    /// Files of your own rules for secrets, and of what you allow (docs/detectors/secret.md has their form), or artifacts with
    /// such (oci://…).
    #[arg(long, value_name = "PLACE", env = "PRATIQUE_SECRET_RULES", value_delimiter = ',')]
    pub(crate) secret_rules: Vec<PathBuf>,

    /// ClamAV's daemon, asked about every file: the path of its socket, or HOST:PORT. What it does not answer for is a gap.
    #[arg(long, value_name = "ADDRESS", env = "PRATIQUE_CLAMD")]
    pub(crate) clamd: Option<String>,

    /// What other commands have too.
    #[command(flatten)]
    pub(crate) common: Common,

    /// Say at the end what each detector cost: time and bytes of the layers that were read, not of those from the cache.
    #[arg(long, env = "PRATIQUE_TIMINGS")]
    pub(crate) timings: bool,

    /// Say which source was taken and what each layer took.
    #[arg(short, long)]
    pub(crate) verbose: bool,
}

/// What every command has that fetches.
#[derive(Debug, ClapArgs)]
pub(crate) struct Common {
    /// Ask nobody over the network: neither registries for images nor anyone for advisories.
    #[arg(long, env = "PRATIQUE_OFFLINE")]
    pub(crate) offline: bool,

    /// Where advisories come from: a URL or a folder in OSV's published layout, a zip of such a folder, an artifact of a
    /// registry (oci://REGISTRY/REPOSITORY:TAG), or a database [default: OSV's public export].
    #[arg(long, value_name = "ADDRESS", env = "PRATIQUE_DB_SOURCE")]
    pub(crate) db_source: Option<String>,

    /// Where advisories and what layers gave are kept [default: the user's cache folder].
    #[arg(long, value_name = "FOLDER", env = "PRATIQUE_CACHE_DIR")]
    pub(crate) cache_dir: Option<PathBuf>,

    /// Hosts (or host:port) that may speak plain HTTP or have certificates nobody vouches for.
    #[arg(long, value_name = "HOST", env = "PRATIQUE_INSECURE_REGISTRY", value_delimiter = ',')]
    pub(crate) insecure_registry: Vec<String>,

    /// Other places of a registry's images, asked before it, as REGISTRY=PLACE.
    #[arg(long, value_name = "REGISTRY=PLACE", env = "PRATIQUE_REGISTRY_MIRROR", value_delimiter = ',')]
    pub(crate) registry_mirror: Vec<String>,

    /// Files of certificates (PEM) to trust beside the machine's own, for registries and advisories.
    #[arg(long, value_name = "FILE", env = "PRATIQUE_REGISTRY_CA", value_delimiter = ',')]
    pub(crate) registry_ca: Vec<PathBuf>,

    /// Configuration file [default: .pratique.yaml here, else pratique/config.yaml in the user's configuration folder].
    #[arg(long, value_name = "FILE", env = "PRATIQUE_CONFIG")]
    pub(crate) config: Option<PathBuf>,

    /// Nothing on standard error but errors.
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

/// Which database is asked.
#[derive(Debug, ClapArgs)]
pub(crate) struct Held {
    /// The database [default: the one that scans use].
    #[arg(long, value_name = "FILE", env = "PRATIQUE_DB")]
    pub(crate) db: Option<PathBuf>,

    /// Where advisories are kept [default: the user's cache folder].
    #[arg(long, value_name = "FOLDER", env = "PRATIQUE_CACHE_DIR")]
    pub(crate) cache_dir: Option<PathBuf>,
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
    /// Fetch advisories ahead of scans, or bring those that are here up to date.
    Update {
        /// Ecosystems to fetch, as OSV names them, such as Debian, Alpine, PyPI or npm; those that are here are brought up
        /// to date in any case.
        #[arg(value_name = "ECOSYSTEM")]
        ecosystems: Vec<String>,
        /// What other commands have too.
        #[command(flatten)]
        common: Box<Common>,
    },
    /// Say what a database holds and how old that is, and check that it is whole.
    Status {
        /// Which.
        #[command(flatten)]
        held: Held,
    },
    /// List packages of a database whose names begin so.
    Search {
        /// How the names begin.
        name: String,
        /// Where.
        #[command(flatten)]
        held: Held,
    },
    /// Show the advisories that a name means: their own, an alias or an upstream one.
    Show {
        /// Such as CVE-2024-3094 or DSA-5649-1.
        name: String,
        /// Where.
        #[command(flatten)]
        held: Held,
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
    /// Print `yes` or `no`: whether a range, as package.json or composer.json has it, takes a version, such as the one with
    /// the fix.
    InRange {
        /// npm or Packagist.
        ecosystem: String,
        /// The range, such as `^4.17.0`.
        range: String,
        /// The version.
        version: String,
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
