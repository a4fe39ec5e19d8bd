"""MIT Kerberos at one end of a session, through Debian's python3-gssapi.

    mit.py initiate krb5|spnego HTTP@host   a client: token, answer, then messages
    mit.py accept krb5|spnego               a service: token, answer, then messages
    mit.py forward krb5|spnego PORT HTTP@host PATH   a client over HTTP, as MS-WSMV 2.2.9.1 has it

A line in, a line out, both Base64. Sealed messages are in the form of WinRM: 4 bytes with the length of
the signature, the signature, what is encrypted.
"""
import base64
import http.client
import struct
import sys

import gssapi
from gssapi.raw import IOV, IOVBufferType, unwrap_iov, wrap_iov

MECHANISMS = {"krb5": "1.2.840.113554.1.2.2", "spnego": "1.3.6.1.5.5.2"}
PROTOCOLS = {
    "krb5": "application/HTTP-Kerberos-session-encrypted",
    "spnego": "application/HTTP-SPNEGO-session-encrypted",
}
SCHEMES = {"krb5": "Kerberos", "spnego": "Negotiate"}
FLAGS = (
    gssapi.RequirementFlag.mutual_authentication
    | gssapi.RequirementFlag.confidentiality
    | gssapi.RequirementFlag.integrity
    | gssapi.RequirementFlag.replay_detection
    | gssapi.RequirementFlag.out_of_sequence_detection
)


def say(data):
    print(base64.b64encode(data).decode(), flush=True)


def hear():
    line = sys.stdin.readline()
    return base64.b64decode(line) if line else None


def seal(context, text):
    iov = IOV(IOVBufferType.header, text, IOVBufferType.padding, std_layout=False)
    wrap_iov(context, iov, confidential=True)
    header, data, padding = (part.value or b"" for part in iov)
    assert not padding, padding
    return struct.pack("<I", len(header)) + header + data


def unseal(context, message):
    (length,) = struct.unpack("<I", message[:4])
    header, data = message[4 : 4 + length], message[4 + length :]
    iov = IOV((IOVBufferType.header, False, header), data, std_layout=False)
    result = unwrap_iov(context, iov)
    assert result.encrypted
    return iov[1].value


def client(kind, service):
    name = gssapi.Name(service, gssapi.NameType.hostbased_service)
    mechanism = gssapi.OID.from_int_seq(MECHANISMS[kind])
    return gssapi.SecurityContext(name=name, mech=mechanism, flags=FLAGS, usage="initiate")


def talk(context):
    """Says what it hears, unsealed and sealed again."""
    assert context.complete
    while (message := hear()) is not None:
        say(seal(context, unseal(context, message)))


def initiate(kind, service):
    context = client(kind, service)
    say(context.step())
    context.step(hear())
    talk(context)


def accept(kind):
    context = gssapi.SecurityContext(creds=gssapi.Credentials(usage="accept"), usage="accept")
    say(context.step(hear()))
    wanted = gssapi.RequirementFlag.mutual_authentication | gssapi.RequirementFlag.confidentiality
    assert context.actual_flags & wanted == wanted
    say(str(context.initiator_name).encode())
    talk(context)


def forward(kind, port, service, path):
    context = client(kind, service)
    connection = http.client.HTTPConnection("127.0.0.1", int(port))
    scheme, protocol = SCHEMES[kind], PROTOCOLS[kind]
    token = base64.b64encode(context.step()).decode()
    connection.request("POST", path, headers={"Authorization": f"{scheme} {token}", "Content-Length": "0"})
    answer = connection.getresponse()
    answer.read()
    assert answer.status == 200, answer.status
    found, token = answer.headers["WWW-Authenticate"].split(" ", 1)
    assert found == scheme
    context.step(base64.b64decode(token))
    assert context.complete
    content_type = f'multipart/encrypted;protocol="{protocol}";boundary="Encrypted Boundary"'
    while (text := hear()) is not None:
        body = (
            f"--Encrypted Boundary\r\nContent-Type: {protocol}\r\n"
            f"OriginalContent: type=application/soap+xml;charset=UTF-16;Length={len(text)}\r\n"
            "--Encrypted Boundary\r\nContent-Type: application/octet-stream\r\n"
        ).encode()
        body += seal(context, text) + b"--Encrypted Boundary--\r\n"
        connection.request("POST", path, body, {"Content-Type": content_type})
        answer = connection.getresponse()
        sealed = answer.read()
        assert answer.headers["Content-Type"] == content_type, answer.headers.items()
        marker = b"Content-Type: application/octet-stream\r\n"
        start = sealed.index(marker) + len(marker)
        assert sealed.endswith(b"--Encrypted Boundary--\r\n")
        say(unseal(context, sealed[start : -len(b"--Encrypted Boundary--\r\n")]))


{"initiate": initiate, "accept": accept, "forward": forward}[sys.argv[1]](*sys.argv[2:])
