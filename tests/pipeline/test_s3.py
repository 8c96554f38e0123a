"""The whole chain gives the same versions on an S3 server and in a local folder."""

from audioae.api import Library
from audioae.store.dataset import Store
from audioae.store.upkeep import PUBLISHED
from tests.chain import run_chain


def test_s3_and_a_local_folder_hold_the_same_versions(chain, s3_root):
    local, config = chain
    run_chain(config.model_copy(update={"store": s3_root}))
    remote = Store(s3_root)
    assert {name: remote.latest(name) for name in PUBLISHED} == {name: local.latest(name) for name in PUBLISHED}
    remote.verify(remote.require("embeddings"))
    track_id = local.read(local.require("tracks"))["track_id"][0].as_py()
    assert Library(remote).similar(track_id, 5) == Library(local).similar(track_id, 5)
