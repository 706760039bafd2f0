//! What upper layers hide.

use pratique_fs::{FsPath, Opacity};
use rstest::rstest;

use super::fake::{FakeLayer, engine};
use crate::{LayerFacts, Merged, Via, merge};

/// Visible files as `path=content`, with the numbers of their layers, and paths that have a gap.
fn shown(merged: &Merged<'_>) -> (Vec<String>, Vec<String>) {
    let visible = merged.files.iter().map(|visible| {
        let content = String::from_utf8_lossy(&visible.file.detectors[0].facts[0].0).into_owned();
        format!("{}={content}", visible.file.path)
    });
    (visible.collect(), merged.gaps.iter().filter_map(|gap| gap.path.clone()).collect())
}

#[rstest]
#[case::lower_file_stays(&["f etc/shadow=a", "f etc/other=x"], &["/etc/shadow=a"])]
#[case::replaced_by_a_file(&["f etc/shadow=a", "f etc/shadow=b"], &["/etc/shadow=b"])]
#[case::replaced_by_a_file_without_facts(&["f etc/shadow=a", "f etc/shadow=nothing"], &[])]
#[case::replaced_by_a_hard_link(&["f etc/shadow=a", "f x=b; h etc/shadow>x"], &["/etc/shadow=b"])]
#[case::replaced_by_a_link(&["f etc/shadow=a", "l etc/shadow>/x"], &[])]
#[case::replaced_by_a_folder(&["f etc/shadow=a", "d etc/shadow"], &[])]
#[case::replaced_by_a_device(&["f etc/shadow=a", "c etc/shadow"], &[])]
#[case::deleted(&["f etc/shadow=a", "w etc/shadow"], &[])]
#[case::folder_deleted(&["f etc/shadow=a", "w etc"], &[])]
#[case::folder_made_opaque(&["f etc/shadow=a", "d etc; o etc"], &[])]
#[case::opaque_hides_lower_only(&["f etc/shadow=a", "o etc; f etc/shadow=b"], &["/etc/shadow=b"])]
#[case::opaque_after_its_content(&["f etc/shadow=a", "f etc/shadow=b; o etc"], &["/etc/shadow=b"])]
#[case::whiteout_spares_its_own_layer(&["f etc/shadow=a", "w etc/shadow; f etc/shadow=b"], &["/etc/shadow=b"])]
#[case::whiteout_after_its_name(&["f etc/shadow=b; w etc/shadow"], &["/etc/shadow=b"])]
#[case::whiteout_of_a_name_that_begins_alike(&["f etc/shadow=a", "w etc/shado; w et"], &["/etc/shadow=a"])]
#[case::made_anew_above_a_deletion(&["f etc/shadow=a", "w etc", "f etc/shadow=c"], &["/etc/shadow=c"])]
#[case::folder_anew_above_a_deletion(&["f etc/shadow=a", "w etc", "d etc"], &[])]
#[case::folder_replaced_by_a_file(&["f etc/shadow=a", "f etc=x"], &[])]
#[case::folder_replaced_by_a_link(&["f etc/shadow=a", "l etc>/usr/etc"], &[])]
#[case::folder_again_changes_nothing(&["f etc/shadow=a", "d etc"], &["/etc/shadow=a"])]
#[case::a_layer_hides_nothing_above(&["w etc; o etc", "f etc/shadow=a"], &["/etc/shadow=a"])]
#[case::wildcard_interests_too(&["f a/b/key=a; f a/key=b", "w a/b"], &["/a/key=b"])]
#[case::twice_in_one_layer(&["f etc/shadow=a; f etc/shadow=b"], &["/etc/shadow=b"])]
fn certain(#[case] layers: &[&str], #[case] visible: &[&str]) {
    let engine = engine(&["etc/shadow", "**/key"]);
    let facts: Vec<_> =
        layers.iter().zip(1..).map(|(lines, number)| FakeLayer::of(number, lines).facts(&engine)).collect();
    let merged = merge(&engine, &facts.iter().collect::<Vec<_>>());
    assert_eq!(shown(&merged), (visible.iter().map(|text| text.to_string()).collect(), Vec::new()));
}

/// Archives that say two things at once, and marks that not all obey: shown, with a gap.
#[rstest]
#[case::opaque_root("o /; f x=x")]
#[case::file_then_folder("f etc=x; d etc")]
#[case::link_then_folder("l etc>/x; d etc")]
#[case::opaque_lost_with_its_folder("o etc; f etc=x; d etc")]
#[case::file_lost_with_its_folder("f etc/shadow=nothing; f etc=x; d etc")]
#[case::deleted_and_made_anew("w etc; d etc")]
fn ambiguous(#[case] upper: &str) {
    let engine = engine(&["etc/shadow"]);
    let lower = FakeLayer::of(1, "f etc/shadow=a").facts(&engine);
    let upper = FakeLayer::of(2, upper).facts(&engine);
    let merged = merge(&engine, &[&lower, &upper]);
    assert_eq!(shown(&merged), (vec!["/etc/shadow=a".to_owned()], vec!["/etc/shadow".to_owned()]));
    assert_eq!(merged.gaps[0].detector.as_deref(), Some("fake"));
    assert_eq!(merged.gaps[0].layer.as_ref(), Some(&lower.diff_id));
}

#[rstest]
#[case::same_folder("d etc", true, true)]
#[case::same_folder_further_up("d a; d a/b", true, true)]
#[case::file_replaced_anyway("d etc; f etc/shadow=b; d a; f a/b/key=b", true, false)]
#[case::folder_deleted_anyway("w etc; w a", false, false)]
#[case::another_folder("d usr; f usr/x=y", true, false)]
fn unknown_opacity(#[case] lines: &str, #[case] visible: bool, #[case] doubted: bool) {
    let engine = engine(&["etc/shadow", "**/key"]);
    let lower = FakeLayer::of(1, "f etc/shadow=a; f a/b/key=a").facts(&engine);
    let upper = FakeLayer { opacity: Opacity::FromFolderBlind, ..FakeLayer::of(2, lines) }.facts(&engine);
    let merged = merge(&engine, &[&lower, &upper]);
    assert_eq!(!merged.files.is_empty(), visible);
    assert_eq!(!merged.gaps.is_empty(), doubted, "{:?}", merged.gaps);
    // The lowest layer has nothing to hide, however it was read.
    let bottom = FakeLayer { opacity: Opacity::FromFolderBlind, ..FakeLayer::of(1, "d etc; f etc/shadow=a") };
    assert!(merge(&engine, &[&bottom.facts(&engine)]).gaps.is_empty());
}

#[rstest]
#[case::the_file_itself(&["l etc/shadow>/run/x"], &["etc/shadow"])]
#[case::a_folder_above(&["l etc>/usr/etc"], &["etc/shadow", "etc/ssh/key"])]
#[case::a_deeper_folder(&["l etc/ssh>x"], &["etc/ssh/key"])]
#[case::at_a_wildcard(&["l opt/a.pem>/b"], &["opt/a.pem"])]
#[case::a_region(&["l opt>/usr/opt"], &["opt"])]
#[case::elsewhere(&["l lib>usr/lib; l etc/mtab>/proc/mounts"], &[])]
#[case::replaced_by_a_folder(&["l etc>/usr/etc", "d etc"], &[])]
#[case::deleted(&["l etc/shadow>x", "w etc"], &[])]
#[case::made_by_an_upper_layer(&["f etc/shadow=a", "l etc>/usr/etc"], &["etc/shadow", "etc/ssh/key"])]
#[case::link_hidden_behind_a_later_hard_link(&["f x=a; h etc/shadow>x; l etc/shadow>/evil"], &["etc/shadow"])]
fn redirects(#[case] layers: &[&str], #[case] expected: &[&str]) {
    let engine = engine(&["etc/shadow", "etc/ssh/key", "opt/*.pem"]);
    let facts: Vec<_> =
        layers.iter().zip(1..).map(|(lines, number)| FakeLayer::of(number, lines).facts(&engine)).collect();
    let merged = merge(&engine, &facts.iter().collect::<Vec<_>>());
    let paths: Vec<FsPath> = merged.redirects.into_iter().map(|redirect| redirect.path).collect();
    assert_eq!(paths, expected.iter().map(FsPath::new).collect::<Vec<_>>());
}

/// A program finds the same in either, and who looks there has read it where it lies.
#[rstest]
#[case::folders_of_one_name(&["lib/parts/*", "usr/lib/parts/*"], "l lib>usr/lib; f usr/lib/parts/x=a", &[])]
#[case::the_folder_itself(&["lib/parts/*", "usr/lib/parts/*"], "l lib/parts>/usr/lib/parts; f usr/lib/parts/x=a", &[])]
#[case::another_name(&["hourly/*", "daily/*"], "l hourly>daily; f daily/x=a", &["hourly"])]
#[case::another_tail(&["lib/parts/*.a", "usr/lib/parts/*.b"], "l lib>usr/lib; f usr/lib/parts/x=a", &["lib/parts"])]
#[case::a_file_of_another_name(&["lib/parts/*"], "f lib/parts/x=a; l lib/parts/y>x", &["lib/parts/y"])]
fn links_between_folders_in_which_the_same_is_looked_for(
    #[case] globs: &'static [&'static str],
    #[case] lines: &str,
    #[case] expected: &[&str],
) {
    let engine = engine(globs);
    let facts = FakeLayer::of(1, lines).facts(&engine);
    let found = merge(&engine, &[&facts]).redirects;
    let paths: Vec<FsPath> = found.into_iter().map(|redirect| redirect.path).collect();
    assert_eq!(paths, expected.iter().map(FsPath::new).collect::<Vec<_>>());
}

/// Where every path matters, what a link leads to is looked for among the paths first.
#[rstest]
#[case::to_nothing(&["d usr; l lib>usr/lib; l a.key>b"], &[])]
#[case::to_a_file(&["l lib>usr/lib; f usr/lib/apk/db=x"], &["lib/apk/db"])]
#[case::to_a_folder(&["l lib>usr/lib; d usr/lib/apk/db"], &[])]
#[case::to_a_file_of_another_layer(&["f usr/lib/apk/db=x", "l lib>/usr/lib"], &["lib/apk/db"])]
#[case::to_one_that_is_hidden(&["l lib>usr/lib; f usr/lib/apk/db=x", "w usr/lib/apk"], &["lib/apk/db"])]
#[case::above_the_root(&["l lib>../../usr/lib", "f usr/lib/apk/db=x"], &["lib/apk/db"])]
#[case::through_another_link(&["l lib>lib/apk/../x; f x/apk/db=x"], &["lib/apk/db"])]
#[case::through_a_chain_to_nothing(&["l a.key>b.key; l b.key>c.key; f d.key=x"], &[])]
#[case::to_a_region(&["l var>/data; d data; d data/parts"], &["var/parts"])]
#[case::to_a_folder_that_is_only_on_the_way(&["l var>data; f data/parts/x=y"], &["var/parts"])]
#[case::to_no_region(&["l var>data; d data; f data/parts=x"], &[])]
#[case::around(&["l lib>lib"], &["lib/apk/db"])]
#[case::by_way_of_an_unknown_link(&["l lib>usr/lib; l usr>elsewhere"], &["lib/apk/db"])]
#[case::by_way_of_a_hard_link(&["l lib>usr/lib; f x=y; h usr>x"], &["lib/apk/db"])]
fn redirects_to_nothing(#[case] layers: &[&str], #[case] expected: &[&str]) {
    // The last one is of interest wherever it lies.
    let engine = engine(&["lib/apk/db", "var/parts/*.list", "**/*.key"]);
    let facts: Vec<_> =
        layers.iter().zip(1..).map(|(lines, number)| FakeLayer::of(number, lines).facts(&engine)).collect();
    let layers: Vec<_> = facts.iter().collect();
    let paths = |layers: &[&LayerFacts]| -> Vec<FsPath> {
        merge(&engine, layers).redirects.into_iter().map(|redirect| redirect.path).collect()
    };
    assert_eq!(paths(&layers), expected.iter().map(FsPath::new).collect::<Vec<_>>());
    // Where not all paths of a layer are known, any may be there.
    let incomplete: Vec<_> =
        facts.iter().map(|facts| LayerFacts { paths_known: false, ..facts.clone() }).collect();
    assert!(!paths(&incomplete.iter().collect::<Vec<_>>()).is_empty());
}

/// Which layer may write through a link of a lower one, so that all interests are read through the merged view.
#[rstest]
#[case::through_a_link(&["l x>etc", "f x/shadow=a"], Some(2))]
#[case::whatever_the_target(&["l x>/", "f x/etc/shadow=a"], Some(2))]
#[case::through_a_chain(&["l x>y; l y>etc", "f other=a", "f x/shadow=a"], Some(3))]
#[case::at_any_depth(&["d a; l a/b>/etc", "d a; f a/b/c/shadow=a"], Some(2))]
#[case::a_link_through_a_link(&["l x>/", "l x/etc>/evil", "f y=z"], Some(2))]
#[case::through_a_hard_link_to_a_link(&["l x>etc", "h y>x", "f y/shadow=a"], Some(3))]
#[case::brought_too_late(&["l x>etc", "f x/shadow=a; d x"], Some(2))]
#[case::deleted_too_late(&["l x>etc", "f x/shadow=a; w x"], Some(2))]
#[case::gone_before_but_that_is_not_kept(&["l x>etc", "w x", "f x/shadow=a"], Some(3))]
#[case::replaced_by_a_folder(&["l x>etc", "d x; f x/shadow=a"], None)]
#[case::deleted_first(&["l x>etc", "w x; f x/shadow=a"], None)]
#[case::no_link_below(&["l x>etc; d y", "f y/x/shadow=a; f xx/shadow=a"], None)]
#[case::link_above(&["f x/shadow=a", "l x>etc"], None)]
#[case::nothing_below_the_link(&["l x>etc", "l x>etc"], None)]
fn astray(#[case] layers: &[&str], #[case] expected: Option<u8>) {
    let engine = engine(&["etc/shadow", "opt/*.pem"]);
    let facts: Vec<_> =
        layers.iter().zip(1..).map(|(lines, number)| FakeLayer::of(number, lines).facts(&engine)).collect();
    let merged = merge(&engine, &facts.iter().collect::<Vec<_>>());
    let redirects: Vec<_> =
        merged.redirects.iter().map(|redirect| (redirect.path.to_string(), redirect.via.clone())).collect();
    let expected = expected.map(|number| Via::Layer(facts[usize::from(number) - 1].diff_id.clone()));
    let all = expected.map(|via| ["/etc/shadow", "/opt"].map(|path| (path.to_owned(), via.clone())).to_vec());
    assert_eq!(redirects, all.unwrap_or_default());
    let late = layers.iter().any(|lines| lines.ends_with("; w x"));
    assert_eq!(merged.gaps.len(), usize::from(late), "{:?}", merged.gaps);
}
