"""The whole chain on an S3 server gives what it gives on a local folder."""

from audioae.api import Library
from audioae.store.dataset import Store
from audioae.store.upkeep import PUBLISHED
from tests.chain import run_chain


def test_the_chain_on_s3_is_the_chain_on_disk(chain, s3_root):
    local, config = chain
    run_chain(config.model_copy(update={"store": s3_root}))
    remote = Store(s3_root)
    assert {name: remote.latest(name) for name in PUBLISHED} == {name: local.latest(name) for name in PUBLISHED}
    remote.verify(remote.require("embeddings"))
    track_id = local.read(local.require("tracks"))["track_id"][0].as_py()
    assert Library(remote).similar(track_id, 5) == Library(local).similar(track_id, 5)
