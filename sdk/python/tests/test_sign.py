"""The signatures that every SDK shares."""

from __future__ import annotations

import base64
import unittest

import nimbus
from nimbus._sign import signature_headers, signed_path

from .support import vectors


class Signatures(unittest.TestCase):
    def test_each_vector_has_its_signature(self) -> None:
        valid = 0
        for v in vectors("signatures.json"):
            body = base64.b64decode(v["body_base64"]) if "body_base64" in v else v["body"].encode()
            got = nimbus.sign(v["secret"], int(v["timestamp"]) if v["timestamp"].isdigit() else 0, v["method"], v["path"], body)
            self.assertEqual(got == v["signature"], v["valid"], v["name"])
            valid += v["valid"]
            if v["valid"] and "target" in v:
                headers = signature_headers("nk_1", v["secret"], float(v["timestamp"]), v["method"], "/below/v1/it" + v["target"], body)
                self.assertEqual((headers["X-Api-Signature"], headers["X-Api-Key-Id"]), (v["signature"], "nk_1"), v["name"])
        self.assertGreater(valid, 5)

    def test_what_is_signed_of_a_path(self) -> None:
        for target, want in (("/v1/events", "/v1/events"), ("/a/v1/events?x=/v1/", "/v1/events"), ("/v1/x/v1/events", "/v1/events"),
                             ("/elsewhere", "/elsewhere")):
            self.assertEqual(signed_path(target), want)
