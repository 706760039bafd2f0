//! Memory and processor time of a node's agent: idle with 100 images, and while it scans an image of 1 GB.
//!
//! Runs on the test cluster with Pratique installed (`benches/run` prepares both). Counted is what the kernel calls resident (VmRSS)
//! of broker, scanner and the scanner's children together, pages shared between them counted each time.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use pratique_e2e::cluster::root;
use pratique_e2e::images::{base, weak_root};
use pratique_e2e::{Cluster, eventually};
use pratique_testkit::{Compression, ImageBuilder, LayerBuilder};

const IMAGES: usize = 100;
const FILES: u64 = 10_000;
const FILE: usize = 100_000;
const IDLE: Duration = Duration::from_secs(30);

fn main() -> anyhow::Result<()> {
    let cluster = Cluster::get();
    let node = cluster.nodes().first().context("the cluster has no node")?.clone();
    let agent = cluster.agent_on(&node);
    let space = processes_of(&cluster, &node)?;

    for n in 0..IMAGES {
        load(
            &node,
            &format!("bench.test/small{n}:1"),
            ImageBuilder::new().layer(base(&format!("bench {n}")), Compression::Gzip),
        )?;
    }
    eventually(300, "all images are known and scanned", || {
        let known = cluster.metric(&agent, "pratique_agent_images");
        let reports = cluster.list(&["scanreports"]);
        let done = reports
            .iter()
            .filter(|r| r["status"]["references"].to_string().contains("bench.test/small"))
            .count();
        if done >= IMAGES { Ok(()) } else { Err(format!("{known} known, {done} scanned")) }
    });
    let before = ticks(&space);
    let began = Instant::now();
    thread::sleep(IDLE);
    let busy = (ticks(&space) - before) as f64 / 100.0 / began.elapsed().as_secs_f64();
    let idle = memory(&space);
    println!(
        "agent, idle with {IMAGES} images more than the node had: {:.1} MiB resident ({}), {:.2} % of a core",
        mib(idle.values().sum()),
        shown(&idle),
        busy * 100.0
    );

    let layer = (0..FILES)
        .fold(LayerBuilder::new().dir("data"), |layer, n| layer.file(format!("data/{n:05}"), noise(n)));
    let big = ImageBuilder::new()
        .layer(base("big"), Compression::Gzip)
        .layer(layer, Compression::Gzip)
        .layer(weak_root("big"), Compression::Gzip);
    let path = archive("bench.test/big:1", &big)?;
    drop(big);
    let mut peak = BTreeMap::new();
    thread::scope(|scope| {
        let loading = scope.spawn(|| import(&node, &path));
        let mut scanned = false;
        let deadline = Instant::now() + Duration::from_secs(300);
        while !scanned {
            ensure!(Instant::now() < deadline, "the big image was not scanned within 300 s");
            for _ in 0..100 {
                let now = memory(&space);
                if now.values().sum::<u64>() > peak.values().sum::<u64>() {
                    peak = now;
                }
                thread::sleep(Duration::from_millis(10));
            }
            scanned = cluster
                .list(&["scanreports"])
                .iter()
                .any(|r| r["status"]["references"].to_string().contains("bench.test/big"));
        }
        loading.join().expect("the import ends")
    })?;
    println!(
        "agent, scanning an image of {:.2} GB in {FILES} files: {:.1} MiB resident at most ({})",
        (FILES * FILE as u64) as f64 / 1e9,
        mib(peak.values().sum()),
        shown(&peak)
    );
    Ok(())
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

fn shown(parts: &BTreeMap<String, u64>) -> String {
    parts.iter().map(|(name, bytes)| format!("{name} {:.1}", mib(*bytes))).collect::<Vec<_>>().join(", ")
}

/// Bytes that do not compress, the same in every run.
fn noise(seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(FILE);
    while bytes.len() < FILE {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(FILE);
    bytes
}

fn archive(name: &str, image: &ImageBuilder) -> anyhow::Result<PathBuf> {
    let path = root().join("target/bench-image.tar");
    fs::write(&path, image.build().to_oci_archive(name))?;
    Ok(path)
}

fn load(node: &str, name: &str, image: ImageBuilder) -> anyhow::Result<()> {
    import(node, &archive(name, &image)?)
}

fn import(node: &str, archive: &PathBuf) -> anyhow::Result<()> {
    let done =
        Command::new(root().join("e2e/cluster/ctl")).arg("load-image").arg(node).arg(archive).output()?;
    ensure!(done.status.success(), "load-image: {}", String::from_utf8_lossy(&done.stderr));
    Ok(())
}

/// The PID namespace of a node, as /proc shows it: the agent shares it.
fn processes_of(cluster: &Cluster, node: &str) -> anyhow::Result<String> {
    let link = cluster.ctl(&["node-exec", node, "--", "readlink", "/proc/self/ns/pid"]);
    Ok(link.trim().to_owned())
}

/// PIDs and parts of the agent's processes in a namespace.
fn agents(space: &str) -> Vec<(String, String)> {
    let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
    processes
        .flatten()
        .filter_map(|entry| {
            let pid = entry.file_name().into_string().ok()?;
            pid.bytes().all(|b| b.is_ascii_digit()).then_some(())?;
            // Not by the command line's first word: a scan's child calls itself as it likes.
            let program = fs::read_link(entry.path().join("exe")).ok()?;
            let inside = fs::read_link(entry.path().join("ns/pid")).ok()?.to_string_lossy() == space;
            (program.ends_with("pratique-agent") && inside).then_some(())?;
            let line = fs::read(entry.path().join("cmdline")).ok()?;
            let broker = line.split(|byte| *byte == 0).nth(1) == Some(b"run");
            Some((pid, if broker { "broker" } else { "scanner and children" }.to_owned()))
        })
        .collect()
}

fn memory(space: &str) -> BTreeMap<String, u64> {
    let mut all = BTreeMap::new();
    for (pid, name) in agents(space) {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let resident = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next()?.parse::<u64>().ok());
        *all.entry(name).or_default() += resident.unwrap_or_default() * 1024;
    }
    all
}

/// Processor time so far, in ticks of 1/100 s.
fn ticks(space: &str) -> u64 {
    agents(space)
        .iter()
        .filter_map(|(pid, _)| {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
            Some(fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?)
        })
        .sum()
}
