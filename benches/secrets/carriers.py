"""Where secrets lie: each carrier writes one file around a secret as people do. It gives the file's name, its content, and how the secret
reads in it (nothing where it is packed or encoded: then the file is what a finding has to name)."""

import base64
import gzip
import io
import json
import tarfile
import zipfile

from draw import *


def lines(*parts):
    return "\n".join(parts) + "\n"


def dotenv(r, name, token):
    return ".env", lines("# settings of production", f"PORT={r.randint(1024, 9999)}", f"LOG_LEVEL={r.choice(['info', 'warn'])}", f"{name}={token}", "TZ=UTC"), token


def dotenv_quoted(r, name, token):
    return ".env.production", lines(f"APP_NAME={word(r)}", f'{name}="{token}"', "DEBUG=false"), token


def json_file(r, name, token):
    document = {"name": word(r), "port": r.randint(1024, 9999), "auth": {name: token, "timeout": 30}, "tags": [word(r), word(r)]}
    return "config/production.json", json.dumps(document, indent=2) + "\n", token


def yaml_file(r, name, token):
    return "config/settings.yaml", lines("service:", f"  name: {word(r)}", f"  {name}: {token}", "  retries: 3"), token


def yaml_quoted(r, name, token):
    return "values.yaml", lines("replicaCount: 2", "config:", f'  {name}: "{token}"', f"  region: {word(r)}"), token


def python(r, name, token):
    return "app/settings.py", lines("import os", "", f"BASE = os.path.dirname(__file__)", f'{name} = "{token}"', "", "def url(path):", f'    return "https://{word(r)}.net/" + path'), token


def javascript(r, name, token):
    return "src/client.js", lines("const axios = require('axios');", "", f"const {name} = '{token}';", "module.exports = axios.create({ timeout: 5000 });"), token


def typescript(r, name, token):
    return "src/config.ts", lines("export const config = {", f"  region: '{word(r)}',", f"  {name}: '{token}',", "} as const;"), token


def golang(r, name, token):
    return "internal/client/client.go", lines("package client", "", f'const {name} = "{token}"', "", "func New() *Client {", "\treturn &Client{}", "}"), token


def java(r, name, token):
    return "src/main/java/Client.java", lines("public final class Client {", f'    private static final String {name} = "{token}";', f'    private static final String HOST = "{word(r)}.net";', "}"), token


def properties(r, name, token):
    return "application.properties", lines(f"spring.application.name={word(r)}", f"app.{name}={token}", "server.port=8080"), token


def shell(r, name, token):
    return "bin/deploy.sh", lines("#!/bin/sh", "set -eu", f"export {name}={token}", f"exec /usr/local/bin/{word(r)} \"$@\""), token


def shell_quoted(r, name, token):
    return "entrypoint.sh", lines("#!/usr/bin/env bash", f"{name}='{token}'", f'{word(r)} --verbose "${name}"'), token


def ini(r, name, token):
    return "etc/app.ini", lines("[server]", f"host = {word(r)}.net", "[auth]", f"{name} = {token}", "timeout = 10"), token


def toml(r, name, token):
    return "config.toml", lines("[client]", f'endpoint = "https://{word(r)}.net"', f'{name} = "{token}"'), token


def xml(r, name, token):
    escaped = token.replace("&", "&amp;")
    return "res/values/keys.xml", lines('<?xml version="1.0" encoding="utf-8"?>', "<resources>", f'    <string name="{name}">{escaped}</string>', f'    <string name="app_name">{word(r)}</string>', "</resources>"), escaped


def dockerfile(r, name, token):
    return "Dockerfile", lines("FROM debian:12", "WORKDIR /srv", f"ENV {name}={token}", f'CMD ["/srv/{word(r)}"]'), token


def compose(r, name, token):
    return "docker-compose.yml", lines("services:", f"  {word(r)}:", "    image: debian:12", "    environment:", f"      - {name}={token}", "      - TZ=UTC"), token


def notebook(r, name, token):
    document = {"cells": [{"cell_type": "code", "execution_count": 3, "metadata": {}, "outputs": [], "source": ["import requests\n", f'{name} = "{token}"\n', f'requests.get("https://{word(r)}.net")']}], "nbformat": 4, "nbformat_minor": 5, "metadata": {}}
    return "notes/analysis.ipynb", json.dumps(document, indent=1) + "\n", token


def php(r, name, token):
    return "config.php", lines("<?php", f"define('REGION', '{word(r)}');", f"define('{name}', '{token}');"), token


def ruby(r, name, token):
    return "config/initializers/client.rb", lines(f"{word(r).title()}.configure do |config|", f'  config.{name.lower()} = "{token}"', "  config.timeout = 5", "end"), token


def terraform(r, name, token):
    return "main.tf", lines(f'provider "{word(r)}" {{', f'  {name.lower()} = "{token}"', "}"), token


def ci(r, name, token):
    return "ci/pipeline.yml", lines("deploy:", "  stage: deploy", "  variables:", f'    {name}: "{token}"', "  script:", f"    - ./{word(r)}"), token


def readme(r, name, token):
    return "README.md", lines(f"# {word(r)}", "", "Run it so:", "", "```sh", f"export {name}={token}", f"./{word(r)} serve", "```"), token


def csharp(r, name, token):
    return "Client.cs", lines("internal static class Keys", "{", f'    public const string {name} = "{token}";', "}"), token


def curl(r, name, token):
    return "bin/notify", lines("#!/bin/sh", f'curl -fsS -H "{name}: {token}" https://{word(r)}.net/api/v2/{word(r)}'), token


def minified(r, name, token):
    return "static/app.min.js", "!function(t,e){var n=t.document;n.title=\"%s\"}(window);var c={region:\"%s\",%s:\"%s\",retries:3};function q(t){return t&&t.length?t[0]:null}" % (word(r), word(r), name, token) + "\n", token


def log(r, name, token):
    return "var/log/app.log", lines(f"2026-03-{r.randint(10, 28)}T10:00:00Z INFO started {word(r)}", f"2026-03-28T10:00:01Z DEBUG config: region={word(r)} {name}={token} retries=3", "2026-03-28T10:00:02Z INFO ready"), token


def utf16(r, name, token):
    return "setup.ps1", lines(f"$region = '{word(r)}'", f"$env:{name} = '{token}'", "Start-Service App").encode("utf-16"), None


def archive_zip(r, name, token):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("META-INF/MANIFEST.MF"), "Manifest-Version: 1.0\n")
        archive.writestr(zipfile.ZipInfo("application.properties"), lines(f"name={word(r)}", f"{name}={token}"), zipfile.ZIP_DEFLATED)
    return "lib/app.jar", data.getvalue(), None


def archive_tar(r, name, token):
    data = io.BytesIO()
    with gzip.GzipFile(fileobj=data, mode="wb", mtime=0) as compressed, tarfile.open(fileobj=compressed, mode="w") as archive:
        content = lines(f"APP={word(r)}", f"{name}={token}").encode()
        entry = tarfile.TarInfo(f"{word(r)}/.env")
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return "backup.tar.gz", data.getvalue(), None


def gzipped(r, name, token):
    return "var/log/app.log.1.gz", gzip.compress(lines(f"starting {word(r)}", f"env: {name}={token}", "ready").encode(), mtime=0), None


def in_base64(r, name, token):
    inner = lines(f"REGION={word(r)}", f"{name}={token}")
    return "deploy/secret.yaml", lines("apiVersion: v1", "kind: Secret", "metadata:", f"  name: {word(r)}", "data:", f"  settings.env: {base64.b64encode(inner.encode()).decode()}"), None


CARRIERS = [
    dotenv, json_file, python, yaml_file, javascript, shell, archive_zip, ini, golang, dockerfile, in_base64, xml, java, notebook, compose,
    properties, dotenv_quoted, terraform, archive_tar, php, yaml_quoted, typescript, curl, ruby, readme, toml, gzipped, minified, ci, csharp,
    log, utf16, shell_quoted,
]


def url(r, name, token):
    return "bin/fetch", lines("#!/bin/sh", f'wget -q "https://api.{word(r)}.net/v1/{word(r)}?access_token={token}&limit=10"'), token


def bare(r, name, token):
    return "notes.txt", lines(f"the {word(r)} one, for {word(r)}:", "", token, "", "rotate in May"), token


def header(r, name, token):
    return "requests.http", lines(f"GET https://api.{word(r)}.net/v1/{word(r)}", f"Authorization: Bearer {token}", "Accept: application/json"), token


def csv(r, name, token):
    return "export.csv", lines("id,owner,value,created", f"{r.randint(1, 999)},{word(r)},{token},2026-02-11"), token


# For what needs no name.
ANYWHERE = [url, bare, header, csv]
