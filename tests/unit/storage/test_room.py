"""A repo's cap: sizes in words, and who goes before whom."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.errors import FairshareError, Reason
from marketplace.storage.room import Room, parse_size, shown_size


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("20GB", 20 * 10**9),
        ("1.5 TB", 1_500_000_000_000),
        ("500MiB", 500 * 2**20),
        ("7kb", 7000),
        ("12", 12),
        ("3 B", 3),
        ("0.001KB", 1),
    ],
)
def test_a_size_is_a_number_and_a_unit(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text", ["", "GB", "-1GB", "1e9", "1 PB", "1,5GB", "9" * 16 + "GB", "1GB\n2", "1GiBB"]
)
def test_anything_else_is_no_size(text):
    with pytest.raises(FairshareError) as refusal:
        parse_size(text)
    assert refusal.value.reason is Reason.BAD_INPUT


@given(size=st.integers(0, 10**15))
def test_a_size_is_shown_as_it_is_read(size):
    assert abs(parse_size(shown_size(size)) - size) <= size / 20


class Disk:
    def __init__(self, used, garbage):
        self.used, self.garbage, self.collected = used, garbage, 0

    def collect(self):
        self.used -= self.garbage
        self.garbage = 0
        self.collected += 1

    def room(self, cap):
        return Room(lambda: self.used, self.collect, cap)


def test_what_fits_costs_nobody_anything():
    disk = Disk(used=50, garbage=40)
    disk.room(100).make(50)
    assert disk.collected == 0


def test_garbage_goes_first_and_a_refusal_has_the_numbers():
    disk = Disk(used=90_000, garbage=40_000)
    room = disk.room(100_000)
    room.make(50_000)
    assert disk.collected == 1
    disk.used = 100_000
    with pytest.raises(FairshareError) as refusal:
        room.make(1_000)
    assert refusal.value.reason is Reason.STORAGE_FULL
    for number in ("100.0 KB of 100.0 KB", "1.0 KB more"):
        assert number in refusal.value.message


def test_what_was_promised_is_counted_before_it_is_on_disk():
    disk = Disk(used=0, garbage=0)
    room = disk.room(100)
    room.make(60)
    disk.used = 60
    with pytest.raises(FairshareError):
        room.make(60)
    room.make(40)
