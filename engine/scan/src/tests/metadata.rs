//! Who wants nothing but metadata.

use pratique_core::inspect::Kind;
use pratique_core::{Category, DetectorInfo, Finding, Severity};
use pratique_detect::{Detector, Fact, FileInput, FileReport, ImageInput, Interest, LocatedFact, Outcome};
use pratique_fs::{FsPath, TarLayer};
use pratique_testkit::hostile::pax;
use pratique_testkit::sha256;

use super::fake::{Fake, FakeLayer, FakeRoot, Item, detector};
use crate::tests::judging::{judge, options, read};
use crate::{Engine, Limits, scan_layer, scan_root};

/// Notes of each entry that is no folder what it is; a finding tells that, and the package the file is of.
struct Entries;

const INFO: &DetectorInfo = &DetectorInfo {
    id: "entries",
    version: 1,
    category: Category::Escalation,
    rules: &["entry"],
    summary: "every entry",
};

impl Detector for Entries {
    fn info(&self) -> &'static DetectorInfo {
        INFO
    }

    fn interests(&self) -> &'static [Interest] {
        const { &[Interest::metadata(&["**"])] }
    }

    fn inspect(&self, file: &FileInput<'_>) -> FileReport {
        assert!(file.bytes.is_empty());
        let text = match file.kind {
            Kind::Folder => return FileReport::default(),
            Kind::File => {
                format!("{:o} {} {:?}", file.mode.permissions, file.size, file.capability.unwrap_or_default())
            }
            Kind::Link(target) => format!("> {}", String::from_utf8_lossy(target)),
            Kind::Special => "special".to_owned(),
        };
        FileReport { facts: vec![Fact(text.into_bytes())], problems: Vec::new() }
    }

    fn judge(&self, image: &ImageInput<'_>, facts: &[LocatedFact]) -> Outcome {
        let owner = |path: &str| image.ownership.owner(path).map(|owner| format!(" of {owner}"));
        let finding = |located: &LocatedFact| Finding {
            detector: INFO.id.to_owned(),
            rule: "entry".to_owned(),
            category: INFO.category,
            severity: Severity::Low,
            message: String::from_utf8_lossy(&located.fact.0).into_owned()
                + &owner(&located.path).unwrap_or_default(),
            path: Some(located.path.clone()),
            layer: located.layer.clone(),
            attributes: Default::default(),
        };
        Outcome { findings: facts.iter().map(finding).collect(), ..Outcome::default() }
    }
}

fn engine() -> Engine {
    Engine::of(vec![&Entries], &[]).unwrap()
}

fn told(findings: &[Finding]) -> Vec<String> {
    let mut told: Vec<String> = findings
        .iter()
        .map(|finding| format!("{} {}", finding.path.as_deref().unwrap_or_default(), finding.message))
        .collect();
    told.sort();
    told
}

#[test]
fn nothing_is_opened_and_entries_of_every_kind_are_told() {
    let engine = engine();
    let facts = FakeLayer::of(1, "d a; f a/x=four; l a/y>../b; c a/z; f b=").facts(&engine);
    assert_eq!((facts.statistics.opened, facts.statistics.bytes), (0, 0));
    assert!(facts.links.is_empty(), "a link redirects nobody who wants the entry itself: {:?}", facts.links);
    let facts = judge(&engine, &[crate::LayerState::Read(facts.into())], None);
    assert!(facts.gaps.is_empty(), "{:?}", facts.gaps);
    assert_eq!(told(&facts.findings), ["/a/x 640 4 []", "/a/y > ../b", "/a/z special", "/b 640 0 []"]);
}

#[test]
fn an_upper_layer_replaces_metadata_as_it_does_content() {
    let engine = engine();
    let layers = read(&engine, &["f a=1; f b=22; f c=333; l d>a", "w a; l b>c; f d=now"]);
    let found = told(&judge(&engine, &layers, None).findings);
    assert_eq!(found, ["/b > c", "/c 640 3 []", "/d 640 3 []"]);
}

#[test]
fn a_hard_link_has_its_targets_metadata_and_stays_when_that_goes() {
    let engine = engine();
    let layers = read(&engine, &["f a=four; h b>a; h c>b; h d>lower", "w a"]);
    assert_eq!(told(&judge(&engine, &layers, None).findings), ["/b 640 4 []", "/c 640 4 []"]);
}

#[test]
fn others_who_want_the_content_get_it() {
    let both =
        Engine::of(vec![&Entries, detector(Fake { globs: &["etc/*"], ..Fake::DEFAULT })], &[]).unwrap();
    let facts = judge(&both, &read(&both, &["f etc/shadow=bad; f etc/nothing=nothing; f x=y"]), None);
    let expected =
        ["/etc/nothing 640 7 []", "/etc/shadow 640 3 []", "/etc/shadow bad in shop/web:1", "/x 640 1 []"];
    assert_eq!(told(&facts.findings), expected);
}

#[test]
fn capabilities_come_from_the_blob() {
    let capability: &[u8] = &[1, 0, 0, 2, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, b'\n', 0];
    let tar = pax(&[("SCHILY.xattr.security.capability", capability)], "usr/bin/tool", b"x");
    let digest = sha256(&tar);
    let mut layer = TarLayer::new(
        std::sync::Arc::<[u8]>::from(tar),
        digest.clone(),
        digest,
        pratique_fs::Limits::default(),
    );
    let facts = scan_layer(&mut layer, &engine(), &Limits::default(), None).unwrap();
    let fact = String::from_utf8(facts.files[0].detectors[0].facts[0].0.clone()).unwrap();
    assert!(fact.ends_with(&format!("{capability:?}")), "{fact}");
}

#[test]
fn a_live_root_tells_the_same_and_opens_nothing() {
    let mut root = FakeRoot::of(&[("a/x", "four"), ("b", "")]);
    root.broken = vec![FsPath::new("c")];
    let judged = scan_root(&engine(), &root, &[], &options(), None, 2);
    assert_eq!(told(&judged.findings), ["/a/x 640 4 []", "/b 640 0 []"]);
    assert_eq!(judged.gaps.len(), 1, "{:?}", judged.gaps);
}

#[test]
fn whoever_judges_knows_the_packages_of_files() {
    let engine = Engine::of(vec![&Entries], pratique_inventory::PARSERS).unwrap();
    let file = |path: &str, text: &str| Item::File(FsPath::new(path), text.into());
    let items = vec![
        file(
            "var/lib/dpkg/status",
            "Package: dash\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\n",
        ),
        file("var/lib/dpkg/info/dash.list", "/.\n/bin\n/bin/dash\n"),
        file("usr/bin/dash", "x"),
        file("usr/bin/other", "x"),
    ];
    let facts = FakeLayer::new(1, items).facts(&engine);
    let found = told(&judge(&engine, &[crate::LayerState::Read(facts.into())], None).findings);
    let owned: Vec<&String> = found.iter().filter(|line| line.contains(" of pkg:")).collect();
    assert_eq!(owned.len(), 1, "{found:?}");
    assert!(owned[0].starts_with("/usr/bin/dash ") && owned[0].contains("/dash@1"), "{found:?}");
}
