"""Validates documents against the official schemas of their formats; called by `run`.

A document's format is the ending of its file. Each must be accepted; that nothing is refused would also be so if nothing
was read, so a broken copy of each is made, which must be refused.
"""

import json
import logging
import sys
from pathlib import Path

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from cyclonedx.validation.xml import XmlValidator
from jsonschema import FormatChecker, validators
from spdx_tools.spdx.jsonschema.document_converter import DocumentConverter
from spdx_tools.spdx.parser.error import SPDXParsingError
from spdx_tools.spdx.parser.json import json_parser
from spdx_tools.spdx.parser.tagvalue import tagvalue_parser
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

ROOT = Path(__file__).resolve().parents[4]


def schema_of_crate(metadata, crate, file):
    """A schema file of a crate that cargo has fetched."""
    manifests = [p["manifest_path"] for p in metadata["packages"] if p["name"] == crate]
    return json.loads((Path(manifests[0]).parent / file).read_text())


def by_schema(schema):
    """A check by a JSON schema, formats of strings included."""
    kind = validators.validator_for(schema)
    kind.check_schema(schema)
    validator = kind(schema, format_checker=FormatChecker())
    return lambda path: [
        f"{'/'.join(map(str, e.absolute_path))}: {e.message[:300]}"
        for e in validator.iter_errors(json.loads(path.read_text()))
    ]


def by_cyclonedx(validator):
    def check(path):
        errors = validator.validate_str(path.read_text(), all_errors=True)
        return [str(e)[-400:] for e in errors or []]

    return check


def spdx_problems(parse, path):
    try:
        document = parse(str(path))
    except SPDXParsingError as error:
        return None, [str(m)[:300] for m in error.get_messages()]
    problems = validate_full_spdx_document(document)
    return document, [f"{p.context.spdx_id}: {p.validation_message[:300]}" for p in problems]


def spdx_json(path):
    """SPDX's own validator, which also must have read everything: what it writes again is what we wrote."""
    document, problems = spdx_problems(json_parser.parse_from_file, path)
    if document is not None and not problems:
        ours = json.loads(path.read_text())
        theirs = json.dumps(DocumentConverter().convert(document))
        # Both spellings are the schema's.
        theirs = json.loads(theirs.replace('"PACKAGE_MANAGER"', '"PACKAGE-MANAGER"'))
        for key in ours:
            if listed(ours[key]) != listed(theirs.get(key)):
                problems.append(f"{key} is read as something else")
    return problems


def listed(value):
    """Lists of objects without their order, which SPDX gives no meaning."""
    if isinstance(value, list):
        return sorted(json.dumps(v, sort_keys=True) for v in value)
    return value


def spdx_tag(path):
    """SPDX's own validator; the same packages must come out as from the JSON beside it."""
    document, problems = spdx_problems(tagvalue_parser.parse_from_file, path)
    if document is not None and not problems:
        beside = json.loads(path.with_suffix(".spdx").read_text())
        # The marks of texts are escaped within tags.
        name = lambda p: p["name"].strip().replace("<text>", "\\x3ctext>").replace("</text>", "\\x3c/text>")
        ours = sorted((p["SPDXID"], name(p)) for p in beside["packages"])
        theirs = sorted((p.spdx_id, p.name.strip()) for p in document.packages)
        if ours != theirs:
            problems.append("its packages are not those of the JSON")
        if len(document.annotations) != len(beside.get("annotations", [])):
            problems.append("its annotations are not those of the JSON")
        if len(document.relationships) != len(beside["relationships"]):
            problems.append("its relationships are not those of the JSON")
    return problems


def broken(name, text):
    """A document with one fault that a schema must see."""
    return {
        "json": lambda: text.replace('"schemaVersion": 1', '"schemaVersion": "1"'),
        "cyclonedx": lambda: text.replace('"type": "application"', '"type": "programme"', 1),
        "cyclonedx-xml": lambda: text.replace('type="application"', 'type="programme"', 1),
        "spdx": lambda: text.replace('"spdxVersion"', '"version"', 1),
        "spdx-tag": lambda: text.replace("DataLicense: CC0-1.0", "DataLicense: mine", 1),
        "sarif": lambda: text.replace('"executionSuccessful"', '"successful"'),
    }[name]()


def main():
    logging.disable(logging.CRITICAL)
    metadata = json.loads(Path(sys.argv[1]).read_text())
    spdx_schema = by_schema(schema_of_crate(metadata, "serde-spdx", "schemas/spdx_2_3.json"))
    checks = {
        "json": by_schema(json.loads((ROOT / "docs/schema/report-v1.json").read_text())),
        "cyclonedx": by_cyclonedx(JsonStrictValidator(SchemaVersion.V1_6)),
        "cyclonedx-xml": by_cyclonedx(XmlValidator(SchemaVersion.V1_6)),
        "spdx": lambda path: spdx_schema(path) or spdx_json(path),
        "spdx-tag": spdx_tag,
        "sarif": by_schema(schema_of_crate(metadata, "serde-sarif", "src/schema.json")),
    }
    passed, failed = 0, 0
    for name, check in checks.items():
        files = sorted(file for folder in sys.argv[2:] for file in Path(folder).glob(f"*.{name}"))
        if not files:
            sys.exit(f"reports: no document of the format {name}")
        for file in files:
            problems = check(file)
            passed, failed = (passed, failed + 1) if problems else (passed + 1, failed)
            for problem in problems[:5]:
                print(f"{file}: {problem}")
        fault = Path(sys.argv[-1]) / f"broken.{name}"
        fault.write_text(broken(name, files[0].read_text()))
        if not check(fault):
            failed += 1
            print(f"reports: the check of {name} accepts a broken document")
    print(f"reports: {passed} passed, {failed} failed")
    sys.exit(failed > 0)


main()
