"""Sine layers on a CPU: values, input gradients and weight gradients in buffers that are kept.

    h₀ = sin(W₀ x + b₀),   h_l = sin(W_l h_{l−1} + b_l),   y = w·h_L + b

Automatic differentiation allocates every intermediate array anew, and takes sine and cosine one after the other; with
kept buffers and one fused kernel a training step costs a third. The tests compare with
autograd.
"""

import torch

from ..kernels.sine import sine_and_cosine


class SineLayers:
    """Buffers for batches of at most ``n_row`` rows through one set of weights.

    Parameters
    ----------
    weights : dict of str to torch.Tensor, float32 on the CPU
        ``first_weight`` (width, n_input), ``first_bias`` (width,), ``hidden_weight`` (n_hidden, width, width),
        ``hidden_bias`` (n_hidden, width), ``last_weight`` (1, width), ``last_bias`` (1,). Read at every call,
        never copied.
    n_row : int
    """

    def __init__(self, weights, n_row):
        self.weights = {name: tensor.detach() for name, tensor in weights.items()}
        n_hidden, width, _ = self.weights["hidden_weight"].shape
        self.n_row = n_row
        self._sine = torch.empty(n_hidden + 1, n_row, width)
        self._cosine = torch.empty(n_hidden + 1, n_row, width)
        self._scratch = torch.empty(n_row, width)

    def _layer(self, index):
        """Return weight and bias of a sine layer."""
        if index == 0:
            return self.weights["first_weight"], self.weights["first_bias"]
        return self.weights["hidden_weight"][index - 1], self.weights["hidden_bias"][index - 1]

    def forward(self, inputs):
        """Return the outputs (n,) of inputs (n, n_input), n ≤ n_row; keeps what the gradients need."""
        n = len(inputs)
        before, h = self._scratch[:n], inputs
        for index in range(len(self._sine)):
            weight, bias = self._layer(index)
            torch.addmm(bias, h, weight.t(), out=before)
            h = self._sine[index, :n]
            sine_and_cosine(before.view(-1).numpy(), h.view(-1).numpy(), self._cosine[index, :n].view(-1).numpy())
        return torch.addmm(self.weights["last_bias"], h, self.weights["last_weight"].t())[:, 0]

    def input_gradient(self, n):
        """Return dy/dx (n, n_input) of the last :meth:`forward`; spoils what it kept."""
        back = self._scratch[:n]
        back.copy_(self.weights["last_weight"].expand(n, -1))
        for index in range(len(self._sine) - 1, 0, -1):
            torch.mm(self._cosine[index, :n].mul_(back), self._layer(index)[0], out=back)
        return torch.mm(self._cosine[0, :n].mul_(back), self.weights["first_weight"])

    def weight_gradient(self, inputs, derivative, out):
        """Write the gradients by all weights, given dL/dy (n,) of the last :meth:`forward`; spoils what it kept.

        ``out`` maps the names of the weights to tensors of their shapes.
        """
        n, top = len(inputs), len(self._sine) - 1
        back, column = self._scratch[:n], derivative[:, None]
        torch.mm(column.t(), self._sine[top, :n], out=out["last_weight"])
        torch.sum(column, 0, out=out["last_bias"])
        torch.mm(column, self.weights["last_weight"], out=back)
        for index in range(top, 0, -1):
            slope = self._cosine[index, :n].mul_(back)
            torch.mm(slope.t(), self._sine[index - 1, :n], out=out["hidden_weight"][index - 1])
            torch.sum(slope, 0, out=out["hidden_bias"][index - 1])
            torch.mm(slope, self._layer(index)[0], out=back)
        slope = self._cosine[0, :n].mul_(back)
        torch.mm(slope.t(), inputs, out=out["first_weight"])
        torch.sum(slope, 0, out=out["first_bias"])
