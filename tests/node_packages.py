"""Actions with "use node" that use well-known packages of npm's, and the servers on 127.0.0.1 that they talk to."""

from __future__ import annotations

import http.server
import json
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any

from moto.server import ThreadedMotoServer

from supavex.postgres import server as servers

PACKAGES = {
    "pg": "8.23.1",
    "nodemailer": "10.6.1",
    "jsonwebtoken": "9.0.3",
    "axios": "1.21.1",
    "stripe": "23.1.0",
    "@aws-sdk/client-s3": "3.1175.0",
}
_HEAD = """"use node";
import { actionGeneric as action } from "convex/server";
import { v } from "convex/values";
"""
_USED = "export const used = action({ args: { address: v.any() }, handler: async (_ctx, { address }) => {\n%s} });\n"


def _file(imports: str, body: str) -> str:
    return _HEAD + imports + _USED % body


#: The modules of an app, by name. Each action throws where something else comes out than has to.
FILES = {
    "postgres": _file(
        'import pg from "pg";\n',
        """  const client = new pg.Client({ host: "127.0.0.1", port: address.postgres, ...address.login });
  await client.connect();
  const { rows } = await client.query("SELECT $1::int + 1 AS more, now() > '2020-01-01' AS late", [41]);
  await client.end();
  if (rows[0].more !== 42 || rows[0].late !== true) throw new Error(JSON.stringify(rows));
""",
    ),
    "mails": _file(
        'import nodemailer from "nodemailer";\n',
        """  const sender = nodemailer.createTransport({ host: "127.0.0.1", port: address.mail, ignoreTLS: true });
  const sent = await sender.sendMail({ from: "ada@example.com", to: "bob@example.com", subject: "Hi", text: "Hello" });
  if (sent.accepted[0] !== "bob@example.com") throw new Error(JSON.stringify(sent));
""",
    ),
    "tokens": _file(
        'import jsonwebtoken from "jsonwebtoken";\nimport { generateKeyPairSync } from "node:crypto";\n',
        """  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const token = jsonwebtoken.sign({ sub: "ada" }, privateKey, { algorithm: "RS256", expiresIn: "1h" });
  if (jsonwebtoken.verify(token, publicKey).sub !== "ada") throw new Error("another subject");
  let refused = false;
  try { jsonwebtoken.verify(jsonwebtoken.sign({}, "one"), "other"); } catch { refused = true; }
  if (!refused) throw new Error("a wrong secret is taken");
""",
    ),
    "requests": _file(
        'import axios from "axios";\n',
        """  const answer = await axios.post(`${address.http}/echo`, { n: 1 }, { headers: { "X-Test": "yes" } });
  if (answer.status !== 200 || answer.data.body !== '{"n":1}') throw new Error(JSON.stringify(answer.data));
""",
    ),
    "payments": _file(
        'import Stripe from "stripe";\n',
        """  const { hostname, port } = new URL(address.http);
  const stripe = new Stripe("sk_test_made_up", { host: hostname, port, protocol: "http", maxNetworkRetries: 0 });
  const customer = await stripe.customers.create({ email: "ada@example.com" });
  if (customer.id !== "cus_made_up") throw new Error(JSON.stringify(customer));
  const payload = JSON.stringify({ id: "evt_1", object: "event", type: "made.up" });
  const header = stripe.webhooks.generateTestHeaderString({ payload, secret: "whsec_1" });
  if (stripe.webhooks.constructEvent(payload, header, "whsec_1").id !== "evt_1") throw new Error("another event");
""",
    ),
    "buckets": _file(
        'import { CreateBucketCommand, GetObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";\n',
        """  const credentials = { accessKeyId: "made", secretAccessKey: "up" };
  const client = new S3Client({ endpoint: address.s3, region: "us-east-1", credentials, forcePathStyle: true });
  await client.send(new CreateBucketCommand({ Bucket: "files" }));
  await client.send(new PutObjectCommand({ Bucket: "files", Key: "a.txt", Body: "hello" }));
  const found = await client.send(new GetObjectCommand({ Bucket: "files", Key: "a.txt" }));
  const text = await found.Body!.transformToString();
  if (text !== "hello") throw new Error(text);
""",
    ),
}


@contextmanager
def answering() -> Iterator[dict[str, Any]]:
    """Servers for all of them; where each is."""
    with ExitStack() as stack:
        database = stack.enter_context(servers.temporary())
        s3 = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
        s3.start()
        stack.callback(s3.stop)
        host, port = s3.get_host_and_port()
        http_port = stack.enter_context(_serving(http.server.ThreadingHTTPServer, _Echo))
        mail_port = stack.enter_context(_serving(socketserver.ThreadingTCPServer, _Mail))
        relay = type("_Database", (_Relay,), {"path": str(database.socket_folder / ".s.PGSQL.5432")})
        database_port = stack.enter_context(_serving(socketserver.ThreadingTCPServer, relay))
        address = {"http": f"http://127.0.0.1:{http_port}", "s3": f"http://{host}:{port}"}
        login = {"user": servers.SUPERUSER, "password": database.password, "database": "postgres"}
        yield {**address, "mail": mail_port, "postgres": database_port, "login": login}


@contextmanager
def _serving(kind: type[socketserver.TCPServer], handler: type[socketserver.BaseRequestHandler]) -> Iterator[int]:
    with kind(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield int(server.server_address[1])
        finally:
            server.shutdown()
            thread.join()


class _Echo(http.server.BaseHTTPRequestHandler):
    """Gives back the body that was sent, as something that has an id."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        said = json.dumps({"id": "cus_made_up", "object": "customer", "body": body}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


class _Mail(socketserver.StreamRequestHandler):
    """As much of SMTP (RFC 5321) as takes a mail."""

    def handle(self) -> None:
        self.wfile.write(b"220 mail\r\n")
        within = False
        for line in self.rfile:
            if within:
                within = line != b".\r\n"
                if within:
                    continue
            starts = line.upper().startswith(b"DATA")
            within = within or starts
            self.wfile.write(b"354 go on\r\n" if starts else b"250 good\r\n")


class _Relay(socketserver.BaseRequestHandler):
    """Hands bytes on to a socket of this machine's file system, and back."""

    path = ""

    def handle(self) -> None:
        with closing(socket.socket(socket.AF_UNIX)) as other:
            other.connect(self.path)
            back = threading.Thread(target=self._hand, args=(other, self.request), daemon=True)
            back.start()
            self._hand(self.request, other)
            back.join(10)

    @staticmethod
    def _hand(source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            return
