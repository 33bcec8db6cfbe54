"""What a run is made of: one frozen model per room, in a person's units.

The one definition that Python, TOML, the command line, the API and the sliders read: every field has
a unit, a range and a description. `to_record` turns it into the kernels' integers and is the only
place where milliseconds, basis points and currency become nanoseconds, ticks and units.
"""

from lablib.config.crowd import MakersConfig, RivalsConfig
from lablib.config.faults import explain
from lablib.config.latency import FEEDS, LEGS, OWN_WIRES, LatencyConfig
from lablib.config.price import BurstConfig, ExternalConfig, JumpConfig, RegimeConfig
from lablib.config.risk import DrillsConfig, RiskConfig
from lablib.config.scenario import UNITS_MAX, AccountConfig, RecordConfig, SimConfig
from lablib.config.strategy import MakerConfig, StrategyConfig
from lablib.config.venue import FlowConfig, IntensityConfig, VenueConfig

__all__ = [
    "FEEDS",
    "LEGS",
    "OWN_WIRES",
    "UNITS_MAX",
    "AccountConfig",
    "BurstConfig",
    "DrillsConfig",
    "ExternalConfig",
    "FlowConfig",
    "IntensityConfig",
    "JumpConfig",
    "LatencyConfig",
    "MakerConfig",
    "MakersConfig",
    "RecordConfig",
    "RegimeConfig",
    "RiskConfig",
    "RivalsConfig",
    "SimConfig",
    "StrategyConfig",
    "VenueConfig",
    "explain",
]
