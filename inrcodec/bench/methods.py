"""The methods of the field on one container: what ``inrcodec bench --methods`` puts side by side."""

from __future__ import annotations

METHODS_IN_BENCH = {
    "coin": "method=coin",
    "magnitude": "method=magnitude,set.scope=global",
    "magnitude-layer": "method=magnitude,set.scope=layer",
    "gates": "arch=siren,set.sparsify=0.4,set.excess=1.5",
    "gates-start": "arch=siren,set.sparsify=0,set.droprate=0.5,set.excess=1.5",
    "neurons": "arch=siren,set.sparsify=0.4,set.excess=1.5,set.structured=true",
    "bisect": "method=bisect",
    "nearest": "arch=siren,set.quant=nearest",
    "adaround-qat": "arch=siren,set.quant=adaround+qat",
    "l0": "arch=siren",
    "l0-nerf": "arch=siren,encoding=nerf",
    "grid": "arch=grid",
}
"""Variants of ours by name. A fit has as many steps as its time allows."""


def method_specs(seconds: float) -> str:
    """All of them as a list of codecs, every encode with the same time.

    Args:
        seconds: of an encode.
    """
    return ",".join(f"{name}=inr:effort=9,max_time={seconds:g},{options}" for name, options in METHODS_IN_BENCH.items())
