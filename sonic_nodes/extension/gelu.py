"""GELU for C, as an operator without a string among its arguments (csrc/torch/gelu.cpp says why)."""

_libraries = []  # the operator goes with its library


def define(torch, space: str) -> None:
    """Defines space::gelu in the dispatcher: writes GELU in its exact form of x to `out`, which may be x. Defining it
    again is no error."""
    if hasattr(getattr(torch.ops, space), "gelu"):
        return
    library = torch.library.Library(space, "FRAGMENT")
    library.define("gelu(Tensor x, Tensor(a!) out) -> ()")
    library.impl("gelu", lambda x, out: write(torch, x, out), "CompositeExplicitAutograd")
    _libraries.append(library)


def write(torch, x, out) -> None:
    torch.ops.aten.gelu.out(x, out=out)
