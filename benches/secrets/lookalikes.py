"""What looks like secrets and is none: each draws one file that has no secret in it."""

import json

from draw import *

LOOKALIKES = []


def none(draw):
    LOOKALIKES.append(draw)
    return draw


def rows(r, least, most, row):
    return "".join(row() + "\n" for _ in range(r.randint(least, most)))


def one(path, line):
    """A look-alike of one line among others of its kind."""
    def draw(r):
        return path(r) if callable(path) else path, line(r) + "\n"
    return none(draw)


def sri(r):
    return f"{'sha512'}-{b64(r.randbytes(64))}"


# Lock files, checksums, digests.
none(lambda r: ("package-lock.json", json.dumps({"lockfileVersion": 3, "packages": {f"node_modules/{word(r)}-{word(r)}": {"version": "1.2.3", "resolved": f"https://npm.{word(r)}.net/{word(r)}.tgz", "integrity": sri(r)} for _ in range(8)}}, indent=2)))
none(lambda r: ("yarn.lock", rows(r, 3, 9, lambda: f'"{word(r)}@^1.0.0":\n  version "1.0.3"\n  resolved "https://npm.{word(r)}.net/{word(r)}/-/{word(r)}-1.0.3.tgz#{digest(r, "sha1")}"\n  integrity {sri(r)}\n')))
none(lambda r: ("pnpm-lock.yaml", rows(r, 3, 9, lambda: f"  /{word(r)}-token@2.0.1:\n    resolution: {{integrity: {sri(r)}}}")))
none(lambda r: ("Cargo.lock", rows(r, 3, 9, lambda: f'[[package]]\nname = "{word(r)}-secret"\nversion = "0.3.1"\nchecksum = "{digest(r)}"\n')))
none(lambda r: ("go.sum", rows(r, 3, 9, lambda: f"{word(r)}.net/{word(r)} v0.1.{r.randint(0, 9)} h1:{b64(r.randbytes(32))}")))
none(lambda r: ("requirements.txt", rows(r, 2, 6, lambda: f"{word(r)}==1.{r.randint(0, 9)} \\\n    --hash=sha256:{digest(r)} \\\n    --hash=sha256:{digest(r)}")))
none(lambda r: ("poetry.lock", rows(r, 2, 5, lambda: f'[[package]]\nname = "{word(r)}"\nfiles = [\n    {{file = "{word(r)}-1.0.whl", hash = "sha256:{digest(r)}"}},\n]\ncontent-hash = "{digest(r)}"')))
none(lambda r: ("composer.lock", json.dumps({"content-hash": digest(r, "md5"), "packages": [{"name": f"{word(r)}/{word(r)}", "dist": {"reference": digest(r, "sha1"), "shasum": digest(r, "sha1")}} for _ in range(4)]}, indent=4)))
none(lambda r: ("SHA256SUMS", rows(r, 3, 9, lambda: f"{digest(r)}  {word(r)}-{word(r)}.tar.gz")))
none(lambda r: ("md5sums", rows(r, 5, 20, lambda: f"{digest(r, 'md5')}  usr/share/{word(r)}/{word(r)}_token.py")))
none(lambda r: ("Gemfile.lock", "CHECKSUMS\n" + rows(r, 2, 6, lambda: f"  {word(r)} (1.0.2) sha256={digest(r)}")))
none(lambda r: ("flake.lock", json.dumps({"nodes": {word(r): {"locked": {"narHash": f"sha256-{b64(r.randbytes(32))}", "rev": digest(r, "sha1")}}}}, indent=2)))
none(lambda r: ("RECORD", rows(r, 4, 12, lambda: f"{word(r)}/{word(r)}_password.py,sha256={b64url(r.randbytes(32))},{r.randint(100, 9999)}")))
one("deploy.yaml", lambda r: f"        image: registry.{word(r)}.net/{word(r)}/{word(r)}@sha256:{digest(r)}")
one("Packages", lambda r: f"Package: {word(r)}\nVersion: 1.2-3\nSize: {r.randint(1000, 99999)}\nMD5sum: {digest(r, 'md5')}\nSHA256: {digest(r)}")
one("page.html", lambda r: f'<script src="/{word(r)}.min.js" integrity="sha384-{b64(r.randbytes(48))}" crossorigin="anonymous"></script>')
one("csp.conf", lambda r: f"add_header Content-Security-Policy \"script-src 'sha256-{b64(r.randbytes(32))}'\";")
one(".gitmodules.log", lambda r: f"commit {digest(r, 'sha1')}\nAuthor: {word(r)} <{word(r)}@{word(r)}.net>\n\n    Rotate the token of {word(r)}\n")
one("CHANGELOG.md", lambda r: f"* reset password by mail ([{digest(r, 'sha1')[:7]}](https://git.{word(r)}.net/{word(r)}/commit/{digest(r, 'sha1')}))")
one("go.mod", lambda r: f"require {word(r)}.net/{word(r)}/token v0.0.0-20260101120000-{digest(r, 'sha1')[:12]}")
one("packed-refs", lambda r: rows(r, 3, 8, lambda: f"{digest(r, 'sha1')} refs/tags/v1.{r.randint(0, 99)}"))
one("manifest.json", lambda r: json.dumps({f"{word(r)}.js": f"/static/{word(r)}.{digest(r, 'md5')[:20]}.js", f"{word(r)}.css": f"/static/{word(r)}.{digest(r, 'md5')[:8]}.css"}))
one("mirror.list", lambda r: f"https://deb.{word(r)}.net/pool/{word(r)}_1.2.deb {digest(r, 'md5')} SHA512:{digest(r, 'sha512')}")

# Ids.
one("ids.json", lambda r: json.dumps({"request_id": an_uuid(r), "client_id": an_uuid(r), "tenantId": an_uuid(r), "correlation": an_uuid(r)}, indent=2))
one("config.yaml", lambda r: f"client_id: {an_uuid(r)}\ntenant_id: {an_uuid(r)}\nsubscription_id: {an_uuid(r)}")
one("app.log", lambda r: f"2026-03-28T10:00:01Z INFO request id={an_uuid(r)} trace_id={text(r, HEX, 32)} span_id={text(r, HEX, 16)} status=200")
one("doc.json", lambda r: json.dumps([{"_id": text(r, HEX, 24), "key": f"{word(r)}/{word(r)}", "etag": digest(r, "md5")} for _ in range(3)]))
one("ids.csv", lambda r: "ulid,ksuid,nano\n" + rows(r, 2, 5, lambda: f"01{text(r, UPNUM, 24)},{text(r, ALNUM, 27)},{text(r, URL, 21)}"))
one("arn.tf", lambda r: f'  role_arn   = "arn:aws:iam::{text(r, DIGITS, 12)}:role/{word(r)}"\n  kms_key_id = "arn:aws:kms:eu-central-1:{text(r, DIGITS, 12)}:key/{an_uuid(r)}"')
one("ec2.json", lambda r: json.dumps({"ImageId": f"ami-0{text(r, HEX, 16)}", "UserId": f"AIDA{text(r, BASE32, 16)}", "RoleId": f"AROA{text(r, BASE32, 16)}", "PolicyId": f"ANPA{text(r, BASE32, 16)}"}))
one("oauth.json", lambda r: json.dumps({"client_id": f"{text(r, DIGITS, 12)}-{text(r, LOWNUM, 32)}.apps.googleusercontent.com", "measurement": f"G-{text(r, UPNUM, 10)}", "gtm": f"GTM-{text(r, UPNUM, 7)}"}))
one("stripe.js", lambda r: f"const stripe = Stripe('pk_live_51{text(r, ALNUM, 97)}'); // the one that browsers get")
one("stripe.json", lambda r: json.dumps({"customer": f"cus_{text(r, ALNUM, 14)}", "price": f"price_1{text(r, ALNUM, 23)}", "intent": f"pi_3{text(r, ALNUM, 23)}", "event": f"evt_1{text(r, ALNUM, 23)}"}))
one("slack.json", lambda r: json.dumps({"team": f"T{text(r, UPNUM, 10)}", "channel": f"C{text(r, UPNUM, 10)}", "user": f"U{text(r, UPNUM, 10)}", "app_id": f"A{text(r, UPNUM, 10)}"}))
one("twilio.json", lambda r: json.dumps({"account_sid": f"AC{text(r, HEX, 32)}", "message_sid": f"SM{text(r, HEX, 32)}"}))
one("firebase.json", lambda r: json.dumps({"appId": f"1:{text(r, DIGITS, 12)}:web:{text(r, HEX, 22)}", "messagingSenderId": text(r, DIGITS, 12)}))
one("recaptcha.html", lambda r: f'<div class="g-recaptcha" data-sitekey="6L{text(r, URL, 38)}"></div>')
one("eth.json", lambda r: json.dumps({"contract": f"0x{text(r, HEX, 40)}", "transactionHash": f"0x{text(r, HEX, 64)}"}))
one("btc.txt", lambda r: f"donations: bc1q{text(r, '023456789acdefghjklmnpqrstuvwxyz', 38)}")
one("s3.py", lambda r: f'KEY = "{word(r)}/{word(r)}/2026/03/{an_uuid(r)}.parquet"\nSORT_KEY = "{word(r)}#{word(r)}"')
one("keys.ts", lambda r: f"export const cacheKey = '{word(r)}:{digest(r, 'md5')}';\nexport const STORAGE_KEY = '{word(r)}.{word(r)}.v2';")
one("sitemap.xml", lambda r: rows(r, 3, 6, lambda: f"  <url><loc>https://{word(r)}.net/{word(r)}/{digest(r, 'sha1')}</loc></url>"))
one("docker.json", lambda r: json.dumps({"Id": digest(r), "Parent": f"sha256:{digest(r)}", "RepoDigests": [f"{word(r)}@sha256:{digest(r)}"]}))

# Public halves, and what is hashed or encrypted.
one("server.crt", lambda r: pem("CERTIFICATE", r.randbytes(r.randint(600, 1200))))
one("public.pem", lambda r: pem("PUBLIC KEY", r.randbytes(294)))
one("rsa.pub.pem", lambda r: pem("RSA PUBLIC KEY", r.randbytes(270)))
one("request.csr", lambda r: pem("CERTIFICATE REQUEST", r.randbytes(600)))
one("dh.pem", lambda r: pem("DH PARAMETERS", r.randbytes(268)))
one("signer.asc", lambda r: pgp(r, False))
one("id_ed25519.pub", lambda r: f"ssh-ed25519 {b64(bytes.fromhex('0000000b7373682d6564323535313900000020') + r.randbytes(32))} {word(r)}@{word(r)}")
one("authorized_keys", lambda r: f"ssh-rsa {b64(bytes.fromhex('000000077373682d727361000000030100010000010100') + r.randbytes(256))} {word(r)}@{word(r)}")
one("known_hosts", lambda r: f"|1|{b64(r.randbytes(20))}|{b64(r.randbytes(20))} ecdsa-sha2-nistp256 {b64(r.randbytes(104))}")
one("recipients.txt", lambda r: bech32("age", r.randbytes(32)))
one("wg-peers.conf", lambda r: f"[Peer]\nPublicKey = {b64(r.randbytes(32))}\nEndpoint = {word(r)}.net:51820")
one("minisign.pub", lambda r: f"untrusted comment: minisign public key\nRW{b64(r.randbytes(40))}")
one("fingerprints.md", lambda r: f"SHA256:{b64(r.randbytes(32)).rstrip('=')} {word(r)} (ED25519)\nMD5:{':'.join(text(r, HEX, 2) for _ in range(16))}")
one("keys.sh", lambda r: f"gpg --keyserver hkps://keys.{word(r)}.net --recv-keys {text(r, '0123456789ABCDEF', 40)}")
one("config.rb", lambda r: f'  public_key: "{b64(r.randbytes(32))}"\n  foreign_key: "{word(r)}_id"\n  primary_key: "{word(r)}_uuid"')
one("shadow.bak", lambda r: f"{word(r)}:$6${text(r, ALNUM, 16)}${text(r, ALNUM + './', 86)}:19700:0:99999:7:::")
one("users.sql", lambda r: f"INSERT INTO users (name, password_hash) VALUES ('{word(r)}', '$2b$12${text(r, ALNUM + './', 53)}');")
one("fixtures.yaml", lambda r: f"password: $argon2id$v=19$m=65536,t=3,p=4${b64(r.randbytes(16)).rstrip('=')}${b64(r.randbytes(32)).rstrip('=')}")
one("django.json", lambda r: json.dumps({"password": f"pbkdf2_sha256$600000${text(r, ALNUM, 22)}${b64(r.randbytes(32))}"}))
one(".htpasswd", lambda r: f"{word(r)}:$apr1${text(r, ALNUM, 8)}${text(r, ALNUM + './', 22)}")
one("roles.sql", lambda r: f"ALTER ROLE {word(r)} PASSWORD 'SCRAM-SHA-256$4096:{b64(r.randbytes(16))}${b64(r.randbytes(32))}:{b64(r.randbytes(32))}';")
one("vault.yml", lambda r: "$ANSIBLE_VAULT;1.1;AES256\n" + rows(r, 4, 9, lambda: text(r, DIGITS, 80)))
one("secrets.enc.yaml", lambda r: f"password: ENC[AES256_GCM,data:{b64(r.randbytes(20))},iv:{b64(r.randbytes(32))},tag:{b64(r.randbytes(16))},type:str]\ntoken: ENC[AES256_GCM,data:{b64(r.randbytes(30))},iv:{b64(r.randbytes(32))},tag:{b64(r.randbytes(16))},type:str]")
one("sealed.yaml", lambda r: f"kind: SealedSecret\nspec:\n  encryptedData:\n    password: Ag{b64(r.randbytes(300))}")
one("message.age", lambda r: pem("AGE ENCRYPTED FILE", r.randbytes(300)))
one("message.asc", lambda r: pem("PGP MESSAGE", r.randbytes(300)))
one("release.asc", lambda r: pem("PGP SIGNATURE", r.randbytes(300)))

# Pictures, fonts, what builds leave.
one("icon.css", lambda r: f".{word(r)} {{ background: url(data:image/png;base64,iVBORw0KGgo{b64(r.randbytes(r.randint(300, 1500)))}) }}")
one("font.css", lambda r: f"@font-face {{ src: url(data:font/woff2;base64,d09GMgAB{b64(r.randbytes(r.randint(300, 1500)))}) }}")
none(lambda r: ("app.js.map", json.dumps({"version": 3, "sources": [f"../src/{word(r)}.ts", "../src/token.ts"], "names": ["password", "token", "secret"], "mappings": ";".join(text(r, "ACDEGIKMOQSUWYacegikmoq", r.randint(8, 60)) for _ in range(20))})))
one("logo.svg", lambda r: f'<image href="data:image/jpeg;base64,/9j/4AAQ{b64(r.randbytes(600))}"/>')
one("nb.ipynb", lambda r: json.dumps({"cells": [{"cell_type": "code", "outputs": [{"data": {"image/png": "iVBORw0KGgo" + b64(r.randbytes(800))}}], "source": ["plot()"]}], "nbformat": 4}))
one("main.min.js", lambda r: "!function(){" + "".join(f"function {text(r, LOWER, 2)}(t,e){{return t.{text(r, LOWER, 3)}(e)||\"{text(r, ALNUM, r.randint(4, 30))}\"}}" for _ in range(20)) + "}();")
one("chunk.js", lambda r: f'webpackJsonp([{r.randint(1, 99)}],{{"{text(r, ALNUM + "+/", 4)}":function(e,t,n){{"use strict";t.token=n("{text(r, ALNUM + "+/", 4)}");t.password=void 0}}}});')
one("proto.py", lambda r: "DESCRIPTOR = _pool.AddSerializedFile(b'" + "".join(f"\\x{b:02x}" for b in r.randbytes(80)) + f"\\n\\x08password\\x18\\x01{word(r)}')")
one("table.c", lambda r: "static const uint32_t K[] = {\n" + rows(r, 4, 9, lambda: "  " + ", ".join(f"0x{r.getrandbits(32):08x}" for _ in range(6)) + ",") + "};")
one("prime.py", lambda r: f'P = int("FFFFFFFFFFFFFFFFC90FDAA2{text(r, "0123456789ABCDEF", 232)}FFFFFFFFFFFFFFFF", 16)')
one("invite.ics", lambda r: f"BEGIN:VEVENT\nUID:{an_uuid(r)}@{word(r)}.net\nATTACH;ENCODING=BASE64:{b64(r.randbytes(120))}\nEND:VEVENT")
one("mail.eml", lambda r: f"Message-ID: <{text(r, ALNUM, 30)}@mail.{word(r)}.net>\nDKIM-Signature: v=1; a=rsa-sha256; bh={b64(r.randbytes(32))};\n b={b64(r.randbytes(128))}")
one("zone.txt", lambda r: f'mail._domainkey IN TXT "v=DKIM1; k=rsa; p={b64(r.randbytes(294))}"\n{word(r)} IN DNSKEY 257 3 13 {b64(r.randbytes(64))}')
one("hexdump.txt", lambda r: rows(r, 4, 9, lambda: f"{r.randint(0, 2**20):08x}  " + " ".join(text(r, HEX, 2) for _ in range(16))))

# Documentation: placeholders, examples, what is cut off or made up.
PLACEHOLDERS = """your-api-key-here YOUR_API_KEY <your-token> changeme CHANGE_ME xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx ******** REDACTED {{token}} ${TOKEN}
$(cat/run/token) %TOKEN% dummy-token-for-tests replace-with-your-own-secret 0000000000000000000000000000000000000000 insert_key_here TODO
abcdefghijklmnopqrstuvwxyz123456 1234567890abcdef1234567890abcdef my-secret-token some-long-secret-value example-api-key none null undefined""".split()
one("docs/setup.md", lambda r: f"```sh\nexport {r.choice(['API_KEY', 'AUTH_TOKEN', 'DB_PASSWORD', 'CLIENT_SECRET', 'GITHUB_TOKEN'])}={r.choice(PLACEHOLDERS)}\n```")
one(".env.example", lambda r: f"{r.choice(['API_KEY', 'AUTH_TOKEN', 'DB_PASSWORD', 'CLIENT_SECRET', 'SECRET_KEY'])}={r.choice(PLACEHOLDERS)}")
one("docs/config.json", lambda r: json.dumps({r.choice(["apiKey", "token", "password", "clientSecret"]): r.choice(PLACEHOLDERS)}))
one("docs/config.py", lambda r: f"{r.choice(['api_key', 'token', 'password', 'secret_key'])} = \"{r.choice(PLACEHOLDERS)}\"")
one("docs/aws.md", lambda r: "aws_access_key_id = " + r.choice(["AKIAIOSFODNN7", "AKIAI44QH8DHB", "ASIAIOSFODNN7"]) + "EXAMPLE\naws_secret_access_key = " + r.choice(["wJalrXUtnFEMI/K7MDENG/bPxRfiCY", "je7MtGbClwBF/2Zp9Utk/h3yCo8nvb"]) + "EXAMPLEKEY")
one("docs/tokens.md", lambda r: r.choice(["ghp_" + "x" * 36, "glpat-" + "x" * 20, "xoxb-your-bot-token", "sk_live_" + "." * 24, "sk-proj-" + "X" * 40, "npm_" + "0" * 36, "hvs.your-token", "AIza" + "X" * 35, "dop_v1_" + "0" * 64, "SG.xxxxxx.yyyyyy", "github_pat_...", "AKIA" + "X" * 16, "sk-ant-api03-...", "hf_" + "x" * 34, "pypi-AgEIcHlwaS5vcmc...", "https://hooks.slack.com/services/T" + "0" * 8 + "/B" + "0" * 8 + "/" + "X" * 24]))
one("docs/checksum.md", lambda r: f"A token such as {r.choice(['ghp_', 'gho_', 'npm_'])}{text(r, ALNUM, 30)}" + "000000 is refused: its checksum is wrong.")
one("docs/url.md", lambda r: r.choice(["postgres://user:password@localhost:5432/app", "mysql://root:root@127.0.0.1/test", "redis://:${REDIS_PASSWORD}@cache:6379", "amqp://guest:guest@localhost", "https://<user>:<token>@git.example.com/x.git", "mongodb://username:password@host/db", "postgresql://{user}:{password}@{host}/{db}", "https://user:pass@example.com/", "http://$USER:$PASS@proxy:3128"]))
one("docs/jwt.md", lambda r: f"Authorization: Bearer {b64url(json.dumps({'alg': 'HS256', 'typ': 'JWT'}).encode())[:20]}... (cut off)")
one("parse.go", lambda r: f'const begin = "-----BEGIN {r.choice(["RSA ", "EC ", "", "OPENSSH "])}PRIVATE KEY-----"\nconst end = "-----END {r.choice(["RSA ", "EC ", ""])}PRIVATE KEY-----"')
one("docs/key.md", lambda r: f"```\n-----BEGIN {r.choice(['RSA ', 'EC ', ''])}PRIVATE KEY-----\n{r.choice(['...', 'MIIEpAIBAAKCAQEA...', '<base64 of your key>', 'xxxxxxxxxxxxxxxx'])}\n-----END PRIVATE KEY-----\n```")
one("errors.go", lambda r: f'return fmt.Errorf("invalid token %q: want ghp_ and 36 characters, {word(r)}", token)')
one("mask.txt", lambda r: f"token: ghp_{text(r, ALNUM, 4)}{'*' * 32}\npassword: ********\nsecret: [FILTERED]")

# Code and settings that speak of secrets.
one("login.py", lambda r: f"password = getpass.getpass('{word(r)}: ')\ntoken = request.headers.get('X-Auth-Token')\nsecret = os.environ['CLIENT_SECRET']\napi_key = load_key(path)")
one("auth.ts", lambda r: f"const token: string = await this.{word(r)}Service.fetchAccessToken(userId);\nif (password !== confirmPassword) throw new {word(r).title()}Error('password_mismatch');")
one("Auth.java", lambda r: f'private static final String TOKEN_HEADER = "X-{word(r).title()}-Token";\nprivate String password = properties.getProperty("{word(r)}.password");\npublic static final String PASSWORD_KEY = "{word(r)}.{word(r)}.password";')
one("auth.go", lambda r: f'secretName := "{word(r)}-{word(r)}-credentials"\ntoken := os.Getenv("API_TOKEN")\npasswordFile := "/run/secrets/{word(r)}-password"')
one("auth.rb", lambda r: f'validates :password, presence: true, length: {{ minimum: 12 }}\nsecret_key_base = Rails.application.credentials.secret_key_base\ntoken_type = "{word(r)}"')
one("auth.cs", lambda r: f'var password = Configuration["{word(r).title()}:Password"];\nstring tokenEndpoint = "https://login.{word(r)}.net/oauth2/v2.0/token";')
one("auth.php", lambda r: f"$password = $_POST['password'] ?? '';\n$token = bin2hex(random_bytes(32));\ndefine('AUTH_TOKEN_NAME', '{word(r)}_csrf_token');")
one("auth.c", lambda r: f'static const char *password_prompt = "Password for {word(r)}: ";\n#define SECRET_MAX_LENGTH 4096\nchar *api_key = get_api_key({word(r)});')
one("i18n/fr.json", lambda r: json.dumps({"password": "Mot de passe", "token_expired": f"Le jeton de {word(r)} a expiré", "secret": "Secret partagé", "api_key": "Clé d'API", "new_password": "Nouveau mot de passe"}, ensure_ascii=False, indent=2))
one("i18n/de.yml", lambda r: f"de:\n  password: Passwort\n  forgot_password: \"Passwort vergessen?\"\n  api_key: API-Schlüssel von {word(r)}\n  secret_question: Sicherheitsfrage")
one("i18n/en.properties", lambda r: f"login.password=Password\nlogin.token=One-time token of {word(r)}\nerror.password=The password must have 12 characters\napi.key.title=Your API keys")
one("messages.po", lambda r: f'msgid "Enter password:"\nmsgstr "Wachtwoord voor {word(r)}:"\n\nmsgid "secret key not available"\nmsgstr "geheime sleutel niet beschikbaar"')
one("values.yaml", lambda r: f"auth:\n  existingSecret: {word(r)}-{word(r)}-credentials\n  secretKey: {word(r)}-password\n  password: \"\"\n  tokenTTL: 3600s")
one("deployment.yaml", lambda r: f"        - name: DB_PASSWORD\n          valueFrom:\n            secretKeyRef:\n              name: {word(r)}-{word(r)}\n              key: password")
one("template.yaml", lambda r: f"password: {{{{ .Values.{word(r)}.password | b64enc }}}}\ntoken: {{{{ required \"token\" .Values.token }}}}\nsecret: !Ref {word(r).title()}Secret")
one("workflow.yml", lambda r: f"        env:\n          NPM_TOKEN: ${{{{ secrets.NPM_TOKEN }}}}\n          API_KEY: ${{{{ secrets.{word(r).upper()}_API_KEY }}}}")
one("variables.tf", lambda r: f'variable "{word(r)}_password" {{\n  type      = string\n  sensitive = true\n}}\npassword = var.{word(r)}_password\nsecret_id = data.aws_secretsmanager_secret.{word(r)}.id')
one("compose.yaml", lambda r: f"    environment:\n      POSTGRES_PASSWORD_FILE: /run/secrets/{word(r)}_password\n      API_TOKEN: ${{{word(r).upper()}_TOKEN:?missing}}")
one("secretsmanager.json", lambda r: json.dumps({"secretName": f"projects/{text(r, DIGITS, 12)}/secrets/{word(r)}-password/versions/latest", "passwordPath": f"secret/data/{word(r)}/{word(r)}#password", "tokenUrl": f"https://{word(r)}.net/oauth/token"}))
one("policy.ini", lambda r: f"password_policy = min=12,upper=1,digits=2\npassword_encryption = scram-sha-256\ntoken_lifetime = 3600\nsecret_backend = {word(r)}-vault\nauth_token_issuer = https://{word(r)}.net/auth/realms/{word(r)}")
one("pam.conf", lambda r: f"password requisite pam_pwquality.so retry=3 minlen=14\npassword [success=1 default=ignore] pam_unix.so obscure use_authtok {word(r)} yescrypt")
one("aes_test.py", lambda r: f"# vectors of the standard\nkey = bytes.fromhex('2b7e151628aed2a6abf7158809cf4f3c')\niv = bytes.fromhex('000102030405060708090a0b0c0d0e0f')\nname = '{word(r)}'")
one("words.txt", lambda r: rows(r, 5, 20, lambda: f"monkey={word(r)}-{word(r)}\nturkey: {word(r)}\nkeyboard = {word(r)}_{word(r)}\ntokenizer = {word(r)}-base-uncased"))
one("model.json", lambda r: json.dumps({"tokenizer_class": f"{word(r).title()}TokenizerFast", "pad_token": "<|endoftext|>", "bos_token_id": 50256, "unk_token": "[UNK]", "sep_token": f"[{word(r).upper()}]"}))
one("redis.conf", lambda r: f"# requirepass foobared\n# masterauth <master-password>\ntimeout 0\n# {word(r)}")
one("nginx.conf", lambda r: f"ssl_certificate_key /etc/ssl/private/{word(r)}.key;\nauth_basic_user_file /etc/nginx/{word(r)}.htpasswd;\nproxy_set_header X-Api-Key $http_x_api_key;")
one("git.config", lambda r: f"[remote \"origin\"]\n\turl = https://{word(r)}@git.{word(r)}.net/{word(r)}.git\n[credential]\n\thelper = cache --timeout=3600\n[user]\n\tsigningkey = {text(r, '0123456789ABCDEF', 16)}")
one("openapi.yaml", lambda r: f"securitySchemes:\n  api_key:\n    type: apiKey\n    name: X-{word(r).title()}-Key\n    in: header\n  oauth:\n    tokenUrl: https://{word(r)}.net/oauth/token\n    x-secret: clientCredentials")
one("schema.sql", lambda r: f"CREATE TABLE {word(r)} (\n  password varchar(255) NOT NULL DEFAULT '',\n  api_token char(40) DEFAULT NULL,\n  secret_hash bytea\n);")
one("man.txt", lambda r: f"       --password=PASSWORD, -p PASSWORD\n              The password of {word(r)}. --token-file=/etc/{word(r)}/token is safer.")

# What services are named beside: public ids and keys, digests, versions, and what only mentions a key.
SERVICES = "datadog heroku snyk cloudflare fastly algolia okta auth0 discord facebook twitter twilio sentry jenkins jira bitbucket circleci netlify vercel mapbox contentful plaid honeycomb pagerduty opsgenie mattermost zendesk pusher cloudinary deepgram mistral wandb".split()


def service(r):
    return r.choice(SERVICES)


one("services.env", lambda r: f"{service(r).upper()}_CLIENT_ID={text(r, ALNUM, 32)}\n{service(r).upper()}_APP_ID={an_uuid(r)}\n{service(r).upper()}_ORG={an_uuid(r)}\n{service(r).upper()}_SITE=eu1")
one("services/public.js", lambda r: f"window.{service(r)} = {{ publicKey: '{text(r, HEX, 32)}', appId: '{text(r, UPNUM, 10)}' }};\nconst {service(r)}PublishableKey = 'pk_{text(r, ALNUM, 24)}';")
one("services/build.json", lambda r: json.dumps({f"{service(r)}-key.js": f"static/{service(r)}-key.{digest(r, 'md5')}.js", f"{service(r)}_version": digest(r, "sha1"), f"{service(r)}_key_sha256": digest(r)}))
one("services/compose.yaml", lambda r: f"  {service(r)}:\n    image: {service(r)}/agent@sha256:{digest(r)}\n    environment:\n      - {service(r).upper()}_API_KEY=${{{service(r).upper()}_API_KEY}}")
one("services/README.md", lambda r: f"Put `{service(r).upper()}_API_KEY=<your key>` into `.env`, or run `{service(r)} auth:token`. Fixed in {digest(r, 'sha1')}; see {service(r)}.net/{an_uuid(r)}.")
one("services/cache.py", lambda r: f'{service(r)}_cache_key = "{digest(r, "md5")}"\n{service(r).upper()}_KEY_ID = "{an_uuid(r)}"\n{service(r)}_token = os.environ["{service(r).upper()}_TOKEN"]')
one("services/main.tf", lambda r: f'provider "{service(r)}" {{\n  api_key = var.{service(r)}_api_key\n}}\nresource "{service(r)}_monitor" "{word(r)}" {{\n  id = "{an_uuid(r)}"\n}}')
one("services/app.log", lambda r: f"2026-03-28T10:00:01Z INFO {service(r)} request={an_uuid(r)} etag={digest(r, 'md5')} trace={text(r, HEX, 32)}")
