"""What `ipfs init` writes into a new repo, with an Ed25519 key: the library's own call makes a slow RSA key.

The config's fields are those of https://github.com/ipfs/kubo/blob/v0.22.0/docs/config.md; what is not named has Kubo's
default. Keys are as libp2p keeps them (https://github.com/libp2p/specs/blob/master/peer-ids/peer-ids.md).
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import base58
from nacl.bindings import crypto_sign_keypair

from marketplace.storage.multiaddress import ED25519_IDENTITY
from marketplace.whole_files import PRIVATE, write_whole

_FORMAT = "14"  # of the repo, as Kubo 0.22 has it
_ED25519_PRIVATE_KEY = b"\x08\x01\x12\x40"  # protobuf: type 1, and 64 bytes of data
_SHARDS = "/repo/flatfs/shard/v1/next-to-last/2"
_BLOCKS = {"type": "flatfs", "path": "blocks", "shardFunc": _SHARDS}
_DATABASE = {"type": "levelds", "path": "datastore"}
# What may not change while a repo lives; Kubo compares it with the config, byte by byte.
_DATASTORE_SPEC = {
    "mounts": [{"mountpoint": "/blocks"} | _BLOCKS, {"mountpoint": "/"} | _DATABASE],
    "type": "mount",
}


def write_new_repo(repo: Path) -> None:
    """Make identity and config in the folder `repo`; the config comes last, so that a kill before it loses nothing."""
    (repo / "version").write_text(_FORMAT + "\n")
    (repo / "datastore_spec").write_text(json.dumps(_DATASTORE_SPEC, sort_keys=True, separators=(",", ":")))
    write_whole(repo / "config", json.dumps(_config(), indent=2), PRIVATE)


def _config() -> dict[str, Any]:
    return {
        "Identity": _identity(),
        "Datastore": {
            "StorageMax": "10GB",
            "StorageGCWatermark": 90,
            "GCPeriod": "1h",
            "Spec": {
                "type": "mount",
                "mounts": [
                    _measured("/blocks", "flatfs.datastore", _BLOCKS | {"sync": True}),
                    _measured("/", "leveldb.datastore", _DATABASE | {"compression": "none"}),
                ],
            },
        },
        "Addresses": {
            "Swarm": [],
            "API": "/ip4/127.0.0.1/tcp/5001",
            "Gateway": "/ip4/127.0.0.1/tcp/8080",
        },
        "Ipns": {"ResolveCacheSize": 128},
    }


def _measured(mountpoint: str, prefix: str, child: dict[str, Any]) -> dict[str, Any]:
    return {"mountpoint": mountpoint, "type": "measure", "prefix": prefix, "child": child}


def _identity() -> dict[str, str]:
    public, secret = crypto_sign_keypair()  # the secret one is the seed and the public one, as libp2p has it
    return {
        "PeerID": base58.b58encode(ED25519_IDENTITY + public).decode("ascii"),
        "PrivKey": base64.b64encode(_ED25519_PRIVATE_KEY + secret).decode("ascii"),
    }
