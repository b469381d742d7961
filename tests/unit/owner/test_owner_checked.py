"""What an owner hands in is checked before anything is made."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from marketplace.errors import FairshareError, Reason
from marketplace.learning.data import file_sha256
from marketplace.learning.tasks import weights
from marketplace.learning.tasks.cnn import Cnn
from marketplace.learning.tasks.frozen_backbone import backbone_of
from marketplace.owner.checked import check_project, load_evaluation
from marketplace.owner.draft import draft
from marketplace.owner.model import write_npz
from marketplace.owner.task_files import task_files_of
from marketplace.spec import ProjectFile
from marketplace.storage.cid import cid_of, digest_of
from zk.catalogue import shape_for

X = np.linspace(0, 1, 640, dtype=np.float32).reshape(10, 64)
Y = np.arange(10, dtype=np.int64)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "project.toml").write_text(draft("softmax", 5, 2))
    np.savez(tmp_path / "evaluation.npz", X=X, y=Y)
    np.savez(tmp_path / "validation.npz", X=X[::2], y=Y[::2])
    return tmp_path


def refused(folder: Path) -> FairshareError:
    before = sorted(folder.rglob("*"))
    with pytest.raises(FairshareError) as caught:
        check_project(folder / "project.toml")
    assert sorted(folder.rglob("*")) == before
    return caught.value


def change(folder: Path, old: str, new: str) -> None:
    path = folder / "project.toml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_a_sound_project_is_read_whole(folder: Path) -> None:
    checked = check_project(folder / "project.toml")
    assert checked.shape == shape_for(6, 650)  # five trainers and the reference
    assert checked.initial.dtype == np.int32
    assert checked.initial.shape == (checked.shape.length,)
    assert not checked.initial[650:].any()
    assert checked.evaluation_sha256 == file_sha256(folder / "evaluation.npz")
    assert len(load_evaluation(folder / "evaluation.npz", checked.evaluation_sha256, checked.task)) == 10


def test_a_large_project_s_model_fills_whole_chunks(folder: Path) -> None:
    (folder / "project.toml").write_text(draft("cnn", 5, 2).replace("features = 784", "features = 64"))
    checked = check_project(folder / "project.toml")
    assert checked.sketch is not None
    assert checked.shape == shape_for(6, 1024)
    assert checked.initial.shape == (checked.sketch.length,)
    assert checked.task.length == 104_266
    assert checked.sketch.length - 104_266 < checked.sketch.chunk_length
    assert checked.initial[:104_266].any()
    assert not checked.initial[104_266:].any()


@pytest.mark.parametrize("trainers", range(3, 16))
@pytest.mark.parametrize("kind", ["softmax", "mlp", "cnn", "tabular", "frozen-backbone", "lora"])
def test_every_draft_is_a_project(kind: str, trainers: int) -> None:
    made = ProjectFile.from_toml(draft(kind, trainers, 7))
    assert (made.cohort.slots, made.cohort.trainers, made.rounds.count) == (trainers, trainers, 7)


@pytest.mark.parametrize(
    ("old", "new", "reason", "named"),
    [
        ("[stakes]", "[steaks]\nx = 1\n[stakes]", Reason.BAD_SPEC, "steaks"),
        ("features = 64", "features = 64\ndepth = 2", Reason.BAD_SPEC, "task.depth"),
        ("faults = 1", "faults = 2", Reason.BAD_SPEC, "cohort.faults"),
        ("features = 64", "features = 4000", Reason.TOO_LARGE, "100000"),
        ('file = "evaluation.npz"', 'file = "none.npz"', Reason.BAD_DATA, "none.npz"),
        ('file = "validation.npz"', 'file = "none.npz"', Reason.BAD_DATA, "none.npz"),
        ("[validation]", 'sha256 = "' + 64 * "0" + '"\n[validation]', Reason.BAD_SPEC, "evaluation.sha256"),
        ("classes = 10", "classes = 9", Reason.BAD_DATA, "labels"),
        ("scale_bits = ", "scale_bits = 9", Reason.BAD_SPEC, "arithmetic.scale_bits"),
    ],
)
def test_what_is_wrong_is_named(folder: Path, old: str, new: str, reason: Reason, named: str) -> None:
    change(folder, old, new)
    error = refused(folder)
    assert error.reason is reason
    assert named in error.message
    assert "\n" not in error.message


@pytest.mark.parametrize(
    "data",
    [
        {"X": np.where(X > 0.5, np.nan, X), "y": Y},
        {"X": np.where(X > 0.5, np.inf, X), "y": Y},
        {"X": X[:, :63], "y": Y},
        {"X": X.astype(np.int64), "y": Y},
        {"X": X, "y": Y.astype(np.float64)},
        {"X": X, "y": Y - 1},
        {"X": X[:0], "y": Y[:0]},
        {"X": X},
        {"X": X, "y": np.array([{}] * 10, dtype=object)},
    ],
)
def test_bad_data_is_refused(folder: Path, data: dict[str, np.ndarray]) -> None:
    for name in ("evaluation.npz", "validation.npz"):
        sound = (folder / name).read_bytes()
        np.savez(folder / name, **data)  # type: ignore[arg-type]
        assert refused(folder).reason is Reason.BAD_DATA
        (folder / name).write_bytes(sound)


def test_a_project_file_that_is_not_there_or_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FairshareError) as missing:
        check_project(tmp_path / "project.toml")
    assert missing.value.reason is Reason.NOT_FOUND
    with pytest.raises(FairshareError) as folder:
        check_project(tmp_path)
    assert folder.value.reason is Reason.BAD_INPUT


def test_another_evaluation_set_than_the_specs_is_refused(folder: Path) -> None:
    checked = check_project(folder / "project.toml")
    np.savez(folder / "evaluation.npz", X=X, y=Y[::-1])
    with pytest.raises(FairshareError) as caught:
        load_evaluation(folder / "evaluation.npz", checked.evaluation_sha256, checked.task)
    assert caught.value.reason is Reason.INTEGRITY


def test_the_commitment_to_a_validation_set_covers_every_byte(folder: Path) -> None:
    checked = check_project(folder / "project.toml")
    assert checked.validation is not None
    assert checked.validation.digest == digest_of(cid_of((folder / "validation.npz").read_bytes()))
    assert len(checked.validation.dataset) == 5


def test_a_model_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    weights = np.linspace(-1, 1, 7)
    write_npz(tmp_path / "model.npz", weights)
    with np.load(tmp_path / "model.npz", allow_pickle=False) as found:
        assert (found["weights"] == weights).all()
    with pytest.raises(FairshareError) as caught:
        write_npz(tmp_path / "none" / "model.npz", weights)
    assert caught.value.reason is Reason.BAD_INPUT
    assert [path.name for path in tmp_path.iterdir()] == ["model.npz"]


@pytest.fixture
def with_backbone(folder: Path) -> Path:
    """A project on a backbone in a file beside it."""
    network = Cnn(64, 10, 2, 8)
    (folder / "backbone.safetensors").write_bytes(weights.write(backbone_of(network, network.initial(1))))
    change(
        folder,
        'kind = "softmax"',
        'kind = "frozen-backbone"\nnetwork = "cnn"\nchannels = 2\nhidden = 8\n'
        'backbone_file = "backbone.safetensors"',
    )
    return folder


def test_a_file_of_the_task_is_posted_by_its_hash(with_backbone: Path) -> None:
    checked = check_project(with_backbone / "project.toml")
    content = (with_backbone / "backbone.safetensors").read_bytes()
    assert checked.task_files == (content,)
    options = checked.file.task.options
    assert options["backbone_cid"] == cid_of(content)
    assert options["backbone_bytes"] == len(content)
    assert "backbone_file" not in options
    assert task_files_of(checked.file.task) == [(cid_of(content), len(content))]
    assert checked.task.length == 90
    checked.task.module(checked.task.initial(0))  # its file is loaded


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('"backbone.safetensors"', '"none.safetensors"', "task.backbone_file: "),
        ('"backbone.safetensors"', '"."', "task.backbone_file: "),
        ('"backbone.safetensors"', '"evaluation.npz"', "task.backbone: "),
        ("hidden = 8", "hidden = 9", "task.backbone: "),
        (
            'backbone_file = "backbone.safetensors"',
            f'backbone_cid = "{cid_of(b"x")}"\nbackbone_bytes = 1',
            "task.backbone_file: ",
        ),
    ],
)
def test_a_file_that_the_task_cannot_use_is_refused(
    with_backbone: Path, old: str, new: str, named: str
) -> None:
    change(with_backbone, old, new)
    error = refused(with_backbone)
    assert error.reason is Reason.BAD_SPEC
    assert error.message.startswith(named)
