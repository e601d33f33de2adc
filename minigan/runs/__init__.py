"""Runs that can be interrupted, their checkpoints, and networks in files of their own."""

from minigan.runs.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from minigan.runs.network_file import load, save
from minigan.runs.session import Session

__all__ = ["CheckpointError", "Session", "load", "load_checkpoint", "save", "save_checkpoint"]
