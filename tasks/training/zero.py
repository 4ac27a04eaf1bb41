"""How the ranks of a training meet, DeepSpeed's configuration, and whole weights out of partitioned ones.

DeepSpeed is imported only where params.yaml asks for it.
"""

import os
from typing import Any

import torch

from tasks.runtime import launch
from tasks.runtime.errors import InputError
from tasks.settings.resources import FinetuneResources


def join(resources: FinetuneResources, device: torch.device) -> None:
    """Meets the other ranks; does nothing in a stage without ranks.

    Before TrainingArguments and the model: ZeRO-3 partitions a model while it loads, and finds one rank otherwise.
    Raises InputError for more processes than GPUs.
    """
    if not launch.is_rank():
        return
    backend = "gloo"
    if device.type == "cuda":
        if resources.processes > (gpus := torch.cuda.device_count()):
            raise InputError(
                f"params.yaml: resources.finetune asks for {resources.processes} processes on a node, "
                f"and {gpus} GPUs are in sight; ask for as many as there are"
            )
        backend = "nccl"
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    torch.distributed.init_process_group(
        backend,
        init_method=os.environ[launch.MEETING],
        rank=launch.rank(),
        world_size=int(os.environ["WORLD_SIZE"]),
    )
    if resources.zero:
        import deepspeed

        if backend == "gloo":  # a C++ op that it would compile now, only to be faster than gloo within one machine
            deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
        deepspeed.init_distributed(dist_backend=backend, verbose=False)


def leave() -> None:
    """Waits for all ranks, so that none has ended before the outputs are there."""
    if torch.distributed.is_initialized():
        torch.distributed.barrier()
        torch.distributed.destroy_process_group()


def deepspeed_config(resources: FinetuneResources, *, bf16: bool) -> dict[str, Any] | None:
    """The configuration of a ZeRO stage; None without DeepSpeed. "auto" takes what TrainingArguments say.

    Optimizer and schedule stay the Trainer's, so that nothing is compiled and all stages train alike. Weights stay
    fp32, and bf16 is autocast as without DeepSpeed.
    """
    if not resources.zero:
        return None
    zero: dict[str, Any] = {"stage": resources.zero}
    if resources.offload != "none":
        zero["offload_optimizer"] = {"device": "cpu"}
    if resources.offload == "all":
        zero["offload_param"] = {"device": "cpu"}
    if resources.zero == 3:
        zero["stage3_gather_16bit_weights_on_model_save"] = False  # `gathered` does, in fp32
    sizes = ("train_micro_batch_size_per_gpu", "gradient_accumulation_steps", "train_batch_size", "gradient_clipping")
    return {
        **dict.fromkeys(sizes, "auto"),
        "zero_force_ds_cpu_optimizer": False,
        "steps_per_print": 10**9,
        "zero_optimization": zero,
        **({"torch_autocast": {"enabled": True, "dtype": "bfloat16"}} if bf16 else {}),
    }


def size(model: torch.nn.Module) -> int:
    """The number of weights, with those that other ranks hold."""
    return sum(int(getattr(parameter, "ds_numel", parameter.numel())) for parameter in model.parameters())


def gathered(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Every weight and buffer that is saved, by its name, whole; on rank 0 only where ranks hold a part each.

    All ranks must call it. One tensor at a time is whole on a GPU; tied ones are there once, by their first name.
    """
    if not any(hasattr(parameter, "ds_id") for parameter in model.parameters()):
        return model.state_dict()
    import deepspeed  # `deepspeed.zero` is an attribute, no module

    weights = {}
    for name, parameter in model.named_parameters():
        with deepspeed.zero.GatheredParameters([parameter]):
            if launch.rank() == 0:
                weights[name] = parameter.detach().cpu().clone()
    saved = model.state_dict().keys()
    return weights | {name: buffer.detach().cpu() for name, buffer in model.named_buffers() if name in saved}
