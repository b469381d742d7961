"""A project file and what posting would fill in."""

from __future__ import annotations

import pytest

from marketplace.spec import ChainSection, CircuitSection, ProjectFile, ProjectSpec, template

CID = "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG"


@pytest.fixture
def project_file() -> ProjectFile:
    return ProjectFile.from_toml(template("softmax"))


@pytest.fixture
def circuit() -> CircuitSection:
    return CircuitSection(
        digest="0x" + "ab" * 32,
        slots=11,
        length=650,
        srs_kind="test",
        vk=CID,
        srs=CID,
    )


@pytest.fixture
def chain() -> ChainSection:
    return ChainSection(chain_id=31337, market="0x" + "12" * 20)


@pytest.fixture
def spec(project_file: ProjectFile, circuit: CircuitSection, chain: ChainSection) -> ProjectSpec:
    return project_file.post(
        circuit=circuit,
        chain=chain,
        initial_model=CID,
        evaluation_sha256="cd" * 32,
        validation="0x" + "ef" * 32,
        peers=("/ip4/127.0.0.1/tcp/4001/p2p/12D3KooWGRYZDHBembyGJQqQ6WgLqJWYNjnECJwGBnCg8vbCeo8F",),
    )
