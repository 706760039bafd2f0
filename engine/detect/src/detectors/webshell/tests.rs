//! Golden cases, and what hostile files do.

use super::*;
use crate::FileMode;

const MODE: FileMode = FileMode { permissions: 0o644, uid: 33, gid: 33 };

fn inspect(source: &[u8]) -> FileReport {
    DETECTOR.inspect(&FileInput::in_memory(b"var/www/a.php", MODE, &source.to_vec()))
}

fn is_limited(report: &FileReport) -> bool {
    report.problems.iter().any(|(kind, _)| *kind == GapKind::Limit)
}

#[test]
fn golden_cases() {
    crate::golden::check(&DETECTOR);
}

#[test]
fn what_nests_too_deep_is_a_gap_and_what_is_beside_it_is_found() {
    let deep = |open: &str, close: &str| format!("{}1{}", open.repeat(10_000), close.repeat(10_000));
    for nested in [
        deep("(", ")"),
        deep("[", "]"),
        deep("f(", ")"),
        deep("array(1 => ", ")"),
        deep("function() { return ", "; }"),
        deep("new class { function f() { ", " } }"),
        deep("\"{$a[", "]}\""),
        deep("$a ? ", " : 2"),
        "$a = ".repeat(10_000) + "1",
        "${".repeat(10_000),
        "include ".repeat(10_000) + "1",
    ] {
        let report = inspect(format!("<?php $x = {nested};").as_bytes());
        assert!(is_limited(&report), "{}", &nested[..40]);
    }
    for nested in [
        deep("{", "}"),
        deep("if ($a) { ", " }"),
        deep("while ($a) ", ";"),
        deep("foreach ($a as $b) { ", " }"),
        deep("switch ($a) { case 1: ", " }"),
        deep("class A { function f() { ", " } }"),
        deep("do ", " while (1)"),
    ] {
        let report = inspect(format!("<?php {nested}\n; {}", decoded("riny($_CBFG['k']);")).as_bytes());
        assert!(is_limited(&report), "{}", &nested[..40]);
    }
    let beside = format!("<?php {} $x = {};", decoded("riny($_CBFG['k']);"), deep("(", ")"));
    assert_eq!(inspect(beside.as_bytes()).facts.len(), 1);
}

/// Samples are stored so that scanners do not take this file for one.
fn decoded(rot13: &str) -> String {
    String::from_utf8(decode::rot13(rot13.as_bytes())).unwrap()
}

#[test]
fn what_runs_without_end_or_grows_without_end_ends() {
    for source in [
        "while (true) { $a .= 'x'; }",
        "for ($i = 0; $i < 1000000000; $i++) { $a .= chr($i); }",
        "$a = 'x'; for ($i = 0; $i < 100; $i++) { $a = $a . $a; }",
        "$a = 'x'; for ($i = 0; $i < 100; $i++) { $a = [$a, $a]; }",
        "$a = str_repeat('x', 1000000000); $b = str_repeat($a, 1000000000);",
        "function f($x) { f($x . 'a'); f($x . 'b'); } f('');",
        "function f($x) { for ($i = 0; $i < 1000; $i++) { g($i . $x); } } function g($x) { for ($i = 0; $i < 1000; $i++) { f($i . $x); } } f('');",
        "$a = 'eval($a);'; eval($a);",
        "function f() { eval('f();'); } f();",
        "$a = &$a; $a[] = $a; $a[] = $a; foreach ($a as $b) { $a[] = $b; }",
        "class A extends A { function __call($a, $b) { $this->$a($b); } } $a = new A; $a->b();",
        "class A extends B {} class B extends A {} (new A)->f();",
    ] {
        inspect(format!("<?php {source}").as_bytes());
    }
    let functions: String = (0..400)
        .map(|n| format!("function f{n}($x) {{ f{}($x); f{}($x . 'a'); }}\n", n + 1, n + 2))
        .collect();
    inspect(format!("<?php {functions} f0($_GET['a']);").as_bytes());
}

#[test]
fn what_is_too_much_is_a_gap() {
    let mut source = b"<?php ".to_vec();
    source.extend(b"$a=1;".repeat(300_000));
    assert!(is_limited(&inspect(&source)), "tokens");
    // Each of them runs twice.
    let loops = format!("{}$a = 1;{}", "while ($x) { ".repeat(40), "}".repeat(40));
    assert!(is_limited(&inspect(format!("<?php {loops}").as_bytes())), "steps");
    let whole = FileInput::in_memory(b"var/www/a.php", MODE, &source);
    let cut = DETECTOR.inspect(&FileInput { size: 1 << 30, ..whole });
    assert!(cut.problems.iter().any(|(_, reason)| reason.contains("1073741824")), "{:?}", cut.problems);
}

#[test]
fn one_line_of_megabytes_is_read() {
    let line = format!("<?php $a = '{}'; {}", "x".repeat(2 << 20), decoded("flfgrz($_TRG['p']);"));
    let report = inspect(line.as_bytes());
    assert_eq!((report.facts.len(), report.problems.len()), (1, 0));
}

#[test]
fn what_is_found_often_is_noted_a_few_times() {
    let many = format!("<?php\n{}", decoded("riny($_CBFG['k']);\n").repeat(5_000));
    let report = inspect(many.as_bytes());
    assert!(report.facts[0].0.len() < 32 << 10, "{}", report.facts[0].0.len());
    assert!(
        report.problems.iter().any(|(_, reason)| reason.contains("more places")),
        "{:?}",
        report.problems
    );
}

fn inspect_as(path: &str, source: &str) -> FileReport {
    DETECTOR.inspect(&FileInput::in_memory(path.as_bytes(), MODE, &source.as_bytes().to_vec()))
}

/// What is in the middle was found, or it is said that not all was read.
fn is_told(report: &FileReport) -> bool {
    is_limited(report) || !report.facts.is_empty()
}

/// Something that runs what the request says, as an expression of each language.
fn sinks() -> [(&'static str, &'static str, String); 3] {
    [
        ("a.jsp", "<% ", decoded("Ehagvzr.trgEhagvzr().rkrp(erdhrfg.trgCnenzrgre(\"p\"))")),
        ("a.aspx", "<% ", decoded("Cebprff.Fgneg(Erdhrfg[\"p\"])")),
        ("a.js", "", decoded("riny(erd.dhrel.p)")),
    ]
}

#[test]
fn pages_that_nest_without_end_are_gaps_or_read() {
    let deep = |open: &str, inner: &str, close: &str| {
        format!("{}{inner}{}", open.repeat(10_000), close.repeat(10_000))
    };
    for (path, start, sink) in sinks() {
        assert_eq!(inspect_as(path, &format!("{start}x = {sink};")).facts.len(), 1, "{path}");
        for (open, close) in [
            ("(", ")"),
            ("f(", ")"),
            ("[", "]"),
            ("x -> ", ""),
            ("new A() { int a = ", "; }"),
            ("a ? ", " : 2"),
            ("a = ", ""),
            ("`${", "}`"),
        ] {
            // Other languages' lambdas, classes and texts.
            let is_of_language = match path {
                "a.jsp" => open != "`${" && open != "[",
                "a.aspx" => !matches!(open, "`${" | "[" | "x -> " | "new A() { int a = "),
                _ => !matches!(open, "x -> " | "new A() { int a = "),
            };
            let report = inspect_as(path, &format!("{start}x = {};", deep(open, &sink, close)));
            assert!(!is_of_language || is_told(&report), "{path} {open}");
        }
        for (open, close) in [
            ("{", "}"),
            ("if (a) { ", " }"),
            ("for (;;) { ", " }"),
            ("class A { void f() { ", " } }"),
            ("try { ", " } catch (E e) { }"),
        ] {
            let is_of_language = path != "a.js" || !open.starts_with("class");
            let report = inspect_as(path, &format!("{start}{}", deep(open, &format!("{sink};"), close)));
            assert!(!is_of_language || is_told(&report), "{path} {open}");
        }
    }
    // No program is in a type's parameters, and declarations go on behind what is no end.
    inspect_as("a.jsp", &format!("<% {} %>", deep("A<", "", ">")));
    inspect_as("a.jsp", &format!("<%! {}", deep("class A { void f() { ", "", " } }")));
}

#[test]
fn controls_and_directives_without_end_are_a_gap() {
    for (path, page) in [
        ("a.aspx", "<asp:TextBox id=a runat=server>".repeat(1_000)),
        ("a.aspx", "<%@ Import x %>".repeat(1_000)),
        ("a.asp", "<object runat=server id=a progid=b>".repeat(1_000)),
        ("a.asp", "<%@ x %>".repeat(1_000)),
    ] {
        assert!(is_limited(&inspect_as(path, &page)), "{path} {}", &page[..20]);
    }
}

/// What of a gigabyte is handed over, whichever language it is.
#[test]
fn a_gigabyte_is_a_gap_whatever_its_name() {
    let line = vec![b'a'; 300_000];
    for glob in INTERESTS.iter().flat_map(|interest| interest.globs) {
        let path =
            glob.replace("**/", "x/").replace("[0-9]", "5").replace("[cm]", "c").replace("xXfFaA", "x");
        // Of a set of letters the first.
        let path: String = path
            .split('[')
            .map(|part| {
                part.split_once(']').map_or(part.to_owned(), |(set, rest)| format!("{}{rest}", &set[..1]))
            })
            .collect();
        let path = path.replace('*', "a");
        let report = DETECTOR
            .inspect(&FileInput { size: 1 << 30, ..FileInput::in_memory(path.as_bytes(), MODE, &line) });
        assert!(report.problems.iter().any(|(_, reason)| reason.contains("1073741824")), "{path}");
    }
}

#[test]
fn pages_that_run_without_end_end() {
    for source in [
        "while (true) { a += 'x'; }",
        "function f(x) { f(x + 'a'); f(x + 'b'); } f('');",
        "var a = []; for (;;) { a.push(a); }",
        "a = 'eval(a)'; eval(a);",
        "var f = g => g(g); f(f);",
        "[1, 2].map(x => [1, 2].map(y => [1, 2].map(z => eval('f(' + x + y + z + ')'))));",
    ] {
        inspect_as("a.js", &format!("eval; {source}"));
    }
}

#[test]
fn python_that_nests_or_runs_without_end_is_a_gap_or_read() {
    let beside = decoded("rkrp(erdhrfg.qngn)");
    let deep = |open: &str, close: &str| format!("{}1{}", open.repeat(10_000), close.repeat(10_000));
    for nested in [
        deep("(", ")"),
        deep("[", "]"),
        deep("{1: ", "}"),
        deep("f(", ")"),
        deep("lambda: ", ""),
        deep("1 if a else ", ""),
        deep("a = ", ""),
    ] {
        let report = inspect_as("a.py", &format!("x = {nested}\n{beside}\n"));
        assert!(is_limited(&report), "{}", &nested[..40]);
    }
    assert!(is_told(&inspect_as(
        "a.py",
        &format!("x = {}{beside}{}\n", "f'{".repeat(10_000), "}'".repeat(10_000))
    )));
    let blocks: String = (0..1_000).map(|depth| format!("{}if a:\n", " ".repeat(depth))).collect();
    assert!(is_limited(&inspect_as("a.py", &format!("request\n{blocks}{}exec(b)\n", " ".repeat(1_000)))));
    for source in [
        &deep("f'{", "}'"),
        "while True: a += 'x'",
        "def f(x): return f(x + 'a') + f(x + 'b')\nf('')",
        "a = 'exec(a)'\nexec(a)",
        "f = lambda g: g(g)\nf(f)",
        "class A(B): pass\nclass B(A):\n  def f(self): exec(self.path)",
        "'''",
        "\\",
    ] {
        inspect_as("a.py", &format!("# request\n{source}\nexec(a)"));
    }
}

#[test]
fn vbscript_that_nests_or_runs_without_end_is_a_gap_or_read() {
    let deep = |open: &str, close: &str| format!("{}1{}", open.repeat(10_000), close.repeat(10_000));
    let beside = decoded("rkrphgr erdhrfg(1)");
    for nested in [deep("(", ")"), deep("f(", ")"), deep("a ^ ", ""), deep("not ", "")] {
        let report = inspect_as("a.asp", &format!("<% x = {nested}\n{beside} %>"));
        assert!(report.facts.len() == 1, "{}", &nested[..40]);
    }
    assert!(is_limited(&inspect_as("a.asp", &format!("<% x = {} %>", deep("(", ")")))));
    for (open, close) in [
        ("if a then ", ""),
        ("if a then\n", "\nend if\n"),
        ("do\n", "\nloop\n"),
        ("for i = 1 to 3\n", "\nnext\n"),
        ("select case a\ncase 1\n", "\nend select\n"),
        ("function f(a)\n", "\nend function\n"),
        ("class a\nsub f\n", "\nend sub\nend class\n"),
        ("with a\n", "\nend with\n"),
    ] {
        let nested = format!("{}{beside}{}", open.repeat(10_000), close.repeat(10_000));
        assert!(is_told(&inspect_as("a.asp", &format!("<% {nested} %>"))), "{open}");
    }
    for source in [
        "end if\nelse\nelseif\ncase 1\nnext\nloop\nwend\nend function\nend",
        "do while true\na = a & \"x\"\nloop",
        "function f(x)\nf = f(x & 1) & f(x & 2)\nend function\nf 1",
        "sub f(x)\nx = x & x\nf x\nend sub\nf \"a\"",
        "a = \"execute a\"\nexecute a",
        "a = string(1000000000, \"x\") & space(-1) & left(\"a\", -1) & mid(\"a\", 0)",
        "x = \"",
        "x = _",
        "[",
        "#",
    ] {
        inspect_as("a.asp", &format!("<% {source} %>"));
    }
}

/// Calls are followed once for all arguments that stand for the same as far as anything looks at it.
#[test]
fn a_call_is_not_taken_for_another_that_leads_elsewhere() {
    for (harmless, call) in [
        (
            "shapgvba s(n, o) { n.rkrp(o); } s(yrsg.fvqr, erd.dhrel.k);",
            "s(erdhver('puvyq_cebprff'), erd.dhrel.k);",
        ),
        ("shapgvba s(n) { riny(n.dhrel.k); } s(yrsg.fvqr);", "s(erd);"),
        ("shapgvba s(n, o) { n.o(o); } s(yrsg, erd.obql.k);", "s({o: riny}, erd.obql.k);"),
        (
            "shapgvba s(n, o) { n(o); } s(yrsg.fvqr, erd.dhrel.k);",
            "s(t, erd.dhrel.k); shapgvba t(o) { riny(o); }",
        ),
        (
            "shapgvba s(n, o) { n.fcnja('fu', ['-p', o]); } s(yrsg.fvqr, erd.dhrel.k);",
            "s(evtug.puvyq_cebprff, erd.dhrel.k);",
        ),
    ] {
        let (harmless, call) = (decoded(harmless), decoded(call));
        assert_eq!(inspect_as("a.js", &format!("eval; {harmless}")).facts.len(), 0, "{harmless}");
        assert_eq!(inspect_as("a.js", &format!("eval; {harmless} {call}")).facts.len(), 1, "{call}");
    }
}
