//! `cyclonedx-xml`: the same bill of materials in XML (<https://cyclonedx.org/docs/1.6/xml/>). The schema is a sequence:
//! elements stand in its order.

use std::io::{self, BufWriter, Write};

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};

use crate::bom::{Bom, Component, LicenseChoice, NamedLicense, Property};
use crate::bom_flaws::{Flaw, Origin, Rating};
use crate::{Error, Format, Options, Report};

pub(crate) static FORMAT: Format = Format {
    name: "cyclonedx-xml",
    summary: "CycloneDX 1.6 bill of materials, XML",
    extension: "cdx.xml",
    many: false,
    write,
};

fn write(reports: &[Report], _: &Options, out: &mut dyn Write) -> Result<(), Error> {
    for report in reports {
        let mut xml = Xml(Writer::new_with_indent(BufWriter::new(&mut *out), b' ', 2));
        xml.bom(&Bom::of(report)?)?;
        let mut out = xml.0.into_inner();
        out.write_all(b"\n")?;
        out.flush()?;
    }
    Ok(())
}

struct Xml<W: Write>(Writer<W>);

impl<W: Write> Xml<W> {
    fn bom(&mut self, bom: &Bom) -> io::Result<()> {
        self.0.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
        let serial = bom.serial_number.as_deref().unwrap_or_default();
        let attributes =
            [("xmlns", "http://cyclonedx.org/schema/bom/1.6"), ("serialNumber", serial), ("version", "1")];
        self.element("bom", &attributes, |xml| {
            xml.element("metadata", &[], |xml| {
                let metadata = &bom.metadata;
                xml.leaf("timestamp", &metadata.timestamp)?;
                xml.element("tools", &[], |xml| xml.components(&metadata.tools.components))?;
                xml.component(&metadata.component)?;
                xml.properties(&metadata.properties)
            })?;
            xml.components(&bom.components)?;
            xml.element("dependencies", &[], |xml| {
                bom.dependencies.iter().try_for_each(|dependency| {
                    xml.element("dependency", &[("ref", &dependency.of)], |xml| {
                        dependency.depends_on.iter().try_for_each(|on| xml.empty("dependency", ("ref", on)))
                    })
                })
            })?;
            xml.element("compositions", &[], |xml| {
                bom.compositions.iter().try_for_each(|composition| {
                    xml.element("composition", &[], |xml| {
                        xml.leaf("aggregate", composition.aggregate)?;
                        xml.element("assemblies", &[], |xml| {
                            composition
                                .assemblies
                                .iter()
                                .try_for_each(|of| xml.empty("assembly", ("ref", of)))
                        })
                    })
                })
            })?;
            if bom.vulnerabilities.is_empty() {
                return Ok(());
            }
            xml.element("vulnerabilities", &[], |xml| {
                bom.vulnerabilities.iter().try_for_each(|flaw| xml.flaw(flaw))
            })
        })
    }

    fn flaw(&mut self, flaw: &Flaw) -> io::Result<()> {
        self.element("vulnerability", &[], |xml| {
            xml.leaf("id", &flaw.id)?;
            if !flaw.references.is_empty() {
                xml.element("references", &[], |xml| {
                    flaw.references.iter().try_for_each(|reference| {
                        xml.element("reference", &[], |xml| {
                            xml.leaf("id", &reference.id)?;
                            xml.origin(Some(&reference.source))
                        })
                    })
                })?;
            }
            xml.element("ratings", &[], |xml| flaw.ratings.iter().try_for_each(|rating| xml.rating(rating)))?;
            xml.leaf("description", &flaw.description)?;
            xml.optional("recommendation", flaw.recommendation.as_deref())?;
            xml.optional("published", flaw.published.as_deref())?;
            if let Some(analysis) = &flaw.analysis {
                xml.element("analysis", &[], |xml| xml.leaf("detail", &analysis.detail))?;
            }
            xml.element("affects", &[], |xml| {
                flaw.affects
                    .iter()
                    .try_for_each(|affects| xml.element("target", &[], |xml| xml.leaf("ref", &affects.of)))
            })?;
            xml.properties(&flaw.properties)
        })
    }

    fn rating(&mut self, rating: &Rating) -> io::Result<()> {
        self.element("rating", &[], |xml| {
            xml.origin(rating.source.as_ref())?;
            xml.optional("score", rating.score.map(|score| score.to_string()).as_deref())?;
            xml.optional("severity", rating.severity)?;
            xml.optional("method", rating.method)?;
            xml.optional("vector", rating.vector.as_deref())
        })
    }

    fn origin(&mut self, origin: Option<&Origin>) -> io::Result<()> {
        let Some(origin) = origin else { return Ok(()) };
        self.element("source", &[], |xml| xml.leaf("name", &origin.name))
    }

    fn components(&mut self, components: &[Component]) -> io::Result<()> {
        self.element("components", &[], |xml| {
            components.iter().try_for_each(|component| xml.component(component))
        })
    }

    fn component(&mut self, component: &Component) -> io::Result<()> {
        let mut attributes = vec![("type", component.kind)];
        attributes.extend(component.bom_ref.as_deref().map(|name| ("bom-ref", name)));
        self.element("component", &attributes, |xml| {
            xml.optional("group", component.group.as_deref())?;
            xml.leaf("name", &component.name)?;
            xml.optional("version", component.version.as_deref())?;
            xml.optional("description", component.description.as_deref())?;
            if !component.hashes.is_empty() {
                xml.element("hashes", &[], |xml| {
                    component
                        .hashes
                        .iter()
                        .try_for_each(|hash| xml.leaf_with("hash", &[("alg", hash.alg)], &hash.content))
                })?;
            }
            if !component.licenses.is_empty() {
                xml.element("licenses", &[], |xml| {
                    component.licenses.iter().try_for_each(|license| xml.license(license))
                })?;
            }
            xml.optional("purl", component.purl.as_deref())?;
            xml.properties(&component.properties)?;
            let Some(evidence) = &component.evidence else { return Ok(()) };
            xml.element("evidence", &[], |xml| {
                xml.element("occurrences", &[], |xml| {
                    evidence.occurrences.iter().try_for_each(|occurrence| {
                        xml.element("occurrence", &[], |xml| xml.leaf("location", &occurrence.location))
                    })
                })
            })
        })
    }

    fn license(&mut self, license: &LicenseChoice) -> io::Result<()> {
        match license {
            LicenseChoice::Expression(expression) => self.leaf("expression", expression),
            LicenseChoice::License(license) => self.element("license", &[], |xml| match license {
                NamedLicense::Id(id) => xml.leaf("id", id),
                NamedLicense::Name(name) => xml.leaf("name", name),
            }),
        }
    }

    fn properties(&mut self, properties: &[Property]) -> io::Result<()> {
        if properties.is_empty() {
            return Ok(());
        }
        self.element("properties", &[], |xml| {
            properties.iter().try_for_each(|property| {
                xml.leaf_with("property", &[("name", &property.name)], &property.value)
            })
        })
    }

    fn element(
        &mut self,
        name: &str,
        attributes: &[(&str, &str)],
        content: impl FnOnce(&mut Self) -> io::Result<()>,
    ) -> io::Result<()> {
        self.0.write_event(Event::Start(start(name, attributes)))?;
        content(self)?;
        self.0.write_event(Event::End(BytesEnd::new(name)))
    }

    fn empty(&mut self, name: &str, attribute: (&str, &str)) -> io::Result<()> {
        self.0.write_event(Event::Empty(start(name, &[attribute])))
    }

    fn leaf(&mut self, name: &str, text: &str) -> io::Result<()> {
        self.leaf_with(name, &[], text)
    }

    fn leaf_with(&mut self, name: &str, attributes: &[(&str, &str)], text: &str) -> io::Result<()> {
        self.element(name, attributes, |xml| xml.0.write_event(Event::Text(BytesText::new(text))))
    }

    fn optional(&mut self, name: &str, text: Option<&str>) -> io::Result<()> {
        text.map_or(Ok(()), |text| self.leaf(name, text))
    }
}

fn start<'a>(name: &'a str, attributes: &[(&str, &str)]) -> BytesStart<'a> {
    BytesStart::new(name).with_attributes(attributes.iter().copied())
}
