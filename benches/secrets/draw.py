"""What tokens are made of: seeded draws from alphabets, and the encodings and checksums that providers document. No number in here is a
key that anything accepts: primes are not tested, points lie on no curve."""

import base64
import binascii
import hashlib
import json
import string
import struct
import uuid

DIGITS = string.digits
LOWER = string.ascii_lowercase
UPPER = string.ascii_uppercase
HEX = DIGITS + "abcdef"
ALNUM = DIGITS + UPPER + LOWER
LOWNUM = DIGITS + LOWER
UPNUM = DIGITS + UPPER
URL = ALNUM + "_-"
BASE32 = UPPER + "234567"
BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def text(r, alphabet, length):
    return "".join(r.choice(alphabet) for _ in range(length))


def some(r, alphabet, least, most):
    return text(r, alphabet, r.randint(least, most))


def b64(data):
    return base64.b64encode(data).decode()


def b64url(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def an_uuid(r):
    return str(uuid.UUID(int=r.getrandbits(128), version=4))


def base62(number, width):
    digits = ""
    while number:
        number, rest = divmod(number, 62)
        digits = ALNUM[rest] + digits
    return digits.rjust(width, "0")


def with_crc(r, prefix, length):
    """GitHub's and npm's: the last six digits are the CRC-32 of those before, in base 62."""
    body = text(r, ALNUM, length - 6)
    return prefix + body + base62(binascii.crc32(body.encode()), 6)


def jwt(r, claims=None):
    header = {"alg": r.choice(["HS256", "RS256", "ES256"]), "typ": "JWT"}
    claims = claims or {"sub": str(r.randint(10**5, 10**9)), "iss": f"https://id.{word(r)}.net/", "iat": r.randint(1.6e9 // 1, 1.79e9 // 1), "role": word(r)}
    parts = [b64url(json.dumps(part, separators=(",", ":")).encode()) for part in (header, claims)]
    return ".".join([*parts, b64url(r.randbytes(32 if header["alg"] == "HS256" else 256 if header["alg"] == "RS256" else 64))])


def pypi(r):
    """A macaroon of version 2 (github.com/rescrv/libmacaroons, doc/format.txt) as Warehouse makes it."""
    caveat = json.dumps([3, an_uuid(r)]).encode()
    packet = b"\x02\x01\x08pypi.org\x02\x24" + an_uuid(r).encode() + b"\x00\x02" + bytes([len(caveat)]) + caveat + b"\x00\x00\x06\x20" + r.randbytes(32)
    return "pypi-" + b64url(packet)


def bech32(prefix, data):
    """BIP 173."""
    charset = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
    number, bits, words = 0, 0, []
    for byte in data:
        number, bits = number << 8 | byte, bits + 8
        while bits >= 5:
            bits -= 5
            words.append(number >> bits & 31)
    if bits:
        words.append(number << 5 - bits & 31)

    def polymod(values):
        check = 1
        for value in values:
            top, check = check >> 25, (check & 0x1FFFFFF) << 5 ^ value
            for bit, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
                check ^= generator if top >> bit & 1 else 0
        return check

    expanded = [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix]
    check = polymod(expanded + words + [0] * 6) ^ 1
    return prefix + "1" + "".join(charset[w] for w in words + [check >> 5 * (5 - i) & 31 for i in range(6)])


# Keys. DER: ITU-T X.690.
def der(tag, content):
    size = len(content)
    length = bytes([size]) if size < 128 else bytes([0x80 | (size.bit_length() + 7) // 8]) + size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag]) + length + content


def integer(number):
    return der(2, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def odd(r, bits):
    return r.getrandbits(bits) | 1 << bits - 1 | 1 << bits - 2 | 1


def rsa_numbers(r, bits=2048):
    p, q = odd(r, bits // 2), odd(r, bits // 2)
    d = odd(r, bits - 1)
    return p * q, 65537, d, p, q, d % (p - 1), d % (q - 1), r.getrandbits(bits // 2 - 1)


def rsa_der(r):
    return der(0x30, b"".join(map(integer, (0, *rsa_numbers(r)))))


RSA_ID = bytes.fromhex("300d06092a864886f70d0101010500")


def pkcs8_der(r):
    if r.random() < 0.5:
        return bytes.fromhex("302e020100300506032b657004220420") + r.randbytes(32)
    return der(0x30, integer(0) + RSA_ID + der(4, rsa_der(r)))


def ec_der(r):
    curve = der(0xA0, bytes.fromhex("06082a8648ce3d030107"))
    return der(0x30, integer(1) + der(4, r.randbytes(32)) + curve + der(0xA1, der(3, b"\x00\x04" + r.randbytes(64))))


def pem(label, data, width=64):
    body = b64(data)
    return "\n".join([f"-----BEGIN {label}-----", *(body[i : i + width] for i in range(0, len(body), width)), f"-----END {label}-----"])


def openssh(r):
    """openssh's PROTOCOL.key, an ed25519 key without a passphrase."""

    def field(data):
        return struct.pack(">I", len(data)) + data

    public = r.randbytes(32)
    blob = field(b"ssh-ed25519") + field(public)
    check = struct.pack(">I", r.getrandbits(32)) * 2
    private = check + blob + field(r.randbytes(32) + public) + field(f"{word(r)}@{word(r)}".encode())
    private += bytes(range(1, 1 + -len(private) % 8))
    return pem("OPENSSH PRIVATE KEY", b"openssh-key-v1\0" + field(b"none") * 2 + field(b"") + struct.pack(">I", 1) + field(blob) + field(private), 70)


def mpi(number):
    return struct.pack(">H", number.bit_length()) + number.to_bytes((number.bit_length() + 7) // 8, "big")


def pgp(r, secret):
    """An RSA key of version 4 with a user id (RFC 9580, 5.5 and 6)."""
    n, e, d, p, q, *_ = rsa_numbers(r)
    body = b"\x04" + struct.pack(">I", r.randint(1.4e9 // 1, 1.7e9 // 1)) + b"\x01" + mpi(n) + mpi(e)
    if secret:
        numbers = b"".join(map(mpi, (d, p, q, odd(r, 1000))))
        body += b"\x00" + numbers + struct.pack(">H", sum(numbers) & 0xFFFF)
    user = f"{word(r).title()} <{word(r)}@{word(r)}.net>".encode()
    data = bytes([0x95 if secret else 0x99]) + struct.pack(">H", len(body)) + body + bytes([0xB4, len(user)]) + user
    check = 0xB704CE
    for byte in data:
        check ^= byte << 16
        for _ in range(8):
            check = check << 1 ^ (0x1864CFB if check & 0x800000 else 0)
    label = f"PGP {'PRIVATE' if secret else 'PUBLIC'} KEY BLOCK"
    lines = pem(label, data).split("\n")
    return "\n".join([lines[0], "", *lines[1:-1], "=" + b64((check & 0xFFFFFF).to_bytes(3, "big")), lines[-1]])


WORDS = """amber anchor basil beacon birch cedar cobalt copper coral crane delta ember falcon fjord garnet harbor hazel heron indigo iris jasper
juniper kestrel lagoon larch linden lotus maple marble meadow merlin mistral nimbus ochre olive onyx opal orchid osprey pebble pine quartz raven
reef ridge river rowan saffron sage sierra silver slate sparrow spruce summit thistle timber topaz tundra velvet violet walnut willow wren
zephyr""".split()


def word(r):
    return r.choice(WORDS)


def password(r):
    """As password managers make them, of characters that need no quoting anywhere."""
    return some(r, ALNUM + "+=.-_", 16, 28)


def digest(r, name="sha256"):
    return hashlib.new(name, r.randbytes(16)).hexdigest()
