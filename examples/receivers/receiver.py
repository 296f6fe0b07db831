#!/usr/bin/env python3
"""A receiver that verifies signatures and drops duplicates, with the standard library alone.

SECRETS are whsec_... or whpk_..., divided by commas:

    SECRETS=whsec_... PORT=9099 python3 examples/receivers/receiver.py

Public keys (whpk_...) need the package cryptography.
"""
import base64
import hashlib
import hmac
import json
import os
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOLERANCE_SECONDS = 300


def hmac_check(secret):
    def is_right(content, signature):
        return hmac.compare_digest(hmac.new(secret, content, hashlib.sha256).digest(), signature)

    return is_right


def ed25519_check(public_key):
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    key = Ed25519PublicKey.from_public_bytes(public_key)

    def is_right(content, signature):
        try:
            key.verify(signature, content)
            return True
        except InvalidSignature:
            return False

    return is_right


def check_by(secret):
    for prefix, version, make in (("whsec_", "v1", hmac_check), ("whpk_", "v1a", ed25519_check)):
        if secret.startswith(prefix):
            return version, make(base64.b64decode(secret[len(prefix):]))
    raise ValueError("a secret must begin with whsec_, or a public key with whpk_")


CHECKS = [check_by(secret) for secret in os.environ["SECRETS"].split(",")]


def verified_id(body, headers):
    """The id of a message whose signature is right and whose time is near now; else None."""
    message_id = headers.get("webhook-id", "")
    timestamp = headers.get("webhook-timestamp", "")
    if not message_id or not timestamp.isascii() or not timestamp.isdigit() or len(timestamp) > 12:
        return None
    if abs(time.time() - int(timestamp)) > TOLERANCE_SECONDS:
        return None
    # The bytes as they came: JSON that was parsed and written again is another text.
    content = f"{message_id}.{timestamp}.".encode() + body
    for part in headers.get("webhook-signature", "").split(" ")[:16]:
        version, _, encoded = part.partition(",")
        try:
            signature = base64.b64decode(encoded, validate=True)
        except ValueError:
            continue
        if any(known == version and is_right(content, signature) for known, is_right in CHECKS):
            return message_id
    return None


# Messages whose work is done. The id is signed, and stands for one (task id, run, edit) and phase. A real receiver keeps it in its
# database, in the transaction that does the work, and for as long as the service keeps finished tasks (DELIVERED_RETENTION).
done = set()
# One message at a time is simple, and no second attempt works beside the first.
working = threading.Lock()
failed = set()


def do_your_work(body):
    text = body.decode()
    time.sleep(0.1)
    if "fail once" in text and text not in failed:
        failed.add(text)
        raise RuntimeError("the work has failed")


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        self.send_response(self.receive(body))
        self.send_header("content-length", "0")
        self.end_headers()

    do_PUT = do_PATCH = do_POST

    def receive(self, body):
        message_id = verified_id(body, self.headers)
        if message_id is None:
            return 401
        with working:
            if message_id in done:
                print(f"dropped {message_id}", flush=True)
                return 200
            try:
                do_your_work(body)
            except Exception:
                return 500
            # Only now: when the work fails, the next attempt has to do it.
            done.add(message_id)
        print(f"done {message_id}", flush=True)
        return 200

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", "9099"))), Receiver)
print("listening on " + json.dumps({"port": server.server_port}), flush=True)
server.serve_forever()
