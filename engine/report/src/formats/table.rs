//! `table`: for people. What was not looked at is always shown, whatever else is left out.

use std::io::{self, BufWriter, Write};

use pratique_core::lineage::{Base, Evidence};
use pratique_core::package::LocatedPackage;
use pratique_core::policy::{Detail, Effect, Suppressed as Accepted, Violation};
use pratique_core::{Digest, Finding, Severity, Verdict};

use crate::columns::{Cell, clip, write_columns};
use crate::{Advisories, Error, Format, Options, Origin, Report, Vulnerabilities};

pub(crate) static FORMAT: Format = Format {
    name: "table",
    summary: "for people: verdict, findings, gaps, packages",
    extension: "txt",
    many: true,
    write,
};

fn write(reports: &[Report], options: &Options, out: &mut dyn Write) -> Result<(), Error> {
    let mut table = Table { options, out: BufWriter::new(out) };
    for (place, report) in reports.iter().enumerate() {
        if place > 0 {
            writeln!(table.out)?;
        }
        table.report(report)?;
    }
    table.out.flush()?;
    Ok(())
}

const RED: &str = "\u{1b}[31m";
const BOLD_RED: &str = "\u{1b}[1;31m";
const YELLOW: &str = "\u{1b}[33m";
const GREEN: &str = "\u{1b}[32m";
const BOLD: &str = "\u{1b}[1m";
const RESET: &str = "\u{1b}[0m";

struct Table<'a, W: Write> {
    options: &'a Options,
    out: W,
}

impl<W: Write> Table<'_, W> {
    fn report(&mut self, report: &Report) -> io::Result<()> {
        let title = self.colour(BOLD);
        let end = if title.is_empty() { "" } else { RESET };
        let source = clip(&report.target.source);
        writeln!(
            self.out,
            "{title}{}{end} ({}, {source})",
            clip(&report.target.reference),
            report.target.kind.as_str()
        )?;
        self.columns(&[], &self.header(report))?;
        self.decision(report)?;
        self.findings(report)?;
        self.upgrades(report)?;
        self.newer_base(report)?;
        self.suppressed(report)?;
        self.gaps(report)?;
        self.packages(report)
    }

    fn header(&self, report: &Report) -> Vec<Vec<Cell>> {
        let verdict = report.verdict();
        let colour = match verdict {
            Verdict::Clean => GREEN,
            Verdict::Findings | Verdict::Incomplete => YELLOW,
            Verdict::Error => BOLD_RED,
        };
        let verdict = Cell::coloured(&format!("{verdict}: {}", sentence(report)), self.colour(colour));
        let mut rows = vec![vec![Cell::of("Verdict"), verdict]];
        let mut add = |name: &str, value: &str| rows.push(vec![Cell::of(name), Cell::of(value)]);
        if let Some(error) = &report.error {
            add("Error", error);
        }
        if let Some(image) = &report.image {
            add("Image", image.id.as_str());
            let layers = image.layers.len();
            add("Platform", &format!("{}, {}", image.platform, plural(layers, "layer", "layers")));
            if let Some(base) = &image.base {
                add("Base", &built_on(base, layers));
            }
        }
        if let Some(release) = &report.inventory.release {
            let name = if release.name.is_empty() { &release.id } else { &release.name };
            add("System", name);
        }
        let detectors: Vec<_> = report.detectors.keys().map(String::as_str).collect();
        add(
            "Detectors",
            if detectors.is_empty() { "none".to_owned() } else { detectors.join(", ") }.as_str(),
        );
        match &report.vulnerabilities {
            Vulnerabilities::NotAsked | Vulnerabilities::NoPackages => {}
            Vulnerabilities::Off => add("Advisories", "none: vulnerabilities were not looked for"),
            Vulnerabilities::NotCovered => add("Advisories", "none: vulnerabilities were not covered"),
            Vulnerabilities::Matched(advisories) => add("Advisories", &age(advisories, report)),
        }
        let scanned = format!("{} by {} {}", report.scanned_at, report.tool.name, report.tool.version);
        add("Scanned", &scanned);
        rows
    }

    fn findings(&mut self, report: &Report) -> io::Result<()> {
        if report.findings.is_empty() {
            return Ok(());
        }
        self.heading("Findings, worst first")?;
        // Where nothing is known of a base, nothing comes from it.
        let with_origin = report.image.as_ref().is_some_and(|image| image.base.is_some());
        let row = |finding: &Finding| {
            let severity = finding.severity;
            let mut row = vec![
                Cell::coloured(severity.as_str(), self.colour(severity_colour(severity))),
                Cell::of(finding.category.as_str()),
                Cell::of(finding.path.as_deref().unwrap_or("-")),
                Cell::of(&finding.message),
            ];
            if with_origin {
                let origin = report.origin(finding.layer.as_ref());
                row.insert(2, Cell::of(origin.map_or("-", Origin::as_str)));
            }
            row
        };
        let rows: Vec<_> = report.worst_first().into_iter().map(row).collect();
        let mut headings = vec!["SEVERITY", "CATEGORY", "PLACE", "WHAT"];
        if with_origin {
            headings.insert(2, "FROM");
        }
        self.columns(&headings, &rows)
    }

    fn decision(&mut self, report: &Report) -> io::Result<()> {
        let Some(decision) = &report.decision else { return Ok(()) };
        self.heading(match decision.effect() {
            Some(Effect::Deny) => "Policies: a pod with it would be refused",
            _ => "Policies: a pod with it would be admitted",
        })?;
        let violation = |violation: &Violation| {
            let colour =
                if violation.effect == Effect::Deny { self.colour(RED) } else { self.colour(YELLOW) };
            let sentence = Cell::of(&violation.display(Detail::Full).to_string());
            vec![Cell::coloured(violation.effect.as_str(), colour), sentence]
        };
        let accepted = |accepted: &Accepted| {
            let Accepted { policy, rule, exception, findings, .. } = accepted;
            let findings = plural(*findings, "finding", "findings");
            let sentence =
                format!("{findings} of ScanPolicy {policy}, rule {rule}, by exception {exception}");
            vec![Cell::of("Accepted"), Cell::of(&sentence)]
        };
        let violations = decision.violations.iter().map(violation);
        let rows: Vec<_> = violations.chain(decision.suppressed.iter().map(accepted)).collect();
        self.columns(&[], &rows)
    }

    fn upgrades(&mut self, report: &Report) -> io::Result<()> {
        if report.upgrades.is_empty() {
            return Ok(());
        }
        self.heading("Upgrades that clear all findings with a fix")?;
        let row = |upgrade: &crate::Upgrade| {
            let clears = upgrade.clears.to_string();
            [&upgrade.name, &upgrade.installed, &upgrade.version, &clears].map(|text| Cell::of(text)).into()
        };
        let rows: Vec<_> = report.upgrades.iter().map(row).collect();
        self.columns(&["PACKAGE", "INSTALLED", "UPGRADE TO", "CLEARS"], &rows)
    }

    fn newer_base(&mut self, report: &Report) -> io::Result<()> {
        let Some(newer) = &report.newer_base else { return Ok(()) };
        self.heading("Flaws with a newer base image")?;
        let counts = [&newer.clears, &newer.keeps, &newer.brings].map(|flaws| flaws.len().to_string());
        let row = std::iter::once(&newer.reference).chain(&counts).map(|text| Cell::of(text)).collect();
        self.columns(&["BASE", "CLEARS", "KEEPS", "BRINGS"], &[row])
    }

    fn suppressed(&mut self, report: &Report) -> io::Result<()> {
        if report.suppressed.is_empty() {
            return Ok(());
        }
        self.heading("Suppressed: found, and somebody says that it does not matter")?;
        let row = |suppressed: &pratique_core::Suppressed| {
            let severity = suppressed.finding.severity.as_str();
            [severity, &suppressed.by, &suppressed.reason, &suppressed.finding.message].map(Cell::of).into()
        };
        let rows: Vec<_> = report.suppressed_worst_first().into_iter().map(row).collect();
        self.columns(&["SEVERITY", "BY", "WHY", "WHAT"], &rows)
    }

    fn gaps(&mut self, report: &Report) -> io::Result<()> {
        if report.gaps.is_empty() {
            return Ok(());
        }
        self.heading("Gaps: not looked at, so not known to be clean")?;
        let rows: Vec<_> = report
            .gaps
            .iter()
            .map(|gap| {
                let layer = || gap.layer.as_ref().map(|layer| format!("layer {}", layer.short()));
                let place = gap.path.clone().or_else(layer).unwrap_or_else(|| "-".to_owned());
                vec![
                    Cell::coloured(gap.kind.as_str(), self.colour(YELLOW)),
                    Cell::of(gap.detector.as_deref().unwrap_or("all")),
                    Cell::of(&place),
                    Cell::of(&gap.reason),
                ]
            })
            .collect();
        self.columns(&["GAP", "DETECTOR", "PLACE", "WHY"], &rows)
    }

    fn packages(&mut self, report: &Report) -> io::Result<()> {
        let inventory = &report.inventory;
        if inventory.packages.is_empty() && inventory.removed.is_empty() {
            return Ok(());
        }
        let removed = match inventory.removed.len() {
            0 => String::new(),
            count => format!(", and {count} in lower layers that an upper one removed"),
        };
        self.heading(&format!("{}{removed}", plural(inventory.packages.len(), "package", "packages")))?;
        if !self.options.packages {
            let rows: Vec<_> = report
                .ecosystems()
                .into_iter()
                .map(|(ecosystem, count)| vec![Cell::of(ecosystem.purl_type()), Cell::of(&count.to_string())])
                .collect();
            return self.columns(&["ECOSYSTEM", "PACKAGES"], &rows);
        }
        let present = inventory.packages.iter().map(|package| package_row(package, None));
        let removed =
            inventory.removed.iter().map(|removed| package_row(&removed.package, Some(&removed.removed_by)));
        let rows: Vec<_> = present.chain(removed).collect();
        self.columns(&["ECOSYSTEM", "NAME", "VERSION", "PLACE", "NOTE"], &rows)
    }

    fn heading(&mut self, text: &str) -> io::Result<()> {
        let colour = self.colour(BOLD);
        let end = if colour.is_empty() { "" } else { RESET };
        writeln!(self.out, "\n{colour}{text}{end}")
    }

    fn columns(&mut self, headings: &[&str], rows: &[Vec<Cell>]) -> io::Result<()> {
        write_columns(headings, rows, self.options.width, &mut self.out)
    }

    fn colour(&self, colour: &'static str) -> &'static str {
        if self.options.colours { colour } else { "" }
    }
}

fn severity_colour(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => BOLD_RED,
        Severity::High => RED,
        Severity::Medium | Severity::Unknown => YELLOW,
        Severity::Low | Severity::Negligible => "",
    }
}

/// What an image was built on.
fn built_on(base: &Base, layers: usize) -> String {
    let name = base.name.as_deref().unwrap_or("an image whose name nothing tells");
    let guess = match base.evidence {
        Evidence::Layers => "",
        Evidence::History => ", by its build history",
    };
    format!("{name}, {} of {layers} layers{guess}", base.layers)
}

/// How old the advisories were.
fn age(advisories: &Advisories, report: &Report) -> String {
    let as_of = advisories.as_of();
    let hours = report.scanned_at.duration_since(as_of).as_hours().max(0);
    let age = match hours {
        0 => "less than an hour".to_owned(),
        1..48 => plural(hours as usize, "hour", "hours"),
        _ => plural(hours as usize / 24, "day", "days"),
    };
    let problem = advisories.problem.as_deref();
    let problem = problem.map_or(String::new(), |problem| format!("; not brought up to date: {problem}"));
    format!("of {}, {age} old{problem}", as_of.strftime("%Y-%m-%d %H:%M UTC"))
}

/// What was found and missed, in a few words.
fn sentence(report: &Report) -> String {
    let severities: Vec<_> =
        report.severities().into_iter().map(|(severity, count)| format!("{count} {severity}")).collect();
    let mut sentence = match report.findings.len() {
        0 if report.error.is_some() => "nothing usable came out".to_owned(),
        0 => "no findings".to_owned(),
        count => format!("{} ({})", plural(count, "finding", "findings"), severities.join(", ")),
    };
    if !report.suppressed.is_empty() {
        sentence.push_str(&format!(", {} suppressed", report.suppressed.len()));
    }
    if !report.gaps.is_empty() {
        sentence.push_str(&format!(", {}", plural(report.gaps.len(), "gap", "gaps")));
    }
    sentence
}

fn plural(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

fn package_row(located: &LocatedPackage, removed_by: Option<&Digest>) -> Vec<Cell> {
    let package = &located.package;
    let note = match (removed_by, &located.owned_by) {
        (Some(layer), _) => format!("removed by layer {}", layer.short()),
        (None, Some(owner)) => format!("part of {}", owner.split('?').next().unwrap_or_default()),
        (None, None) => String::new(),
    };
    [package.ecosystem.purl_type(), &package.name, &package.version, &located.path, &note]
        .map(Cell::of)
        .into()
}
