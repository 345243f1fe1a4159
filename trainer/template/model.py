"""The model that the recipe beside it names."""

from trainer import Tensor, nn


class Net(nn.Module):
    """A perceptron with one hidden layer.

    Args:
        features: How many numbers describe an example.
        classes: How many classes there are.
        hidden: The width of the hidden layer. Defaults to 16.
    """

    def __init__(self, features: int, classes: int, hidden: int = 16) -> None:
        super().__init__()
        self.scale = nn.Standardize(features)  # takes mean and spread from the data
        self.hidden = nn.Linear(features, hidden)
        self.output = nn.Linear(hidden, classes)

    def forward(self, x: Tensor) -> Tensor:
        """A score for each class; x is [batch, features]."""
        return self.output(self.hidden(self.scale(x)).relu())
