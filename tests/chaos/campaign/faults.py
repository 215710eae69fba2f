"""All faults there are, in the order of the table. Importing this module fills `scene.FAULTS`."""

from __future__ import annotations

from tests.chaos.campaign import faults_log, faults_network, faults_process, faults_store
from tests.chaos.campaign.scene import FAULTS
from tests.chaos.topologies import campaign_faults

__all__ = ["FAULTS", "campaign_faults", "faults_log", "faults_network", "faults_process", "faults_store"]
