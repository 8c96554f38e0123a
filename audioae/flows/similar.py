"""Flow similar: the nearest tracks of every track, as a table."""

from audioae.flows.artifacts import publish_artifact
from audioae.flows.common import map_groups
from audioae.flows.launch import read_settings
from audioae.flows.reporting import reported_flow
from audioae.flows.sharded import sharded_stage


@reported_flow
def similar(config_path: str, overrides: list[str] | None = None, index: str | None = None) -> str:
    """Publish the `similar.k` nearest tracks of every track of the current index (or of `index`)."""
    stage = sharded_stage("similar", read_settings("similar", config_path, overrides), index=index)
    map_groups(stage)
    ref = stage.commit()
    publish_artifact("similar", str(ref), {"neighbors": stage.store.manifest(ref).rows, "by": str(stage.refs["index"])})
    return str(ref)
