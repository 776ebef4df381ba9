from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bestchat_server_ext.core.errors import InvalidRequest, KeyUnreadable, MissingKey
from bestchat_server_ext.core.vault import (
    KEY_BYTES,
    Envelope,
    MasterKey,
    Slot,
    read_keys,
    unreadable,
    write_keys,
)

SECRETS = st.binary(min_size=KEY_BYTES, max_size=KEY_BYTES)
SLOTS = st.builds(Slot, st.text(), st.text(), st.text())


@given(SLOTS, SLOTS)
def test_no_two_slots_are_bound_to_the_same(one: Slot, other: Slot) -> None:
    """Also where one's owner is the beginning of the other's."""
    assert (one.bound() == other.bound()) == (one == other)
    assert one.bound() != one.bound("")


def test_the_layers_are_bound_to_different_things() -> None:
    slot = Slot("ada", "openai", "row")
    assert len({slot.bound(), slot.bound("data key", "a"), slot.bound("data key", "b")}) == 3


@given(st.binary(min_size=16, max_size=200))
def test_an_envelope_comes_apart_as_it_was_put_together(body: bytes) -> None:
    envelope = Envelope(b"1" * 12, b"2" * 48, b"3" * 12, body)
    assert Envelope.unpack(envelope.pack()) == envelope


@given(st.binary(max_size=120))
def test_what_is_no_envelope_is_refused(data: bytes) -> None:
    """Of another version, or too short to be one."""
    for item in (b"\x02" + data, b"\x01" + data[:80], b""):
        with pytest.raises(KeyUnreadable):
            Envelope.unpack(item)


@given(st.lists(SECRETS, min_size=1, max_size=5, unique=True))
def test_master_keys_survive_being_written(secrets: list[bytes]) -> None:
    keys = tuple(map(MasterKey.of, secrets))
    assert read_keys(write_keys(keys), "here") == keys
    assert read_keys(f" {write_keys(keys)} ,\n", "here") == keys


def test_a_fingerprint_is_not_a_part_of_the_key() -> None:
    key = MasterKey.of(b"\x07" * KEY_BYTES)
    assert len(key.id) == 12
    assert bytes.fromhex(key.id) not in key.secret


@pytest.mark.parametrize("size", [0, 16, 31, 33])
def test_a_key_of_another_size_is_refused(size: int) -> None:
    text = f"id:{base64.b64encode(bytes(size)).decode()}"
    with pytest.raises(InvalidRequest, match="here holds a master key"):
        read_keys(text, "here")


def test_an_unreadable_key_is_a_missing_one() -> None:
    """So whoever knows only of missing keys does the right thing."""
    error = unreadable("openai")
    assert isinstance(error, MissingKey)
    assert error.info.code == "key_unreadable"
    assert "openai" in error.info.text
