"""Where the parts of a network are: on the device, or on it only while they work."""

import torch
from torch import nn

from splatsmith.priors.pretrained.options import PriorOptions


def network_placed(
    network: nn.Module, device: torch.device, options: PriorOptions
) -> nn.Module:
    """The network ready to be asked.

    With low memory its blocks stay in the machine's memory, and each comes to the device when
    its turn comes: slow, but a card needs no more than the largest block. That is of use only
    where the two memories are different ones.
    """
    if device.type == "cuda" and options.channels_last:
        network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if options.memory == "low" and device.type != "cpu":
        return offloaded(network, device)
    network = network.to(device)
    if options.compiled and device.type == "cuda":
        network.compile(mode="default")
    return network


def offloaded(network: nn.Module, device: torch.device) -> nn.Module:
    """The network with each of its blocks brought to `device` while it works."""
    network.enable_group_offload(  # type: ignore[operator]
        onload_device=device,
        offload_device=torch.device("cpu"),
        offload_type="block_level",
        num_blocks_per_group=1,
    )
    return network
