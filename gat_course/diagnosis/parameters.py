"""The probes of a model's parameters: whether they can learn."""

import copy
from dataclasses import replace

import torch
from torch import Tensor, nn

from gat_course.diagnosis.findings import Finding
from gat_course.diagnosis.patient import Patient, Unfit, copied, said
from gat_course.graph import GraphData


def gradients(patient: Patient) -> Finding | None:
    """Parameters that an output never reaches back to, whatever their values are.

    In double precision, where what cancels is told from what is small; and for several
    draws of all parameters, as a target's own part cancels where its scores have one
    sign.
    """
    n, own = 40, patient.graph
    ring = [(i, (i + k) % n) for i in range(n) for k in (1, 3, 8, 14, 20)]
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(n, own.x.shape[1], generator=generator)
    if bool((patient.rows(n) >= 0).all()):
        x = x.clamp(min=0) + 1e-3
    mixed, why = patient.small(n, ring, x), ""
    for graph, kind in ((mixed, torch.float64), (mixed, None), (own, None)):
        try:
            dead = _dead(patient, graph, kind)
            for _ in range(15):
                if not dead:
                    return None
                now = _dead(patient, graph, kind)
                dead = [name for name in dead if name in now]
        except Exception as error:  # backwards may fail where forwards did not
            why = why or said(error)
            continue
        return Finding("dead parameters", ", ".join(dead[:6])) if dead else None
    raise Unfit(why)


def _dead(patient: Patient, graph: GraphData, kind: torch.dtype | None) -> list[str]:
    """Names of parameters, and of rows of small ones, without a gradient."""
    model, graph = copied(patient.model).eval(), copy.deepcopy(graph)
    if kind:
        model, graph = model.to(kind), replace(graph, x=graph.x.to(kind))
    with torch.no_grad():
        for p in model.parameters():
            if p.is_floating_point():
                p.add_(torch.randn_like(p) / max(p.shape[0], 1) ** 0.5)
    out = patient.forward(model, graph)
    weights = torch.linspace(0.5, 1.5, out.numel(), device=out.device).view(out.shape)
    if not out.requires_grad:
        return ["all: no gradient flows from the output"]
    (out * weights).pow(2).sum().backward()
    named = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
    sizes = {n: float(p.grad.abs().max()) for n, p in named if p.grad is not None}
    least = max(sizes.values(), default=0.0) * 1e-12
    dead = [n for n, p in named if sizes.get(n, 0.0) <= least]
    for name, p in named:
        if name not in dead and 1 < p.shape[0] <= 16 and p.dim() > 1 < p.shape[1]:
            rows = p.grad.reshape(p.shape[0], -1).abs().amax(1) <= least
            dead += [f"row {k} of {name}" for k in rows.nonzero()[:, 0].tolist()]
    return dead


def registered(patient: Patient) -> Finding | None:
    """Tensors and modules that `parameters()` does not know."""
    model = patient.model
    known = {id(p) for p in model.parameters()}
    modules, loose = {id(m) for m in model.modules()}, []

    def look(name: str, value: object, depth: int = 0) -> None:
        if isinstance(value, nn.Module) and id(value) not in modules:
            if any(id(p) not in known for p in value.parameters()):
                loose.append(name)
        elif isinstance(value, Tensor):
            if value.requires_grad and value.is_leaf and id(value) not in known:
                loose.append(name)
        elif isinstance(value, (list, tuple)) and depth < 2:
            for part in value:
                look(name, part, depth + 1)
        elif isinstance(value, dict) and depth < 2:
            for part in value.values():
                look(name, part, depth + 1)

    for place, module in model.named_modules():
        for name, value in vars(module).items():
            if name not in ("_parameters", "_modules", "_buffers"):
                look(f"{place}.{name}".lstrip("."), value)
    if not loose:
        return None
    return Finding("not registered", ", ".join(dict.fromkeys(loose)))
