"""What a network ran on, recorded with its results: numbers differ a little between machines."""

from typing import Any

import torch

from seaice.network.run import Machine

__all__ = ["execution"]


def execution(machine: Machine) -> dict[str, Any]:
    """Device, threads, processor capability, precision and PyTorch of a run, for provenance.

    Returns
    -------
    dict
        `device` ("cpu" or "cuda"), `name` of the accelerator (None on processors), `threads` of
        PyTorch, `capability` (the widest instructions that PyTorch uses of this processor, such as
        "AVX2"), `precision`, `torch` (version with its build)

    >>> sorted(execution(Machine(device=torch.device("cpu"))))
    ['capability', 'device', 'name', 'precision', 'threads', 'torch']
    """
    cuda = machine.device.type == "cuda"
    return {
        "device": machine.device.type,
        "name": torch.cuda.get_device_name(machine.device) if cuda else None,
        "threads": torch.get_num_threads(),
        "capability": torch.backends.cpu.get_cpu_capability(),
        "precision": machine.precision,
        "torch": str(torch.__version__),
    }
