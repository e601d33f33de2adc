"""Runs that can be interrupted: checkpoints, their files, and sessions that write them."""

from minigan.runs.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from minigan.runs.session import Session

__all__ = ["CheckpointError", "Session", "load_checkpoint", "save_checkpoint"]
